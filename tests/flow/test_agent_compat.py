"""One version older, one version newer, and what stands between: docs/devices-protocol.md as tests."""

import os
import subprocess

import pytest

from harness import ANYONE, Credential
from relay import ConnectProxy, Relay, extended, on_json


def deploy(server, name, version):
    body = {"name": name, "version": version, "target": {"kind": "model", "value": name}}
    return server.api("POST", "/api/deployments", body, expect=201).json()


def state_of(server, device):
    action = server.api("GET", f"/api/devices/{device}", expect=200).json()["action"]
    return action and action["state"]


def credential(agent):
    return Credential(agent.state / "device.crt", agent.state / "device.key")


def through(agent, url):
    """The agent's server from now on."""
    text = agent.conf.read_text().splitlines()
    agent.conf.write_text("\n".join(f"server = {url}" if t.startswith("server") else t for t in text) + "\n")


def csr(folder):
    key, out = folder / "k.pem", folder / "k.csr"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ML-DSA-65", "-out", key], check=True)
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", out], check=True)
    return out.read_text()


def test_the_server_ignores_what_a_newer_agent_says(server, tmp_path):
    """Unknown members and query parameters are no mistake; known ones still count."""
    body = {"token": server.token("n", device="n-1"), "csr": csr(tmp_path), "id": "n-1"}
    reply = server.api("POST", "/api/enroll", extended(body), who=ANYONE, expect=201).json()
    cert = tmp_path / "cert.pem"
    cert.write_text(reply["certificate"])
    who = Credential(cert, tmp_path / "k.pem")
    assert server.curl("/api/update?version=0.1&x_future=1&capabilities=delta%2Cmulti", who=who).status == 204
    server.publish("n", "1.0", b"one")
    deploy(server, "n", "1.0")
    offer = server.curl("/api/update?x=&version=0.1&y", who=who)
    assert offer.status == 200 and offer.json()["release"]["version"] == "1.0"
    path = f"/api/update/{offer.json()['action']}/status"
    said = extended({"state": "downloading", "progress": 10, "message": "m"})
    server.api("POST", path + "?x_future=1", said, who=who, expect=204)
    assert state_of(server, "n-1") == "downloading"
    refused = server.api("POST", path, extended({"state": "x_future"}), who=who)
    assert refused.status == 400 and "state" in refused.json()["detail"]
    said = extended({"state": "succeeded", "version": "1.0"})
    server.api("POST", path, said, who=who, expect=204)
    # Too early, but understood: what is refused is the time, not the unknown members.
    early = server.api("POST", "/api/renew?x=1", extended({"csr": body["csr"]}), who=who)
    assert early.status == 409 and "renews from" in early.json()["detail"]


@pytest.fixture
def make_relay():
    made = []

    def make(*args, **kw):
        made.append(Relay(*args, **kw))
        return made[-1]

    yield make
    for relay in made:
        relay.close()


def test_the_agent_ignores_what_a_newer_server_says(server, make_agent, make_relay):
    """Every object of every answer has members the agent does not know, and heads have fields it does not."""

    def newer(method, path, status, headers, body):
        headers = {**headers, "X-Future": "1", "Link": '</api/v2>; rel="next"', "Deprecation": "@1893456000"}
        return on_json(lambda doc, _: extended(doc))(method, path, status, headers, body)

    agent = make_agent(server, "w-1", "w", settings={"installer.health_command": "/bin/true"})
    relay = make_relay(server, None, answer=newer)
    through(agent, relay.url)
    agent.enrol()
    relay.who = credential(agent)
    data = os.urandom(400_000)
    server.publish("w", "1.0", data)
    deploy(server, "w", "1.0")
    done = agent.once()
    assert done.code == 0, done
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == data
    assert state_of(server, "w-1") == "succeeded"
    paths = [path.split("?")[0] for _, path, _ in relay.seen]
    assert "/api/enroll" in paths and "/api/update" in paths, relay.seen
    assert agent.once().code == 0


def bare(doc, path):
    """Nothing but what docs/devices-protocol.md says that an agent needs."""
    if path.startswith("/api/enroll"):
        return {"certificate": doc["certificate"]}
    if path.startswith("/api/update") and "action" in doc:
        artifact = {k: doc["artifacts"][0][k] for k in ("filename", "size", "sha256", "url")}
        release = {k: doc["release"][k] for k in ("name", "version")}
        return {"action": doc["action"], "release": release, "artifacts": [artifact]}
    return doc


def test_the_agent_needs_little_of_an_older_server(server, make_agent, make_relay):
    """Optional members and heads are missing: no roots, no interval, no state, no tag of the file."""

    def older(method, path, status, headers, body):
        kept = {k: v for k, v in headers.items() if k.lower() in ("content-type", "content-range")}
        return on_json(bare)(method, path, status, kept, body)

    agent = make_agent(server, "o-1", "o", settings={"installer.health_command": "/bin/true"})
    relay = make_relay(server, None, answer=older)
    through(agent, relay.url)
    enrolled = agent.enrol()
    assert "no usable roots" in enrolled.err  # it says so and goes on with those it was given
    relay.who = credential(agent)
    assert agent.once().code == 0
    server.publish("o", "1.0", b"payload")
    deploy(server, "o", "1.0")
    done = agent.once()
    assert done.code == 0, done
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == b"payload"
    assert state_of(server, "o-1") == "succeeded"


NEEDED = ["action", "release", "artifacts", "sha256", "size", "url", "filename", "name"]


@pytest.mark.parametrize("missing", NEEDED)
def test_what_an_offer_cannot_do_without(server, make_agent, make_relay, missing):
    """It installs nothing, and tells a person why: in its log, or to the server if it can name the action."""

    def without(doc, path):
        if not path.startswith("/api/update") or "artifacts" not in doc:
            return doc
        for place in (doc, doc["release"], doc["artifacts"][0]):
            place.pop(missing, None)
        return doc

    agent = make_agent(server, "q-1", "q", settings={"installer.health_command": "/bin/true"})
    agent.enrol()
    through(agent, make_relay(server, credential(agent), answer=on_json(without)).url)
    server.publish("q", "1.0", b"payload")
    deploy(server, "q", "1.0")
    done = agent.once()
    assert not (agent.slots / "current").exists()
    if missing == "action":
        assert done.code == 4 and "not understood" in done.err, done
        return
    assert done.code == 3, done
    assert state_of(server, "q-1") == "failed"
    history = server.api("GET", "/api/devices/q-1/history").json()["items"]
    assert any("offered" in h["text"] or "exactly one artifact" in h["text"] for h in history), history


# --- an HTTP proxy on the way -------------------------------------------------------------------------

HIDDEN = "update.invalid"  # a name that nobody can resolve: without the proxy there is no way


@pytest.fixture
def proxy():
    made = ConnectProxy()
    yield made
    made.close()


@pytest.fixture
def hidden(make_server):
    return make_server(init_args=("--host", HIDDEN))


def proxied(server, make_agent, device, settings=None):
    url = f"https://{HIDDEN}:{server.port}"
    more = {"agent.server": url, "installer.health_command": "/bin/true", **(settings or {})}
    return make_agent(server, device, "x", settings=more)


def enrol(server, agent, env=None):
    token = server.token("x", device=agent.device)
    return agent.run("enroll", "--config", agent.conf, "--token", token, env=env)


def once(agent, env=None):
    return agent.run("once", "--config", agent.conf, env=env)


@pytest.mark.parametrize("how", ["setting", "environment"])
def test_a_proxy_is_honoured(hidden, make_agent, proxy, how):
    settings = {"agent.proxy": proxy.url} if how == "setting" else {}
    env = {"https_proxy": proxy.url} if how == "environment" else {}
    agent = proxied(hidden, make_agent, "x-1", settings)
    done = enrol(hidden, agent, env)
    assert done.code == 0, done
    hidden.publish("x", "1.0", b"payload" * 1000)
    deploy(hidden, "x", "1.0")
    done = once(agent, env)
    assert done.code == 0, done
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == b"payload" * 1000
    assert state_of(hidden, "x-1") == "succeeded"
    assert len(proxy.asked) >= 2
    assert set(proxy.asked) == {f"CONNECT {HIDDEN}:{hidden.port} HTTP/1.1"}, proxy.asked


def test_without_the_proxy_there_is_no_way(hidden, make_agent, proxy):
    """The tests above would notice an agent that goes by itself; no_proxy is honoured too."""
    agent = proxied(hidden, make_agent, "x-2")
    for env in ({}, {"https_proxy": proxy.url, "no_proxy": HIDDEN}):
        done = enrol(hidden, agent, env)
        assert done.code == 1 and "resolve" in done.err.lower(), done
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_named(hidden, make_agent):
    proxy = ConnectProxy(refuse="403 Forbidden")
    done = enrol(hidden, proxied(hidden, make_agent, "x-3", {"agent.proxy": proxy.url}))
    assert done.code == 1 and re_403(done.err), done
    proxy.close()


def re_403(text):
    return "403" in text and ("CONNECT" in text or "proxy" in text.lower())


def test_the_environment_of_the_daemon_reaches_no_installer(hidden, make_agent, proxy, tmp_path):
    """A proxy's address may hold a password."""
    out = tmp_path / "env"
    script = tmp_path / "health"
    script.write_text(f"#!/bin/sh\nenv > {out}\n")
    script.chmod(0o755)
    env = {"https_proxy": proxy.url.replace("//", "//user:secret@")}
    agent = proxied(hidden, make_agent, "x-4", {"installer.health_command": script})
    assert enrol(hidden, agent, env).code == 0
    hidden.publish("x", "2.0", b"two")
    deploy(hidden, "x", "2.0")
    done = once(agent, env)
    assert done.code == 0 and "secret" not in done.err + done.out, done
    assert "PQOTA_VERSION=2.0" in out.read_text() and "secret" not in out.read_text()
    assert proxy.asked
