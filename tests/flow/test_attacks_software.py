"""Attacks with software: what nobody signed, what was signed for others, too much of it, too slowly. The
thief has the server's machine; which keys he has beside its TLS key each test says."""

import json

import pytest
import tufkeys
import tufrepo
import tufserver
from hostile import DATA, DEVICE, EVIL, TRIES, path_of
from tufrepo import target_entry

from harness import wait_for


def offer(name="fw", version="2.0", data=EVIL):
    """A poll's answer as any server may make it up."""
    sha256 = target_entry(data)["hashes"]["sha256"]
    artifact = {"filename": "evil.bin", "size": len(data), "sha256": sha256, "url": "/api/firmware/1/file"}
    return {"action": 1, "release": {"name": name, "version": version}, "artifacts": [artifact]}


def test_the_honest_way(scene):
    """That nothing below is refused for another reason."""
    scene.offer()
    scene.installs()
    assert scene.stage.trace.read_text() == "2.0\n"


# --- arbitrary software ---


def test_an_offer_alone(scene):
    """No key: a made-up offer, while the director's last file is the honest one for 1.0. What the device has
    to say of it does not leave the thief's machine: it stays in its log and its status."""
    scene.front.offer, scene.front.artifact, scene.front.mute = offer(), EVIL, True
    for _ in range(TRIES):
        done = scene.once()
    words = "fw 1.0 is vouched for, the server offers fw 2.0"
    assert done.code == 3 and words in done.err, done
    scene.unchanged()
    assert scene.front.files == []
    assert scene.front.reports == [{"state": "failed", "message": words, "version": "1.0"}]
    assert f"message      {words}" in scene.status()


def test_a_lie_about_what_is_signed(scene):
    """No key: name and version of a signed release, with another size, hash and file."""
    scene.offer()
    scene.front.artifact = EVIL
    scene.front.answer = lambda method, path, status, headers, body: (
        (status, headers, json.dumps({**json.loads(body), **{"artifacts": offer()["artifacts"]}}).encode())
        if path.startswith("/api/update?") and status == 200
        else (status, headers, body)
    )
    scene.refused("announced were", downloads=1)


@pytest.mark.parametrize("how", ("as long", "longer", "shorter"))
def test_another_file(scene, how):
    """No key: the metadata are honest, the file is not."""
    scene.offer()
    size = len(DATA["2.0"])
    scene.front.artifact = {"as long": bytes(size), "longer": bytes(size + 1), "shorter": b"x"}[how]
    scene.refused(
        "SHA-256" if how == "as long" else "the server's file has", downloads=2 if how == "as long" else 1
    )


def test_software_that_only_the_director_names(scene):
    """Director's key."""
    scene.front.direct(path_of("2.0"), target_entry(EVIL))
    scene.deploy()
    scene.front.artifact = EVIL
    words = "names gw/fw/2.0/firmware.bin, which the vendor has not signed"
    scene.refused(words, tries=TRIES)
    assert words in scene.stage.server.pqota("device", "history", DEVICE).out


def test_other_bytes_for_what_the_vendor_signed(scene):
    """Director's key: a signed path, other bytes."""
    scene.publish()
    scene.deploy()
    scene.front.artifact = EVIL
    scene.front.direct(path_of("2.0"), target_entry(EVIL))
    scene.refused(f"the director says {len(EVIL)} bytes, the vendor signed {len(DATA['2.0'])}")


def test_a_vendor_who_signed_something_else(scene):
    """No key: the director's file is held back at 1.0, and the device is told that it is 2.0."""
    scene.publish()
    scene.deploy()
    scene.refused("fw 1.0 is vouched for, the server offers fw 2.0", tries=TRIES)


@pytest.mark.parametrize("signers", ("nobody", "himself", "himself in the vendor's name"))
def test_metadata_of_his_own(scene, signers):
    """No key: the whole chain from the model's role up, unsigned or signed by himself."""
    scene.offer(data=EVIL)
    own = tufkeys.pair(87) + tufkeys.pair(65)
    for role in ("model-gw", "targets", "snapshot", "timestamp"):
        keys = {"nobody": []}.get(signers, own)
        made = [key.sign_metadata(scene.image.body(role)) for key in keys]
        if signers.startswith("himself in"):
            for signature, key in zip(made, scene.image.signers[role]):
                signature["keyid"] = key.keyid
        body = scene.image.body(role)
        scene.image.serve(role, body["version"], json.dumps({"signatures": made, "signed": body}).encode())
    scene.refused("timestamp.json: signed by 0 of the 1 keys that the role timestamp needs")


def test_a_director_of_his_own(scene):
    """No key: the director's file, signed by himself."""
    scene.publish()
    scene.direct(signers=tufkeys.pair(65))
    scene.deploy()
    scene.refused("director: gw-1/targets.json: signed by 0 of the 1 keys that the role targets needs")


def test_roots_of_his_own(scene):
    """No key: a root that follows, signed by the keys that it names itself."""
    scene.offer()
    scene.image.set_role("root", tufkeys.pair(87))
    scene.image.publish("root")
    scene.refused("image: 2.root.json: signed by 0 of the 2 keys that the role root needs")


# --- software for others ---


def test_another_models_software(scene):
    """Director's key, and the vendor's real signature for another model."""
    scene.front.direct(path_of("2.0", "pump"), scene.front.entry(path_of("2.0", "pump"), "pump"))
    scene.deploy()
    scene.refused("pump/fw/2.0/firmware.bin is for model pump, this device is a gw")


def test_another_models_signer(scene):
    """Director's key and those of the pump's role: who signs for pumps signs nothing for gateways."""
    pump = scene.image.new_keys("model-pump")
    scene.image.delegate("model-pump", paths=["pump/*/*/*"], keys=pump, terminating=True)
    scene.image.signers["model-pump"] = pump
    scene.refresh("targets", "model-pump")  # as the vendor gave the role away
    custom = {"name": "fw", "version": "2.0", "model": "gw", "sequence": 3, "counter": 1}
    scene.image.add_target(path_of("2.0"), EVIL, "model-pump", custom=custom)
    scene.image.add_target(path_of("6.6", "pump"), EVIL, "model-pump", custom=custom)
    scene.refresh("model-pump")
    scene.front.direct(path_of("2.0"), target_entry(EVIL))
    scene.deploy()
    scene.front.artifact = EVIL
    scene.refused("which the vendor has not signed", tries=TRIES)
    scene.front.direct(path_of("6.6", "pump"), target_entry(EVIL))
    scene.deploy()
    scene.refused("is not of the release that its path names")


def test_another_devices_decision(scene):
    """No key: what the director signed for the neighbour."""
    scene.publish()
    text = scene.front.direct(path_of("2.0"), device="gw-2")
    scene.director.files[f"{DEVICE}/targets.json"] = text
    scene.deploy()
    scene.refused("director: gw-1/targets.json: it is for gw-2, not for gw-1")


# --- back, and too far ---


def test_below_the_counter(scene):
    """Director's key: a release that the vendor signed, from before the counter that 1.0 confirmed."""
    scene.direct("0.9")
    scene.deploy("0.9")
    scene.refused("gw/fw/0.9/firmware.bin has the anti-rollback counter 0, this device has confirmed 1")


def test_a_version_that_fell_back_raises_nothing(scene):
    """No key: 2.0 has counter 7, does not come up, and the device is not cut off from what has counter 1."""
    conf, health = scene.agent.conf, scene.stage.folder / "health"
    health.write_text('#!/bin/sh\n[ "$PQOTA_VERSION" != 2.0 ]\n')
    health.chmod(0o755)
    conf.write_text(conf.read_text().replace("/bin/true", str(health)))
    scene.offer(counter=7)
    assert scene.once().code == 3
    assert (scene.agent.slots / "current" / "version").read_text() == "1.0\n"
    assert "confirmed    sequence 2, anti-rollback counter 1" in scene.status()
    assert scene.told()["state"] == "failed"
    conf.write_text(scene.stage.conf)
    scene.publish(counter=1)
    scene.direct()
    scene.deploy()
    scene.installs()
    assert "confirmed    sequence 3, anti-rollback counter 1" in scene.status()


def test_a_counter_is_raised_for_good(scene):
    """Director's key: back to what the vendor signed, once a higher counter confirmed itself."""
    scene.offer(counter=7)
    scene.installs()
    scene.direct("1.0")
    scene.deploy("1.0")
    done = scene.once()
    assert done.code == 3
    assert "has the anti-rollback counter 1, this device has confirmed 7" in scene.told()["message"]
    assert (scene.agent.slots / "current" / "version").read_text() == "2.0\n"


def test_over_a_step_that_must_not_be_left_out(scene):
    """Director's key: a release to which the vendor wants another one before."""
    scene.offer(sequence=9, upgrade_from=8)
    scene.refused("gw/fw/2.0/firmware.bin is installed from sequence 8 on, this device runs 2")


# --- too much, too slowly ---

METADATA = {
    "director/2.root.json": 512000,
    "director/gw-1/targets.json": 65536,
    "image/2.root.json": 512000,
    "image/timestamp.json": 65536,
    "image/snapshot": None,
    "image/targets": None,
    "image/model-gw": None,
}


@pytest.mark.parametrize("which", METADATA)
def test_endless_metadata(scene, which):
    """No key: a file that goes on for ever, up to its limit or to what was signed of its length."""
    scene.publish()
    scene.refresh("targets")
    scene.direct()
    scene.deploy()
    repository, _, name = which.partition("/")
    limit = METADATA[which]
    repo = getattr(scene.front, repository)
    if limit is None:
        limit = len(repo.file(name))
        name = tufrepo.file_name(name, repo.body(name)["version"])
    repo.tricks[name] = tufserver.endless()
    scene.refused(f"{repository}: {name}: it is longer than the {limit} bytes that it may have")
    most = max(p.stat().st_size for p in scene.agent.state.rglob("*") if p.is_file())
    assert most < 200_000, "more than was asked for lies on the device"


@pytest.mark.parametrize("promised", (None, 1 << 40, "as signed"))
def test_an_endless_file(scene, promised):
    """No key: no more of it is taken than the vendor signed of its length."""
    scene.offer()
    scene.front.artifact = tufserver.endless(
        promised=len(DATA["2.0"]) if promised == "as signed" else promised
    )
    word = {None: "more bytes than it announced", "as signed": "SHA-256"}.get(
        promised, "the server's file has"
    )
    scene.refused(word, downloads=2 if promised == "as signed" else 1)


@pytest.mark.parametrize("which", ("director", "image"))
def test_metadata_that_trickle(scene, which):
    """No key. Held for as long as the thief likes, and told."""
    conf = scene.agent.conf
    scene.offer()
    scene.image.tricks["timestamp.json"] = tufserver.status(404)
    for _ in range(TRIES - 1):
        assert scene.once().code == 4
    scene.image.tricks.clear()
    name = f"{DEVICE}/targets.json" if which == "director" else "timestamp.json"
    getattr(scene.front, which).tricks[name] = tufserver.drip
    conf.write_text(conf.read_text().replace("[agent]\n", "[agent]\nrequest_seconds = 2\n"))
    scene.refused(f"{which}: {name}: the server does not finish it")


def test_a_file_that_trickles(scene):
    """No key. A hold, which is what a server can always do: nothing is installed meanwhile, the device says
    that it downloads, and goes on where it was when the file comes."""
    scene.offer()
    scene.front.artifact = lambda handler, _: tufserver.drip(handler, DATA["2.0"])
    scene.agent.start()
    try:
        wait_for(lambda: scene.front.files, what="the download began")
        wait_for(lambda: (scene.agent.state / "artifact").stat().st_size > 10, what="a part is there")
        assert scene.look() == scene.before and not scene.stage.trace.exists()
        assert scene.told()["state"] == "downloading"
    finally:
        scene.agent.stop()
    scene.front.artifact = None
    scene.installs()
