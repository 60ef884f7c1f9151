"""Other keys for every role, a new life for what is signed offline, and a server that goes back: on a real
server, by the commands alone."""

import json
import shutil
import time

import pytest
import tufrepo

from harness import Server, wait_for
from vendor import Vendor

SIGNED = {"trust.insecure_unsigned": "no"}


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    """A server with one published release, and its vendor."""
    server = Server(tmp_path_factory.mktemp("vendor"), SIGNED)
    made = Vendor(server).start()
    made.publish(server.publish("gateway", "1.0", b"firmware", model="gateway"), 1)
    yield made
    server.close()


def trust(vendor, *args, check=0):
    """In a folder of its own, so that usual file names are free."""
    folder = vendor.server.folder / "work"
    folder.mkdir(exist_ok=True)
    return vendor.server.pqota("trust", *args, check=check, cwd=folder)


def work(vendor, name):
    return vendor.server.folder / "work" / name


def sign(vendor, name, *keys):
    named = [a for key in keys for a in ("--key", key)]
    args = ["--passphrase-file", vendor.passphrase, "--yes"]
    return trust(vendor, "sign", name, *named, *args).out


def upload(vendor, name):
    trust(vendor, "upload", name)
    for document in json.loads(work(vendor, name).read_text())["documents"]:
        if document["role"] == "root":
            vendor.roots[document["repository"]] += 1


def roots(vendor):
    return vendor.key("root-1"), vendor.key("root-2")


def rotate(vendor, role, *args):
    out = trust(vendor, "rotate", role, "--passphrase-file", vendor.passphrase, *args).out
    return f"trust-rotate-{role}.json", out


def new_key(out):
    return [line.removeprefix("New key: ") for line in out.splitlines() if line.startswith("New key: ")]


def put_on_server(vendor, out, name):
    """What `rotate` says: the new key in the old one's place, SIGHUP."""
    (key,) = new_key(out)
    shutil.copy(work(vendor, key), vendor.dir / "online" / f"{name}.key")
    vendor.server.reload()


def keyids(vendor, role, repository="image"):
    return set(tufrepo.keyids_of(vendor.current("root", repository)["roles"][role]))


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_online_role(vendor, role):
    before = keyids(vendor, role)
    name, out = rotate(vendor, role)
    assert "SIGHUP" in out and f"trust/online/{role}.key" in out
    sign(vendor, name, *roots(vendor))
    put_on_server(vendor, out, role)
    upload(vendor, name)
    assert len(keyids(vendor, role)) == 2 and not keyids(vendor, role) & before
    at = vendor.fetch("timestamp.json")
    version = at["signed"]["meta"]["snapshot.json"]["version"]
    served = at if role == "timestamp" else vendor.fetch(f"{version}.snapshot.json")
    assert {s["keyid"] for s in served["signatures"]} == keyids(vendor, role)
    assert role in trust(vendor, "show").out


def test_director(vendor):
    before = keyids(vendor, "targets", "director")
    name, out = rotate(vendor, "director")
    sign(vendor, name, *roots(vendor))
    put_on_server(vendor, out, "director")
    upload(vendor, name)
    now = keyids(vendor, "targets", "director")
    assert len(now) == 2 and not now & before
    assert now == keyids(vendor, "snapshot", "director") == keyids(vendor, "timestamp", "director")


def test_targets(vendor):
    """The new targets, and the models' roles that the same holders sign for, are signed by the new keys."""
    before, versions = keyids(vendor, "targets"), vendor.versions()
    name, out = rotate(vendor, "targets")
    (key,) = new_key(out)
    assert "role model-gateway" in out and "still wanted" in out
    assert "more ML-DSA" in sign(vendor, name, *roots(vendor))
    done = sign(vendor, name, work(vendor, key))
    assert "Complete" in done
    upload(vendor, name)
    after = keyids(vendor, "targets")
    assert len(after) == 2 and not after & before
    assert vendor.versions() == {role: version + 1 for role, version in versions.items()}
    (role,) = vendor.current("targets")["delegations"]["roles"]
    assert set(tufrepo.keyids_of(role)) == after
    assert set(tufrepo.keys_of(vendor.current("targets"))) == after
    assert list(vendor.current("model-gateway")["targets"]) == ["gateway/gateway/1.0/firmware.bin"]
    vendor.key("targets").write_bytes(work(vendor, key).read_bytes())


def test_manifest_key(vendor):
    """What was signed for microcontrollers is signed anew by the new key."""
    name, out = rotate(vendor, "manifest")
    (key,) = new_key(out)
    done = sign(vendor, name, *roots(vendor), vendor.key("targets"), work(vendor, key))
    assert "1 entry for microcontrollers" in done and "Complete" in done
    assert "missing" not in done.split("Signed:")[1]
    upload(vendor, name)
    now = vendor.current("root")["pqota"]["manifest"]
    assert now == vendor.current("root", "director")["pqota"]["manifest"]


def test_manifest_key_of_the_server(vendor):
    before = vendor.current("root")["pqota"]["manifest"]
    name, out = rotate(vendor, "manifest-online")
    sign(vendor, name, *roots(vendor))
    put_on_server(vendor, out, "manifest")
    upload(vendor, name)
    now = vendor.current("root")["pqota"]["manifest"]
    assert now["vendor"] == before["vendor"] and now["director"] != before["director"]


def test_renew(vendor):
    versions, roots_before = vendor.versions(), dict(vendor.roots)
    trust(vendor, "renew")
    done = sign(vendor, "trust-renew.json", *roots(vendor), vendor.key("targets"))
    assert "Complete" in done and "nothing but its version and its end are changed" in done
    upload(vendor, "trust-renew.json")
    assert vendor.versions() == {role: version + 1 for role, version in versions.items()}
    assert vendor.roots == {name: version + 1 for name, version in roots_before.items()}
    assert "trust-renew.json is there already" in trust(vendor, "renew", check=2).err
    trust(vendor, "renew", "--no-root", "--output", "targets.json")
    documents = json.loads(work(vendor, "targets.json").read_text())["documents"]
    assert [d["role"] for d in documents] == ["targets", "model-gateway"]


def test_one_root_key_is_stolen(vendor):
    """Two pairs stay, one is replaced; old and new holders sign, in both repositories."""
    root = vendor.current("root")
    name, out = rotate(vendor, "root", "--key", vendor.key("root-1"), "--key", vendor.key("root-2"))
    (key,) = new_key(out)
    sign(vendor, name, *roots(vendor))
    upload(vendor, name)
    now = vendor.current("root")["roles"]["root"]
    ids, before = (tufrepo.keyids_of(role) for role in (now, root["roles"]["root"]))
    assert len(ids) == 6 and len(set(ids) - set(before)) == 2
    assert now["threshold"] == 2
    assert vendor.current("root", "director")["roles"]["root"] == now
    # The stolen one is none of them any more, and what stays can be named by its beginning too.
    name, out = rotate(vendor, "timestamp", "--output", "stolen.json")
    assert (
        "belong to no role"
        in trust(
            vendor,
            "sign",
            "stolen.json",
            "--key",
            vendor.key("root-3"),
            "--passphrase-file",
            vendor.passphrase,
            "--yes",
            check=1,
        ).err
    )
    keep = now["keyids"][:2] + now["pqota"]["keyids"][:2]
    args = [a for k in keep for a in ("--keep", k[:12])]
    trust(vendor, "rotate", "root", *args, "--new", "0", "--threshold", "2", "--output", "keep.json")
    kept = json.loads(work(vendor, "keep.json").read_text())["documents"][0]["document"]["signed"]
    assert tufrepo.keyids_of(kept["roles"]["root"]) == keep


def test_what_cannot_be_rotated(vendor):
    def refused(role, *args, code=1):
        return trust(vendor, "rotate", role, *args, "--output", "none.json", check=code).err

    before = set(work(vendor, ".").iterdir())
    assert "no role" in refused("kitchen", code=2)
    assert "--keep" in refused("root", "--keep", "zzzzzzzzzz")
    assert "--keep" in refused("manifest", "--keep", "zzzzzzzzzz")
    args = ["--passphrase-file", vendor.passphrase]
    assert "ML-DSA-44" in refused("manifest", "--key", vendor.key("targets"), *args)
    assert "needs 5 ML-DSA" in refused("root", "--threshold", "5", *args)
    assert set(work(vendor, ".").iterdir()) == before  # no key without a request


def test_a_server_that_goes_back(vendor):
    """What the vendor once saw is remembered: an older repository is not built upon, whoever serves it."""
    server = vendor.server
    trust(vendor, "renew", "--no-root", "--output", "before.json")
    server.stop()
    shutil.copytree(server.dir / "data", server.folder / "older")
    server.start()
    sign(vendor, "before.json", vendor.key("targets"))
    upload(vendor, "before.json")
    seen = vendor.fetch("timestamp.json")["signed"]["version"]
    server.stop()
    shutil.rmtree(server.dir / "data")
    shutil.copytree(server.folder / "older", server.dir / "data")
    # Versions are seconds: a timestamp of the one that was seen last would be no news.
    wait_for(
        lambda: time.time() >= seen + 1, what="the second in which the last timestamp was signed is over"
    )
    server.start()
    refused = trust(vendor, "renew", "--output", "after.json", check=1)
    assert "rollback" in refused.err
    assert not work(vendor, "after.json").exists()


def test_targets_of_many_models(make_server):
    """Who signs for 80 models gives all of them new keys at once."""
    server = make_server(SIGNED, start=False)
    vendor = Vendor(server).start()
    models = [f"m-{i}" for i in range(80)]
    targets = vendor.next("targets")
    for model in models:
        vendor.delegate(targets, model)
    roles = [("image", f"model-{model}", vendor.next(f"model-{model}")) for model in models]
    request = vendor.request([("image", "targets", targets), *roles])
    vendor.sign(request)
    vendor.upload(request)
    name, out = rotate(vendor, "targets")
    sign(vendor, name, *roots(vendor), work(vendor, *new_key(out)))
    upload(vendor, name)
    now = keyids(vendor, "targets")
    assert len(vendor.versions()) == 81 and set(vendor.versions().values()) == {2, 3}
    assert all(set(tufrepo.keyids_of(r)) == now for r in vendor.current("targets")["delegations"]["roles"])
