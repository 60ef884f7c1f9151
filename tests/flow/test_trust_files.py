"""Releases of several files, made through hawkBit's management interface: what vendor and director sign of
them, and what is refused."""

import hashlib
import json

import hawkbit
import pytest
from vendor import Vendor

DATA = {"os.swu": b"the small one" * 10, "os.zck": b"the large one" * 1000}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = []
    settings = {"trust.insecure_unsigned": "no", "ddi.model": "board"}
    folder = tmp_path_factory.mktemp("files")
    it = hawkbit.start(folder, settings, lambda server: made.append(Vendor(server).start()))
    it.vendor = made[0]
    yield it
    it.close()


class Release:
    """A draft of some files; sequences are asked of the server, as the command line does."""

    def __init__(self, server, *modules):
        self.server, hawk = server, server.hawkbit
        self.name = hawk.name("rel")
        kinds = zip(modules, ("os", "application"))
        self.modules = [hawk.module(*((f, DATA[f]) for f in files), type=kind) for files, kind in kinds]
        self.id = hawk.set_of(*self.modules, name=self.name, type="os" if len(modules) == 1 else "os_app")
        terms = server.api("GET", f"/api/trust/releases/{self.id}", expect=200).json()
        self.sequence = terms["models"][0]["sequence"]

    def target(self, filename, **custom):
        data = DATA[filename]
        what = {"name": self.name, "version": "1.0", "filename": filename, "size": len(data)}
        what["sha256"] = hashlib.sha256(data).hexdigest()
        return self.server.vendor.target(what, "board", self.sequence, **custom)

    def upload(self, *targets, expect):
        """Signs these and no others."""
        vendor = self.server.vendor
        first = {"name": self.name, "version": "1.0", "filename": "none", "size": 1, "sha256": "0" * 64}
        request = vendor.prepare({**first, "models": ["board"]}, self.sequence)
        whole = json.loads(request.read_text())
        body = whole["documents"][-1]["document"]["signed"]
        del body["targets"][f"board/{self.name}/1.0/none"]
        body["targets"].update(dict(targets))
        request.write_text(json.dumps(whole))
        vendor.sign(request)
        return vendor.upload(request, expect=expect)

    def state(self):
        return self.server.api("GET", f"/api/firmware/{self.id}", expect=200).json()["state"]


def test_all_files_are_signed_together(server):
    release = Release(server, ["os.swu", "os.zck"])
    said = release.upload(release.target("os.swu"), expect=409)["detail"]
    assert "has the file os.zck too" in said and release.state() == "draft"
    different = release.target("os.zck", counter=3)
    said = release.upload(release.target("os.swu"), different, expect=422)["detail"]
    assert "differs from what is signed of" in said and release.state() == "draft"
    release.upload(release.target("os.swu"), release.target("os.zck"), expect=200)
    assert release.state() == "published"
    # As what it was signed it stays.
    body, headers = hawkbit.form("more.bin", b"more")
    path = f"softwaremodules/{release.modules[0]}/artifacts"
    assert "locked" in server.hawkbit("POST", path, body, headers=headers, expect=423).json()["message"]
    for name, data in DATA.items():
        digest = hashlib.sha256(data).hexdigest()
        where = f"/tuf/image/targets/board/{release.name}/1.0/{digest}.{name}"
        assert server.curl(where).body == data
        assert server.curl(where.replace(digest, "0" * 64)).status == 404


def test_files_with_different_sequences(server):
    """Also with another release between them, in the order in which they are taken."""
    first, between = Release(server, ["os.swu", "os.zck"]), Release(server, ["os.swu"])
    targets = [first.target("os.swu")]
    between.sequence = first.sequence + 1
    targets.append(between.target("os.swu"))
    first.sequence += 2
    targets.append(first.target("os.zck"))
    said = first.upload(*targets, expect=422)["detail"]
    assert "differs from what is signed of" in said and first.state() == "draft"


def test_names_that_stand_twice_cannot_be_signed(server):
    release = Release(server, ["os.swu"], ["os.swu"])
    assert "two files called os.swu" in release.upload(release.target("os.swu"), expect=409)["detail"]


def test_a_device_that_installs_one_file_refuses_two(server, make_agent):
    vendor = server.vendor
    release = Release(server, ["os.swu", "os.zck"])
    release.upload(release.target("os.swu"), release.target("os.zck"), expect=200)
    roots = {f"trust.{r}_root": vendor.dir / "device" / f"{r}.root.json" for r in ("image", "director")}
    agent = make_agent(server, "one-1", "board", settings=roots)
    agent.enrol()
    target = {"kind": "device", "value": "one-1"}
    server.api("POST", "/api/deployments", {"release": release.id, "target": target}, expect=201)
    assert agent.once().code == 3
    said = server.api("GET", "/api/devices/one-1", expect=200).json()["action"]
    assert said["state"] == "failed"


def test_the_command_line_wants_the_files_that_the_server_has(server, tmp_path):
    release = Release(server, ["os.swu", "os.zck"])
    for name, data in DATA.items():
        (tmp_path / name).write_bytes(data)
    what = ("--name", release.name, "--version", "1.0", "--model", "board")
    keys = ("--sign-with", server.vendor.key("targets"), "--passphrase-file", server.vendor.passphrase)

    def sign(*args, check=0):
        return server.pqota("firmware", "sign", *args, *what, cwd=tmp_path, check=check).err

    # Nothing is made that holders would sign and the server then refuse.
    assert "os.zck" in sign("os.swu", check=1) and not list(tmp_path.glob("*.json"))
    assert "os.swu" in sign("os.swu", "os.swu", "os.zck", check=1) and not list(tmp_path.glob("*.json"))
    sign("os.swu", "os.zck")
    assert list(tmp_path.glob("*.json"))
    sign("os.swu", "os.zck", *keys)
    assert release.state() == "published"
    assert "signed already" in sign("os.swu", "os.zck", *keys)
    (tmp_path / "os.zck").write_bytes(b"another")
    assert "os.zck" in sign("os.swu", "os.zck", *keys, check=1)


def test_modules_of_two_types(server, tmp_path):
    release = Release(server, ["os.swu"], ["os.zck"])
    for name, data in DATA.items():
        (tmp_path / name).write_bytes(data)
    vendor = server.vendor
    how = ("--name", release.name, "--version", "1.0", "--model", "board")
    keys = ("--sign-with", vendor.key("targets"), "--passphrase-file", vendor.passphrase)
    sign = ("firmware", "sign", "os.swu", "os.zck", *how, *keys)
    bad = server.pqota(*sign, *("--type", "os") * 3, cwd=tmp_path, check=2)
    assert "once for each file" in bad.err
    bad = server.pqota(*sign, cwd=tmp_path, check=1)
    assert "type application" in bad.err, bad
    server.pqota(*sign, "--type", "os", "--type", "application", cwd=tmp_path)
    assert release.state() == "published"


def test_a_set_that_is_deleted_goes_on(server):
    """Where it is under way, the director still says so: what was begun is vouched for to its end."""
    release, hawk = Release(server, ["os.swu", "os.zck"]), server.hawkbit
    release.upload(release.target("os.swu"), release.target("os.zck"), expect=200)
    device = hawk.target()
    hawk.assign(release.id, device)
    device.deployment()
    hawk.delete(f"distributionsets/{release.id}")
    named = server.api("GET", f"/tuf/director/{device.id}/targets.json", expect=200).json()["signed"][
        "targets"
    ]
    assert sorted(named) == [f"board/{release.name}/1.0/{name}" for name in DATA]
    assert len(device.deployment()["deployment"]["chunks"][0]["artifacts"]) == 2
