"""docs/trust.md: every command of it, in its order or that in which things go wrong; and what the page
promises of each: devices update after it, and what was stolen is worth nothing any more."""

import copy
import json
import re

import pytest
import thief
from director import Checker
from drill import Drill
from tufrepo import envelope, target_entry

from harness import wait_for

TIMESTAMP = "/tuf/image/timestamp.json"


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    """After the page's beginning: a server, 1.0 published, and three devices that run it."""
    it = Drill(tmp_path_factory.mktemp("drill"))
    for name in ("image.bin", "mended.bin", "sensor.bin"):
        it.image(name)
    it.run("Set-up")
    it.gw, it.victim, it.away = (it.device(name) for name in ("gw-1", "gw-2", "gw-3"))
    it.run("Publishing", 0)
    for device in it.devices:
        device.updates_to("1.0")
    it.run("Publishing", 1)
    it.tidy()
    yield it
    it.close()


def stolen(drill, name):
    """A copy of a key, as a thief has it."""
    path = drill.server.dir / "trust" / "online" / f"{name}.key"
    if not path.exists() or name in ("targets", "root-1", "root-2", "root-3"):
        path = drill.file(f"{name}.key")
    return thief.keys_in(path, drill.file("pass"), drill.file("thief"))


def root_versions(drill):
    return [drill.vendor.root_version(r) for r in ("image", "director")]


def deploy(drill, version):
    drill.shell(f"pqota deploy gateway@{version} --model gateway --allow-downgrade")


def test_publishing_in_three_steps(drill):
    deploy(drill, "1.1")
    drill.gw.updates_to("1.1")


def test_what_runs_out(drill):
    before = root_versions(drill)
    shown = drill.type("pqota trust show")
    rows = [line.split() for line in shown.splitlines() if line.startswith(("image", "director"))]
    assert rows[0][:2] == ["image", "timestamp"] and rows[-1][1] == "root"  # what ends first stands first
    assert "Nothing has to be done before" in shown
    drill.run("What runs out")
    assert root_versions(drill) == [v + 1 for v in before]
    drill.publish("1.1.1")
    drill.gw.updates_to("1.1.1")
    drill.tidy()


# --- online keys ---


def forged_timestamp(drill, pair, version):
    body = copy.deepcopy(drill.vendor.fetch("timestamp.json")["signed"])
    return envelope({**body, "version": version}, pair)


def test_a_stolen_timestamp_key(drill):
    """Its thief sends a device's versions ahead; that is over with the rotation, and so is the key."""
    pair, gw = stolen(drill, "timestamp"), drill.gw
    drill.publish("1.1.2")
    gw.lies[TIMESTAMP] = forged_timestamp(drill, pair, thief.FAR)
    gw.updates_to("1.1.2")
    gw.lies.clear()
    drill.publish("1.1.3")
    gw.refuses("rollback")
    title = "An online key: timestamp, snapshot, director"
    drill.run(title, 0, until="pqota trust upload")
    served = drill.vendor.fetch("timestamp.json")  # still by the key that the root in force names
    assert {k.keyid for k in pair} == {s["keyid"] for s in served["signatures"]}
    drill.rest(title, 0, "pqota trust upload")
    served = drill.vendor.fetch("timestamp.json")
    assert not {k.keyid for k in pair} & {s["keyid"] for s in served["signatures"]}
    deploy(drill, "1.1.3")
    gw.updates_to("1.1.3")
    drill.publish("1.1.4")
    gw.lies[TIMESTAMP] = forged_timestamp(drill, pair, thief.FAR + 1)
    gw.refuses("timestamp")
    gw.lies.clear()
    deploy(drill, "1.1.4")
    gw.updates_to("1.1.4")
    drill.tidy()


def director_file(drill, device):
    return f"/tuf/director/{device.name}/targets.json"


def forged_decision(drill, pair, device, version):
    body = json.loads(drill.server.curl(director_file(drill, device)).body)["signed"]
    return envelope({**body, "version": version}, pair)


def test_a_stolen_director_key(drill):
    """As above; and between SIGHUP and upload the server signs with neither key."""
    pair, gw, server = stolen(drill, "director"), drill.gw, drill.server
    drill.publish("1.1.5")
    server.curl("/api/update?version=1.1.4", who=gw.relay.who)  # it is offered, so that the file names it
    gw.lies[director_file(drill, gw)] = forged_decision(drill, pair, gw, thief.FAR)
    gw.updates_to("1.1.5")
    gw.lies.clear()
    drill.publish("1.1.6")
    gw.refuses("rollback")
    title = "An online key: timestamp, snapshot, director"
    before = server.curl(director_file(drill, gw)).body
    drill.run(title, 1, until="pqota trust upload")
    assert server.curl(director_file(drill, gw)).body == before  # which is good, and by the old key
    wait_for(lambda: "does not name this server's key" in server.logs(), what="the log says so")
    drill.publish("1.1.7")
    server.curl("/api/update?version=1.1.5", who=gw.relay.who)
    refused = server.curl(director_file(drill, gw))
    assert refused.status == 503 and "[trust] director_key" in refused.json()["detail"], refused
    drill.rest(title, 1, "pqota trust upload")
    assert server.curl(director_file(drill, gw)).status == 200
    gw.updates_to("1.1.7")
    drill.publish("1.1.8")
    server.curl("/api/update?version=1.1.7", who=gw.relay.who)
    gw.lies[director_file(drill, gw)] = forged_decision(drill, pair, gw, thief.FAR + 1)
    gw.refuses("targets.json")
    gw.lies.clear()
    deploy(drill, "1.1.8")
    gw.updates_to("1.1.8")
    drill.tidy()


def test_the_whole_server_is_stolen(drill):
    pairs = {name: stolen(drill, name) for name in ("timestamp", "snapshot", "director")}
    files = [drill.server.dir / "pki" / name for name in ("server.pem", "console.pem")]
    certificates = [file.read_bytes() for file in files]
    drill.run("A backup is restored", 0)
    drill.run("The whole server", 0)
    assert all(file.read_bytes() != old for file, old in zip(files, certificates))
    assert not any((drill.server.dir / "pki" / f"{ca}-ca.key").exists() for ca in ("server", "console"))
    drill.run("The whole server", 1)
    gw = drill.gw
    gw.updates_to("1.2")
    assert "anti-rollback counter 1" in gw.agent.run("status", "--config", gw.agent.conf, check=0).out
    # The thief has all that the server had: this device would go back, if it believed any of it.
    drill.publish("1.2.1", "--counter 1")
    drill.server.curl("/api/update?version=1.2", who=gw.relay.who)
    for lies in (
        {director_file(drill, gw): forged_decision(drill, pairs["director"], gw, thief.FAR)},
        thief.above(pairs["snapshot"], pairs["timestamp"], drill.vendor),
    ):
        gw.lies = lies
        gw.refuses("signed by 0 of the 1 keys")
        deploy(drill, "1.2.1")
    gw.lies = {}
    # What is below the counter is not installed, though the vendor signed it and the director says so.
    deploy(drill, "1.1.8")
    gw.refuses("counter")
    deploy(drill, "1.2.1")
    gw.updates_to("1.2.1")
    drill.tidy()


# --- the vendor's keys ---


def evil(drill, device, targets):
    """False firmware, by a targets key and all of the server's."""
    pairs = {name: stolen(drill, name) for name in ("timestamp", "snapshot", "director")}
    data = b"evil" * 5000
    body = copy.deepcopy(drill.vendor.current("model-gateway"))
    path, entry = max(body["targets"].items(), key=lambda t: t[1]["custom"]["sequence"])
    entry.update(target_entry(data))
    body["version"] += 1
    decision = json.loads(drill.server.curl(director_file(drill, device)).body)["signed"]
    decision["version"] += 100
    decision["targets"] = {path: {k: entry[k] for k in ("length", "hashes")}}
    document = ("model-gateway", body["version"], envelope(body, targets))
    return {
        **thief.above(pairs["snapshot"], pairs["timestamp"], drill.vendor, [document]),
        director_file(drill, device): envelope(decision, pairs["director"]),
        "/api/firmware/*": data,
        "/tuf/image/targets/*": data,
    }


def test_a_stolen_targets_key(drill):
    """With the server it makes firmware, until it is rotated."""
    pair, other = stolen(drill, "targets"), drill.device("gw-4")
    drill.publish("1.2.2", "--counter 1")
    other.updates_to("1.2.2")
    drill.victim.lies = evil(drill, drill.victim, pair)
    assert drill.victim.agent.once().code == 0
    installed = (drill.victim.agent.slots / "current").resolve().iterdir()
    assert any(f.read_bytes().startswith(b"evil") for f in installed)
    drill.victim.lies = {}
    drill.run("The targets holder's key")
    drill.publish("1.2.3", "--counter 1")
    other.lies = evil(drill, other, pair)
    other.refuses("model-gateway")
    drill.gw.updates_to("1.2.3")
    drill.shell("pqota trust rotate targets online --output both.json")
    roles = [
        (d["repository"], d["role"]) for d in json.loads(drill.file("both.json").read_text())["documents"]
    ]
    assert roles == [
        ("image", "root"),
        ("director", "root"),
        ("image", "targets"),
        ("image", "model-gateway"),
    ]
    drill.tidy()


def ids(drill):
    """Of the page's words, by keys.txt."""
    text = (drill.server.dir / "trust" / "keys.txt").read_text()
    made = {}
    for n in (1, 2):
        found = re.search(rf"root-{n}\.key\n +(\w+) +ml-dsa-87/1\n +(\w+) +ed25519", text)
        made[f"ROOT-{n}-ML-DSA"], made[f"ROOT-{n}-ED25519"] = found.groups()
    return made


def forged_root(drill, pair):
    body = copy.deepcopy(drill.vendor.fetch(f"{drill.vendor.root_version()}.root.json")["signed"])
    body["version"] += 1
    body["roles"]["timestamp"] = body["roles"]["snapshot"]
    return {f"/tuf/image/{body['version']}.root.json": envelope(body, pair)}


def test_a_stolen_root_key(drill):
    """One is below the threshold; replaced, two of the old ones are, too."""
    pair, gw = stolen(drill, "root-3"), drill.gw
    drill.publish("1.2.4", "--counter 1")
    gw.lies = forged_root(drill, pair)
    gw.refuses("root")
    gw.lies = {}
    before = drill.vendor.fetch(f"{drill.vendor.root_version()}.root.json")["signed"]
    drill.shell("cp root-3.key old-root-3.key")
    drill.run("One root holder's key", 0, names=ids(drill))
    now = drill.vendor.fetch(f"{drill.vendor.root_version()}.root.json")["signed"]
    assert now["version"] == before["version"] + 1
    assert "0 of" in drill.shell("pqota trust rotate timestamp -o not.json && pqota trust show not.json")
    refused = drill.shell(
        "cp not.json old.json && pqota trust sign old.json --key old-root-3.key", check=None
    )
    assert "old-root-3.key" in refused
    theirs = stolen(drill, "root-1")
    gw.lies = forged_root(drill, pair)
    [(path, text)] = gw.lies.items()
    both = json.loads(text)
    both["signatures"] += [key.sign_metadata(both["signed"]) for key in theirs]
    gw.lies = {path: json.dumps(both).encode()}
    deploy(drill, "1.2.4")
    gw.refuses("root")
    gw.lies = {}
    deploy(drill, "1.2.4")
    gw.updates_to("1.2.4")
    drill.run("One root holder's key", 1)
    assert (drill.file("pqota-new") / "trust" / "device" / "image.root.json").exists()
    drill.tidy()


def test_the_key_for_small_devices(drill):
    server = drill.server
    sensor = server.enrol("sensor-1", "sensor")
    drill.run("The vendor's key for small devices", 0)
    offer = server.curl("/api/update", who=sensor).json()
    made = []
    for block in (None, 1):
        if block:
            drill.run("The vendor's key for small devices", block)
        root = drill.vendor.fetch(f"{drill.vendor.root_version('director')}.root.json", "director")
        checker = Checker.by_root(drill.file("checker"), json.dumps(root).encode())
        reply = server.curl("/tuf/director/sensor-1/manifest.cbor", who=sensor)
        image = checker.manifest(reply.body)[3]  # both signatures hold
        assert image[1:4] == ["sensor", "sensor", "2.0"] and offer["release"]["version"] == "2.0"
        made.append(checker.keyid(checker.vendor_key))
    assert made[0] != made[1]
    drill.tidy()


# --- releases and backups ---


def test_a_release_is_withdrawn(drill):
    assert "gateway/gateway/1.0/image.bin" in drill.vendor.current("model-gateway")["targets"]
    drill.run("A release that nothing may run any more")
    left = drill.vendor.current("model-gateway")["targets"]
    assert "gateway/gateway/1.0/image.bin" not in left and len(left) > 3
    drill.publish("1.2.5", "--counter 1")
    drill.gw.updates_to("1.2.5")
    drill.tidy()


def test_a_backup_is_restored(drill):
    title = "A backup is restored"
    drill.shell("rm -r backup")
    drill.run(title, 0)
    drill.shell("cp image-1.2.5.bin image.bin")
    drill.shell("pqota firmware publish image.bin --name gateway --version 1.3 --counter 1")
    drill.shell("pqota trust sign gateway-1.3.sign.json --key targets.key")
    drill.shell("pqota trust upload gateway-1.3.sign.json")
    deploy(drill, "1.3")
    drill.gw.updates_to("1.3")
    drill.shell("pqota trust renew --output trust-renew-2.json")
    for keys in ("--key root-1.key", "--key root-2.key --key targets.key"):
        drill.shell(f"pqota trust sign trust-renew-2.json {keys}")
    drill.shell("pqota trust upload trust-renew-2.json")
    kept = sorted((drill.server.dir / "operator" / "trust" / "uploaded").iterdir())
    assert [p.read_bytes() for p in kept[-2:]] == [
        drill.file(n).read_bytes() for n in ("gateway-1.3.sign.json", "trust-renew-2.json")
    ]
    drill.run(title, 1, until="pqota firmware publish")
    drill.image("other.bin")
    refused = drill.shell("pqota firmware publish other.bin --name gateway --version 1.4", check=1)
    assert "rollback" in refused  # nobody signs on top of what is old
    drill.rest(title, 1, "pqota firmware publish")
    drill.shell("pqota trust upload gateway-1.3.sign.json", check=1)  # it has that
    drill.publish("1.5", "--counter 1")
    drill.gw.updates_to("1.5")
    drill.tidy()


def test_a_device_that_was_away(drill):
    """It follows all the roots since, which are more than three."""
    assert drill.vendor.root_version() > 4 and drill.vendor.root_version("director") > 3
    assert drill.away.running() == "1.0"
    drill.publish("1.6", "--counter 1")
    drill.away.updates_to("1.6")
    kept = json.loads((drill.away.agent.state / "trust" / "image" / "root.json").read_text())
    assert kept["signed"]["version"] == drill.vendor.root_version()


def test_all_of_the_page_was_typed(drill):
    lines = {line for blocks in drill.page.values() for block in blocks for line in block}
    assert not lines - drill.typed
