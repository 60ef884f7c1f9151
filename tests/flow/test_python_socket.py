"""PQCSocket: what a Python person expects of a socket, and threads."""

import contextlib
import http.server
import io
import os
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
import wsgiref.simple_server

import pytest

from harness import environment, wait_for
from pqc_python import LIBRARY, Pki, connected, in_thread, installed, package


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pqc():
    return package()


@pytest.fixture
def pair(pki):
    with connected(pki.server_context(), pki.client_context()) as ends:
        yield ends


def test_bytes_in_and_out(pair):
    here, there = pair
    there.sendall(b"one")
    there.sendall(bytearray(b"two"))
    there.sendall(memoryview(b"-three-")[1:-1])
    assert there.send(b"x" * 40000) == 16384  # a record
    there.sendall(b"")
    file = here.makefile("rb")
    assert file.read(11 + 16384) == b"onetwothree" + b"x" * 16384
    buffer = bytearray(b"........")
    there.sendall(b"abc")
    assert here.recv_into(buffer) == 3 and buffer == b"abc....."
    there.sendall(b"abcdef")
    assert here.recv_into(memoryview(buffer)[4:], 2) == 2 and buffer == b"abc.ab.."
    assert here.pending() == 4
    assert here.recv(2) + here.recv(100) == b"cdef"
    assert here.recv(0) == b"" and here.pending() == 0
    for wrong in ("text", 5, None):
        with pytest.raises(TypeError, match="not"):
            there.sendall(wrong)
    with pytest.raises(TypeError, match="encode"):
        there.send("text")
    with pytest.raises(ValueError):
        there.recv(-1)
    with pytest.raises((TypeError, BufferError)):
        here.recv_into(b"read-only")


def test_who_the_peer_is(pair, pki):
    here, there = pair
    assert (here.group, here.signature, here.cipher) == (
        "X25519MLKEM768",
        "mldsa65",
        "TLS_AES_256_GCM_SHA384",
    )
    assert (there.group, there.signature, there.version()) == ("X25519MLKEM768", "mldsa65", "TLSv1.3")
    assert here.common_name == here.peer.common_name == "dev-1" and here.san == "dev-1.example"
    shown = {}
    for what in ("serial", "fingerprint", "enddate"):
        argv = ["openssl", "x509", "-noout", f"-{what}", "-sha256", "-in", str(pki.client_cert)]
        shown[what] = subprocess.run(argv, capture_output=True, text=True).stdout.strip().partition("=")[2]
    assert here.peer.serial == shown["serial"].lower().lstrip("0")
    assert here.fingerprint == shown["fingerprint"].replace(":", "").lower()
    end = time.strftime("%b %e %H:%M:%S %Y GMT", time.gmtime(here.peer.not_after))
    assert end == shown["enddate"]
    assert len(here.peer.issuer) == 64 and here.peer.issuer != there.peer.issuer
    here.close()
    assert here.common_name == "dev-1" and "closed" in repr(here)


def test_a_session_is_resumed_with_the_identity(pki):
    server, client = pki.server_context(), pki.client_context()
    for expected in (False, True):
        with connected(server, client) as (here, there):
            there.sendall(b"x")
            assert here.recv(1) == b"x"
            here.sendall(b"y")
            assert there.recv(1) == b"y"  # and the ticket before it
            assert (here.resumed, there.resumed, here.common_name) == (expected, expected, "dev-1")


def test_files(pair):
    here, there = pair
    with there.makefile("wb") as out, here.makefile("r", encoding="utf-8") as lines:
        out.write("grüße\nzwei\n".encode())
        out.flush()
        assert lines.readline() == "grüße\n" and lines.readline() == "zwei\n"
    both = here.makefile("rwb")
    both.write(b"back\n")
    both.flush()
    there.close()
    assert both.read() == b""
    raw = here.makefile("rb", buffering=0)
    assert isinstance(raw, io.RawIOBase) and raw.read(1) == b"" and raw.fileno() == here.fileno()
    with pytest.raises(ValueError):
        here.makefile("a")
    with pytest.raises(io.UnsupportedOperation):
        raw.write(b"x")


def test_a_socket_stays_open_for_its_files(pair, pqc):
    here, there = pair
    there.sendall(b"line\n")
    file = here.makefile("rb")
    here.close()
    assert file.readline() == b"line\n" and here.fileno() >= 0
    file.close()
    assert here.fileno() == -1
    assert there.recv(1) == b""
    with pytest.raises(ValueError):
        file.read()


def test_timeouts(pair, pqc):
    here, there = pair
    assert here.gettimeout() == 30  # safe is what you get by writing nothing
    here.settimeout(0.1)
    with pytest.raises(TimeoutError, match="nothing for 0.1") as caught:
        here.recv(1)
    assert isinstance(caught.value, pqc.PQCTLSTimeoutError) and isinstance(caught.value, OSError)
    there.sendall(b"late")
    assert here.recv(10) == b"late"  # a read may be tried again
    here.setblocking(False)
    with pytest.raises(pqc.PQCTLSWantReadError) as caught:
        here.recv(1)
    assert isinstance(caught.value, BlockingIOError)
    with pytest.raises(pqc.PQCTLSWantWriteError):
        for _ in range(10000):
            here.send(b"x" * 16384)
    there.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while there.recv(16384):
            pass
    here.send(b"x" * 16384)  # the same again
    here.settimeout(0.1)
    with pytest.raises(pqc.PQCTLSTimeoutError, match="too long to accept"):
        here.sendall(b"x" * 10_000_000)
    with pytest.raises(pqc.PQCTLSConnectionError, match="earlier write"):
        here.sendall(b"more")
    with pytest.raises(ValueError):
        here.settimeout(-1)


def test_an_end_and_a_cut_are_told_apart(pki, pqc):
    with connected(pki.server_context(), pki.client_context()) as (here, there):
        there.sendall(b"last")
        there.close()
        assert here.recv(10) == b"last" and here.recv(10) == b"" and here.recv(10) == b""
    with connected(pki.server_context(), pki.client_context()) as (here, there):
        there._drop()
        with pytest.raises(pqc.PQCTLSConnectionError, match="lost|closed|cut off") as caught:
            here.recv(10)
        assert isinstance(caught.value, ConnectionResetError)
    with connected(pki.server_context(), pki.client_context()) as (here, there):
        there.shutdown(socket.SHUT_WR)
        assert here.recv(10) == b""
        here.sendall(b"the other way is open")
        assert there.recv(100) == b"the other way is open"
        with pytest.raises(pqc.PQCTLSError):
            there.sendall(b"x")


def test_after_close(pair, pqc):
    here, there = pair
    for sock in pair:
        sock.close()
        sock.close()
        for call in (
            lambda: sock.recv(1),
            lambda: sock.sendall(b"x"),
            lambda: sock.send(b"x"),
            sock.pending,
        ):
            with pytest.raises(pqc.PQCTLSError, match="closed"):
                call()
        with pytest.raises(pqc.PQCTLSError):
            sock.shutdown(socket.SHUT_RDWR)


# --- with the standard library ---


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"hello {self.connection.common_name} over {self.connection.group}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("kind", [http.server.HTTPServer, http.server.ThreadingHTTPServer])
def test_http_server_and_http_client(kind, pki, pqc):
    context = pki.server_context()

    class Server(kind):
        def get_request(self):
            sock, address = super().get_request()
            return context.wrap_socket(sock), address

    with Server(("127.0.0.1", 0), Hello) as server:
        with in_thread(lambda: server.serve_forever(0.02)):
            answer = pki.curl(f"https://localhost:{server.server_port}/")
            assert answer.status == 200 and answer.body == "hello dev-1 over X25519MLKEM768\n", answer
            conn = pqc.PQCHTTPSConnection("localhost", server.server_port, context=pki.client_context())
            for _ in range(3):
                conn.request("GET", "/")
                reply = conn.getresponse()
                assert reply.status == 200 and reply.read().startswith(b"hello dev-1")
            assert conn.sock.signature == "mldsa65"
            conn.close()
            wrong = pqc.PQCHTTPSConnection("127.0.0.2", server.server_port, context=pki.client_context())
            with pytest.raises(OSError):
                wrong.request("GET", "/")
            server.shutdown()


def test_wsgiref_and_connect(pki, pqc):
    context = pki.server_context()

    class Server(wsgiref.simple_server.WSGIServer):
        def get_request(self):
            sock, address = super().get_request()
            return context.wrap_socket(sock), address

    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *args):
            pass

    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, wsgiref.simple_server.demo_app, Server, Quiet
    )
    with server, in_thread(lambda: server.serve_forever(0.02)):
        files = {"ca_file": pki.server_ca, "cert_file": pki.client_cert, "key_file": pki.client_key}
        with pqc.connect("localhost", server.server_port, **files, timeout=10) as conn:
            assert conn.getpeername()[1] == server.server_port and conn.gettimeout() == 10
            conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"Hello world!" in conn.makefile("rb").read()
        server.shutdown()


def test_socketserver(pki):
    context = pki.server_context()

    class Upper(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    class Server(socketserver.ThreadingTCPServer):
        def get_request(self):
            sock, address = super().get_request()
            return context.wrap_socket(sock), address

    with Server(("127.0.0.1", 0), Upper) as server, in_thread(lambda: server.serve_forever(0.02)):
        with package().connect("localhost", server.server_address[1], context=pki.client_context()) as conn:
            conn.sendall(b"abc\ndef\n")
            assert conn.makefile("rb").read(8) == b"ABC\nDEF\n"
        server.shutdown()


# --- threads ---


def test_both_directions_at_once(pair):
    """Two threads on each end, each direction more than the sockets hold."""
    here, there = pair
    size = 3_000_000

    def drain(sock):
        return sum(len(chunk) for chunk in iter(lambda: sock.recv(65536), b""))

    def fill(sock):
        for _ in range(30):
            sock.sendall(os.urandom(size // 30))
        sock.shutdown(socket.SHUT_WR)

    with in_thread(lambda: fill(here)), in_thread(lambda: fill(there)), in_thread(
        lambda: drain(here)
    ) as got:
        assert drain(there) == size
    assert got == [size]


def test_many_threads_on_one_connection_do_not_crash(pair):
    here, there = pair
    block, each = b"0123456789" * 1000, 20
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(in_thread(lambda: [there.sendall(block) for _ in range(each)]))
        data = here.makefile("rb").read(4 * each * len(block))
    assert data == block * (4 * each)  # no write is torn by another


def test_closing_wakes_who_waits(pki, pqc):
    with connected(pki.server_context(), pki.client_context()) as (here, there):
        here.settimeout(20)
        begin = time.monotonic()
        with in_thread(lambda: here.recv(1)) as result:
            wait_for(lambda: here._waiting == 1, what="the thread waits")
            here.close()
        assert isinstance(result[0], pqc.PQCTLSError) and time.monotonic() - begin < 10


def test_a_descriptor_is_not_given_away_under_who_waits(pki, pqc, monkeypatch):
    """Who is about to wait when the connection is closed must not wait for another that got its number."""
    entered, gate, others = threading.Event(), threading.Event(), []

    class Poll:
        def __init__(self):
            self.real = real_poll()
            self.register = self.real.register

        def poll(self, left):
            entered.set()
            assert gate.wait(20)
            return self.real.poll(left)

    with connected(pki.server_context(), pki.client_context()) as (here, there):
        here.settimeout(20)
        real_poll = select.poll
        monkeypatch.setattr(select, "poll", Poll)
        begin, number = time.monotonic(), here.fileno()
        with in_thread(lambda: here.recv(1)) as result:
            assert entered.wait(20)
            here.close()
            others += socket.socketpair()
            gate.set()
        assert isinstance(result[0], pqc.PQCTLSError) and time.monotonic() - begin < 10
        assert here.fileno() == -1 and number not in [s.fileno() for s in others]
        for sock in others:
            sock.close()


def test_blocking_calls_let_other_threads_run(pki, pqc):
    """One thread waits in a handshake, one in a read, one in a write: others shake hands meanwhile."""
    server, client = pki.server_context(), pki.client_context()
    silent, other = socket.socketpair()
    with connected(server, client) as (here, _), connected(server, client) as (writer, reader):

        def write_until_refused():
            with contextlib.suppress(OSError):
                writer.sendall(b"x" * 50_000_000)

        with in_thread(lambda: server.wrap_socket(silent)) as shaking, in_thread(
            lambda: here.recv(1)
        ) as reading:
            with in_thread(write_until_refused) as writing:
                wait_for(lambda: here._waiting and writer._waiting, what="both wait")
                begin = time.monotonic()
                with contextlib.ExitStack() as stack:
                    for _ in range(8):
                        stack.enter_context(
                            in_thread(lambda: connected(server, client).__enter__()[0].close())
                        )
                assert time.monotonic() - begin < 8  # of the ten seconds that the handshake waits
                assert shaking == reading == writing == []
                reader._drop()
                here._drop()
                other.close()


def test_the_wrapper_may_be_asked_for_by_many_threads():
    code = (
        "import pqc_tls, threading\nseen = []\n"
        "threads = [threading.Thread(target=lambda: seen.append(pqc_tls.get_pqc_tls())) for _ in range(20)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\nprint(len(seen), len(set(map(id, seen))))"
    )
    env = environment(PYTHONPATH=str(installed()), PQC_TLS_LIBRARY=str(LIBRARY))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=30)
    assert done.stdout == "20 1\n", done
