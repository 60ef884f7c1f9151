"""Who holds which key, and what its theft gives: each row of the table, with what a thief can do beside what
he cannot. And signatures that are not what they seem: half of a pair, of another kind, counted twice."""

import json

import pytest
import tufkeys
import tufrepo
from certificates import issue
from hostile import DATA, DEVICE, EVIL, ONLINE, THRESHOLD, family, holders, path_of
from tufrepo import target_entry

FILE = f"{DEVICE}/targets.json"
ROLES = ("timestamp", "snapshot", "targets", "model-gw")


def evil_release(scene, **custom):
    """The thief's own entry for 2.0 in what the model's role says next; nothing is signed yet."""
    scene.stage.add(scene.image, "2.0", data=EVIL, **custom)
    scene.front.artifact = EVIL
    scene.front.direct(path_of("2.0"), target_entry(EVIL))


def signed_by(scene, repo, keys, *roles):
    """The thief signs these with his keys, below them everything with the real ones."""
    for role in roles:
        repo.signers[role] = list(keys)


# --- one stolen online key ---


def test_the_timestamps_key(scene):
    """It names a snapshot, and cannot sign it."""
    scene.offer()
    evil_release(scene)
    thief = tufkeys.pair(65)
    signed_by(scene, scene.image, thief, "model-gw", "snapshot")
    scene.refresh("model-gw")
    scene.refused("4.snapshot.json: signed by 0 of the 1 keys that the role snapshot needs")


def test_the_snapshots_key(scene):
    """It signs a snapshot, and the timestamp does not name it."""
    scene.offer()
    named = scene.image.body("snapshot")["version"]
    del scene.image.body("snapshot")["meta"]["targets.json"]["hashes"]
    scene.image.serve("snapshot", named, scene.image.sign("snapshot"))
    scene.refused(f"{named}.snapshot.json: it has ")


def test_the_directors_key_moves_a_device(scene):
    """Among what the vendor signed for it, not below its counter: forth, and back again."""
    scene.publish()
    scene.direct()
    scene.deploy()
    scene.installs()
    scene.direct("1.0")
    scene.deploy("1.0")
    scene.installs("1.0")
    scene.before = scene.look()
    scene.stage.trace.unlink()
    scene.front.files.clear()
    scene.direct("0.9")
    scene.deploy("0.9")
    scene.refused("gw/fw/0.9/firmware.bin has the anti-rollback counter 0, this device has confirmed 1")


def test_the_directors_key_signs_no_firmware(scene):
    """Not in the vendor's roles either."""
    scene.offer()
    evil_release(scene)
    signed_by(scene, scene.image, scene.director.signers["targets"], *ROLES)
    scene.refresh("targets", "model-gw")
    scene.refused("timestamp.json: signed by 0 of the 1 keys that the role timestamp needs")


# --- both, all ---


@pytest.mark.parametrize("days, words", ((89, "which the vendor has not signed"), (91, "expired at ")))
def test_the_timestamps_and_the_snapshots_key_freeze(scene, days, words):
    """2.0 is hidden for as long as what the vendor signed before it lives, 90 days, and no longer: then
    nothing is taken any more, and the device says so."""
    image = scene.image
    image.days = 400
    for role in ("root", *ONLINE):
        image.body(role)["expires"] = scene.director.body("root")["expires"] = tufrepo.when(days=400)
    for role in ("targets", "model-gw", "model-pump"):
        image.body(role)["expires"] = tufrepo.when(days=90)
    image.publish("root")
    scene.director.publish("root")
    image.publish("targets", "model-gw", "model-pump", *reversed(ONLINE))
    assert scene.once().code == 0  # nothing to do yet: no metadata are asked for
    scene.stage.add(image, "2.0")
    image.body("model-gw")["version"] += 1
    image.files["4.model-gw.json"] = image.sign("model-gw")  # the vendor's; the thief does not name it
    image.publish("snapshot", "timestamp")
    scene.direct(days=400)
    scene.deploy()
    scene.held(words, later=days)


def test_all_online_keys(scene):
    """Fresh everything, and a release that the vendor did not sign."""
    scene.offer()
    evil_release(scene)
    online = [*scene.image.signers["timestamp"], *scene.image.signers["snapshot"]]
    signed_by(scene, scene.image, [*online, *scene.director.signers["targets"]], "model-gw")
    scene.refresh("model-gw")
    scene.refused("4.model-gw.json: signed by 0 of the 1 keys that the role model-gw needs")


def test_all_online_keys_and_another_file_in_the_old_ones_place(scene):
    """The vendor's signature stands over the body that it was made for, and over no other."""
    scene.offer()
    body = scene.image.body("model-gw")
    signatures = json.loads(scene.image.file("model-gw"))["signatures"]
    body["targets"][path_of("2.0")].update(target_entry(EVIL))
    text = json.dumps({"signatures": signatures, "signed": body}).encode()
    scene.image.serve("model-gw", body["version"], text)
    scene.refresh()
    scene.front.direct(path_of("2.0"), target_entry(EVIL))
    scene.refused(f"{body['version']}.model-gw.json: signed by 0 of the 1 keys")


# --- the offline ones ---


@pytest.mark.parametrize("repository", ("image", "director"))
def test_one_root_key(scene, repository):
    """Below the threshold: a root that gives all roles to the thief, signed by one holder of three."""
    scene.offer()
    repo = getattr(scene.front, repository)
    one, thief = holders(repo.signers["root"], 1), tufkeys.pair(87)
    for role in ("root", "targets", "snapshot", "timestamp"):
        repo.set_role(role, thief)
    repo.signers["root"] = [*one, *thief]
    repo.publish("root")
    scene.refused(f"{repository}: 2.root.json: signed by 1 of the 2 keys that the role root needs")
    assert f"ML-DSA: 1 of {THRESHOLD}, classical: 1 of {THRESHOLD}" in scene.told()["message"]


def test_one_root_key_under_three_ids(scene):
    """The same holder's signature with the others' ids on it."""
    scene.offer()
    root = scene.image.signers["root"]
    scene.image.body("root")["version"] += 1
    body = scene.image.body("root")
    made = [key.sign_metadata(body) for key in holders(root, 1)] * 3
    signatures = [{"keyid": key.keyid, "sig": it["sig"]} for key, it in zip(root, made)]
    text = json.dumps({"signatures": signatures, "signed": body}).encode()
    scene.image.serve("root", 2, text)
    scene.refused("2.root.json: signed by 1 of the 2 keys that the role root needs")


def test_the_targets_keys(scene):
    """With the server's it is the vendor's signature, and it is taken. A rotation by the root ends that."""
    scene.offer()
    stolen = list(scene.image.signers["targets"])
    evil_release(scene, sequence=4)
    scene.refresh("model-gw")
    scene.installs(data=EVIL)
    image, fresh = scene.image, scene.image.rotate("targets")
    for model in ("gw", "pump"):
        image.signers[f"model-{model}"] = []
        image.delegate(f"model-{model}", paths=[f"{model}/*/*/*"], keys=fresh, terminating=True)
    del image.body("model-gw")["targets"][path_of("2.0")]
    image.publish("root")
    image.publish_all()
    scene.front.artifact = None
    scene.direct("1.0")
    scene.deploy("1.0")
    scene.installs("1.0")
    scene.before = scene.look()
    scene.stage.trace.unlink()
    scene.front.files.clear()
    evil_release(scene, sequence=5)
    for role in ("targets", "model-gw"):
        image.signers[role] = stolen
        scene.refresh(role)
        scene.deploy()
        scene.refused(f"{role}.json: signed by 0 of the 1 keys that the role {role} needs")
        image.signers[role] = fresh
        scene.refresh(role)
        if role == "targets":
            image.signers["model-gw"] = stolen


def test_keys_that_were_taken_away_during_a_download(scene):
    """The targets' and the server's: the thief draws a download out until the vendor has rotated. What was
    vouched for when it began is asked for again before it is installed."""
    scene.offer()
    evil_release(scene)
    scene.refresh("model-gw")
    image = scene.image

    def meanwhile(handler, _):
        fresh = image.rotate("targets")
        image.delegate("model-gw", paths=["gw/*/*/*"], keys=fresh, terminating=True)
        image.publish("root")
        handler.reply(200, EVIL)

    scene.front.artifact = meanwhile
    assert scene.once().code == 3
    scene.unchanged()
    assert len(scene.front.files) == 1
    assert "targets.json: signed by 0 of the 1 keys that the role targets needs" in scene.told()["message"]


def test_the_device_authority(scene):
    """False devices: they may speak for themselves, and put nothing there for others."""
    server = scene.stage.server
    false = issue(server, scene.stage.folder, DEVICE, "-days", "30")
    file = scene.stage.folder / "evil"
    file.write_bytes(EVIL)
    for method, path, body in (
        ("PUT", "/api/firmware/fw/6.6.6/firmware.bin", ["-T", file]),
        ("POST", "/api/trust", ["--data-binary", "{}"]),
        ("POST", "/api/deployments", ["--data-binary", "{}"]),
    ):
        reply = server.curl(path, "-X", method, *body, who=false)
        assert reply.status == 403, (path, reply)
    assert server.curl("/api/update?version=1.0", who=false).status == 204  # as that device, for itself
    scene.unchanged()


# --- half of a pair ---


@pytest.mark.parametrize("post_quantum", (False, True), ids=("every classical key", "every ML-DSA key"))
@pytest.mark.parametrize("role", ("root", *ROLES, "director", "director's root"))
def test_one_family_forged(scene, role, post_quantum):
    """The thief has every key of one family, of all roles and holders; the other half he leaves away. Lower
    roles are signed whole, so that it is this one that is refused."""
    scene.publish()
    repo = scene.director if role.startswith("director") else scene.image
    name = {"director": "targets", "director's root": "root"}.get(role, role)
    repo.signers[name] = family(repo.signers[name], post_quantum)
    if name in ("targets", "model-gw", "snapshot") and repo is scene.image:
        scene.refresh(*[name] * (name != "snapshot"))
    elif role != "director":
        repo.publish(name)
    scene.direct()
    scene.deploy()
    need = THRESHOLD if name == "root" else 1
    scene.refused(f"ML-DSA: 0 of {need}, classical: " if not post_quantum else f"classical: 0 of {need})")
    assert f"that the role {name} needs" in scene.told()["message"]


def strip(document):
    """ML-DSA's signatures are the long ones."""
    document["signatures"] = [s for s in document["signatures"] if len(s["sig"]) < 2000]


def test_ml_dsa_stripped_everywhere(scene):
    """No key: Ed25519's signatures alone, and an ordinary client would be content."""
    scene.offer()
    for repo in (scene.image, scene.director):
        for name in repo.files:
            repo.edit(name, strip)
    scene.refused("director: gw-1/targets.json: signed by ")
    assert "ML-DSA: 0 of 1, classical: 1 of 1" in scene.told()["message"]


# --- the rule itself taken away ---


def without_counts(role):
    role.pop("pqota", None)


def zero_counts(role):
    role["pqota"] = {**role.get("pqota", {}), "ml-dsa": 0, "classical": 0}


def one_family(role):
    role["pqota"] = {**role.get("pqota", {}), "ml-dsa": 0}


@pytest.mark.parametrize(
    "role, words", (("root", "does not demand"), ("timestamp", "signed by 0 of the 2 keys"))
)
def test_the_rule_cut_out_of_a_root(scene, role, words):
    """No key: it is under the signatures."""
    scene.offer()
    scene.image.publish("root")
    scene.image.edit("2.root.json", lambda it: without_counts(it["signed"]["roles"][role]))
    scene.refused(words)
    assert scene.told()["message"].startswith("image: 2.root.json: ")


@pytest.mark.parametrize("how", (without_counts, zero_counts, one_family))
@pytest.mark.parametrize("role", ("root", "timestamp", "model-gw"))
def test_a_rule_that_somebody_signed_away(scene, role, how):
    """All classical keys, or a vendor's mistake that all of his keys signed: without the counts a role is
    nobody's."""
    scene.publish()
    scene.direct()
    if role == "model-gw":
        how(scene.image.body("targets")["delegations"]["roles"][0])
        scene.refresh("targets")
    else:
        how(scene.image.body("root")["roles"][role])
        if role == "root":
            scene.image.signers["root"] = family(scene.image.signers["root"], False)
        scene.image.publish("root")
    scene.deploy()
    scene.refused(f"the role {role} does not demand at least one ML-DSA and one classical signature")


# --- signatures that are not what they seem ---


@pytest.mark.parametrize("level", (44, 87))
def test_another_parameter_set(scene, level):
    """The classical key, and a signature of another set under the ML-DSA key's id."""
    scene.offer()
    ml_dsa, ed25519 = scene.image.signers["timestamp"]
    body = scene.image.body("timestamp")
    false = tufkeys.key(f"ml-dsa-{level}/1").sign_metadata(body)
    false.update(keyid=ml_dsa.keyid, scheme=f"ml-dsa-{level}/1", keytype="ml-dsa")
    document = {"signatures": [false, ed25519.sign_metadata(body)], "signed": body}
    scene.image.files["timestamp.json"] = json.dumps(document).encode()
    scene.refused("that the role timestamp needs (ML-DSA: 0 of 1, classical: 1 of 1)")


@pytest.mark.parametrize("scheme", ("ml-dsa-44/1", "ml-dsa-65/2", "ml-dsa-65", "ed25519"))
def test_a_key_that_calls_itself_something_else(scene, scheme):
    """Even the root's word does not make a key of one set another's, nor a scheme an older one."""
    scene.publish()
    scene.direct()
    ml_dsa, ed25519 = scene.image.signers["timestamp"]
    twin = tufkeys.Key(ml_dsa.keytype, scheme, ml_dsa.public, ml_dsa.sign_bytes)
    scene.image.set_role("timestamp", [twin, ed25519], signers=[])
    scene.image.publish("root")
    body = scene.image.body("timestamp")
    body["version"] += 1
    real = ml_dsa.sign_metadata(body)
    real["keyid"] = twin.keyid
    document = {"signatures": [real, ed25519.sign_metadata(body)], "signed": body}
    scene.image.files["timestamp.json"] = json.dumps(document).encode()
    scene.deploy()
    scene.refused("ML-DSA: 0 of 1, classical: 1 of 1")


def test_a_signature_twice(scene):
    """One key of two, its signature there twice under one id."""
    scene.offer()

    def twice(document):
        strip(document)
        document["signatures"] *= 2

    scene.image.edit("timestamp.json", twice)
    scene.refused('timestamp.json: two signatures with the same "keyid"')


def test_a_key_with_two_ids(scene):
    """A role that wants two holders, and one holder who stands there twice."""
    scene.publish()
    scene.direct()
    one = scene.image.signers["timestamp"]
    scene.image.set_role("timestamp", [*one, *(key.with_extra(x="y") for key in one)], 2)
    scene.image.publish("root", "timestamp")
    scene.deploy()
    scene.refused("ML-DSA: 1 of 2, classical: 1 of 2")


def test_an_id_that_a_role_names_twice(scene):
    """The same, in the list."""
    scene.publish()
    scene.direct()
    role = scene.image.body("root")["roles"]["timestamp"]
    role["keyids"] = role["keyids"] * 2
    scene.image.publish("root")
    scene.deploy()
    scene.refused("2.root.json: the role timestamp names a key id twice")


@pytest.mark.parametrize("served, real", (("image", "director"), ("director", "image")))
def test_one_repositorys_root_as_the_others(scene, served, real):
    """No key: the same holders sign both."""
    scene.offer()
    source = getattr(scene.front, served)
    source.publish("root")
    getattr(scene.front, real).files["2.root.json"] = source.file("root", 2)
    del source.files["2.root.json"]
    scene.refused(f"{real}: 2.root.json: it is the root of {served}, not of this repository")
    assert DATA["1.0"] in scene.before[1].values()
