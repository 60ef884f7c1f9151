"""What a holder of keys is shown by `pqota trust sign` is what is signed: whoever made the request, or had it
in hands on its way, chooses all of it, with what it is compared with too."""

import copy
import json

import pytest
import tufkeys
import tufrepo

from harness import program, run
from test_trust_offline import firmware, load, request, sign, trust, vendor  # noqa: F401 (a fixture)

HIDDEN = "gw-1/gateway/6.6.6/fw.bin"
STRANGER = "none of your keys signed version 1"


@pytest.fixture(scope="module")
def thief():
    """A pair of keys that nobody named."""
    return tufkeys.pair(87)


def bogus(document):
    """The same ids, and signatures that are none."""
    return [{"keyid": s["keyid"], "sig": "ab" * (len(s["sig"]) // 2)} for s in document["signatures"]]


def forge_root(real, thief, **more):
    """A root by a thief's keys, in which the holders of "targets" stand beside the thief."""
    body = copy.deepcopy(real["signed"])
    mine = tufrepo.role_object(thief, counts=(1, 1))
    theirs = body["roles"]["targets"]
    tufrepo.put_keys(body, {k.keyid: k.object for k in thief})
    body["roles"]["root"] = mine
    body["roles"]["targets"] = copy.deepcopy(mine)
    body["roles"]["targets"]["keyids"] += theirs["keyids"]
    body["roles"]["targets"]["pqota"]["keyids"] += theirs["pqota"].get("keyids", [])
    body["pqota"].update(more)
    return json.loads(tufrepo.envelope(body, thief))


def test_a_base_that_hides_what_changes(vendor, thief, tmp_path):  # noqa: F811
    """A false root, whose false targets have the change already and a signature under the holder's own id."""
    evil = {HIDDEN: {**firmware(version="6.6.6")["gw-1/gateway/1.3.0/fw.bin"], "length": 666}}
    path = request(vendor, tmp_path, targets={**firmware(), **evil})
    honest = sign(vendor, request(vendor, tmp_path, targets=firmware(), name="honest.json"), "targets")
    assert STRANGER not in honest.out
    made = load(path)
    base = made["context"]["base"][0]["document"]
    false = json.loads(tufrepo.envelope({**base["signed"], "targets": evil}, thief))
    false["signatures"] += bogus(base)
    made["context"]["base"][0]["document"] = false
    made["context"]["image"] = forge_root(made["context"]["image"], thief)
    path.write_text(json.dumps(made))
    shown = sign(vendor, path, "targets").out
    assert HIDDEN in shown and f"WARNING: {STRANGER}" in shown


def test_a_root_of_another_repository(vendor, tmp_path):  # noqa: F811
    """The image repository's next root under the director's name, whose keys matter less."""
    image = load(trust(vendor, "image", "1.root.json"))
    path = request(vendor, tmp_path, root={**image["signed"], "version": 2})
    made = load(path)
    made["documents"][0]["repository"] = "director"
    made["context"]["director"] = image
    path.write_text(json.dumps(made))
    refused = sign(vendor, path, "root-1", check=1)
    assert "does not say that it is the root of the repository director" in refused.err
    made["context"].pop("director")  # then it follows on nothing
    path.write_text(json.dumps(made))
    refused = sign(vendor, path, "root-1", check=1)
    assert "does not say that it is the root of the repository director" in refused.err
    made["documents"] = json.loads((tmp_path / "request.json").read_text())["documents"]
    assert not made["documents"][0]["document"]["signatures"]


def test_small_print(vendor, tmp_path):  # noqa: F811
    """What a program may go by one day, and in which order roles are asked."""
    path = request(vendor, tmp_path, targets=firmware(unpacked_size=123456, **{"x-\u202e": 1}))
    made = load(path)
    now = made["documents"][0]["document"]["signed"]
    then = made["context"]["base"][0]["document"]["signed"]
    now["targets"]["gw-1/gateway/1.3.0/fw.bin"]["more"] = True
    role = {"keyids": [], "threshold": 1, "terminating": True}
    roles = [{**role, "name": f"model-{m}", "paths": [f"{m}/*/*/*"]} for m in "abc"]
    then["delegations"] = {"keys": {}, "roles": roles}
    now["delegations"] = {"keys": {}, "roles": [roles[1], roles[0], roles[2]]}
    path.write_text(json.dumps(made))
    shown = run([program("pqota"), "trust", "show", path], check=0).out
    assert ", 123456 bytes unpacked" in shown and "the order in which delegated roles are asked" in shown
    assert "not known here: x-\\u202e" in shown and "not known here: more" in shown
    now["delegations"]["roles"] = roles[:2]
    path.write_text(json.dumps(made))
    assert "the order in which" not in run([program("pqota"), "trust", "show", path], check=0).out


def test_a_passphrase_that_is_none(tmp_path):
    """However it comes."""
    (tmp_path / "pass").write_text("1234567\n")
    argv = [program("pqota"), "trust", "init", tmp_path / "d", "--passphrase-file", tmp_path / "pass"]
    assert "a passphrase of at least 8 characters is needed" in run(argv, check=1).err
