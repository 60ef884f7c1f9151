"""Storms: whatever clients do, wherever they break off, others are served and nothing of them is kept."""

import os
import random
import re
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

import harness
from harness import ANYONE, wait_for

SECONDS = 20
THREADS = 12
HOST = b"Host: localhost\r\n"
GETS = [b"/healthz", b"/readyz", b"/nothing", b"/api/status", b"/api/firmware", b"/openapi.json",
        b"/api/update", b"/pki/server-roots.pem", b"/pki/device.crl", b"/api/%zz", b"/api/events?limit=3"]


@pytest.fixture(params=["check", "release"])
def server(request, make_server):
    """With the sanitizers, which see every misstep, and as it is shipped, whose memory can be measured."""
    build = harness.BUILD if request.param == "check" else harness.RELEASE
    server = make_server({"limits.handshake_seconds": 3, "limits.header_seconds": 3, "limits.body_seconds": 3,
                          "limits.write_seconds": 3, "limits.requests_per_connection": 100}, build=build)
    server.is_release = request.param == "release"
    return server


class Client:
    """One thread's worth of bad manners. Each act may fail in any way but must come back."""

    def __init__(self, server, seed, blob):
        self.server, self.rng, self.blob = server, random.Random(seed), blob
        self.contexts = [server.tls_context(ANYONE), server.tls_context()]
        self.counts = {}

    def plain(self):
        return self.patient(socket.create_connection(("127.0.0.1", self.server.port), timeout=10))

    def patient(self, s):
        """Waits for an answer as long as it likes, which may be not long enough."""
        s.settimeout(self.rng.choice([0.01, 0.01, 0.02, 0.02, 0.05, 0.05, 0.1, 0.1, 0.5, 4]))
        return s

    def secure(self):
        s = self.plain()
        try:
            s.settimeout(10)
            return self.patient(self.rng.choice(self.contexts).wrap_socket(s, server_hostname="localhost"))
        except BaseException:
            s.close()
            raise

    def local(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(str(self.server.unix))
        return self.patient(s)

    def leave(self, s):
        """With an end or a reset."""
        if self.rng.random() < 0.4:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    def hello(self):
        """The first bytes that a client sends."""
        out = ssl.MemoryBIO()
        client = self.contexts[0].wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            return out.read()

    def request(self):
        kind = self.rng.randrange(8)
        path = self.rng.choice(GETS)
        if kind < 4:
            return b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        if kind == 4:
            return b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        if kind == 5:
            first = self.rng.randrange(len(self.blob))
            ranges = f"Range: bytes={first}-{first + self.rng.randrange(200000)},0-5\r\n\r\n"
            return b"GET /api/firmware/1/file HTTP/1.1\r\n" + HOST + ranges.encode()
        if kind == 6:
            return (b"POST /api/tokens HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"mod\r\n0\r\n\r\n")
        return b"DELETE " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc"

    # --- acts ---

    def touch(self):
        for s in [self.plain() for _ in range(self.rng.randrange(1, 40))]:
            self.leave(s)

    def part_of_a_hello(self):
        s, hello = self.plain(), self.hello()
        s.sendall(hello[:self.rng.randrange(len(hello) + 1)])
        if self.rng.random() < 0.5:
            s.recv(self.rng.randrange(1, 3000))
        self.leave(s)

    def garbage(self):
        s = self.plain()
        s.sendall(self.rng.randbytes(self.rng.randrange(1, 5000)))
        self.leave(s)

    def damaged_hello(self):
        s, hello = self.plain(), bytearray(self.hello())
        for _ in range(self.rng.randrange(1, 10)):
            hello[self.rng.randrange(len(hello))] ^= 1 << self.rng.randrange(8)
        s.sendall(hello)
        s.recv(100)
        self.leave(s)

    def handshake(self):
        self.leave(self.secure())

    def garbage_within(self):
        s = self.secure()
        s.sendall(self.rng.randbytes(self.rng.randrange(1, 30000)))
        if self.rng.random() < 0.5:
            s.recv(4096)
        self.leave(s)

    def garbage_beneath(self):
        s = self.secure()
        s.sendall(self.request())
        os.write(s.fileno(), self.rng.randbytes(self.rng.randrange(1, 1000)))
        if self.rng.random() < 0.5:
            s.recv(4096)
        self.leave(s)

    def pipeline_over(self, s):
        data = b"".join(self.request() for _ in range(self.rng.randrange(1, 150)))
        if self.rng.random() < 0.5:
            data = data[:self.rng.randrange(len(data))]
        s.sendall(data)
        for _ in range(self.rng.randrange(6)):
            if not s.recv(self.rng.choice([1, 1000, 65536])):
                break
        self.leave(s)

    def pipeline(self):
        self.pipeline_over(self.secure())

    def local_pipeline(self):
        self.pipeline_over(self.local())

    def download(self):
        """Read slowly, while the disk's pages are cold."""
        s = self.secure()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        s.sendall(b"GET /api/firmware/1/file HTTP/1.1\r\n" + HOST + b"\r\n")
        for path in (self.server.dir / "data" / "blobs").glob("*/*"):
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
        for _ in range(self.rng.randrange(60)):
            if not s.recv(16384):
                break
        self.leave(s)

    def act(self):
        acts = [self.touch, self.touch, self.part_of_a_hello, self.garbage, self.damaged_hello,
                self.handshake, self.garbage_within, self.garbage_beneath, self.pipeline, self.local_pipeline,
                self.local_pipeline, self.local_pipeline, self.download]
        what = self.rng.choice(acts)
        self.counts[what.__name__] = self.counts.get(what.__name__, 0) + 1
        try:
            what()
        except (OSError, ssl.SSLError):
            pass  # hung up on, as it deserved; the socket closes as it goes out of scope

    def storm(self, end):
        while time.monotonic() < end:
            self.act()


def storm(server, seconds, blob, seed):
    clients = [Client(server, seed * 100 + i, blob) for i in range(THREADS)]
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=c.storm, args=(end,)) for c in clients]
    for t in threads:
        t.start()
    return clients, threads


def metric(server, name):
    page = server.curl("/metrics", "--unix-socket", server.unix, who=ANYONE, url="http://localhost")
    assert page.status == 200, page
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", page.body.decode())[1])


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def wait_quiet(server):
    """Every connection but the one that asks is gone; deadlines and lingering take some seconds."""
    wait_for(lambda: metric(server, "pqota_connections_open") == 1, 40, "the connections end")


def test_a_storm_leaves_nothing_behind(server):
    blob = os.urandom(4 << 20)
    assert server.publish("storm", "1.0", blob)["id"] == 1
    # What is made once and kept (threads' memory, database readers) is there after a first one.
    for t in storm(server, 5, blob, 1)[1]:
        t.join()
    wait_quiet(server)
    files, memory = descriptors(server), server.resident_kib()
    taken = metric(server, "pqota_connections_accepted_total")

    clients, threads = storm(server, SECONDS, blob, 2)
    slowest = 0
    while any(t.is_alive() for t in threads):
        began = time.monotonic()
        assert server.curl("/healthz", who=ANYONE).status == 200  # others are served meanwhile
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.3)
    for t in threads:
        t.join()
    counts = {}
    for c in clients:
        for name, n in c.counts.items():
            counts[name] = counts.get(name, 0) + n
    print(f"acts {counts}, slowest other {slowest:.2f} s")
    assert sum(counts.values()) > 400 and len(counts) == 10, counts
    wait_quiet(server)
    assert metric(server, "pqota_connections_accepted_total") - taken > 2000
    assert abs(descriptors(server) - files) <= 2, f"{files} descriptors before, {descriptors(server)} after"
    if server.is_release:
        print(f"resident {memory} KiB before, {server.resident_kib()} KiB after")
        assert server.resident_kib() < memory + 24 * 1024
    assert server.curl("/api/firmware/1/file").body == blob
    assert server.publish("storm", "2.0", os.urandom(100_000))["version"] == "2.0"
    text = server.logs()
    assert not re.search(r"Sanitizer|runtime error|Assertion", text), text[-4000:]
    assert "level=error" not in text, re.search(r".*level=error.*", text)[0]

    # And it ends in order in the middle of another one.
    threads = storm(server, 6, blob, 3)[1]
    time.sleep(2)
    began = time.monotonic()
    server.stop(signal.SIGTERM, timeout=60)
    assert time.monotonic() - began < 45
    for t in threads:
        t.join()
    assert not re.search(r"Sanitizer|runtime error|Assertion", server.logs())


def test_more_clients_than_descriptors(make_server):
    """Who is served already is not starved of files by those who only connect."""
    server = make_server(start=False)
    server.start(wrapper=("prlimit", "--nofile=300:300"))
    assert "fewer connections than limits.connections" in server.logs()
    data = os.urandom(500_000)
    held = []
    with server.connect() as s:
        f = s.makefile("rb")
        for _ in range(400):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            one.sendall(b"\x16")  # who says nothing is not taken at once
            held.append(one)
        wait_for(lambda: "limits.connections reached" in server.logs(), 20, "there is no room")
        for i in range(5):
            s.sendall(f"PUT /api/firmware/full/{i}/f.bin HTTP/1.1\r\n".encode() + HOST +
                      f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
            status, headers = f.readline(), {}
            assert status.split()[1] == b"201", status
            while (line := f.readline()) != b"\r\n":
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            f.read(int(headers["content-length"]))
    for one in held:
        one.close()
    wait_for(lambda: server.curl("/healthz", who=ANYONE).status == 200, 20, "there is room again")
    assert "Too many open files" not in server.logs()


def upload(server, number, rng, data):
    """A PUT that may be cut off, chunked, damaged, or whole."""
    how = rng.choice(["cut", "reset", "whole", "bad chunk", "stall"])
    path = f"PUT /api/firmware/up{number}/1.0/f.bin HTTP/1.1\r\n".encode() + HOST
    cut = len(data) if how == "whole" else rng.randrange(len(data))
    try:
        with server.connect(timeout=30) as s:
            if rng.random() < 0.5:
                s.sendall(path + f"Content-Length: {len(data)}\r\n\r\n".encode())
                s.sendall(data[:cut])
            else:
                s.sendall(path + b"Transfer-Encoding: chunked\r\n\r\n")
                for at in range(0, cut, 50_001):
                    piece = data[at:min(at + 50_001, cut)]
                    s.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                s.sendall(b"0\r\n\r\n" if how == "whole" else b"zz\r\n" if how == "bad chunk" else b"")
            if how == "whole":
                return how, int(s.makefile("rb").readline().split()[1])
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "stall":
                s.recv(100)
    except (OSError, ssl.SSLError):
        assert how != "whole"
    return how, 0


def test_uploads_cut_at_random_points(server):
    rng = random.Random(7)
    data = os.urandom(3_000_000)
    numbers = iter(range(100_000))
    lock = threading.Lock()
    whole, failures = [], []
    end = time.monotonic() + SECONDS / 2

    def run(seed):
        mine = random.Random(seed)
        try:
            while time.monotonic() < end:
                with lock:
                    number = next(numbers)
                how, status = upload(server, number, mine, data)
                if how == "whole":
                    assert status == 201, status
                    with lock:
                        whole.append(number)
        except BaseException as e:  # told by the test, not by a thread
            failures.append(e)

    files = descriptors(server)
    threads = [threading.Thread(target=run, args=(rng.random(),)) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures
    wait_quiet(server)
    assert whole
    # What came whole is there, and of the rest nothing: no release, no temporary file, no blob.
    listed, after = set(), ""
    while True:
        page = server.api("GET", f"/api/firmware?limit=500{after}", expect=200).json()
        listed |= {item["name"] for item in page["items"]}
        if not page["next"]:
            break
        after = f"&after={page['next']}"
    assert listed == {f"up{n}" for n in whole}
    wait_for(lambda: not list(server.dir.rglob("tmp/*")), 10, "the temporary files are removed")
    assert abs(descriptors(server) - files) <= 8
    text = server.logs()
    assert not re.search(r"Sanitizer|runtime error|Assertion", text), text[-4000:]
    assert "level=error" not in text, re.search(r".*level=error.*", text)[0]
