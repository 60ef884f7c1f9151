"""The real agent against the real server: installed, resumed, turned back, renewed."""

import hashlib
import os
import pathlib
import re
import signal
import socket
import stat
import threading
import time

import pytest

from harness import run, wait_for
from relay import Acceptor


def script(path, body):
    path.write_text("#!/bin/sh\n" + body + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def deploy(server, name, version, kind="model", value=None):
    return server.api(
        "POST",
        "/api/deployments",
        {"name": name, "version": version, "target": {"kind": kind, "value": value or name}},
        expect=201,
    ).json()


def action_of(server, device):
    return server.api("GET", f"/api/devices/{device}", expect=200).json()["action"]


def running(agent):
    return (agent.slots / "current" / "version").read_text().strip()


class Proxy(Acceptor):
    """Passes bytes between an agent and the server, and can cut the line after so many."""

    def __init__(self, port):
        self.target, self.cut_after, self.passed = port, None, 0
        self.listen(self._serve)

    def _serve(self, one):
        two = socket.create_connection(("127.0.0.1", self.target))
        for a, b, down in ((one, two, False), (two, one, True)):
            threading.Thread(target=self._pump, args=(a, b, down), daemon=True).start()

    def _pump(self, source, sink, down):
        try:
            while piece := source.recv(16384):
                if down:
                    self.passed += len(piece)
                    if self.cut_after is not None and self.passed > self.cut_after:
                        break
                sink.sendall(piece)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_from_publish_to_installed(server, make_agent):
    agent = make_agent(server, "a-1", "a", settings={"installer.health_command": "/bin/true"})
    agent.enrol()
    key = next(p for p in agent.state.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes())
    assert key.stat().st_mode & 0o777 == 0o600
    assert agent.once().code == 0  # nothing to do
    data = os.urandom(500_000)
    server.publish("a", "1.0", data)
    deploy(server, "a", "1.0")
    done = agent.once()
    assert done.code == 0, done
    assert running(agent) == "1.0"
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == data
    assert action_of(server, "a-1")["state"] == "succeeded"
    assert server.api("GET", "/api/devices/a-1").json()["version"] == "1.0"
    states = [
        h.get("state")
        for h in server.api("GET", "/api/devices/a-1/history").json()["items"]
        if h.get("state")
    ]
    assert {"downloading", "installing", "succeeded"} <= set(states), states
    assert agent.once().code == 0
    assert "1.0" in agent.run("status", "--config", agent.conf, check=0).out


def test_a_failed_health_check_returns_to_the_old_slot_and_says_so(server, make_agent, tmp_path):
    health = script(tmp_path / "health", "exit 0")
    agent = make_agent(
        server, "h-1", "h", settings={"installer.health_command": health, "installer.confirm_seconds": 20}
    )
    agent.enrol()
    server.publish("h", "1", b"one")
    deploy(server, "h", "1")
    assert agent.once().code == 0
    script(health, "echo 'no sensor found' >&2; exit 1")
    server.publish("h", "2", b"two")
    deploy(server, "h", "2")
    done = agent.once()
    assert done.code not in (0, 99), done
    assert running(agent) == "1"
    action = action_of(server, "h-1")
    assert action["state"] == "failed"
    history = server.api("GET", "/api/devices/h-1/history").json()["items"]
    assert any("no sensor found" in h["text"] for h in history), history
    assert server.api("GET", "/api/devices/h-1").json()["version"] == "1"
    before = (agent.slots / "current").readlink()
    assert agent.once().code == 0  # not offered again
    assert (agent.slots / "current").readlink() == before


def test_a_cut_download_resumes_by_range(make_server, make_agent):
    server = make_server()
    proxy = Proxy(server.port)
    agent = make_agent(
        server,
        "r-1",
        "r",
        settings={
            "agent.server": f"https://localhost:{proxy.port}",
            "installer.health_command": "/bin/true",
        },
    )
    agent.enrol()
    data = os.urandom(8_000_000)
    server.publish("r", "1", data)
    deploy(server, "r", "1")
    proxy.passed, proxy.cut_after = 0, 3_000_000
    agent.once()
    assert not (agent.slots / "current").exists()
    proxy.passed, proxy.cut_after = 0, None
    wait_for(lambda: agent.once().code == 0 and (agent.slots / "current").exists(), 60, "it is installed")
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == data
    assert proxy.passed < 7_000_000, f"{proxy.passed} bytes: the download began anew"
    proxy.close()


def test_killed_at_any_moment_it_ends_on_the_new_version(server, make_agent):
    """kill -9 again and again, from the poll to the report."""
    agent = make_agent(
        server,
        "k-1",
        "k",
        settings={"installer.health_command": "/bin/true", "installer.confirm_seconds": 60},
    )
    agent.enrol()
    old, new = os.urandom(3_000_000), os.urandom(3_000_000)
    server.publish("k", "1", old)
    deploy(server, "k", "1")
    assert agent.once().code == 0
    server.publish("k", "2", new)
    deploy(server, "k", "2")
    for i in range(25):
        agent.start()
        time.sleep(0.01 + 0.012 * i)  # the moment of the cut is what is varied
        agent.stop(signal.SIGKILL)
        content = (agent.slots / "current" / "firmware.bin").read_bytes()
        assert content == (old if running(agent) == "1" else new)

    def ended():
        agent.once()
        action = action_of(server, "k-1")
        return action["state"] in ("succeeded", "failed") and action

    action = wait_for(ended, 60, "it ends")
    if action["state"] == "failed":  # by chance three cuts fell into installations, and it gives up then
        actions = server.api("GET", "/api/deployments/2/actions", expect=200).json()["items"]
        assert "cut off 3 times" in actions[0]["message"] and running(agent) == "1"
        deploy(server, "k", "2")
        action = wait_for(ended, 60, "it ends")
    assert action["state"] == "succeeded" and running(agent) == "2"


def test_the_command_installer_and_its_environment(server, make_agent, tmp_path):
    out = tmp_path / "out"
    install = script(
        tmp_path / "install",
        f'cat "$PQOTA_FILE" > {out}.bin; env > {out}.env; echo "$PQOTA_VERSION" > {out}.version',
    )
    agent = make_agent(
        server,
        "c-1",
        "c",
        installer="command",
        settings={"installer.command": install, "installer.version_file": f"{out}.version"},
    )
    agent.enrol()
    server.publish("c", "7.1", b"payload")
    deploy(server, "c", "7.1")
    done = agent.run("once", "--config", agent.conf, env={"SECRET_OF_THE_AGENT": "x"})
    assert done.code == 0, done
    assert pathlib.Path(f"{out}.bin").read_bytes() == b"payload"
    env = pathlib.Path(f"{out}.env").read_text()
    assert "PQOTA_VERSION=7.1" in env and "PQOTA_NAME=c" in env and "SECRET" not in env
    assert action_of(server, "c-1")["state"] == "succeeded"


def test_an_installer_past_its_deadline_is_ended_with_its_children(server, make_agent, tmp_path):
    pid = tmp_path / "pid"
    install = script(tmp_path / "install", f"sleep 600 & echo $! > {pid}; wait")
    agent = make_agent(
        server,
        "d-1",
        "d",
        installer="command",
        settings={
            "installer.command": install,
            "installer.timeout_seconds": 1,
            "installer.version_file": tmp_path / "none",
        },
    )
    agent.enrol()
    server.publish("d", "1", b"x")
    deploy(server, "d", "1")
    assert agent.once().code not in (0, 99)
    assert action_of(server, "d-1")["state"] == "failed"
    wait_for(lambda: not pathlib.Path(f"/proc/{int(pid.read_text())}").exists(), 10, "the child is gone")


def test_claims_of_success_need_the_version_that_runs(server, make_agent, tmp_path):
    """The installer says done, but the old version still runs: that is a failure."""
    version = tmp_path / "version"
    version.write_text("0.9\n")
    agent = make_agent(
        server,
        "v-1",
        "v",
        installer="command",
        settings={
            "installer.command": script(tmp_path / "install", "exit 0"),
            "installer.version_file": version,
        },
    )
    agent.enrol()
    server.publish("v", "1.0", b"x")
    deploy(server, "v", "1.0")
    agent.once()
    action = action_of(server, "v-1")
    assert action["state"] == "failed", action
    assert server.api("GET", "/api/devices/v-1").json()["version"] == "0.9"


@pytest.mark.parametrize("loader", ["returns", "stuck"])
def test_a_version_that_stays_unhealthy_is_not_rebooted_for_ever(server, make_agent, tmp_path, loader):
    """A boot loader that goes back when told, and one that keeps starting the bad version."""
    version, boot, bad, count = (tmp_path / n for n in ("version", "boot-id", "marked-bad", "reboots"))
    version.write_text("1.0\n")
    boot.write_text("0\n")
    count.write_text("")
    back = f"echo 1.0 > {version}" if loader == "returns" else "true"
    agent = make_agent(server, "z-1", "z", installer="command", settings={
        "installer.command": script(tmp_path / "install", f"echo 2.0 > {version}.next; exit 10"),
        "installer.version_file": version,
        "installer.health_command": script(tmp_path / "health", "echo 'no radio' >&2; exit 1"),
        "installer.bad_command": script(tmp_path / "bad", f"touch {bad}"),
        "installer.reboot_command": script(
            tmp_path / "reboot",
            f"if [ -e {bad} ]; then {back}; else cp {version}.next {version}; fi; echo x >> {count}",
        ),
        "agent.boot_id_file": boot,
    })  # fmt: skip
    agent.enrol()
    server.publish("z", "2.0", b"x")
    deploy(server, "z", "2.0")

    def closed():
        return (action_of(server, "z-1") or {}).get("state") == "failed"

    for _ in range(8):
        before = count.read_text()
        agent.start()
        wait_for(lambda: count.read_text() != before or closed(), 30, "a reboot or a report")
        agent.stop(signal.SIGKILL)  # what a reboot does to it
        if closed():
            break
        boot.write_text(os.urandom(4).hex() + "\n")
    assert action_of(server, "z-1")["state"] == "failed"
    # One into the new version, then those that should bring the old one back.
    assert count.read_text().count("x") == (2 if loader == "returns" else 4)
    texts = [h["text"] for h in server.api("GET", "/api/devices/z-1/history").json()["items"]]
    assert any("no radio" in t for t in texts), texts


def test_tampered_blobs_are_not_installed(server, make_agent):
    agent = make_agent(server, "t-1", "t")
    agent.enrol()
    data = os.urandom(100_000)
    server.publish("t", "1", data)
    deploy(server, "t", "1")
    blob = next(
        p for p in (server.dir / "data" / "blobs").rglob("*") if p.is_file() and p.stat().st_size == 100_000
    )
    blob.chmod(0o600)
    with open(blob, "r+b") as f:
        f.seek(50_000)
        f.write(b"evil")
    done = agent.once()
    assert done.code != 0 and not (agent.slots / "current").exists()
    assert "t-1" and action_of(server, "t-1")["state"] in ("failed", "downloading", "offered")


def test_it_comes_back_when_the_server_does(make_server, make_agent):
    server = make_server({"devices.poll_seconds": 10})
    agent = make_agent(server, "b-1", "b", settings={"installer.health_command": "/bin/true"})
    agent.enrol()
    server.stop()
    agent.start()
    wait_for(
        lambda: "refused" in (agent.dir / "agent.log").read_text().lower()
        or "connect" in (agent.dir / "agent.log").read_text().lower(),
        20,
        "it notices",
    )
    server.start()
    server.publish("b", "1", b"x")
    deploy(server, "b", "1")
    wait_for(lambda: (action_of(server, "b-1") or {}).get("state") == "succeeded", 60, "it catches up")


def test_an_untrusted_server_is_refused(make_server, make_agent):
    server, other = make_server(), make_server()
    agent = make_agent(server, "u-1", "u", settings={"agent.ca": str(other.roots)})
    done = agent.run("enroll", "--config", agent.conf, "--token", server.token("u", device="u-1"))
    assert done.code not in (0, 99) and re.search(r"trust|CA|certificate", done.err), done
    assert server.api("GET", "/api/devices?q=u-1").json()["items"] == []


def test_the_token_is_not_shown_to_other_users(server, make_agent, tmp_path):
    token = server.token("e", device="e-1")
    file = tmp_path / "token"
    file.write_text(token + "\n")
    agent = make_agent(server, "e-1", "e")
    agent.run("enroll", "--config", agent.conf, "--token-file", file, check=0)
    assert agent.once().code == 0


def test_downgrades_need_to_be_allowed(server, make_agent):
    agent = make_agent(server, "g-1", "g", settings={"installer.health_command": "/bin/true"})
    agent.enrol()
    for version in ("1", "2"):
        server.publish("g", version, version.encode())
    deploy(server, "g", "2")
    assert agent.once().code == 0 and running(agent) == "2"
    deploy(server, "g", "1")
    assert agent.once().code == 0 and running(agent) == "2"
    server.api(
        "POST",
        "/api/deployments",
        {
            "name": "g",
            "version": "1",
            "allow_downgrade": True,
            "target": {"kind": "device", "value": "g-1"},
        },
        expect=201,
    )
    assert agent.once().code == 0 and running(agent) == "1"


def test_swupdate_installs_a_real_swu(server, make_agent, tmp_path):
    """The real swupdate, with a raw file handler."""
    target = tmp_path / "installed.bin"
    build = tmp_path / "swu"
    build.mkdir()
    payload = os.urandom(50_000)
    (build / "payload.bin").write_bytes(payload)
    (build / "sw-description").write_text(
        'software = {\n version = "3.0";\n hardware-compatibility: ["1.0"];\n files: ({\n'
        f'  filename = "payload.bin"; path = "{target}"; '
        f'sha256 = "{hashlib.sha256(payload).hexdigest()}";\n }});\n}}\n'
    )
    # Debian's swupdate installs nothing unsigned: CMS, which it knows with classical keys only.
    key, cert = tmp_path / "swu.key", tmp_path / "swu.pem"
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=images",
            "-addext",
            "extendedKeyUsage=emailProtection",
            "-addext",
            "keyUsage=digitalSignature",
        ],
        check=0,
    )
    run(
        [
            "openssl",
            "cms",
            "-sign",
            "-in",
            "sw-description",
            "-out",
            "sw-description.sig",
            "-signer",
            cert,
            "-inkey",
            key,
            "-outform",
            "DER",
            "-nosmimecap",
            "-binary",
        ],
        cwd=build,
        check=0,
    )
    run(
        [
            "sh",
            "-c",
            "printf 'sw-description\\nsw-description.sig\\npayload.bin\\n' | cpio -o -H crc > ../update.swu",
        ],
        cwd=build,
        check=0,
    )
    # What runs is told by what was installed: the payload's being there stands for it.
    asks = script(tmp_path / "version-of", f"test -s {target} && echo 3.0 || echo 2.0")
    boot = tmp_path / "boot-id"
    boot.write_text("first\n")
    reboot = script(tmp_path / "reboot", f"echo second > {boot}")
    agent = make_agent(
        server,
        "s-1",
        "s",
        installer="swupdate",
        settings={
            "installer.command": f"/usr/bin/swupdate -H board:1.0 -k {cert} -i",
            "installer.version_command": asks,
            "installer.reboot_command": reboot,
            "agent.boot_id_file": boot,
        },
    )
    agent.enrol()
    made = server.curl("/api/firmware/s/3.0/update.swu", "-T", tmp_path / "update.swu")
    assert made.status == 201, made
    deploy(server, "s", "3.0")
    done = agent.once()
    assert target.exists() and target.read_bytes() == payload, done
    if action_of(server, "s-1")["state"] == "rebooting":
        done = agent.once()  # what init starts after the reboot
    assert action_of(server, "s-1")["state"] == "succeeded", done
