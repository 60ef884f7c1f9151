"""Attacks with time: what is old once more, what is new for ever, what stands still, and parts that were
never together. The thief has the server's machine; which keys he has beside its TLS key each test says."""

import pytest
import tufrepo
import tufserver
from hostile import DATA, DEVICE, ONLINE, TRIES, path_of

FOR_EVER = 2**53 - 1
FILE = f"{DEVICE}/targets.json"
ROLES = ("snapshot", "targets", "model-gw")


# --- rollback ---


@pytest.mark.parametrize("version", (1, 2))
@pytest.mark.parametrize("repository", ("image", "director"))
def test_an_old_root(scene, repository, version):
    """No key: a root from before, as the next one."""
    repo = getattr(scene.front, repository)
    repo.publish("root")
    repo.files["3.root.json"] = repo.file("root", version)
    scene.offer()
    scene.refused(f"{repository}: 3.root.json: its version is {version}, and the trusted root's 2: refused")


def test_an_old_timestamp(scene):
    """No key."""
    scene.offer()
    scene.image.files["timestamp.json"] = scene.stage.old["timestamp"]
    scene.refused("image: timestamp.json: its version is 1, below the trusted 2: refused (rollback)")


def test_an_old_snapshot(scene):
    """The timestamp's key."""
    scene.offer()
    scene.image.body("timestamp")["meta"] = {"snapshot.json": {"version": 1}}
    scene.image.publish("timestamp")
    scene.refused("timestamp.json: it lowers snapshot.json from version 2 to 1: refused (rollback)")


@pytest.mark.parametrize("role", ("targets", "model-gw", "model-pump"))
def test_old_targets(scene, role):
    """The snapshot's and the timestamp's keys."""
    scene.offer()
    scene.image.body("snapshot")["meta"][f"{role}.json"] = {"version": 1}
    scene.refresh()
    scene.refused(f"4.snapshot.json: it lowers {role}.json from version 2 to 1: refused (rollback)")


def test_targets_that_are_named_no_more(scene):
    """The snapshot's and the timestamp's keys: what is not named could come back as anything."""
    scene.offer()
    del scene.image.body("snapshot")["meta"]["model-gw.json"]
    scene.refresh()
    scene.refused("4.snapshot.json: it names model-gw.json no more: refused (rollback)")


def test_an_old_snapshot_of_its_own_version(scene):
    """Both keys: the snapshot's own version goes down, the timestamp's number for it does not."""
    scene.offer()
    body = scene.image.body("snapshot")
    body["version"] = 1
    scene.image.serve("snapshot", 4, scene.image.sign("snapshot"))
    scene.image.body("timestamp")["meta"]["snapshot.json"]["version"] = 4
    scene.image.publish("timestamp")
    scene.refused("4.snapshot.json: its version is 1, not 4")


def test_an_old_decision(scene):
    """No key: the director's file from before, for what the vendor signed."""
    scene.publish()
    scene.director.files[FILE] = scene.stage.old["director"]
    scene.deploy("0.9")
    scene.refused("director: gw-1/targets.json: its version is ")
    assert "refused (rollback)" in scene.told()["message"]


# --- fast-forward, and the way back by rotation ---


def after_it(scene, repo, *roles):
    """What the vendor does: new online keys in the next root, versions as they were meant to be."""
    for role in roles:
        repo.rotate(role)
    repo.publish("root")


def test_a_decision_for_ever(scene):
    """Director's key."""
    scene.publish()
    scene.direct("1.0", version=FOR_EVER)
    scene.deploy()
    assert scene.once().code == 4
    scene.director.files.pop(FILE)
    scene.direct()
    scene.refused(f"below the trusted {FOR_EVER}: refused (rollback)")
    after_it(scene, scene.director, "targets")
    scene.director.files.pop(FILE)
    scene.direct()
    scene.deploy()
    scene.installs()


@pytest.mark.parametrize("role", ONLINE)
def test_a_timestamp_or_snapshot_for_ever(scene, role):
    """The timestamp's key; that and the snapshot's."""
    scene.publish()
    scene.direct()
    image, was = scene.image, {name: scene.image.body(name)["version"] for name in ONLINE}
    image.body(role)["version"] = FOR_EVER
    image.serve(role, FOR_EVER, image.sign(role))
    if role == "snapshot":
        image.publish("timestamp")
    image.tricks["3.targets.json"] = image.tricks["2.targets.json"] = tufserver.status(503)
    image.tricks["3.model-gw.json"] = tufserver.status(503)
    scene.deploy()
    assert scene.once().code == 4
    image.tricks.clear()
    for name in ONLINE:
        image.body(name)["version"] = was[name] + 4
    image.serve("snapshot", was["snapshot"] + 4, image.sign("snapshot"))
    image.serve("timestamp", was["timestamp"] + 4, image.sign("timestamp"))
    words = f"timestamp.json: its version is 7, below the trusted {FOR_EVER}: refused (rollback)"
    if role == "snapshot":
        words = f"timestamp.json: it lowers snapshot.json from version {FOR_EVER} to 7: refused (rollback)"
    scene.refused(words)
    after_it(scene, image, *ONLINE)
    scene.refresh()
    scene.deploy()
    scene.installs()


def test_targets_for_ever(scene):
    """The snapshot's and the timestamp's keys: a version of the vendor's role that there is not."""
    scene.publish()
    scene.direct()
    image, meta = scene.image, scene.image.body("snapshot")["meta"]
    honest = dict(meta["model-gw.json"])
    meta["model-gw.json"] = {"version": FOR_EVER}
    scene.refresh()
    scene.deploy()
    done = scene.once()
    assert done.code == 4 and f"image: {FOR_EVER}.model-gw.json: " in done.err, done
    meta["model-gw.json"] = honest
    scene.refresh()
    scene.refused(f"it lowers model-gw.json from version {FOR_EVER} to 3: refused (rollback)")
    after_it(scene, image, *ONLINE)
    scene.refresh()
    scene.deploy()
    scene.installs()


# --- freeze ---


@pytest.mark.parametrize("days, repository, name", (
    (3, "image", "timestamp.json: version 3"),
    (8, "director", "gw-1/targets.json: version "),
    (31, "director", "root.json: version 1"),
))  # fmt: skip
def test_a_server_that_stands_still(scene, days, repository, name):
    """No key: what was good is handed out for ever. Held until it expires, refused from then on."""
    scene.image.body("timestamp")["expires"] = tufrepo.when(days=2)
    scene.offer()
    for i in range(TRIES):
        done = scene.once(later=days)
        assert done.code == (3 if i == TRIES - 1 else 4), done
    scene.unchanged()
    message = scene.told()["message"]
    assert message.startswith(f"{repository}: {name}") and " expired at " in message, message


@pytest.mark.parametrize("role", ("root", "snapshot", "targets", "model-gw"))
def test_what_expired_under_a_fresh_timestamp(scene, role):
    """The online keys: what the thief cannot renew ends, however fresh the rest is."""
    scene.publish()
    scene.image.body(role)["expires"] = tufrepo.when(days=-1)
    scene.refresh(*([] if role == "snapshot" else [role]))
    scene.direct()
    scene.deploy()
    file = "root.json" if role == "root" else f"{scene.image.body(role)['version']}.{role}.json"
    scene.refused(f"image: {file}: version {scene.image.body(role)['version']} expired at", tries=TRIES)


def test_silence(scene):
    """No key: polls that are answered with nothing. The device cannot know, and goes on as it is."""
    scene.offer()

    def nothing(method, path, status, headers, body):
        return (204, {}, b"") if path.startswith("/api/update?") else (status, headers, body)

    scene.front.answer = nothing
    scene.idle()
    assert scene.front.reports == [] and scene.image.asked() == []
    scene.front.answer = None
    scene.installs()


# --- mix and match ---


@pytest.mark.parametrize("hashes", (True, False))
@pytest.mark.parametrize("role", ROLES)
def test_a_file_of_before_under_a_new_name(scene, role, hashes):
    """No key: each part was signed, but not for this whole."""
    image = scene.image
    image.with_hashes = hashes
    scene.stage.add(image, "2.0")
    scene.refresh("model-gw", "targets")
    image.files[f"3.{role}.json"] = image.file(role, 2)
    scene.direct()
    scene.deploy()
    scene.refused(f"image: 3.{role}.json: " + ("it" if hashes else "its version is 2, not 3"))
    if hashes:
        words = scene.told()["message"].partition(".json: ")[2]
        assert words.startswith("it has ") or words.startswith("its SHA-256 is not the one")


@pytest.mark.parametrize("other", ("model-pump", "targets"))
def test_a_role_in_the_place_of_another(scene, other):
    """The snapshot's and the timestamp's keys: the vendor signs both with the same keys, and neither says
    what it is. It holds the device, no more: a path belongs to its model."""
    image = scene.image
    scene.publish()
    scene.refresh("targets", "model-pump")
    image.serve("model-gw", 3, image.file(other))
    scene.refresh()
    scene.direct("2.0")
    scene.deploy()
    scene.refused("which the vendor has not signed", tries=TRIES)
    scene.front.direct(path_of("2.0", "pump"), scene.front.entry(path_of("2.0", "pump"), "pump"))
    scene.deploy()
    scene.refused("is for model pump, this device is a gw")


def test_a_whole_of_before_for_a_device_that_knows_nothing(scene):
    """No key: a device without any metadata takes a whole that was good, and the director's word is newer."""
    trust = scene.agent.state / "trust"
    for file in trust.rglob("*.json"):
        file.unlink()
    scene.offer()
    for name in list(scene.image.files):
        if name.startswith("3."):
            del scene.image.files[name]
    scene.image.files["timestamp.json"] = scene.stage.old["timestamp"]
    scene.refused("names gw/fw/2.0/firmware.bin, which the vendor has not signed", tries=TRIES)
    assert DATA["2.0"] not in scene.before[1].values()
