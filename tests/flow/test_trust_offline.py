"""The vendor's side without any server: keys and first metadata, signing requests signed by several holders,
what a person is shown. What is made is judged by python-tuf and by the openssl program."""

import base64
import hashlib
import json
import os
import pathlib
import pty
import shutil
import stat
import subprocess
import termios

import pytest
import tufrepo
import vendor as vendors
from securesystemslib.formats import encode_canonical
from tuf.api.metadata import Metadata

from harness import BUILD, environment, program, run, wait_for

PASSPHRASE = vendors.PASSPHRASE.strip()
TARGET = "gw-1/gateway/1.3.0/fw.bin"


def pqota(*args, check=0, **kw):
    return run([program("pqota"), "trust", *args], check=check, **kw)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    """A folder after `pqota trust init`."""
    folder, made = tmp_path_factory.mktemp("vendor"), pathlib.Path(vendors.made_once(BUILD).name)
    (folder / "pass").write_text(PASSPHRASE + "\n")
    shutil.copytree(made / "server", folder / "d")
    shutil.copytree(made / "as-made", folder / "as-made")
    return folder


def trust(vendor, *parts):
    return vendor.joinpath("d", "trust", *parts)


def load(path):
    return json.loads(path.read_text())


def request(vendor, folder, *, targets=None, root=None, name="request.json"):
    """A request that follows on the first metadata."""
    image, director = load(trust(vendor, "image", "1.root.json")), load(
        trust(vendor, "director", "1.root.json")
    )
    base = load(trust(vendor, "image", "1.targets.json"))
    documents = []
    if root is not None:
        documents.append(
            {"repository": "image", "role": "root", "document": {"signatures": [], "signed": root}}
        )
    if targets is not None:
        signed = {**base["signed"], "version": 2, "targets": targets}
        document = {"signatures": [], "signed": signed}
        documents.append({"repository": "image", "role": "targets", "document": document})
    path = folder / name
    made = {
        "pqota-trust": 1,
        "documents": documents,
        "entries": [],
        "context": {
            "image": image,
            "director": director,
            "base": [{"repository": "image", "role": "targets", "document": base}],
        },
    }
    path.write_text(json.dumps(made))
    return path


def firmware(**more):
    custom = {"name": "gateway", "version": "1.3.0", "model": "gw-1", "type": "os", "sequence": 7, **more}
    return {TARGET: {"length": 1234, "hashes": {"sha256": "ab" * 32}, "custom": custom}}


def sign(vendor, path, *keys, check=0):
    named = [a for k in keys for a in ("--key", trust(vendor, "offline", f"{k}.key"))]
    return pqota("sign", path, *named, "--passphrase-file", vendor / "pass", "--yes", check=check)


def ml_dsa_holds(folder, key, body, signature):
    """By the openssl program, over what TAP 21 says (empty context)."""
    tbs = b"tuf\x01" + hashlib.sha512(encode_canonical(body).encode()).digest()
    (folder / "k.pem").write_text(key["keyval"]["public"])
    (folder / "tbs").write_bytes(tbs)
    (folder / "sig").write_bytes(bytes.fromhex(signature))
    argv = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", folder / "k.pem"]
    return run([*argv, "-in", folder / "tbs", "-sigfile", folder / "sig"]).code == 0


# --- init --------------------------------------------------------------------------------------------------


def test_what_init_makes(vendor):
    made = {
        str(p.relative_to(trust(vendor))): stat.S_IMODE(p.stat().st_mode) for p in trust(vendor).rglob("*")
    }
    offline = ["root-1", "root-2", "root-3", "targets", "manifest"]
    online = ["timestamp", "snapshot", "director", "manifest"]
    assert {n for n in made if n.endswith(".key")} == {f"offline/{n}.key" for n in offline} | {
        f"online/{n}.key" for n in online
    }
    assert all(mode == 0o600 for name, mode in made.items() if name.endswith(".key"))
    assert made["offline"] == made["online"] == 0o700
    assert {n for n in made if n.endswith(".json")} == {
        "image/1.root.json",
        "image/1.targets.json",
        "director/1.root.json",
        "device/image.root.json",
        "device/director.root.json",
    }
    assert not list((vendor / "d").glob(".trust*"))


def test_keys_at_rest(vendor):
    """Offline: PKCS#8 by scrypt, openable by openssl with the passphrase alone. Online: as they are."""
    for name in ("root-1", "targets", "manifest"):
        key = vendor / "as-made" / f"{name}.key"
        shown = run(["openssl", "asn1parse", "-in", key], check=0).out
        assert ":PBES2" in shown and ":scrypt" in shown and ":aes-256-cbc" in shown
        run(["openssl", "pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-noout"], check=0)
        assert run(["openssl", "pkey", "-in", key, "-passin", "pass:wrong", "-noout"]).code != 0
    assert (vendor / "as-made" / "root-1.key").read_text().count("BEGIN ENCRYPTED PRIVATE KEY") == 2
    shown = run(
        ["openssl", "pkey", "-in", trust(vendor, "online", "snapshot.key"), "-noout", "-text"], check=0
    )
    assert "ML-DSA-65" in shown.out


def test_first_metadata(vendor, tmp_path):
    """python-tuf verifies the Ed25519 halves by the standard thresholds, openssl the others."""
    image = Metadata.from_file(str(trust(vendor, "image", "1.root.json")))
    director = Metadata.from_file(str(trust(vendor, "director", "1.root.json")))
    targets = Metadata.from_file(str(trust(vendor, "image", "1.targets.json")))
    assert image.signed.consistent_snapshot and image.signed.roles["root"].threshold == 2
    for root in (image, director):
        found = root.signed.get_verification_result("root", root.signed_bytes, root.signatures)
        assert found.verified and len(found.signed) == 3 and not found.unsigned  # it sees no ML-DSA keys
    image.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    with pytest.raises(Exception):
        director.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    root = load(trust(vendor, "image", "1.root.json"))
    body, ml_dsa = root["signed"], 0
    keys = tufrepo.keys_of(body)
    for s in root["signatures"]:
        key = keys[s["keyid"]]
        assert hashlib.sha256(encode_canonical(key).encode()).hexdigest() == s["keyid"]
        if key["keytype"] == "ml-dsa":
            assert key["scheme"] == "ml-dsa-87/1"
            assert ml_dsa_holds(tmp_path, key, body, s["sig"])
            assert not ml_dsa_holds(tmp_path, key, {**body, "version": 2}, s["sig"])
            ml_dsa += 1
    assert ml_dsa == 3
    assert body["pqota"]["repository"] == "image"
    assert {key["keytype"] for key in body["keys"].values()} == {"ed25519"}
    own = dict(body["roles"]["root"]["pqota"])
    assert len(own.pop("keyids")) == 3 and own == {"ml-dsa": 2, "classical": 2}
    assert director.signed.unrecognized_fields["pqota"]["repository"] == "director"
    assert set(body["pqota"]["manifest"]) == {"vendor", "director"}
    schemes = {
        r: sorted(keys[k]["scheme"] for k in tufrepo.keyids_of(body["roles"][r])) for r in body["roles"]
    }
    assert schemes["targets"] == ["ed25519", "ml-dsa-87/1"]
    assert schemes["timestamp"] == schemes["snapshot"] == ["ed25519", "ml-dsa-65/1"]
    device = trust(vendor, "device", "image.root.json")
    assert device.read_bytes() == trust(vendor, "image", "1.root.json").read_bytes()


def test_not_made_twice(vendor):
    before = trust(vendor, "image", "1.root.json").read_bytes()
    again = pqota("init", vendor / "d", "--passphrase-file", vendor / "pass", check=1)
    assert "exists already" in again.err
    assert trust(vendor, "image", "1.root.json").read_bytes() == before


def test_nothing_half_done(tmp_path):
    """No passphrase, thresholds that cannot be met, keys that are not there: no folder stays behind."""
    (tmp_path / "pass").write_text(PASSPHRASE)
    (tmp_path / "empty").write_text("\n")
    good = ["--passphrase-file", tmp_path / "pass"]
    for args in (
        ["--passphrase-file", tmp_path / "empty"],
        ["--passphrase-file", tmp_path / "none"],
        [*good, "--root-keys", "1", "--root-threshold", "2"],
        [*good, "--root-key", tmp_path / "none.key"],
    ):
        assert pqota("init", tmp_path / "d", *args, check=None).code in (1, 3)
        assert not list(tmp_path.glob("d/*")) and not list(tmp_path.glob("d/.*"))


def test_keys_that_are_there(vendor, tmp_path):
    """--root-key: no new ones are made of that role; the same key twice is refused."""
    args = ["--passphrase-file", vendor / "pass", "--root-threshold", "1"]
    key = trust(vendor, "offline", "root-1.key")
    pqota("init", tmp_path / "d", *args, "--root-key", key)
    assert not list(tmp_path.glob("d/trust/offline/root*"))
    old, new = load(trust(vendor, "image", "1.root.json")), load(tmp_path / "d/trust/image/1.root.json")
    ids = [set(tufrepo.keyids_of(root["signed"]["roles"]["root"])) for root in (new, old)]
    assert ids[0] < ids[1] and len(ids[0]) == 2
    twice = pqota("init", tmp_path / "e", *args, "--root-key", key, "--root-key", key, check=1)
    assert "twice" in twice.err


def test_operator_is_told(tmp_path, make_server):
    """In a folder of `pqota init` the first operator's profile gets the roots."""
    server = make_server(start=False)
    (tmp_path / "pass").write_text(PASSPHRASE)
    pqota("init", server.dir, "--passphrase-file", tmp_path / "pass")
    for name in ("image", "director"):
        told = server.dir / "operator" / "trust" / f"{name}.root.json"
        assert told.read_bytes() == (server.dir / "trust" / "device" / f"{name}.root.json").read_bytes()


# --- sign --------------------------------------------------------------------------------------------------


def test_sign_a_release(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware(security=True, advisory="mends \u202e a hole"))
    asked = pqota("show", path)
    assert (
        "0 of 1 ML-DSA, 0 of 1 classical" in asked.out and "1 more ML-DSA and 1 more classical" in asked.out
    )
    done = sign(vendor, path, "targets")
    assert f"+ target {TARGET}" in done.out and "gateway 1.3.0 for model gw-1, os, sequence 7" in done.out
    assert "ab" * 32 in done.out and "mends a weakness" in done.out and "\u202e" not in done.out
    assert "Signed: 2 signatures" in done.out and "Complete" in done.out
    document = load(path)["documents"][0]["document"]
    root = Metadata.from_file(str(trust(vendor, "image", "1.root.json")))
    targets = Metadata.from_bytes(json.dumps(document).encode())
    root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    keys = tufrepo.keys_of(load(trust(vendor, "image", "1.root.json"))["signed"])
    by_scheme = {keys[s["keyid"]]["scheme"]: s for s in document["signatures"]}
    made = by_scheme["ml-dsa-87/1"]
    assert ml_dsa_holds(tmp_path, keys[made["keyid"]], document["signed"], made["sig"])
    assert "enough" in pqota("show", path).out
    # Once more changes nothing but the signature, which is random.
    sign(vendor, path, "targets")
    assert len(load(path)["documents"][0]["document"]["signatures"]) == 2


def test_several_holders(vendor, tmp_path):
    """A root with another threshold: one holder after another, each told what is missing."""
    root = load(trust(vendor, "image", "1.root.json"))["signed"]
    root["version"] = 2
    root["roles"]["root"]["threshold"] = 3
    root["roles"]["root"]["pqota"].update({"ml-dsa": 3, "classical": 3})
    path = request(vendor, tmp_path, root=root)
    first = sign(vendor, path, "root-1")
    assert "~ role root: threshold 3 (ML-DSA 3, classical 3), was 2 (ML-DSA 2, classical 2)" in first.out
    assert "image root: 1 more ML-DSA and 1 more classical of the present root's holders" in first.out
    assert "image root: 2 more ML-DSA and 2 more classical of the new root's holders" in first.out
    second = sign(vendor, path, "root-3")
    assert "present root's" not in second.out.split("still wanted")[1]
    assert "image root: 1 more ML-DSA and 1 more classical of the new root's holders" in second.out
    assert "Complete" in sign(vendor, path, "root-2").out
    old = Metadata.from_file(str(trust(vendor, "image", "1.root.json")))
    new = Metadata.from_bytes(json.dumps(load(path)["documents"][0]["document"]).encode())
    found = new.signed.get_root_verification_result(old.signed, new.signed_bytes, new.signatures)
    assert found.verified and len(found.signed) == 3


def test_a_key_that_is_none_of_the_roles(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware())
    before = path.read_bytes()
    for keys in (("root-1",), ("targets", "root-2")):
        refused = sign(vendor, path, *keys, check=1)
        assert "belong to no role" in refused.err
        assert path.read_bytes() == before


def test_wrong_passphrase(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware())
    before = path.read_bytes()
    (tmp_path / "pass").write_text("incorrect horse\n")
    key = trust(vendor, "offline", "targets.key")
    refused = pqota("sign", path, "--key", key, "--passphrase-file", tmp_path / "pass", "--yes", check=1)
    assert "passphrase" in refused.err and "wrong" in refused.err and "horse" not in refused.err
    assert path.read_bytes() == before


def test_no_terminal_to_ask_on(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware())
    before = path.read_bytes()
    key = ["--key", trust(vendor, "offline", "targets.key")]
    argv = ["setsid", "-w", program("pqota"), "trust", "sign", path, *key]
    refused = run([*argv, "--yes"], check=1, stdin=subprocess.DEVNULL)
    assert "--passphrase-file" in refused.err
    refused = run([*argv, "--passphrase-file", vendor / "pass"], check=2, stdin=subprocess.DEVNULL)
    assert "--yes" in refused.err and path.read_bytes() == before


def on_terminal(argv, answers):
    """Runs it on a terminal of its own, answers each prompt, gives back what the terminal showed."""
    fd, its = pty.openpty()
    argv = ["setsid", "--ctty", *(str(a) for a in argv)]
    process = subprocess.Popen(argv, stdin=its, stdout=its, stderr=its, env=environment())
    os.close(its)
    shown = b""
    for prompt, answer in answers:
        while prompt.encode() not in shown:
            shown += os.read(fd, 4096)
        if "[y/N]" not in prompt:  # not shown while it is typed
            wait_for(lambda: not termios.tcgetattr(fd)[3] & termios.ECHO, what="the terminal shows nothing")
        os.write(fd, answer.encode() + b"\n")
    while True:
        try:
            more = os.read(fd, 4096)
        except OSError:  # the program's end of it is closed
            break
        if not more:
            break
        shown += more
    os.close(fd)
    return process.wait(60), shown.decode()


def test_on_a_terminal(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware())
    before = path.read_bytes()
    argv = [program("pqota"), "trust", "sign", path, "--key", trust(vendor, "offline", "targets.key")]
    code, shown = on_terminal(argv, [("Passphrase of", PASSPHRASE), ("Sign? [y/N]", "n")])
    assert code == 1 and "Nothing was done" in shown and path.read_bytes() == before
    code, shown = on_terminal(argv, [("Passphrase of", PASSPHRASE), ("Sign? [y/N]", "y")])
    assert code == 0 and PASSPHRASE not in shown and "Complete" in shown


def test_init_on_a_terminal(tmp_path):
    argv = [program("pqota"), "trust", "init", tmp_path / "d"]
    code, shown = on_terminal(argv, [("New passphrase", PASSPHRASE), ("Verifying", "another")])
    assert code == 1 and not list(tmp_path.glob("d/*"))
    code, shown = on_terminal(argv, [("New passphrase", "short"), ("Verifying", "short")])
    assert code == 1 and "at least" in shown
    code, shown = on_terminal(argv, [("New passphrase", PASSPHRASE), ("Verifying", PASSPHRASE)])
    assert code == 0 and PASSPHRASE not in shown
    key = tmp_path / "d" / "trust" / "offline" / "root-1.key"
    run(["openssl", "pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-noout"], check=0)


def test_entries_for_microcontrollers(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware(counter=2))
    assert "1 of 1 entries for microcontrollers are missing" in sign(vendor, path, "targets").out
    done = sign(vendor, path, "manifest")
    assert "Signed: 0 signatures, 1 entry for microcontrollers" in done.out and "missing" not in done.out
    (entry,) = load(path)["entries"]
    assert entry["target"] == TARGET
    cose = base64.b64decode(entry["cose"], validate=True)
    assert len(cose) < 2700 and cose[0] == 0xD2 and bytes.fromhex("ab" * 32) in cose
    # One that somebody else made is made anew.
    made = load(path)
    forged = bytearray(cose)
    forged[-1] ^= 1
    made["entries"][0]["cose"] = base64.b64encode(bytes(forged)).decode()
    path.write_text(json.dumps(made))
    assert "are missing" in pqota("show", path).out
    sign(vendor, path, "manifest")
    assert "missing" not in pqota("show", path).out and len(load(path)["entries"]) == 1


# --- what a person is shown --------------------------------------------------------------------------------


def test_nothing_changes_unseen(vendor, tmp_path):
    """Removed and changed targets, delegations, members that nobody knows."""
    base = load(trust(vendor, "image", "1.targets.json"))["signed"]
    path = request(vendor, tmp_path, targets=firmware())
    made = load(path)
    now = made["documents"][0]["document"]["signed"]
    then = made["context"]["base"][0]["document"]["signed"]
    assert then == base
    old = json.loads(json.dumps(firmware()[TARGET]))
    then["targets"] = {"gw-1/gateway/1.2.0/fw.bin": old, TARGET: {**old, "length": 77}, "a/b/c/d": old}
    now["targets"]["a/b/c/d"] = old
    now["x-surprise"] = "hello"
    now["targets"]["a/\x1b[2J"] = old
    now["delegations"] = {
        "keys": {},
        "roles": [
            {"name": "model-x", "keyids": [], "threshold": 1, "terminating": False, "paths": ["x/*/*/*"]}
        ],
    }
    path.write_text(json.dumps(made))
    shown = pqota("show", path).out
    assert "- target gw-1/gateway/1.2.0/fw.bin" in shown and f"~ target {TARGET}" in shown
    assert "a/b/c/d" not in shown
    assert "+ x-surprise: hello" in shown
    assert "+ target a/\\x1b[2J" in shown and "\x1b" not in shown
    assert "+ role model-x" in shown and "may sign for x/*/*/*" in shown and "not terminating" in shown
    assert "WARNING: version 1, with which it is compared here, is not signed by who must have" in shown


def test_wrong_versions_are_shown(vendor, tmp_path):
    path = request(vendor, tmp_path, targets=firmware())
    made = load(path)
    made["documents"][0]["document"]["signed"]["version"] = 5
    path.write_text(json.dumps(made))
    assert "WARNING: it would follow on version 1" in pqota("show", path).out


def test_a_false_root_in_the_file(vendor, tmp_path):
    """Who must sign is told by a root that its own holders signed."""
    path = request(vendor, tmp_path, targets=firmware())
    made = load(path)
    made["context"]["image"]["signed"]["roles"]["targets"]["threshold"] = 7
    path.write_text(json.dumps(made))
    refused = sign(vendor, path, "targets", check=1)
    assert "the present root of the image repository in this file is not one" in refused.err


def test_show_metadata(vendor):
    root = trust(vendor, "image", "1.root.json")
    shown = pqota("show", root).out
    assert "root: version 1" in shown and "3 of 2 ML-DSA, 3 of 2 classical (threshold 2): enough" in shown
    targets = trust(vendor, "image", "1.targets.json")
    assert "not checked without --root" in pqota("show", targets).out
    assert "1 of 1 ML-DSA, 1 of 1 classical" in pqota("show", targets, "--root", root).out
    other = pqota("show", targets, "--root", trust(vendor, "director", "1.root.json")).out
    assert "0 of 1 ML-DSA, 0 of 1 classical" in other


def test_files_that_are_none(vendor, tmp_path):
    for text in (
        "",
        "hello",
        "{}",
        "[]",
        '{"pqota-trust": 1}',
        '{"signed": {"_type": "root"}}',
        "[" * 100000,
    ):
        path = tmp_path / "file"
        path.write_text(text)
        assert pqota("show", path, check=1).err
        assert sign(vendor, path, "targets", check=1).err
    big = tmp_path / "big"
    with open(big, "wb") as f:
        f.truncate((16 << 20) + 1)
    assert "larger than" in pqota("show", big, check=1).err
    assert pqota("show", tmp_path / "none", check=3).err
