"""Python's connections leave nothing behind: no descriptor, no memory."""

import gc
import os
import socket
import subprocess
import sys
import warnings

import pytest

from harness import environment, rounds
from pqc_python import LIBRARY, Pki, in_thread, installed


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_what_is_forgotten_frees_itself(pki):
    server, client = pki.server_context(), pki.client_context()
    gc.collect()
    before = descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(5):
            a, b = socket.socketpair()
            with in_thread(lambda: server.wrap_socket(a)) as accepted:
                there = client.wrap_socket(b, server_hostname="localhost")
            accepted.clear()
            del a, b, there
        gc.collect()
    assert descriptors() == before


MANY = """
import gc, os, re, socket, sys, threading, time
import pqc_tls

folder = sys.argv[1]
name = f"{folder}/mlkem768_dilithium3_server"
server = pqc_tls.ServerContext(f"{name}.crt", f"{name}.key", f"{folder}/device-ca.pem")
client = pqc_tls.ClientContext(f"{folder}/dev-1.pem", f"{folder}/dev-1.key", f"{folder}/server-ca.pem")
stranger = pqc_tls.ClientContext(f"{folder}/dev-x.pem", f"{folder}/dev-x.key", f"{folder}/server-ca.pem")
listener = socket.create_server(("127.0.0.1", 0))


def serve():
    while True:
        sock, _ = listener.accept()
        try:
            with server.wrap_socket(sock) as conn, conn.makefile("rb") as lines:
                conn.sendall(lines.readline())
        except OSError:
            pass


def app(environ, start):
    data = environ["wsgi.input"].read()
    start("200 OK", [])
    return [data]


files = (f"{name}.crt", f"{name}.key", f"{folder}/device-ca.pem")
web = pqc_tls.make_wsgi_server(app, "127.0.0.1", 0, *files)
for target in (serve, serve, serve, serve, web.serve_forever):
    threading.Thread(target=target, daemon=True).start()


def one(i):
    sock = socket.create_connection(listener.getsockname())
    if i % 10 == 7:  # gone in the handshake
        sock.sendall(b"\\x16\\x03\\x01")
        sock.close()
        return
    if i % 10 in (0, 1, 2):
        sock.close()
        conn = pqc_tls.PQCHTTPSConnection("localhost", web.server_port, context=client)
        conn.request("POST", "/", body=b"x" * i)
        if i % 10 != 2:  # else gone with the answer unread
            assert len(conn.getresponse().read()) == i
        conn.close()
        return
    context = stranger if i % 10 == 3 else client
    try:
        with context.wrap_socket(sock, server_hostname="localhost") as conn:
            conn.sendall(b"line\\n" if i % 10 != 5 else b"half")
            if i % 10 == 5:  # gone in the middle
                conn._drop()
                return
            assert conn.recv(10) == b"line\\n"
    except OSError:
        if i % 10 != 3:
            raise


def measure():
    gc.collect()
    status = open("/proc/self/status").read()
    return len(os.listdir("/proc/self/fd")), int(re.search(r"VmRSS:\\s+(\\d+)", status)[1])


for i in range(200):
    one(i)
def settled():
    while web.connections:
        time.sleep(0.01)
    return measure()


before = settled()
for i in range(int(sys.argv[2])):
    one(i)
after = settled()
print(*before, *after)
"""


@pytest.mark.long
def test_many_connections_leak_nothing(pki):
    """Good ones, refused ones, ones that are cut off, requests to a WSGI server; 200 before, to warm up."""
    env = environment(PYTHONPATH=str(installed()), PQC_TLS_LIBRARY=str(LIBRARY), MALLOC_ARENA_MAX="1")
    argv = [sys.executable, "-c", MANY, str(pki.folder), str(rounds(300, 1000))]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    files, memory, files_after, memory_after = map(int, done.stdout.split())
    assert abs(files_after - files) <= 4, done.stdout  # what four threads may hold at that moment
    assert memory_after - memory < rounds(1500, 3000), done.stdout


EXHAUSTED = """
import logging, os, resource, socket, sys, threading, time
import pqc_tls

folder = sys.argv[1]
name = f"{folder}/mlkem768_dilithium3_server"
said = threading.Semaphore(0)


class Said(logging.Handler):
    def emit(self, record):
        if "cannot accept" in record.getMessage():
            said.release()


def app(environ, start):
    start("200 OK", [("Content-Length", "3")])
    return [b"ok\\n"]


logging.getLogger("pqc_tls.wsgi").addHandler(Said())
client = pqc_tls.ClientContext(f"{folder}/dev-1.pem", f"{folder}/dev-1.key", f"{folder}/server-ca.pem")
web = pqc_tls.make_wsgi_server(app, "127.0.0.1", 0, f"{name}.crt", f"{name}.key", f"{folder}/device-ca.pem")
threading.Thread(target=web.serve_forever, daemon=True).start()
sock = socket.socket()
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (sock.fileno() + 1, before[1]))
sock.connect(web.server_address)
said.acquire()
begin = time.monotonic()
said.acquire()
pause = time.monotonic() - begin
resource.setrlimit(resource.RLIMIT_NOFILE, before)
with client.wrap_socket(sock, server_hostname="localhost") as conn:
    conn.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(pause, conn.recv(1000).endswith(b"ok\\n"))
"""


def test_too_many_open_files(pki):
    """Who comes waits in the kernel's queue; the server neither spins meanwhile nor ends."""
    env = environment(PYTHONPATH=str(installed()), PQC_TLS_LIBRARY=str(LIBRARY))
    argv = [sys.executable, "-c", EXHAUSTED, str(pki.folder)]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    pause, served = done.stdout.split()
    assert float(pause) > 0.3 and served == "True", done.stdout
