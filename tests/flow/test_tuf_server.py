"""Ordinary TUF clients follow a pqota server's image repository: pqota-tuf over HTTPS, and python-tuf."""

import json

import pytest
import tufkeys
from harness import Server, program, run, wait_for
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, SSlibKey
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface
from vendor import Vendor

DATA = b"firmware" * 5000
TARGET = "ord/ord/1.0/firmware.bin"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A vendor whose server has one signed release."""
    server = Server(tmp_path_factory.mktemp("ordinary"), {"trust.insecure_unsigned": "no"})
    vendor = Vendor(server)
    server.start()
    wait_for(lambda: server.curl("/tuf/image/timestamp.json").status == 200, what="the server has signed")
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
    for role, version in versions.items():
        name = f"{role}.json" if version is None else f"{version}.{role}.json"
        assert stored[f"{role}.json"] == server.curl(f"/tuf/image/{name}").body.decode()


def test_pqota_tuf_does_not_trust_a_server_that_it_does_not_know(published, tmp_path):
    tuf = [program("pqota-tuf"), "--metadata-dir", tmp_path]
    run([*tuf, "init", first_root(published)], check=0)
    run([*tuf, "--metadata-url", published.server.url + "/tuf/image/", "refresh"], check=1)
    assert [path.name for path in tmp_path.iterdir()] == ["root.json"]


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


def test_python_tuf(published, tmp_path, monkeypatch):
    for scheme in tufkeys.ML_DSA:
        monkeypatch.setitem(KEY_FOR_TYPE_AND_SCHEME, ("ml-dsa", scheme), SSlibKey)
    server = published.server
    (tmp_path / "root.json").write_bytes(first_root(published).read_bytes())
    updater = Updater(
        str(tmp_path),
        server.url + "/tuf/image/",
        str(tmp_path),
        server.url + "/tuf/image/targets/",
        fetcher=Curl(server, server.enrol("ord-1", "ord")),
    )
    info = updater.get_targetinfo(TARGET)
    assert info.unrecognized_fields["custom"]["sequence"] == 3
    with open(updater.download_target(info), "rb") as file:
        assert file.read() == DATA
    assert json.loads((tmp_path / "model-ord.json").read_text())["signed"]["version"] == 1
