"""Many who shake hands at once, and those who are served already; what a client gets besides."""

import re
import select
import socket
import ssl
import threading

from harness import ANYONE, run, wait_for
from test_pqload import command, load


def counted(server):
    page = server.curl("/metrics").body.decode()
    found = dict(re.findall(r'^pqota_handshakes_total{result="(\w+)"} (\d+)', page, re.M))
    found["waiting"] = re.search(r"^pqota_handshakes_waiting (\d+)", page, re.M)[1]
    return {name: int(value) for name, value in found.items()}


def test_who_cannot_be_served_in_time_is_turned_away_and_comes_back(make_server):
    server = make_server({"limits.handshakes_waiting": 1})
    args = ["--connections", 64, "--operations", 64, "--retry", 0.3, "--timeout", 60, "--seconds", 60]
    result = load(server, *args)
    assert result["operations"] == 64 and result["handshakes_full"] == 64
    found = counted(server)
    assert found["turned_away"] == result["retries"]["count"] > 0
    assert found["waiting"] == 0
    assert "handshakes are turned away" in server.logs()
    # Who comes without trying again is told why.
    told = run(command(server, "--connections", 64, "--operations", 64, "--seconds", 60), check=None)
    assert "too busy" in told.out


def test_those_who_are_established_are_served_meanwhile(make_server):
    server = make_server()
    done = threading.Event()

    def storm():
        load(server, "--connections", 200, "--operations", 400, "--seconds", 120, "--timeout", 120)
        done.set()

    with server.connect() as s:
        file = s.makefile("rb")
        thread = threading.Thread(target=storm)
        thread.start()
        served = 0
        while not done.is_set():
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert file.readline().split()[1] == b"200"
            left = 0
            while (line := file.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    left = int(line.split()[1])
            file.read(left)
            served += 1
        thread.join()
    assert served > 10


def test_a_client_that_leaves_is_not_waited_for(make_server):
    """Bytes of a first message, and away: whoever comes behind them is served."""
    server = make_server()
    hello = first_message(server)
    before = counted(server)
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.sendall(hello)
    assert server.curl("/healthz", who=ANYONE).status == 200
    wait_for(lambda: counted(server)["waiting"] == 0, 20, "nobody waits any more")
    assert counted(server)["full"] - before["full"] < 300


def first_message(server):
    """A ClientHello, as OpenSSL says it."""
    context = server.tls_context(None)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            client.setblocking(False)
            mine = context.wrap_socket(
                client, server_hostname="localhost", do_handshake_on_connect=False
            )
            try:
                mine.do_handshake()
            except OSError:
                pass
            there, _ = listener.accept()
            with there:
                hello = there.recv(16384)
            mine.close()
    assert hello[:1] == b"\x16"
    return hello


def test_a_client_that_only_listens_gets_its_ticket(shared):
    with shared.connect() as s:
        assert select.select([s], [], [], 20)[0], "nothing came"


def test_pythons_client_resumes(make_server):
    server = make_server()
    who = server.enrol("python-1", "m1")
    before = counted(server)
    context = ssl.create_default_context(cafile=server.roots)
    context.load_cert_chain(who.cert, who.key)
    session = None
    for resumed in (False, True, True):
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
        ):
            tls.sendall(b"GET /api/update HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert tls.recv(4096).startswith(b"HTTP/1.1 204 ")
            assert (tls.version(), tls.session_reused) == ("TLSv1.3", resumed)
            session = tls.session
    after = counted(server)
    assert after["resumed"] - before["resumed"] == 2
