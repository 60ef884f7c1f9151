"""The agent is woken over MQTT, and goes on polling without a broker."""

import json
import os
import re
import time

import pytest
from harness import wait_for
from mosquitto import Client
from test_agent_renewal import age

LONG = {"agent.poll_seconds": "3600"}


@pytest.fixture
def slow(server):
    """A server that tells agents to poll once an hour."""
    server.stop()
    server.set("devices.poll_seconds", "3600")
    return server.start()


def log(agent):
    return (agent.dir / "agent.log").read_text(errors="replace")


def polled(server, device):
    """When the device asked last."""
    return server.api("GET", f"/api/devices/{device}", expect=200).json()["last_seen"]


def hint(deployment, release=1, jitter=0, at="2026-01-01T00:00:00.000Z", **more):
    return json.dumps(
        {
            "deployment": deployment,
            "release": release,
            "name": "gw",
            "version": "2",
            "jitter_seconds": jitter,
            "at": at,
            **more,
        }
    )


def deploy(server, name, version):
    body = {"name": name, "version": version, "target": {"kind": "model", "value": name}}
    return server.api("POST", "/api/deployments", body, expect=201).json()["id"]


def running(agent):
    file = agent.slots / "current" / "version"
    return file.read_text().strip() if file.exists() else None


def connected(agent, times=1):
    wait_for(
        lambda: log(agent).count("connected to the broker") >= times,
        what=f"{agent.device} is connected for the {times}. time",
    )


def settled(agent, server):
    """Enrolled, started, has polled once, is connected."""
    agent.start()
    wait_for(lambda: polled(server, agent.device), what="the agent polled")
    connected(agent)


def test_woken(slow, broker, make_agent, capfd):
    """Seconds from the announcement to the installed version, with an hour between polls."""
    server = slow
    settings = {**LONG, "agent.broker": broker.broker}
    agent = make_agent(server, "gateway-1", "gw", settings=settings)
    agent.enrol()
    settled(agent, server)
    server.publish("gw", "2.0", os.urandom(200_000))
    deployment = deploy(server, "gw", "2.0")
    topic = "ota/devices/gateway-1/update"
    begun = time.monotonic()
    broker.publish(topic, hint(deployment), retain=True)
    wait_for(lambda: "the server has something" in log(agent), what="woken")
    woken = time.monotonic() - begun
    wait_for(lambda: running(agent) == "2.0", what="installed")
    done = time.monotonic() - begun
    with capfd.disabled():
        print(f"\nwoken after {woken * 1000:.0f} ms, installed after {done * 1000:.0f} ms")
    assert woken < 5 and done < 15

    # The retained hint comes again with the next connection, and is not acted on again.
    seen = log(agent).count("the server has something")
    broker.stop()
    wait_for(lambda: "no connection to the broker" in log(agent), what="the loss is logged")
    broker.start()
    connected(agent, 2)
    broker.publish(topic, hint(deployment), retain=True)
    broker.publish(topic, hint(deployment + 1))
    wait_for(lambda: log(agent).count("the server has something") == seen + 1, what="the other one counts")
    assert log(agent).count("no connection to the broker") == 1


def test_pushed_by_the_server(slow, broker, make_agent, capfd):
    """From the deployment to the device's poll, with nobody's help."""
    server = slow
    server.stop()
    server.set("mqtt.enabled", "yes")
    server.set("mqtt.broker", broker.broker)
    server.start()
    settings = {**LONG, "agent.broker": broker.broker, "installer.health_command": "/bin/true"}
    agent = make_agent(server, "gateway-8", "gw", settings=settings)
    agent.enrol()
    settled(agent, server)
    server.publish("gw", "2.0", b"x" * 1000)
    begun = time.monotonic()
    deploy(server, "gw", "2.0")
    wait_for(lambda: running(agent) == "2.0", what="installed")
    with capfd.disabled():
        print(f"\ninstalled {(time.monotonic() - begun) * 1000:.0f} ms after the deployment")
    wait_for(
        lambda: (server.api("GET", "/api/devices/gateway-8").json()["action"] or {}).get("state")
        == "succeeded",
        what="reported",
    )
    assert log(agent).count("the server has something") == 1


def test_broker_away(server, broker, make_agent):
    """Polling goes on, as often as the server says; what is logged is the change, not every try."""
    broker.stop()
    settings = {**LONG, "agent.broker": broker.broker}
    server.stop()
    server.set("devices.poll_seconds", "1")
    server.start()
    agent = make_agent(server, "gateway-2", "gw", settings=settings)
    agent.enrol()
    agent.start()
    wait_for(lambda: "polling goes on" in log(agent), what="told that there is no broker")
    server.publish("gw", "2.0", b"x" * 1000)
    deploy(server, "gw", "2.0")
    wait_for(lambda: running(agent) == "2.0", 30, what="installed by polling")
    tries = [line for line in log(agent).splitlines() if "broker" in line]
    assert len(tries) == 1, tries
    broker.start()
    connected(agent)
    broker.publish("ota/devices/gateway-2/update", hint(99))
    wait_for(lambda: "deployment=99" in log(agent), what="woken again")


def test_a_hint_at_start(slow, broker, make_agent):
    """A retained one that was left while the device was off."""
    broker.publish("ota/devices/gateway-3/update", hint(5), retain=True)
    agent = make_agent(slow, "gateway-3", "gw", settings={**LONG, "agent.broker": broker.broker})
    agent.enrol()
    settled(agent, slow)
    wait_for(lambda: "deployment=5" in log(agent), what="woken by the retained hint")


def test_hints_that_are_none(slow, broker, make_agent):
    """Hostile or broken ones wake nobody and are told once; jitter has its bound whatever they say."""
    agent = make_agent(slow, "gateway-4", "gw", settings={**LONG, "agent.broker": broker.broker})
    agent.enrol()
    settled(agent, slow)
    topic = "ota/devices/gateway-4/update"
    bad = [
        "x",
        "[]",
        "{}",
        '{"deployment":1,"deployment":2,"release":1,"at":"x"}',
        hint(0),
        hint(-1),
        hint(2**31),
        hint("1"),
        hint(1, release=None),
        hint(1, jitter=-1),
        hint(1, jitter=1.5),
        hint(1, at=""),
        hint(1, at="x" * 100),
        hint(1, pad="x" * 5000),
    ]
    with Client(broker, broker.server_credential()) as server_side:
        server_side.wait("up")
        for n, text in enumerate(bad):
            server_side.say(f"pub {n} 0 {topic} {text}")
        server_side.say(f"pub 100 0 {topic} " + hint(7, jitter=10**15))
        wait_for(lambda: "deployment=7" in log(agent), what="a good one after them")
        server_side.say(f"pub 101 0 {topic} " + hint(8))
        wait_for(lambda: "deployment=8" in log(agent), what="one that is due at once")
    assert log(agent).count("cannot be understood") == 1
    assert log(agent).count("the server has something") == 2
    assert int(re.search(r"deployment=7 in_ms=(\d+)", log(agent))[1]) <= 3600_000


def test_hints_without_end(slow, broker, make_agent):
    """A broker that invents one after the other gets five polls, and then one in half a minute."""
    agent = make_agent(slow, "gateway-9", "gw", settings={**LONG, "agent.broker": broker.broker})
    agent.enrol()
    settled(agent, slow)
    with Client(broker, broker.server_credential()) as server_side:
        server_side.wait("up")
        sent = 0

        def is_held_back():
            nonlocal sent
            sent += 1
            server_side.say(f"pub {sent} 0 ota/devices/gateway-9/update " + hint(sent))
            return re.search(r"in_ms=[23]\d{4}\b", log(agent))

        wait_for(is_held_back, what="a poll is put off")
        waits = [int(ms) for ms in re.findall(r"in_ms=(\d+)", log(agent))]
        assert waits[:5] == [0] * 5 and len(waits) == 6, waits


def test_a_herd_spreads(slow, broker, make_agent, capfd):
    """Ten devices woken at once come within the time that the hint says, not in one moment."""
    agents = [
        make_agent(slow, f"herd-{n}", "gw", settings={**LONG, "agent.broker": broker.broker})
        for n in range(10)
    ]
    for agent in agents:
        agent.enrol()
        settled(agent, slow)
    with Client(broker, broker.server_credential()) as server_side:
        server_side.wait("up")
        for n in range(10):
            server_side.say(f"pub {n} 0 ota/devices/herd-{n}/update " + hint(1, jitter=2))
        wait_for(lambda: all("deployment=1 " in log(a) for a in agents), what="all are woken")
    waits = sorted(int(re.search(r"in_ms=(\d+)", log(a))[1]) for a in agents)
    with capfd.disabled():
        print(f"\nwaits in ms: {waits}")
    assert waits[-1] <= 2000 and waits[-1] - waits[0] > 300 and len(set(waits)) > 5


def test_renewed(slow, broker, make_agent):
    """With a renewed certificate the agent connects anew."""
    agent = make_agent(slow, "gateway-5", "gw", settings={**LONG, "agent.broker": broker.broker})
    agent.enrol()
    second = 1 / 86400
    age(slow, agent, -37 * second, 23 * second)  # due 40 to 45 s after its beginning
    agent.start()
    connected(agent)
    wait_for(lambda: "the certificate was renewed" in log(agent), what="renewed")
    connected(agent, 2)
    assert "a new connection to the broker" in log(agent)
    assert broker.logs().count("as gateway-5 ") == 2


def test_wrong_settings(server, make_agent):
    agent = make_agent(server, "gateway-6", "gw", settings={"agent.broker": "mqtt://x:1"})
    done = agent.run("run", "--config", agent.conf)
    assert done.code == 1 and "[agent] broker" in done.err, repr(done)


def test_once_needs_no_broker(server, make_agent):
    agent = make_agent(server, "gateway-7", "gw", settings={"agent.broker": "localhost:1"})
    agent.enrol()
    assert agent.once(0).code == 0
