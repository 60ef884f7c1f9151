"""The real agent installs what vendor and director signed: what it keeps of it, what it begins with, and what
is refused without anybody's bad will. Attacks are in test_attacks_*.py."""

import json

import pytest
import tufserver
from tuffront import Front, trusting
from tufrepo import target_entry

OLD, NEW = b"the first firmware" * 500, b"the second firmware" * 700


@pytest.fixture
def front(server):
    it = Front(server)
    yield it
    it.close()


@pytest.fixture
def agent(server, make_agent, front):
    """It runs 1.0, which vouched for itself: sequence 1, counter 1."""
    it = trusting(make_agent, server, front)
    install(it, front, "1.0", OLD, sequence=1, counter=1)
    return it


def running(agent):
    return (agent.slots / "current" / "version").read_text().strip()


def install(agent, front, version, data, **custom):
    front.deploy(version, data)
    front.direct(front.sign(version, data, **custom))
    done = agent.once()
    assert done.code == 0, done
    assert running(agent) == version


def action(agent):
    return agent.server.api("GET", f"/api/devices/{agent.device}", expect=200).json()["action"]


def message(agent):
    """What the operator reads of the update that failed."""
    deployments = agent.server.api("GET", "/api/deployments", expect=200).json()["items"]
    newest = max(deployments, key=lambda it: it["id"])["id"]
    devices = agent.server.api("GET", f"/api/deployments/{newest}/actions", expect=200).json()["items"]
    assert devices[0]["state"] == "failed", devices
    return devices[0]["message"]


def standing(agent):
    out = agent.run("status", "--config", agent.conf, check=0).out
    line = next((line for line in out.splitlines() if line.startswith("confirmed")), "")
    return line.split(None, 1)[1] if line else ""


def refused(agent, word, tries=1):
    """After so many tries it says why, and nothing has changed."""
    for i in range(tries):
        done = agent.once()
        assert done.code == (3 if i == tries - 1 else 4), (i, done)
        assert running(agent) == "1.0"
    assert word in message(agent)


# --- the way it should be ---


def test_what_both_signed_is_installed(agent, front):
    assert standing(agent) == "sequence 1, anti-rollback counter 1"
    install(agent, front, "2.0", NEW, sequence=2, counter=3)
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == NEW
    assert action(agent)["state"] == "succeeded"
    assert standing(agent) == "sequence 2, anti-rollback counter 3"
    kept = agent.state / "trust"
    for name in ("timestamp", "snapshot", "targets"):
        assert (kept / "image" / f"{name}.json").read_bytes() == front.image.file(name)
    assert (kept / "image" / "model-gw.json").read_bytes() == front.image.file("model-gw")
    assert (kept / "director" / "targets.json").read_bytes() == front.director.files["gw-1/targets.json"]
    out = agent.run("status", "--config", agent.conf, check=0).out
    assert "model        gw" in out and "EXPIRED" not in out
    image = next(line for line in out.splitlines() if line.startswith("image "))
    for word in ("root 1 until", "timestamp 4 until", "snapshot 4 until", "model-gw 3 until"):
        assert word in image, image


def test_a_poll_without_an_offer_asks_for_no_metadata(agent, front):
    front.image.asked(), front.director.asked()
    assert agent.once().code == 0
    assert front.image.asked() == [] and front.director.asked() == []


def test_roots_are_followed(agent, front):
    keys = front.image.new_keys("root")
    front.image.publish_root_rotation(keys)
    front.image.rotate("timestamp")
    front.image.publish("root")
    install(agent, front, "2.0", NEW, sequence=2)
    kept = json.loads((agent.state / "trust" / "image" / "root.json").read_bytes())
    assert kept["signed"]["version"] == 3


def test_the_offer_is_only_a_hint(agent, front):
    """Size and hash of an offer may be anything: what was signed is what is fetched and installed."""
    front.deploy("2.0", NEW)
    front.direct(front.sign("2.0", NEW, sequence=2))

    def lie(method, path, status, headers, body):
        if method == "GET" and path.startswith("/api/update") and status == 200:
            offer = json.loads(body)
            offer["artifacts"][0].update(sha256="0" * 64, size=7, filename="lie.bin")
            body = json.dumps(offer).encode()
        return status, headers, body

    front.answer = lie
    done = agent.once()
    assert done.code == 0, done
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == NEW


# --- the way it should not be ---


def test_without_roots_it_does_not_start(server, make_agent):
    agent = make_agent(server, "gw-1", "gw", settings={"trust.insecure_unsigned": "no"})
    agent.enrol()
    for verb in ("once", "run", "check-config"):
        done = agent.run(verb, "--config", agent.conf, check=1)
        assert "pqota trust init wrote under trust/device" in done.err, done


def test_a_device_that_does_not_know_its_model(server, make_agent, front):
    """Enrolled by an agent that did not keep what the server said."""
    agent = trusting(make_agent, server, front)
    assert (agent.state / "model").read_text() == "gw"
    (agent.state / "model").unlink()
    assert "set [agent] model" in agent.once(check=1).err
    agent.conf.write_text(agent.conf.read_text().replace("[agent]\n", "[agent]\nmodel = gw\n"))
    install(agent, front, "1.0", OLD)


def test_a_root_that_is_none(server, make_agent, front):
    agent = trusting(make_agent, server, front)
    root = server.folder / "director.root.json"
    root.write_bytes(front.image.files["1.root.json"])
    assert (
        'the director root that the device begins with: it says that it is of "image"' in agent.once(1).err
    )
    root.unlink()
    done = agent.once(check=1)
    assert "[trust] director_root: " in done.err and "pqota trust init" in done.err


def test_the_director_names_nothing(agent, front):
    front.deploy("2.0", NEW)
    front.sign("2.0", NEW, sequence=2)
    front.direct(None)
    refused(agent, "names nothing", tries=4)


def test_withdrawn_and_served_as_another_role_s(agent, front):
    """The online keys: an old file of the model's role, signed by the same keys, as the top-level role's."""
    image = front.image
    front.deploy("2.0", NEW)
    path = front.sign("2.0", NEW, sequence=2)
    entry, old, version = front.entry(path), image.file("model-gw"), image.body("model-gw")["version"]
    del image.body("model-gw")["targets"][path]
    image.publish("model-gw")
    assert version > image.body("targets")["version"]
    image.serve("targets", version, old)
    image.publish("snapshot", "timestamp")
    front.direct(path, entry)
    refused(agent, "targets.json names gw/fw/2.0/firmware.bin, which is for the role model-gw to do")


def test_a_vendor_without_roles_for_models(server, make_agent):
    front = Front(server, models=())
    agent = trusting(make_agent, server, front)
    front.deploy("1.0", OLD)
    path = "gw/fw/1.0/firmware.bin"
    custom = {"name": "fw", "version": "1.0", "model": "gw", "sequence": 1}
    entry = front.image.add_target(path, OLD, custom=custom)
    front.image.publish("targets", "snapshot", "timestamp")
    front.direct(path, entry)
    assert agent.once().code == 0
    assert running(agent) == "1.0"
    front.close()


def test_what_was_expired_and_is_renewed(agent, front):
    front.deploy("2.0", NEW)
    path = front.sign("2.0", NEW, sequence=2)
    front.direct(path, days=-1)
    assert agent.once().code == 4
    status = agent.run("status", "--config", agent.conf, check=0).out
    assert "state        idle" in status and "message      director: gw-1/targets.json" in status
    front.direct(path)
    assert agent.once().code == 0
    assert running(agent) == "2.0"


def test_a_server_without_the_metadata(agent, front):
    front.deploy("2.0", NEW)
    front.direct(front.sign("2.0", NEW, sequence=2))
    front.image.tricks["timestamp.json"] = tufserver.status(404)
    refused(agent, "image: timestamp.json: the server has no such file", tries=4)


def test_metadata_damaged_on_the_device(agent, front):
    for file in (agent.state / "trust").rglob("*.json"):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    install(agent, front, "2.0", NEW, sequence=2, counter=1)


# --- what was vouched for once ---


def test_a_download_that_was_drawn_out_past_the_end(agent, front):
    """What the director said was good when the download began. By its end it is not."""
    front.deploy("2.0", NEW)
    path = front.sign("2.0", NEW, sequence=2)
    front.direct(path)

    def expire(method, url, status, headers, body):
        if body == NEW:
            front.direct(path, days=-1)
        return status, headers, body

    front.answer = expire
    refused(agent, "expired", tries=4)


def test_a_download_begun_before_there_were_roots(agent, front):
    """Whatever an agent without roots took from the server is not installed by one that has them."""
    with_roots = agent.conf.read_text()
    lines = [line for line in with_roots.splitlines() if "_root = " not in line]
    at = lines.index("[trust]") + 1
    agent.conf.write_text("\n".join([*lines[:at], "insecure_unsigned = yes", *lines[at:], ""]))
    front.deploy("6.6.6", NEW)
    front.answer = lambda method, url, status, headers, body: (
        503 if body == NEW else status,
        headers,
        body,
    )
    assert agent.once().code == 4
    assert "state        downloading" in agent.run("status", "--config", agent.conf, check=0).out
    agent.conf.write_text(with_roots)
    front.answer = None
    front.direct("gw/fw/6.6.6/firmware.bin", target_entry(NEW))
    refused(agent, "gw/fw/6.6.6/firmware.bin, which the vendor has not signed", tries=4)
