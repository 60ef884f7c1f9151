"""A server that is not the one the agent hoped for: it has the right certificate and says the wrong things.
And a device without room."""

import json
import os
import resource
import subprocess
import time

import pytest

from harness import environment, program
from relay import Raw, Relay, on_json
from test_agent_compat import deploy, state_of, through
from test_agent_renewal import age, days, run


@pytest.fixture
def make_raw(server):
    made = []

    def make(script):
        made.append(Raw(server, script))
        return made[-1]

    yield make
    for raw in made:
        raw.close()


def reply(status, body=b"", *headers):
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def endless(connection, head):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


def header_flood(connection, head):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Flood: " + b"y" * 8000 + b"\r\n")


def says(data, end=None):
    def script(connection, head):
        connection.sendall(data)
        return end

    return script


POLLS = {
    "endless body": endless,
    "endless head": header_flood,
    "300 KiB": says(reply(200, b'{"action":' + b" " * 300_000 + b"1}")),
    "deep": says(reply(200, b'{"a":' * 20_000 + b"1" + b"}" * 20_000)),
    "no JSON": says(reply(200, b"<html>please log in</html>")),
    "twice the same member": says(reply(200, b'{"action":1,"action":2}')),
    "not text": says(reply(200, bytes(range(256)))),
    "redirect": says(reply(302, b"", "Location: https://localhost:1/api/update")),
    "redirect here": says(reply(307, b"", "Location: /api/update?again")),
    "too short": says(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"action":1', "close"),
    "two lengths": says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", "close"),
    "garbage": says(b"\x16\x03\x01 what?\r\n\r\n", "close"),
    "nothing": says(b"", "close"),
    "teapot": says(reply(418)),
    "unavailable": says(reply(503, b"", "Retry-After: 99999999999999999999")),
    "unauthorized": says(reply(401, b'{"title":"no","detail":"\\u0000\\u001b[31m"}')),
}


@pytest.fixture
def agent(server, make_agent):
    made = make_agent(server, "z-1", "z", settings={"installer.health_command": "/bin/true"})
    made.enrol()
    made.once(check=0)
    return made


def limited(agent):
    """`once` with at most 20 s of processor time and no file larger than 64 MiB."""

    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))

    begun = time.monotonic()
    done = subprocess.run(
        [program("pqota-agent"), "once", "--config", str(agent.conf)], capture_output=True, text=True,
        errors="replace", timeout=90, env=environment(), preexec_fn=limits,
    )
    assert time.monotonic() - begun < 30
    return done


@pytest.mark.parametrize("name", POLLS)
def test_a_poll_that_is_answered_with_nonsense(agent, make_raw, name):
    """Later, and nothing else: no crash, no request elsewhere, nothing installed, one attempt."""
    raw = make_raw(POLLS[name])
    through(agent, raw.url)
    done = limited(agent)
    assert done.returncode == 4, done
    assert "\x1b" not in done.stderr and "level=" in done.stderr, done
    assert not (agent.slots / "current").exists()
    assert len(raw.heads) == 1 and raw.heads[0].startswith("GET /api/update"), raw.heads


def offer(size, sha="a" * 64, **more):
    artifact = {"filename": "f.bin", "size": size, "sha256": sha, "url": "/api/firmware/1/file", **more}
    return {"action": 1, "release": {"name": "z", "version": "6.6"}, "artifacts": [artifact]}


def download(first, then=None):
    """Offers a file of 100000 bytes, answers its download with `first`, and later ones with `then`."""
    seen = []

    def script(connection, head):
        if head.startswith("POST"):
            connection.sendall(reply(204))
        elif head.startswith("GET /api/update"):
            body = json.dumps(offer(100_000)).encode()
            connection.sendall(reply(204) if seen else reply(200, body))
        else:
            seen.append(head)
            connection.sendall(first if len(seen) == 1 or then is None else then)
            return "close"

    return script


DOWNLOADS = {
    "another file": (3, reply(200, bytes(100_000))),
    "longer": (3, reply(200, bytes(200_000))),
    "shorter": (3, reply(200, bytes(50))),
    "longer than it says": (
        3, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + bytes(0x10000) + b"\r\n"
        + b"10000\r\n" + bytes(0x10000) + b"\r\n0\r\n\r\n"),
    "a range nobody asked for": (4, reply(206, bytes(100), "Content-Range: bytes 99900-99999/100000")),
    "a redirect": (4, reply(302, b"", "Location: https://localhost:1/evil")),
    "gone": (3, reply(410)),
}


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_that_is_not_what_was_offered(agent, make_raw, name):
    code, answer = DOWNLOADS[name]
    raw = make_raw(download(answer))
    through(agent, raw.url)
    done = limited(agent)
    assert done.returncode == code, done
    assert not (agent.slots / "current").exists()
    assert all("localhost:1" not in h for h in raw.heads)
    files = [p.stat().st_size for p in agent.state.iterdir()]
    assert max(files) <= 200_000, files  # not more than was announced is kept


def test_a_server_that_forgets_its_ranges_again_and_again(agent, make_raw):
    """Half the file, then 416, for ever: it is given up, not gone on with for ever."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000)

    def script(connection, head):
        if head.startswith("POST"):
            connection.sendall(reply(204))
        elif head.startswith("GET /api/update"):
            connection.sendall(reply(200, json.dumps(offer(100_000)).encode()))
        elif "Range: bytes=0-" in head or "Range:" not in head:
            connection.sendall(half)
            return "close"
        else:
            connection.sendall(reply(416))

    raw = make_raw(script)
    through(agent, raw.url)
    for _ in range(20):
        done = limited(agent)
        if done.returncode != 4:
            break
    assert done.returncode in (3, 4), done
    assert len(raw.heads) < 300


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_without_room_is_reported_and_the_next_update_fits(server, make_agent, small_disk):
    """Also when the file itself would just fit, but the state beside it would not."""
    agent = make_agent(server, "f-1", "f", settings={
        "agent.state_dir": small_disk, "installer.health_command": "/bin/true"})
    agent.state = small_disk
    agent.enrol()
    stat = os.statvfs(small_disk)
    free = stat.f_bavail * stat.f_frsize
    for version, size in (("1", free * 3), ("2", free), ("3", free - 4096)):
        server.publish("f", version, os.urandom(size))
        deploy(server, "f", version)
        done = agent.once()
        assert done.code == 3, (version, done)
        assert state_of(server, "f-1") == "failed"
        texts = [h["text"] for h in server.api("GET", "/api/devices/f-1/history").json()["items"]]
        assert any("no room" in t for t in texts), texts
        assert not (small_disk / "artifact").exists()
    data = os.urandom(free // 2)
    server.publish("f", "4", data)
    deploy(server, "f", "4")
    assert agent.once().code == 0
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == data


def test_a_certificate_from_far_in_the_future_does_not_move_the_clock(server, agent):
    """A server that was broken into could otherwise end every certificate for this device, for good."""
    aged, _ = age(server, agent, -300, 65)
    folder = agent.dir / "aged"
    pki = server.dir / "pki"
    evil = folder / "evil.pem"
    run(["openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", pki / "device-ca.pem", "-CAkey",
         pki / "device-ca.key", "-extfile", folder / "ext", "-out", evil, "-not_before", days(30_000),
         "-not_after", days(40_000)], check=0)
    swap = {"certificate": evil.read_text()}
    relay = Relay(server, aged, answer=on_json(lambda doc, path: {**doc, **swap} if "renew" in path else doc))
    text = agent.conf.read_text()
    through(agent, relay.url)
    done = agent.once()
    assert "not valid before" in done.err and "dropped" in done.err, done
    relay.close()
    agent.conf.write_text(text)
    floor = agent.state / "clock-floor"
    assert not floor.exists() or int(floor.read_text()) < time.time() + 86400
    done = agent.once()
    assert done.code == 0 and "the certificate was renewed" in done.err, done
