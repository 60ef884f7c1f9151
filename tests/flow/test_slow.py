"""Slow clients cost others nothing."""

import socket
import threading
import time

from harness import ANYONE

CLIENTS = 200


def test_two_hundred_clients_at_a_byte_a_second(make_server):
    # The quick one asks as often as it can: on a fast machine more often than one connection usually may.
    unbounded = {"limits.requests_per_connection": 1000000000}
    server = make_server({"limits.header_seconds": 30, "limits.body_seconds": 30} | unbounded)
    context = server.tls_context(ANYONE)
    slow = []
    for i in range(CLIENTS):
        s = context.wrap_socket(
            socket.create_connection(("127.0.0.1", server.port), timeout=30), server_hostname="localhost"
        )
        slow.append(s)
    stop = threading.Event()
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"s" * 60

    def drip():
        for b in request:
            for s in slow:
                s.sendall(bytes([b]))
            if stop.wait(1.0):
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        times = []
        with server.connect(ANYONE) as quick:
            f = quick.makefile("rb")
            end = time.monotonic() + 8
            while time.monotonic() < end:
                began = time.monotonic()
                quick.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert f.readline().startswith(b"HTTP/1.1 200")
                while f.readline() != b"\r\n":
                    pass
                assert f.read(3) == b"ok\n"
                times.append(time.monotonic() - began)
        times.sort()
        assert len(times) > 200
        # Not a measure of speed: a loop that waited for a slow client would take a second.
        assert times[len(times) // 2] < 0.2
        # None of the slow ones was cut off before its time.
        assert server.curl("/readyz", who=ANYONE).status == 200
    finally:
        stop.set()
        dripping.join()
        for s in slow:
            s.close()
