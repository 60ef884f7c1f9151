"""The WSGI server with TLS in process: real curl, hostile bytes, slow clients, stopping."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness import environment, free_port, wait_for
from pqc_python import LIBRARY, Pki, in_thread, installed, package


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


class App:
    """An application that does what a test asks for."""

    def __init__(self):
        self.gate = threading.Event()  # what /wait waits for
        self.entered = 0
        self.closed = 0

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        handler = getattr(self, "at_" + path.strip("/").replace("-", "_"), None)
        if handler is None:
            start("404 Not Found", [("Content-Length", "0")])
            return []
        return handler(environ, start)

    def at_environ(self, environ, start):
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()]

    def at_echo(self, environ, start):
        data = environ["wsgi.input"].read()
        start("200 OK", [("Content-Length", str(len(data)))])
        return [data]

    def at_ignore(self, environ, start):
        start("200 OK", [("Content-Length", "3")])
        return [b"ok\n"]

    def at_lines(self, environ, start):
        start("200 OK", [])
        return self.stream(environ["wsgi.input"])

    def stream(self, lines):
        try:
            for line in lines:
                yield line[::-1]
        finally:
            self.closed += 1

    def at_wait(self, environ, start):
        self.entered += 1
        assert self.gate.wait(20)
        start("200 OK", [])
        return [b"done\n"]

    def at_fail(self, environ, start):
        raise RuntimeError("a secret of the application")

    def at_fail_late(self, environ, start):
        start("200 OK", [])
        return self.break_off()

    def break_off(self):
        yield b"begin"
        raise RuntimeError("late")

    def at_short(self, environ, start):
        start("200 OK", [("Content-Length", "100")])
        return [b"short"]

    def at_long(self, environ, start):
        start("200 OK", [("Content-Length", "4")])
        return [b"long", b"er than told"]

    def at_none(self, environ, start):
        start("204 No Content", [("Content-Length", "0")])
        return []

    def at_inject(self, environ, start):
        start("200 OK", [("X-A", "b\r\nX-Injected: 1")])
        return [b"x"]

    def at_inject_status(self, environ, start):
        start("200 OK\r\nX-Injected: 1", [])
        return [b"x"]

    def at_swallow(self, environ, start):
        """As Flask does: what fails in reading is an error of the application's."""
        with contextlib.suppress(Exception):
            environ["wsgi.input"].read()
        start("500 Internal Server Error", [])
        return [b"my fault\n"]

    def at_exit(self, environ, start):
        raise SystemExit(3)

    def at_endless(self, environ, start):
        start("200 OK", [])
        return Endless(self)


class Endless:
    """What an application returns is closed by the server, once (PEP 3333)."""

    def __init__(self, app):
        self.app = app

    def __iter__(self):
        while True:
            yield b"x" * 65536

    def close(self):
        self.app.closed += 1


@contextlib.contextmanager
def serving(pki, app=None, **limits):
    pqc = package()
    more = {"require_client_cert": limits.pop("require_client_cert", True)}
    limits = pqc.Limits(**{"threads": 4, "idle_seconds": 5, "stop_seconds": 5, **limits})
    files = (pki.cert, pki.key, pki.ca)
    with pqc.make_wsgi_server(app or App(), "127.0.0.1", 0, *files, limits=limits, **more) as server:
        server.url = f"https://localhost:{server.server_port}"
        with in_thread(server.serve_forever):
            try:
                yield server
            finally:
                server.app.gate.set()
                server.shutdown()


@pytest.fixture(scope="module")
def server(pki):
    with serving(pki) as it:
        yield it


def connect(pki, server, context=None):
    return package().connect("localhost", server.server_port, context=context or pki.client_context())


def talk(pki, server, data):
    """Sends bytes, and answers all that comes until the server closes."""
    with connect(pki, server) as conn:
        conn.settimeout(10)
        with contextlib.suppress(ConnectionError):
            conn.sendall(data)
        return conn.makefile("rb").read()


def test_who_asks_is_told(pki, server):
    told = pki.curl(
        server.url + "/environ?a=%20b", "-H", "X-Client-Name: admin", "-H", "SSL_CLIENT_S_DN_CN: x"
    ).json()
    argv = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", pki.client_cert]
    shown = subprocess.run(argv, capture_output=True, text=True).stdout
    assert told["SSL_CLIENT_VERIFY"] == "SUCCESS" and told["SSL_CLIENT_S_DN_CN"] == "dev-1"
    assert told["SSL_CLIENT_FINGERPRINT"] == shown.partition("=")[2].strip().replace(":", "").lower()
    assert told["SSL_CLIENT_SAN_DNS_0"] == "dev-1.example"
    assert int(told["SSL_CLIENT_NOT_AFTER"]) > time.time()
    assert told["PQC_TLS_GROUP"] == "X25519MLKEM768" and told["SSL_PROTOCOL"] == "TLSv1.3"
    assert (told["wsgi.url_scheme"], told["HTTPS"], told["QUERY_STRING"]) == ("https", "on", "a=%20b")
    assert told["REMOTE_ADDR"] == "127.0.0.1" and told["SERVER_PORT"] == str(server.server_port)
    assert told["HTTP_X_CLIENT_NAME"] == "admin" and "HTTP_SSL_CLIENT_S_DN_CN" not in told


def test_without_certificate_only_where_it_is_allowed(pki, server):
    assert pki.curl(server.url + "/environ", certificate=False).curl != 0
    with serving(pki, require_client_cert=False) as lax:
        told = pki.curl(lax.url + "/environ", certificate=False).json()
        assert told["SSL_CLIENT_VERIFY"] == "NONE" and "SSL_CLIENT_S_DN_CN" not in told
        assert pki.curl(lax.url + "/environ").json()["SSL_CLIENT_VERIFY"] == "SUCCESS"


def test_a_classical_client_is_refused(pki, server):
    assert pki.curl(server.url + "/environ", "--curves", "X25519").curl == 35
    assert pki.curl(server.url + "/environ", "--curves", "MLKEM768").json()["PQC_TLS_GROUP"] == "MLKEM768"
    assert pki.curl(server.url + "/environ", "--tls-max", "1.2").curl == 35


def test_connections_are_kept(pki, server):
    conn = package().PQCHTTPSConnection("localhost", server.server_port, context=pki.client_context())
    for size in (0, 1, 100_000):
        conn.request("POST", "/echo", body=b"z" * size)
        sock = conn.sock
        assert conn.getresponse().read() == b"z" * size and conn.sock is sock
    chunks = [b"one\n", b"two\n" * 30000, b"end"]
    conn.request(
        "POST", "/echo", body=iter(chunks), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    assert conn.getresponse().read() == b"".join(chunks) and conn.sock is sock
    conn.request("POST", "/lines", body=b"abc\ndef\n")
    reply = conn.getresponse()
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert reply.read() == b"\ncba\nfed" and conn.sock is sock
    for method, path, status in [
        ("HEAD", "/environ", 200),
        ("GET", "/none", 204),
        ("GET", "/nowhere", 404),
    ]:
        conn.request(method, path)
        reply = conn.getresponse()
        assert reply.status == status and reply.read() == b"" and conn.sock is sock
    conn.request("POST", "/ignore", body=b"not read by the application")
    assert conn.getresponse().read() == b"ok\n" and conn.sock is sock
    conn.request("POST", "/ignore", body=b"x" * 200_000)  # too much to read away
    assert conn.getresponse().read() == b"ok\n" and conn.sock is None
    conn.close()


def test_pipelined_requests_and_http_1_0(pki, server):
    get = b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = talk(pki, server, get * 2 + get.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.count(b"HTTP/1.1 200 OK") == 3 and answer.count(b"Connection: close") == 1
    answer = talk(pki, server, b"GET /ignore HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"ok\n") and b"Connection: close" in answer
    answer = talk(pki, server, b"POST /lines HTTP/1.0\r\nContent-Length: 2\r\n\r\nab")
    assert answer.endswith(b"\r\n\r\nba") and b"chunked" not in answer
    answer = talk(pki, server, b"GET https://x/ignore?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"ok\n")


def test_a_path_is_told_as_it_is(pki, server):
    for target, path in [
        (b"/environ/http://other/secret", "/environ/http://other/secret"),
        (b"https://x/environ/y", "/environ/y"),
        (b"HTTP://x", "/"),
        (b"/a%2Fb?c://d", "/a/b"),
    ]:
        seen = []

        def app(environ, start):
            seen.append(environ["PATH_INFO"])
            start("204 No Content", [])
            return []

        app.gate = threading.Event()
        with serving(pki, app) as own:
            talk(pki, own, b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
        assert seen == [path]


def test_one_request_has_one_answer(pki, server):
    """The application did not want the body, and had answered before its malformed end was seen."""
    head = b"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for rest in (b"nonsense\r\n", b"3\r\nabcd\r\n", b"ffffffff\r\n"):
        answer = talk(pki, server, head + rest)
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1") == 1, answer


def test_a_bad_body_is_not_the_applications_fault(pki, server):
    head = b"POST /swallow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert talk(pki, server, head + b"0\r\n\r\n" + head + b"nonsense\r\n").count(b"HTTP/1.1 500") == 1
    for rest, status in ((b"nonsense\r\n", 400), (b"3\r\nabcd\r\n", 400), (b"ffffffff\r\n", 413)):
        answer = talk(pki, server, head + rest)
        assert answer.startswith(b"HTTP/1.1 %d " % status) and b"my fault" not in answer, answer


BAD = {
    "no host": (400, b"GET /ignore HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET /ignore HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /ignore\r\n\r\n"),
    "not HTTP": (400, b"hello\r\n\r\n"),
    "no path": (400, b"GET ignore HTTP/1.1\r\nHost: x\r\n\r\n"),
    "blank that is none": (400, b"GET\x0b/ignore HTTP/1.1\r\nHost: x\r\n\r\n"),
    "bytes in the target": (400, b"GET /ignore\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n"),
    "bytes in the method": (400, b"GE\x07T /ignore HTTP/1.1\r\nHost: x\r\n\r\n"),
    "envelope": (400, b"GET /ignore HTTP/1.1\r\nFrom x\r\nHost: x\r\n\r\n"),
    "HTTP/2": (505, b"GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    "line too long": (431, b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "head too large": (
        431,
        b"GET / HTTP/1.1\r\n" + b"X-Y: " + b"a" * 8000 + b"\r\n" + b"X: y\r\n" * 6000 + b"\r\n",
    ),
    "too many headers": (431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
    "blank before colon": (400, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc"),
    "folded header": (400, b"POST /echo HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 3\r\n\r\nabc"),
    "lone CR": (400, b"POST /echo HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 3\r\n\r\nabc"),
    "NUL": (400, b"POST /echo HTTP/1.1\r\nHost: x\0\r\n\r\n"),
    "two lengths": (
        400,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    ),
    "length list": (400, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc"),
    "length signed": (400, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc"),
    "length and coding": (
        400,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "coding twice": (
        501,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    "coding in 1.0": (400, b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunk size": (
        400,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    ),
    "chunk end": (
        400,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ),
    "chunks too large": (
        413,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ),
    "body too large": (413, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests_are_refused_and_nothing_behind_them_is_read(pki, server, what):
    status, data = BAD[what]
    answer = talk(pki, server, data + b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert answer.count(b"HTTP/1.1") == 1 and b"Connection: close" in answer


def test_uploads_are_asked_for_only_when_they_are_wanted(pki, server):
    head = b"POST /%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert b"100 Continue" not in talk(pki, server, head % (b"ignore", 3))
    assert talk(pki, server, head % (b"echo", 1 << 40)).startswith(b"HTTP/1.1 413")
    with connect(pki, server) as conn:
        conn.sendall(head % (b"echo", 3))
        assert conn.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        conn.sendall(b"abc")
        assert conn.recv(1000).endswith(b"\r\n\r\nabc")


def test_an_application_that_fails(pki, server, caplog):
    answer = pki.curl(server.url + "/fail")
    assert answer.status == 500 and "secret" not in answer.body and answer.headers["connection"] == "close"
    assert "a secret of the application" in caplog.text  # to the log, with where it was
    assert pki.curl(server.url + "/fail-late").curl == 18  # curl sees that it is not all
    assert pki.curl(server.url + "/short").curl == 18
    assert pki.curl(server.url + "/long").body == "long"
    answer = pki.curl(server.url + "/inject")
    assert answer.status == 500 and "x-injected" not in answer.headers
    answer = pki.curl(server.url + "/inject-status")
    assert answer.status == 500 and "x-injected" not in answer.headers
    for _ in range(server.limits.threads + 1):
        assert pki.curl(server.url + "/exit").curl == 52  # and the workers live on
    assert pki.curl(server.url + "/ignore").status == 200


def test_clients_that_go(pki, server, caplog):
    begin = len(os.listdir("/proc/self/fd"))
    parts = [
        b"",
        b"GET /ig",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
        b"POST /lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    closed = server.app.closed
    for data in parts:
        for goodbye in (True, False):
            conn = connect(pki, server)
            if data:
                conn.sendall(data)
            if b"endless" in data:
                conn.recv(100)
            conn.close() if goodbye else conn._drop()
    for data in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 1000):
        with socket.create_connection(server.server_address) as plain:
            plain.sendall(data)
    wait_for(lambda: server.connections == 0, what="all are gone")
    # The two endless ones and the two whose lines were cut; each once.
    wait_for(lambda: server.app.closed >= closed + 4, what="what the application returned was closed")
    assert server.app.closed == closed + 4
    assert len(os.listdir("/proc/self/fd")) <= begin
    assert "application failed" not in caplog.text  # it is the clients' doing
    assert pki.curl(server.url + "/ignore").status == 200


def test_slow_and_idle_clients_hold_nobody_up(pki):
    """Ten that say nothing, ten that stall in the handshake, ten that are idle, and two threads."""
    with serving(pki, threads=2, handshake_seconds=2, head_seconds=0.5) as server:
        idle = [connect(pki, server) for _ in range(10)]
        for conn in idle:
            conn.sendall(b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n")
            assert conn.recv(1000).endswith(b"ok\n")
        silent = [socket.create_connection(server.server_address) for _ in range(20)]
        for sock in silent[:10]:
            sock.sendall(b"\x16\x03\x01")
        answers = [pki.curl(server.url + "/ignore").status for _ in range(3)]
        assert answers == [200] * 3 and server.connections >= 30  # all of them are still there
        slow = idle.pop()
        slow.sendall(b"GET /ignore HTTP/1.1\r\nX: ")
        assert slow.recv(100) == b""
        slow.close()
        for sock in silent:
            sock.settimeout(10)
            assert sock.recv(100) == b""
            sock.close()
        for conn in idle:
            conn.sendall(b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n")
            assert conn.recv(1000).endswith(b"ok\n")
            conn.close()


def test_limits_are_sensible():
    with pytest.raises(ValueError, match="threads must be more than 0"):
        package().Limits(threads=0)


def test_at_the_limit_the_next_client_waits(pki):
    with serving(pki, connections=3, idle_seconds=30) as server:
        held = [connect(pki, server) for _ in range(3)]
        wait_for(lambda: server.connections == 3)
        with socket.create_connection(server.server_address) as waiting:
            with in_thread(
                lambda: pki.client_context().wrap_socket(waiting, server_hostname="localhost")
            ) as shaken:
                assert server.connections == 3 and shaken == []
                held.pop().close()
            shaken[0].sendall(b"GET /ignore HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert shaken[0].makefile("rb").read().endswith(b"ok\n")
            shaken[0].close()
        for conn in held:
            conn.close()


def test_requests_run_side_by_side(pki):
    with serving(pki, threads=6) as server:
        with contextlib.ExitStack() as stack:
            answers = [
                stack.enter_context(in_thread(lambda: pki.curl(server.url + "/wait"))) for _ in range(5)
            ]
            wait_for(lambda: server.app.entered == 5, what="five requests are in the application")
            assert pki.curl(server.url + "/ignore").status == 200
            server.app.gate.set()
        assert [a[0].body for a in answers] == ["done\n"] * 5


def test_idle_connections_end(pki):
    with serving(pki, idle_seconds=0.3) as server, connect(pki, server) as conn:
        conn.sendall(b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n")
        assert conn.recv(1000).endswith(b"ok\n")
        assert conn.recv(1) == b""


PROGRAM = """
import sys, time, pqc_tls

def app(environ, start):
    print("entered", flush=True)
    sys.stdin.readline()
    start("200 OK", [])
    return [b"finished\\n"]

print("begin", flush=True)
pqc_tls.serve_wsgi(app, "127.0.0.1", int(sys.argv[1]), *sys.argv[2:5], "mlkem768", "dilithium3")
print("stopped", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopping_finishes_what_is_under_way(pki, how):
    port = free_port()
    env = environment(PYTHONPATH=str(installed()), PQC_TLS_LIBRARY=str(LIBRARY))
    argv = [sys.executable, "-X", "dev", "-c", PROGRAM, str(port), str(pki.cert), str(pki.key), str(pki.ca)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env) as process:
        try:
            assert process.stdout.readline() == "begin\n"
            wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, what="it listens")
            with in_thread(
                lambda: pki.curl(f"https://localhost:{port}/", "--curves", "MLKEM768")
            ) as answer:
                assert process.stdout.readline() == "entered\n"
                process.send_signal(how)
                wait_for(
                    lambda: socket.socket().connect_ex(("127.0.0.1", port)) != 0, what="it listens no more"
                )
                process.stdin.write("\n")
                process.stdin.flush()
            assert answer[0].status == 200 and answer[0].body == "finished\n", answer
            assert answer[0].headers["connection"] == "close"
            assert process.stdout.readline() == "stopped\n" and process.wait(10) == 0
            assert not re.search("Traceback|Error", errors := process.stderr.read()), errors
        finally:
            process.kill()
