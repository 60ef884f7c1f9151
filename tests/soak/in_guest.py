"""Kernel TLS seen from outside, on a kernel that has it: test_kernel_tls.py runs this in such a machine."""

import hashlib
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

import harness
from harness import wait_for

SIZE = 50_000_000
CUT = 7_654_321  # no page begins there


def tls_stat(name):
    found = re.search(rf"^{name}\s+(\d+)", pathlib.Path("/proc/net/tls_stat").read_text(), re.M)
    return int(found[1]) if found else None


TAKES_ANOTHER_KEY = tls_stat("TlsTxRekeyOk") is not None


def counted(server):
    page = server.curl("/metrics").body.decode()
    return int(re.search(r"^pqota_responses_by_kernel_total (\d+)", page, re.M)[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    server = harness.Server(tmp_path_factory.mktemp("site"), build=harness.RELEASE).start()
    server.data = os.urandom(SIZE)
    made = server.publish("large", "1.0", server.data, model="emulated")
    server.path = f"/api/firmware/{made['id']}/file"
    server.args = ["curl", "-sS", "--max-time", "200", "--cacert", str(server.roots), "--cert",
                   str(server.admin.cert), "--key", str(server.admin.key), "--curves", harness.GROUPS]
    yield server
    server.close()


@pytest.fixture(autouse=True)
def by_kernel(site):
    """Each test's downloads are the kernel's, and no connection of them is left."""
    before, made = counted(site), tls_stat("TlsTxSw")
    yield
    assert counted(site) > before and tls_stat("TlsTxSw") > made
    wait_for(lambda: tls_stat("TlsCurrTxSw") == 0, what="no connection is left")


def fetch(site, *args):
    argv = [*site.args, *map(str, args), site.url + site.path]
    done = subprocess.run(argv, capture_output=True, timeout=230)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_download(site):
    began = time.monotonic()
    data = fetch(site)
    print(f"{SIZE / 1e6 / (time.monotonic() - began):.0f} MB/s in this emulated machine")
    assert hashlib.sha256(data).digest() == hashlib.sha256(site.data).digest()


SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite(site, suite):
    """One that the kernel refuses is the server's; then the first download is what the fixture counts."""
    assert fetch(site, "-r", "0-299999") == site.data[:300_000]
    before = counted(site)
    assert fetch(site, "--tls13-ciphers", suite, "-r", f"{CUT}-") == site.data[CUT:]
    print(f"{suite}: by the {'kernel' if counted(site) > before else 'server'}")


def test_ranges(site):
    near_end = (SIZE - 300_001, SIZE - 1)
    for first, last in [(0, 299_999), (1, 262_145), (4095, 4096 * 90), (CUT, CUT + 1_000_003), near_end]:
        assert fetch(site, "-r", f"{first}-{last}") == site.data[first : last + 1]


def test_several_at_once(site):
    wrong = []

    def one(i):
        if fetch(site, "-r", f"{i * CUT}-{i * CUT + 9_999_999}") != site.data[i * CUT : i * CUT + 10_000_000]:
            wrong.append(i)

    threads = [threading.Thread(target=one, args=(i % 5,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_what_is_not_in_memory(site):
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    assert fetch(site) == site.data


def test_the_agent(site, tmp_path):
    target = {"kind": "model", "value": "emulated"}
    site.api("POST", "/api/deployments", {"name": "large", "version": "1.0", "target": target}, expect=201)
    healthy = {"installer.health_command": "/bin/true"}
    agent = harness.Agent(site, tmp_path, "device-1", "emulated", healthy, build=harness.RELEASE)
    agent.enrol()
    done = agent.once()
    slots = [p for p in agent.slots.rglob("*") if p.is_file() and p.stat().st_size == SIZE]
    assert slots and slots[0].read_bytes() == site.data, repr(done)


def request(site, *lines):
    head = [f"GET {site.path} HTTP/1.1", "Host: localhost", *lines, ""]
    return "".join(f"{line}\r\n" for line in head).encode()


def read_reply(s, pause_at=None, seconds=0):
    got, length = bytearray(), None
    while length is None or len(got) < length:
        piece = s.recv(1 << 16)
        assert piece, f"ended after {len(got)} of {length}"
        got += piece
        if pause_at is not None and len(got) > pause_at:
            time.sleep(seconds)
            pause_at = None
        if length is None and b"\r\n\r\n" in got:
            head, _, body = bytes(got).partition(b"\r\n\r\n")
            assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")), head
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            got = bytearray(body)
    assert len(got) == length
    return bytes(got)


def test_a_client_that_stops_reading_and_goes_on_and_asks_for_more(site):
    with site.connect(timeout=60) as s:
        s.sendall(request(site))
        assert read_reply(s, 1_000_000, 4) == site.data
        s.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")  # by plain sends now
        assert b"{" in read_reply(s)
        s.sendall(request(site, f"Range: bytes={CUT}-"))
        assert read_reply(s) == site.data[CUT:]
        s.sendall(request(site, "Connection: close"))
        assert read_reply(s) == site.data
        assert s.recv(1) == b""  # close_notify: its absence is an error of Python's ssl


def test_the_end_arrives_at_who_reads_it_late(site):
    """The kernel still holds some of it when the response is over as far as the server can see."""
    for size in (400_000, 900_000, 2_500_000, 6_000_000):
        with site.connect(timeout=60) as s:
            s.sendall(request(site, "Connection: close", f"Range: bytes=0-{size - 1}"))
            time.sleep(7)  # longer than a connection may take to end
            assert read_reply(s) == site.data[:size]
            assert s.recv(1) == b""


def test_a_client_that_leaves(site):
    for _ in range(3):
        with site.connect() as s:
            s.sendall(request(site))
            s.recv(1000)
    assert fetch(site, "-r", "0-299999") == site.data[:300_000]


def test_a_client_that_wants_another_key(site):
    """OpenSSL's s_client sends KeyUpdate with update_requested for a line that begins with K."""
    command = ["openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{site.port}", "-servername",
               "localhost", "-CAfile", site.roots, "-cert", site.admin.cert, "-key", site.admin.key,
               "-groups", harness.GROUPS]
    with subprocess.Popen([str(a) for a in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as p:
        got = bytearray()

        def read_until(n):
            while len(got) < n and (piece := os.read(p.stdout.fileno(), 1 << 16)):
                got.extend(piece)

        def say(data):
            p.stdin.write(data)
            p.stdin.flush()

        say(request(site))
        read_until(5_000_000)
        say(b"K\n")
        read_until(SIZE + 200)
        assert b"KEYUPDATE" in got
        rekeyed = tls_stat("TlsTxRekeyOk")
        say(request(site, "Range: bytes=1000-400999", "Connection: close"))
        read_until(SIZE * 2)
        p.stdin.close()
        p.wait(timeout=30)
    whole = bytes(got).replace(b"KEYUPDATE\n", b"")
    assert whole.count(b"HTTP/1.1 200") == 1 and site.data in whole
    if TAKES_ANOTHER_KEY:
        assert site.data[1000:401_000] in whole and b"HTTP/1.1 206" in whole
        assert tls_stat("TlsTxRekeyOk") > rekeyed
    else:  # the connection ends in good order before anything is said under the old key
        assert b"HTTP/1.1 206" not in whole and b"alert" not in whole
        assert fetch(site, "-r", "0-299999") == site.data[:300_000]
