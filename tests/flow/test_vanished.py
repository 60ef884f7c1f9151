"""A peer that is gone without a word, as when a cable is pulled: what the server keeps of it, it lets go."""

import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from console import Stream, signed_in
from harness import Server, environment, run, wait_for

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
STREAMS = "pqota_console_streams "
MAY_NOT = 77


def network(up):
    """The only one that there is, the loopback interface: nothing goes over it any more, or does again."""
    with socket.socket() as any_socket:
        asked = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", asked)[1]
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))


def streams(server):
    """Asked where there is no network."""
    asked = ["curl", "-sS", "--unix-socket", server.unix, "http://localhost/metrics"]
    page = run(asked, check=0).out
    return int(next(row for row in page.splitlines() if row.startswith(STREAMS)).removeprefix(STREAMS))


def pull_the_cable(folder):
    network(up=True)
    server = Server(folder, {"limits.write_seconds": 1}).start()
    try:
        with Stream(signed_in(server), "/api/status") as stream:
            stream.update()
            assert streams(server) == 1
            network(up=False)
            wait_for(lambda: streams(server) == 0, 120, "its stream is let go")
            network(up=True)
    finally:
        server.close()


def test_a_stream_whose_peer_vanished_ends(tmp_path):
    """In a process of its own, with a network of its own."""
    paths = os.pathsep.join(filter(None, sys.path))
    env = environment(**{**os.environ, "PYTHONPATH": paths})
    done = run([sys.executable, __file__, tmp_path], timeout=240, env=env)
    if done.code == MAY_NOT:
        pytest.skip("only root has a network of its own")
    assert done.code == 0, done


if __name__ == "__main__":
    try:
        os.unshare(os.CLONE_NEWNET)
    except PermissionError:
        sys.exit(MAY_NOT)
    pull_the_cable(Path(sys.argv[1]))
