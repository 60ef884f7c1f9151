"""Downloads through `pqota-agent tunnel` that break off, on the way to the server or to the client; ranges;
and what a large file takes of memory."""

import hashlib
import os
import signal
import socket
import subprocess
import threading

from harness import RELEASE, wait_for
from relay import Acceptor
from tunnel import DATA, LAST, begin, ddi, deploy, flip  # noqa: F401
from tunnel import front, make_tunnel, offer, plain, same, trusted  # noqa: F401


def test_a_client_goes_on_where_it_was_cut(ddi, front, trusted, make_tunnel):
    """The rest is hashed together with what it has; the end comes only if all of it is right."""
    tunnel = make_tunnel(trusted)
    offer(front)
    href = tunnel.offered()
    got = b""
    for last in (99, 65_535, 65_536, 150_000, 300_000, len(DATA) - 2, len(DATA) - 1):
        answer = tunnel.curl(href, "-r", f"{len(got)}-{last}")
        assert answer.status == 206, answer
        assert answer.headers["content-range"] == f"bytes {len(got)}-{last}/{len(DATA)}"
        got += answer.body
        assert same(got, DATA[: last + 1])
    assert tunnel.logs().count("hash=right") == 1
    # it may go back a little, and open-ended
    answer = tunnel.curl(href, "-r", "100000-")
    assert answer.status == 206 and same(answer.body, DATA[100_000:]), answer
    assert tunnel.logs().count("hash=right") == 2
    answer = tunnel.curl(href, "-r", f"{len(DATA)}-")
    assert answer.status == 416 and answer.headers["content-range"] == f"bytes */{len(DATA)}"


def test_who_was_given_other_bytes_does_not_get_the_end(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front)
    href = tunnel.offered()
    flip(front, 70_000)
    first = tunnel.curl(href, "-r", "0-199999").body
    assert len(first) == 200_000 and not same(first, DATA[:200_000])
    front.answer = None  # from here on the bytes are right
    rest = tunnel.curl(href, "-r", "200000-")
    assert rest.curl == 18 and len(rest.body) <= len(DATA) - 200_000 - LAST, rest
    # and other bytes in the block around the cut are seen before anything goes
    assert same(tunnel.curl(href, "-r", "0-199999").body, DATA[:200_000])
    flip(front, 199_000)
    rest = tunnel.curl(href, "-r", "200000-")
    assert rest.curl == 18 and len(rest.body) == 0, rest
    assert "other bytes than it sent before" in tunnel.logs()


def test_ranges_of_a_vouched_file_may_pass(ddi, front, trusted, make_tunnel):
    """As SWUpdate's delta handler asks; and not of others."""
    tunnel = make_tunnel(trusted, {"ranges": "vouched"})
    front.deploy("1.0", DATA)
    front.direct(None)
    href = tunnel.offered()
    assert tunnel.curl(href, "-r", "100-199").status == 404
    assert tunnel.curl(href, "-r", "100-199,5000-5099").status == 404
    front.direct(front.sign("1.0", DATA))
    answer = tunnel.curl(href, "-r", "100-199")
    assert answer.status == 206 and same(answer.body, DATA[100:200])
    answer = tunnel.curl(href, "-r", "100-199,5000-5099")
    assert answer.status == 206, answer
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    for part in (DATA[100:200], DATA[5000:5100]):
        assert answer.body.count(part) == 1
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_ranges_that_may_not_pass_are_the_whole(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front)
    href = tunnel.offered()
    for spec in ("100-199", "100-199,5000-5099"):
        answer = tunnel.curl(href, "-r", spec)
        assert answer.status == 200 and same(answer.body, DATA), answer
    answer = tunnel.curl(href, "-r", "300000-")  # goes on from what it was sent
    assert answer.status == 206 and same(answer.body, DATA[300_000:])


class Cutter(Acceptor):
    """Passes bytes on to the server, and cuts the line after so many, as often as it is told."""

    def __init__(self, port):
        self.port_of_server, self.cut_after, self.cuts, self.lock = port, None, 0, threading.Lock()
        self.listen(self._serve)

    def _serve(self, one):
        try:
            two = socket.create_connection(("127.0.0.1", self.port_of_server))
        except OSError:
            one.close()
            return
        threading.Thread(target=self._pump, args=(one, two, False), daemon=True).start()
        self._pump(two, one, True)

    def _pump(self, source, sink, down):
        passed = 0
        try:
            while piece := source.recv(16384):
                passed += len(piece)
                with self.lock:
                    cut = down and self.cuts > 0 and passed > self.cut_after
                    self.cuts -= cut
                if cut:
                    break
                sink.sendall(piece)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_a_line_that_breaks_is_not_seen_by_the_client(ddi, make_agent, make_tunnel):
    cutter = Cutter(ddi.port)
    agent = make_agent(ddi, "gw-1", "gw", settings={"agent.server": f"https://localhost:{cutter.port}"})
    agent.enrol()
    tunnel = make_tunnel(agent)
    data = os.urandom(4_000_000)
    deploy(ddi, data)
    href = tunnel.offered()
    cutter.cut_after, cutter.cuts = 1_000_000, 3
    got = tunnel.curl(href)
    assert got.status == 200 and same(got.body, data), got
    assert cutter.cuts == 0 and tunnel.logs().count("a download broke off and goes on") == 3
    cutter.close()


def test_the_server_is_killed_and_started_again_in_the_middle(ddi, plain, make_tunnel, tmp_path):
    tunnel = make_tunnel(plain)
    data = os.urandom(24_000_000)
    deploy(ddi, data)
    href, out = tunnel.offered(), tmp_path / "out"
    curl = begin(tunnel, href, out, "12M")
    wait_for(lambda: out.exists() and out.stat().st_size > 1_000_000, what="it has begun")
    ddi.stop(signal.SIGKILL)
    got = tunnel.curl(tunnel.base)
    assert got.status == 502 and int(got.headers["retry-after"]) > 0, got
    assert set(got.json()) >= {"exceptionClass", "errorCode", "message"}
    ddi.start()
    _, error = curl.communicate(timeout=60)
    assert curl.returncode == 0, (error, tunnel.logs())
    assert same(out.read_bytes(), data)
    assert "a download broke off and goes on" in tunnel.logs()
    assert tunnel.poll()["_links"]


def test_a_large_file_takes_little_memory(make_server, make_agent, make_tunnel, tmp_path):
    """200 MB to three clients at once. Without the sanitizers, which keep what was freed."""
    server = make_server({"ddi.enabled": "yes"}, build=RELEASE)
    agent = make_agent(server, "gw-1", "gw")
    agent.enrol()
    tunnel = make_tunnel(agent)
    block = os.urandom(1 << 20)
    data = b"".join(i.to_bytes(4, "big") + block[4:] for i in range(200))
    deploy(server, data)
    href = tunnel.offered()
    wanted = hashlib.sha256(data).hexdigest()
    curls = [subprocess.Popen(tunnel.argv(href, "-o", tmp_path / str(i))) for i in range(3)]
    assert [curl.wait(120) for curl in curls] == [0, 0, 0]
    for i in range(3):
        with open(tmp_path / str(i), "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == wanted
    print(f"200 MB to three clients at once: at most {tunnel.peak_kib()} KiB")
    assert tunnel.peak_kib() < 32 * 1024


def test_a_client_that_leaves_ends_its_download(ddi, plain, make_tunnel, tmp_path):
    """With one connection alone, the next client is served at once, and goes on."""
    tunnel = make_tunnel(plain, {"connections": 1})
    data = os.urandom(8_000_000)
    deploy(ddi, data)
    href, out = tunnel.offered(), tmp_path / "out"
    curl = begin(tunnel, href, out, "2M")
    wait_for(lambda: out.exists() and out.stat().st_size > 500_000, what="it has begun")
    curl.kill()
    curl.communicate()
    have = out.stat().st_size
    got = wait_for(lambda: (lambda it: it.status == 206 and it)(tunnel.curl(href, "-r", f"{have}-")))
    assert same(out.read_bytes() + got.body, data)
    assert tunnel.logs().count("hash=right") == 1
