"""A peer that is gone without a word, as when a cable is pulled: what the server keeps of it, it lets go."""

import fcntl
import os
import socket
import struct
import sys
import traceback

import pytest

from console import Stream, signed_in
from harness import Server, run, wait_for

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
STREAMS = "pqota_console_streams "


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a network of its own")
def test_a_stream_whose_peer_vanished_ends(tmp_path):
    child = os.fork()
    if child == 0:
        try:
            os.unshare(os.CLONE_NEWNET)
            pull_the_cable(tmp_path)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
