"""Ordinary TUF clients follow a pqota server's image repository: pqota-tuf over HTTPS, and python-tuf."""

import json

import pytest
from harness import Server, free_port, program, run, wait_for
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface
from vendor import Vendor

DATA = b"firmware" * 5000
TARGET = "ord/ord/1.0/firmware.bin"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A vendor whose server has one signed release."""
    settings = {"plain.enabled": "yes", "plain.listen": f"127.0.0.1:{free_port()}"}
    server = Server(tmp_path_factory.mktemp("ordinary"), {"trust.insecure_unsigned": "no", **settings})
    server.plain = f"http://{settings['plain.listen']}/tuf/image/"
    vendor = Vendor(server).start()
    vendor.publish(server.publish("ord", "1.0", DATA), 3, security=True)
    yield vendor
    server.close()


def first_root(vendor):
    return vendor.dir / "device" / "image.root.json"


def test_pqota_tuf(published, tmp_path):
    server = published.server
    tuf = [program("pqota-tuf"), "--ca", server.roots, "--metadata-dir", tmp_path / "metadata"]
    run([*tuf, "init", first_root(published)], check=0)
    run([*tuf, "--metadata-url", server.url + "/tuf/image/", "refresh"], check=0)
    (tmp_path / "targets").mkdir()
    base = ["--target-dir", tmp_path / "targets", "--target-base-url", server.url + "/tuf/image/targets/"]
    again = [*tuf, "--metadata-url", server.url + "/tuf/image/", *base, "--target-name", TARGET, "download"]
    refused = run(again, check=1)  # the metadata are for all, the firmware for devices
    assert "firmware.bin" in refused.err, refused
    versions = {"timestamp": None, **published.versions()}
    stored = {path.name: path.read_text() for path in (tmp_path / "metadata").iterdir()}
    assert set(stored) == {f"{role}.json" for role in versions} | {"root.json", "snapshot.json"}
    assert "model-ord" in versions
    # In the log, that the next root is not there yet is no failure; that another file is not, is one.
    assert server.curl("/tuf/image/99.snapshot.json").status == 404
    wait_for(lambda: "99.snapshot.json" in server.logs(), what="it is told in the log")
    assert "2.root.json" not in server.logs()
    for role, version in versions.items():
        name = f"{role}.json" if version is None else f"{version}.{role}.json"
        assert stored[f"{role}.json"] == server.curl(f"/tuf/image/{name}").body.decode()


def test_pqota_tuf_does_not_trust_a_server_that_it_does_not_know(published, tmp_path):
    tuf = [program("pqota-tuf"), "--metadata-dir", tmp_path]
    run([*tuf, "init", first_root(published)], check=0)
    run([*tuf, "--metadata-url", published.server.url + "/tuf/image/", "refresh"], check=1)
    assert [path.name for path in tmp_path.iterdir()] == ["root.json"]


def test_both_over_plain_http(published, tmp_path):
    """The metadata are for all: nothing but the first root is needed."""
    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "root.json").write_bytes(first_root(published).read_bytes())
    updater = Updater(str(tmp_path / "py"), published.server.plain)
    updater.refresh()
    assert updater.get_targetinfo(TARGET).custom["sequence"] == 3
    tuf = [program("pqota-tuf"), "--metadata-dir", tmp_path / "own"]
    run([*tuf, "init", first_root(published)], check=0)
    run([*tuf, "--metadata-url", published.server.plain, "refresh"], check=0)
    for name in ("timestamp", "snapshot", "targets"):
        kept = (tmp_path / part / f"{name}.json" for part in ("py", "own"))
        assert len({json.loads(path.read_text())["signed"]["version"] for path in kept}) == 1


class Curl(FetcherInterface):
    """python-tuf's requests, made by curl with a device's certificate."""

    def __init__(self, server, device):
        super().__init__()
        self.server, self.device = server, device

    def _fetch(self, url):
        reply = self.server.curl(url.removeprefix(self.server.url), who=self.device)
        if reply.status != 200:
            raise DownloadHTTPError(url, reply.status)
        return iter([reply.body])


def python_tuf(published, folder, device):
    """As it comes; it begins with the first root where the folder has none."""
    if not (folder / "root.json").exists():
        (folder / "root.json").write_bytes(first_root(published).read_bytes())
    server = published.server
    return Updater(
        str(folder),
        server.url + "/tuf/image/",
        str(folder),
        server.url + "/tuf/image/targets/",
        fetcher=Curl(server, server.enrol(device, "ord")),
    )


def test_python_tuf(published, tmp_path):
    updater = python_tuf(published, tmp_path, "ord-1")
    info = updater.get_targetinfo(TARGET)
    assert info.unrecognized_fields["custom"]["sequence"] == 3
    with open(updater.download_target(info), "rb") as file:
        assert file.read() == DATA
    assert json.loads((tmp_path / "model-ord.json").read_text())["signed"]["version"] == 1
    assert json.loads((tmp_path / "root.json").read_text())["signed"]["version"] == 1


def test_python_tuf_after_a_rotation(published, tmp_path):
    """One of three root holders goes; the two others sign, and python-tuf follows and goes on."""
    python_tuf(published, tmp_path, "ord-2").refresh()
    body = published.next("root", days=1800)
    holders = body["roles"]["root"]
    gone = [holders["keyids"].pop(), holders["pqota"]["keyids"].pop()]
    assert body["keys"].pop(gone[0])["keytype"] == "ed25519"
    assert body["pqota"]["keys"].pop(gone[1])["keytype"] == "ml-dsa"
    request = published.request([("image", "root", body)])
    published.sign(request, published.key("root-1"), published.key("root-2"), published.key("root-3"))
    published.upload(request)
    for folder, device in ((tmp_path, "ord-3"), (tmp_path / "from the first root", "ord-4")):
        folder.mkdir(exist_ok=True)
        updater = python_tuf(published, folder, device)
        updater.refresh()
        assert json.loads((folder / "root.json").read_text())["signed"] == body
        with open(updater.download_target(updater.get_targetinfo(TARGET)), "rb") as file:
            assert file.read() == DATA
