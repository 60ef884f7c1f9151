"""The example of a device (ports/posix) against the real server: what docs/devices.md tells is what runs."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time
import zlib

import pytest

import harness
from harness import run, wait_for
from relay import Raw
from test_agent import Proxy, action_of, deploy

DEVICE = harness.BUILD / "ports" / "posix" / "pqota-device"
REBOOT = 10
PAGE = 8192
SECTOR = 4096


class Device:
    """The program, its folder, and the part of a reset button."""

    def __init__(self, server, folder, name="p-1", model="p"):
        self.server, self.dir, self.name = server, pathlib.Path(folder), name
        self.dir.mkdir()
        who = server.enrol(name, model)
        for source, target in ((server.roots, "ca.pem"), (who.cert, "device.crt"), (who.key, "device.key")):
            shutil.copy(source, self.dir / target)
        self.log = folder / "log"
        self.process, self.port = None, None  # port: of who stands before the server
        self.trust = ["--insecure-unsigned"]  # whom it believes; test_port_manifest.py is about that

    def argv(self, *options, port=None):
        return [
            str(DEVICE),
            "-w",
            "1",
            *self.trust,
            *options,
            str(self.dir),
            "localhost",
            str(port or self.port or self.server.port),
        ]

    def boot(self, port=None, **env):
        """One start, to its end."""
        return run(self.argv("-o", port=port), env=harness.environment(**env))

    def update(self):
        """Starts it until it has nothing more to do; how often that was."""
        for boots in range(1, 10):
            done = self.boot()
            if done.code == 0:
                return boots
            assert done.code == REBOOT, done
        raise AssertionError(f"it boots for ever: {done}")

    def start(self, port=None):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.argv(port=port), stdout=log, stderr=log, env=harness.environment()
            )

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)
        self.process = None

    def record(self):
        """The newest good page of the boot record: the slot that runs and its version."""
        newest = None
        raw = (self.dir / "boot").read_bytes()
        for at in (0, PAGE):
            page = raw[at : at + PAGE]
            if len(page) < PAGE:
                continue
            magic, crc, sequence, n, _, slot, _ = struct.unpack_from("<7I", page)
            if magic != 0x50514F54 or crc != zlib.crc32(page[8 : 16 + n]):
                continue
            if newest is None or sequence > newest[0]:
                version = page[28 + slot * 129 : 28 + (slot + 1) * 129].split(b"\0")[0].decode()
                newest = sequence, slot, version
        return newest[1], newest[2]

    def running(self):
        return self.record()[1]

    def image(self):
        return (self.dir / f"slot.{self.record()[0]}").read_bytes()


@pytest.fixture
def device(server, tmp_path):
    made = Device(server, tmp_path / "device")
    yield made
    made.kill()


@pytest.fixture
def proxy(server):
    made = Proxy(server.port)
    yield made
    made.close()


def same(one, two):
    return hashlib.sha256(one).digest() == hashlib.sha256(two).digest()  # pytest would print megabytes


def spoil_newer_page(path):
    """What a power cut in the middle of writing it leaves."""
    raw = bytearray(path.read_bytes())
    newer = max((0, PAGE), key=lambda at: struct.unpack_from("<I", raw, at + 8)[0] if len(raw) > at else 0)
    raw[newer + 20] ^= 1
    path.write_bytes(raw)


def half_way(device, proxy, port_bytes):
    """The device with some of a download, killed."""
    proxy.passed, proxy.cut_after = 0, port_bytes
    device.start(proxy.port)
    wait_for(
        lambda: "cut off" in device.log.read_text() or "closed" in device.log.read_text(),
        30,
        "the line is cut",
    )
    device.kill()
    proxy.cut_after = None


def test_a_whole_update_and_the_next(server, device):
    assert device.boot().code == 0 and device.running() == "factory"
    for version in ("1.0", "2.0"):
        data = os.urandom(700_001)
        server.publish("p", version, data)
        deploy(server, "p", version)
        assert device.update() == 2  # until the reset, and from there
        assert device.running() == version and same(device.image(), data)
        assert action_of(server, "p-1")["state"] == "succeeded"
        assert server.api("GET", "/api/devices/p-1").json()["version"] == version
        assert device.update() == 1
    seen = [h.get("state") for h in server.api("GET", "/api/devices/p-1/history").json()["items"]]
    assert {"downloading", "installing", "rebooting", "succeeded"} <= set(seen), seen


def test_the_founding_call(server, device):
    none = run(device.argv("-l"))
    assert none.code == 1 and "404" in none.err
    data = os.urandom(1000)
    server.publish("p", "3.1", data)
    latest = run(device.argv("-l"), check=0)
    assert latest.out.split() == ["3.1", "1000", hashlib.sha256(data).hexdigest()]


def test_killed_during_a_download_it_goes_on_from_the_last_checkpoint(server, device, proxy):
    data = os.urandom(6_000_000)
    server.publish("p", "1", data)
    deploy(server, "p", "1")
    half_way(device, proxy, 3_000_000)
    have = (device.dir / "slot.1").stat().st_size
    assert 2_000_000 < have < 3_000_000
    proxy.passed = 0
    done = device.boot(proxy.port)
    assert done.code == REBOOT, done
    assert re.search(r"resuming at byte \d+ of 6000000", done.err), done
    assert proxy.passed < 4_200_000, f"{proxy.passed} bytes: the download began anew"
    assert device.update() == 1 and device.running() == "1" and same(device.image(), data)


def test_killed_at_any_moment_of_a_download(server, device):
    assert device.boot().code == 0  # the flash is there
    data = os.urandom(4_000_000)
    server.publish("p", "1", data)
    deploy(server, "p", "1")
    for i in range(12):
        device.start()
        time.sleep(0.02 + 0.03 * i)  # the moment of the cut is what is varied
        device.kill()
        assert device.running() in ("factory", "1")
        if device.running() == "1":
            assert same(device.image(), data)
    for _ in range(3):  # a kill in the trial boot sends it back, rightly: then it is deployed again
        device.update()
        if device.running() == "1":
            break
        deploy(server, "p", "1")
    assert device.running() == "1" and same(device.image(), data)


def tamper(device):
    with open(device.dir / "slot.1", "r+b") as f:
        f.seek(10_000)
        f.write(b"evil")


def test_tampered_flash_is_noticed_and_fetched_once_more(server, device, proxy):
    data = os.urandom(4_000_000)
    server.publish("p", "1", data)
    deploy(server, "p", "1")
    half_way(device, proxy, 2_000_000)
    tamper(device)
    done = device.boot()
    assert done.code == REBOOT and "not what was announced; downloading once more" in done.err, done
    assert device.update() == 1 and same(device.image(), data)


def test_flash_that_stays_wrong_is_never_started(server, device, proxy):
    server.publish("p", "1", os.urandom(4_000_000))
    deploy(server, "p", "1")
    half_way(device, proxy, 2_000_000)
    tamper(device)
    proxy.passed, proxy.cut_after = 0, 5_000_000  # the rest, and some of the second download
    half_way(device, proxy, 5_000_000)
    tamper(device)
    done = device.boot()
    assert done.code == 0 and "after 2 downloads" in done.err, done
    assert device.running() == "factory"
    assert action_of(server, "p-1")["state"] == "failed"


@pytest.mark.parametrize("name", ["state", "boot"])
def test_a_spoilt_page_costs_one_record(server, device, proxy, name):
    data = os.urandom(3_000_000)
    server.publish("p", "1", data)
    deploy(server, "p", "1")
    half_way(device, proxy, 1_500_000)
    spoil_newer_page(device.dir / name)
    assert device.update() == 2
    assert device.running() == "1" and same(device.image(), data)
    assert action_of(server, "p-1")["state"] == "succeeded"


def test_a_version_that_cannot_reach_the_server_is_left(server, device):
    server.publish("p", "1", b"one")
    deploy(server, "p", "1")
    assert device.boot().code == REBOOT
    server.stop()
    trial = device.boot()
    assert trial.code == REBOOT and device.running() == "1", trial
    server.start()
    done = device.boot()
    assert done.code == 0 and device.running() == "factory", done
    texts = [h["text"] for h in server.api("GET", "/api/devices/p-1/history").json()["items"]]
    assert any("did not confirm itself" in t for t in texts), texts
    assert action_of(server, "p-1")["state"] == "failed"


def test_another_authority_and_a_device_without_certificate_get_nothing(make_server, tmp_path):
    server, other = make_server(), make_server()
    device = Device(server, tmp_path / "device")
    shutil.copy(other.roots, device.dir / "ca.pem")
    refused = run(device.argv("-l"))
    assert refused.code == 1 and re.search("trust|issuer|certificate", refused.err), refused


ANSWERS = {
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "negative": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "huge": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "too much": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK",
    "no colon": b"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n",
    "bare newline": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "status": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
    "long head": b"HTTP/1.1 200 OK\r\nX: " + 5000 * b"x" + b"\r\n\r\n",
    "nul": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\n{}",
    "empty": b"",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
    "body too long": b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + 9000 * b" ",
    "not an object": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "not JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{\xff",
}


def test_answers_that_no_server_gives(server, device):
    answer = None

    def script(connection, head):
        connection.sendall(answer)
        return "close"

    raw = Raw(server, script)
    for name, answer in ANSWERS.items():
        done = run(device.argv("-l", port=raw.port))
        assert done.code == 1 and done.out == "" and done.err, (name, done)
    raw.close()


PAGE_OF_DEVICES = harness.TREE / "docs" / "devices.md"


def test_the_page_on_devices_names_what_is_there():
    code = "".join(p.read_text() for p in sorted((harness.TREE / "ports" / "posix").glob("*.[ch]")))
    foreign = {"boot_is_img_confirmed", "esp_app_get_description"}
    named = set(re.findall(r"`(\w+)\(\)", PAGE_OF_DEVICES.read_text())) - foreign
    assert len(named) > 10
    missing = sorted(name for name in named if not re.search(rf"\b{name}\(", code))
    assert missing == [], missing


def test_the_code_on_the_page_compiles(tmp_path):
    (block,) = re.findall(r"```c\n(.*?)```", PAGE_OF_DEVICES.read_text(), re.S)
    source = tmp_path / "page.c"
    source.write_text(block)
    for compiler in ("gcc", "clang"):
        strict = ["-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
        include = ["-I", str(harness.TREE / "include"), "-c", str(source), "-o", str(tmp_path / "page.o")]
        run([compiler, *strict, "-ffreestanding", *include], check=0)


def test_the_commands_on_the_page_work(tmp_path):
    port = str(harness.free_port())
    blocks = re.findall(r"```sh\n(.*?)```", PAGE_OF_DEVICES.read_text(), re.S)
    text = "\n".join(blocks).replace("8443", port)
    text = text.replace("pqota init ./pqota", f"pqota init ./pqota --port {port}")
    assert text.count(port) >= 6
    text = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + text
    folders = [harness.BUILD / "src" / "cmd", DEVICE.parent]
    path = ":".join(str(f) for f in folders) + ":" + os.environ["PATH"]
    done = run(["bash", "-euo", "pipefail", "-c", text], env=harness.environment(PATH=path), cwd=tmp_path)
    image = (tmp_path / "image.bin").read_bytes()
    assert done.code == 0, done
    assert f"1.0 300000 {hashlib.sha256(image).hexdigest()}" in done.out, done
    assert "sensor-1" in done.out and "succeeded" in done.out, done
