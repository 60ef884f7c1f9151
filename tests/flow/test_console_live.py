"""The console's live streams: what they tell, whom they refuse, and what they cost."""

import itertools
import os
import signal
import socket
import sqlite3
import time
import urllib.parse

import pytest


from console import Console, Stream, signed_in, streams, tls, wait_for_streams
from fleet import fill
from harness import RELEASE, wait_for

STREAM_KIB_MAX = 400  # of memory, with its connection and what goes out over it
ENDS_IN = 5  # seconds, although streams are open


@pytest.fixture(scope="module")
def admin(shared):
    return signed_in(shared)


def tag(server, device, name):
    server.api("PUT", f"/api/devices/{device}/tags/{name}", expect=204)


# --- what they tell ---


def test_how_it_is_at_once_and_again_after_each_change(shared, admin):
    shared.enrol("live-1", "live")
    with Stream(admin, "/api/devices/live-1") as stream:
        assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"
        assert "content-length" not in stream.headers and stream.headers["cache-control"] == "no-store"
        assert stream.headers["content-security-policy"] and stream.headers["x-content-type-options"]
        first = stream.update()
        assert first["topic"] == "/api/devices/live-1" and first["status"] == 200
        assert first["body"] == admin.get("/api/devices/live-1").json() and first["body"]["tags"] == []
        began = time.monotonic()
        for name in ("a", "b"):
            tag(shared, "live-1", name)
            now = stream.update(when=lambda data: name in data["body"]["tags"])
        assert now["body"] == admin.get("/api/devices/live-1").json()
        assert time.monotonic() - began < 8


def test_what_did_not_change_is_not_told_again(shared, admin):
    shared.enrol("live-2", "live")
    topics = ["/api/devices/live-2", "/api/settings", "/api/devices?model=live-none"]
    with Stream(admin, *topics) as stream:
        assert [stream.update()["topic"] for _ in topics] == topics
        for name in ("a", "b"):
            tag(shared, "live-2", name)
            assert stream.update()["topic"] == topics[0]  # and nothing else


def test_what_comes_into_being_and_goes(shared, admin):
    with Stream(admin, "/api/devices/live-3") as stream:
        first = stream.update()
        assert first["status"] == 404 and "live-3" in first["body"]["detail"]
        shared.enrol("live-3", "live")
        assert stream.update()["status"] == 200


def test_many_topics_and_the_same_for_many(shared, admin):
    topics = [f"/api/devices?limit={n}" for n in range(1, 17)]
    other = signed_in(shared)
    with Stream(admin, *topics) as one, Stream(other, topics[3], topics[3]) as two:
        assert [one.update()["topic"] for _ in topics] == topics
        assert [two.update()["topic"] for _ in range(2)] == [topics[3]] * 2


def test_what_others_wrote_stays_one_event(shared, admin):
    """A line end in it would forge events."""
    shared.enrol("live-4", "live")
    name = 'x\r\n\r\nevent: end\ndata: {"reason":"forged"}\n\n\u2028</script>'
    reply = shared.api("PUT", "/api/devices/live-4", {"name": name})
    if reply.status == 400:  # control characters are refused: then what is left of it
        name = "event: end data: {} \u2028</script>\U0001f4a5"
        shared.api("PUT", "/api/devices/live-4", {"name": name}, expect=204)
    wild = "/api/devices?q=" + urllib.parse.quote('name=="*\r\n\r\nevent: end\r\n\r\n*"', safe="")
    with Stream(admin, "/api/devices/live-4", wild) as stream:
        assert stream.update("/api/devices/live-4")["body"]["name"] == name
        assert stream.update(wild)["status"] in (200, 400)


def test_head_and_other_methods(shared, admin):
    reply = admin.call("HEAD", "/console/live?topic=/api/status", None, "-I", timeout=10)
    assert reply.curl == 0 and reply.body.count(b"\n\n") <= 1, reply
    assert admin.call("POST", "/console/live?topic=/api/status", {}).status == 405
    wait_for_streams(shared, 0)


# --- whom and what they refuse ---


def refused(place, query, status, words=""):
    reply = place.call("GET", f"/console/live?{query}")
    assert reply.status == status and words in reply.json()["detail"], reply
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "topic",
    [
        "/nothing",
        "/",
        "/app.js",
        "/console/session",
        "/console/live?topic=/api/status",
        "/metrics",
        "/openapi.json",
        "/api/devices/x/release",
        "/api/sign-in-links",
        "/api/update",
        "/api/enroll",
        "/rest/v1/targets",
        "/DEFAULT/controller/v1/x",
        "/tuf/image/1.root.json",
        "/api//status",
        "/api/status/",
        "//localhost/api/status",
        "https://localhost/api/status",
        "/api/../metrics",
    ],
)
def test_topics_that_are_none(admin, topic):
    refused(admin, f"topic={urllib.parse.quote(topic, safe='')}", 404, "nothing that can be looked at")


@pytest.mark.parametrize(
    "query, words",
    [
        ("", "say which topic"),
        ("topic", "percent-encoded"),
        ("topic=", "percent-encoded"),
        ("topic=/api/%zz", "bad percent escape"),
        ("topic=/api/status%00", ""),
        ("topic=/api/status%0a%0aevent:end", "bad percent escape"),
        ("topic=/api/devices?q=%22", "percent-encoded"),
        ("topic=/api/devices/%c3%a4", "percent-encoded"),
        ("topic=/api/" + "x" * 4100, "4096"),
        ("topics=/api/status", "topic= alone"),
        ("topic=/api/status&limit=1", "topic= alone"),
        ("topic=/api/status&" * 17 + "topic=/api/status", "at most 16"),
    ],
)
def test_bad_requests(admin, query, words):
    refused(admin, query, 400, words)


def test_what_a_role_may_not_see(shared, admin):
    viewer, operator = signed_in(shared, "viewer"), signed_in(shared, "operator")
    for place, topic, status in (
        (viewer, "/api/accounts", 403),
        (operator, "/api/accounts", 403),
        (viewer, "/api/devices/live-1/token", 403),
        (Console(shared), "/api/status", 401),
    ):
        refused(place, f"topic=/api/status&topic={topic}", status)
    with Stream(admin, "/api/accounts") as stream:
        told = stream.update()
        assert viewer.name in str(told["body"]) and viewer.password not in str(told["body"])
    wait_for_streams(shared, 0)


# --- their end ---


def test_they_end_with_the_session(shared):
    here, other = signed_in(shared, "viewer"), signed_in(shared, "viewer")
    with Stream(here, "/api/status") as one, Stream(here, "/api/devices") as two, Stream(
        other, "/api/status"
    ) as three:
        for stream in (one, two, three):
            stream.update()
        here.call("DELETE", "/console/session", expect=204)
        assert one.end() == two.end() == "signed-out"
        tag(shared, "live-1", "after")
        wait_for_streams(shared, 1)
        assert three.status == 200
    wait_for_streams(shared, 0)


def test_the_server_stops_at_once(make_server):
    server = make_server()
    place = signed_in(server)
    with Stream(place, "/api/status") as one, Stream(place, "/api/status", "/api/devices") as two:
        one.update()
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert one.end() == two.end() == "stopping"
        server.process.wait(ENDS_IN)
    assert time.monotonic() - began < ENDS_IN and server.stop() == 0


def test_it_stops_although_somebody_does_not_read(make_server):
    server = make_server({"limits.write_seconds": 2})
    with deaf(signed_in(server)):
        wait_for_streams(server, 1)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
    assert server.stop() == 0


def test_so_many_and_no_more(make_server):
    server = make_server({"console.streams": 3})
    place = signed_in(server)
    three = [Stream(place, "/api/status") for _ in range(3)]
    for stream in three:
        stream.update()
    reply = place.call("GET", "/console/live?topic=/api/status")
    assert reply.status == 503 and reply.headers["retry-after"], reply
    assert "[console] streams" in server.logs()
    three.pop().close()
    wait_for_streams(server, 2)
    with Stream(place, "/api/status") as stream:
        stream.update()
        assert streams(server) == 3
    for stream in three:
        stream.close()
    wait_for_streams(server, 0)


# --- those who are slow ---


class deaf:
    """A client that asks for a stream and then takes nothing of it."""

    def __init__(self, place, topics=("/api/devices?limit=500",)):
        self.place, self.topics = place, topics

    def __enter__(self):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(("127.0.0.1", self.place.server.console_port))
        self.socket = tls(self.place.server).wrap_socket(plain, server_hostname="localhost")
        asked = "&".join(f"topic={urllib.parse.quote(t, safe='')}" for t in self.topics)
        head = (
            f"GET /console/live?{asked} HTTP/1.1\r\nHost: localhost\r\nCookie: {self.place.cookie}\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.fixture
def many(make_server):
    """A server with 1000 devices, whose lists are long."""
    server = make_server({"limits.write_seconds": 1})
    server.stop()
    fill(server, 1000, "--model", "m")
    return server.start()


def test_who_does_not_read_is_cut_off_and_the_others_go_on(many):
    place = signed_in(many)
    topics = [f"/api/devices?limit=500&after=fleet-{n:07d}" for n in range(15)]  # more than sockets hold
    with deaf(place, topics), Stream(place, "/api/devices/fleet-0000001") as stream:
        stream.update()
        assert streams(many) == 2
        for n in itertools.count():
            tag(many, "fleet-0000001", f"t{n}")
            stream.update(when=lambda data: f"t{n}" in data["body"]["tags"])
            if streams(many) == 1:
                break
        tag(many, "fleet-0000001", "last")
        stream.update(when=lambda data: "last" in data["body"]["tags"])


def test_fifty_of_them(make_server):
    server = make_server(build=RELEASE)
    server.stop()
    fill(server, 300, "--model", "m")
    server.start()
    place = signed_in(server)
    topics = ["/api/status", "/api/devices?limit=50", "/api/deployments"]
    with Stream(place, *topics) as stream:  # so that what one of them costs by itself is there
        [stream.update() for _ in topics]
    context = tls(server)
    wait_for_streams(server, 0)
    before = server.resident_kib()
    fifty = [Stream(place, *topics, context=context) for _ in range(50)]
    for stream in fifty:
        assert {stream.update()["topic"] for _ in topics} == set(topics)
    assert streams(server) == 50
    assert server.resident_kib() - before < 50 * STREAM_KIB_MAX
    tag(server, "fleet-0000001", "seen")
    for stream in fifty:
        stream.update(topics[1], when=lambda data: "seen" in str(data["body"]))
    # The answer is made once for all of them: other requests do not wait for fifty.
    began = time.monotonic()
    assert server.curl("/api/status").status == 200 and time.monotonic() - began < 2
    for stream in fifty:
        stream.close()
    wait_for_streams(server, 0)


def test_who_left_is_noticed(shared, admin):
    stream = Stream(admin, "/api/status")
    stream.update()
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset
    stream.close()
    wait_for_streams(shared, 0)


def test_nothing_is_asked_while_nobody_looks(shared, admin):
    """A stopped clock shows in what the process uses."""
    wait_for_streams(shared, 0)

    def used():
        stat = open(f"/proc/{shared.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return int(stat[11]) + int(stat[12])  # ticks, user and system

    before = used()
    with pytest.raises(AssertionError):
        wait_for(lambda: False, 1.5)
    assert used() - before < os.sysconf("SC_CLK_TCK") / 3


def test_a_session_is_gone_from_a_database_that_was_restored(shared):
    """The stream looks at the session itself, not at what it was when it began."""
    place = signed_in(shared, "viewer")
    with Stream(place, "/api/status") as stream:
        stream.update()
        db = sqlite3.connect(shared.dir / "data" / "pqota.db")
        db.execute(
            "DELETE FROM session WHERE account = (SELECT pk FROM account WHERE name = ?)", (place.name,)
        )
        db.commit()
        db.close()
        assert stream.end() == "signed-out"
