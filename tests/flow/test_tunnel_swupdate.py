"""Debian's own swupdate, unchanged, behind `pqota-agent tunnel`: post-quantum TLS to the server under the
device's certificate, and nothing but what vendor and director signed. With repositories that the test holds;
with those of a real server, and with deltas, it is tried in test_swupdate_tunnel.py."""

import os

import pytest
from harness import wait_for
from swupdate import Device, file_swu
from tuffront import Front, trusting
from tunnel import Tunnel


@pytest.fixture
def scene(make_server, make_agent, tmp_path):
    it = Scene(make_server({"ddi.enabled": "yes", "ddi.poll_seconds": "1"}), make_agent, tmp_path)
    yield it
    it.close()


class Scene:
    """A server, the repositories that the device trusts, its tunnel, and its swupdate, which has no token."""

    def __init__(self, server, make_agent, folder):
        self.server, self.folder = server, folder
        self.front = Front(server)
        self.agent = trusting(make_agent, server, self.front)
        self.tunnel = Tunnel(self.agent).start()
        self.device = Device(folder, self.tunnel.url, "gw-1")

    def close(self):
        self.device.stop()
        self.tunnel.stop()
        self.front.close()

    def publish(self, version):
        """And deploy. Its payload."""
        payload = os.urandom(3_000_000)
        self.swu = file_swu(self.folder / f"fw-{version}.swu", version, payload, self.device.target)
        self.server.publish("fw", version, self.swu.read_bytes(), model="gw", filename="fw.swu")
        what = ("deploy", "fw", version, "--device", "gw-1", "--json")
        self.id = self.server.pqota(*what).json()["id"]
        return payload

    def vouch(self, version, **how):
        data = self.swu.read_bytes()
        self.front.direct(self.front.sign(version, data, filename="fw.swu", **how))

    def state(self):
        items = self.server.api("GET", f"/api/deployments/{self.id}/actions", expect=200).json()["items"]
        return items[0]["state"] if items else None

    def shown(self):
        return self.server.api("GET", "/api/devices/gw-1", expect=200).json()

    def history(self):
        items = self.server.api("GET", "/api/devices/gw-1/history", expect=200).json()["items"]
        return "\n".join(item["text"] for item in items)


def test_an_update_to_the_end(scene):
    payload = scene.publish("2.0")
    scene.vouch("2.0", sequence=2, counter=4)
    scene.device.start()
    scene.device.wait_said("pending testing, ignoring available update action")
    assert scene.device.target.read_bytes() == payload
    assert "hash=right" in scene.tunnel.logs()
    scene.device.reboot()
    wait_for(lambda: scene.state() == "succeeded", 30, "the update has succeeded")
    assert scene.shown()["version"] == "2.0"
    wait_for(lambda: scene.shown()["transport"] == "pq", 20, "it is counted as post-quantum")
    # What succeeded counts from now on: an older one does not come, though both signed it.
    scene.tunnel.stop()
    scene.tunnel.start()
    before = scene.device.target.read_bytes()
    scene.publish("1.9")
    scene.vouch("1.9", sequence=3, counter=3)
    wait_for(lambda: "anti-rollback counter 3" in scene.history(), 30, "the operator reads why")
    assert scene.device.target.read_bytes() == before


def test_what_nobody_vouches_for_is_not_installed(scene):
    scene.publish("2.0")
    scene.front.direct(None)
    scene.device.start()
    wait_for(lambda: "the director names nothing" in scene.history(), 30, "the operator reads why")
    wait_for(lambda: scene.state() == "failed", 30, "swupdate has given it up")
    assert not scene.device.target.exists()


def test_what_a_server_alone_says_is_not_installed(scene):
    """Whoever has the server may offer what he likes, and send other bytes than those that were signed."""
    scene.publish("2.0")
    scene.vouch("2.0")

    def flip(method, path, status, headers, body):
        if "/artifacts/" in path and len(body) > 100_000:
            body = body[:100_000] + bytes([body[100_000] ^ 1]) + body[100_001:]
        return status, headers, body

    scene.front.answer = flip
    scene.device.start()
    wait_for(lambda: "another SHA-256" in scene.tunnel.logs(), 30, "the tunnel has seen it")
    assert "All Chunks Installed" not in scene.device.logs()
    wait_for(lambda: "its end was withheld" in scene.history(), 30, "the operator reads why")
    assert scene.state() != "succeeded"
