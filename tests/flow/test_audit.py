"""Who changed what, and from where: GET /api/events and pqota events, with the real server."""

from proxied import FIELD, by_socket, told_of


def events(server, subject):
    return server.api("GET", f"/api/events?subject={subject}", expect=200).json()["items"]


def test_a_change_says_from_where_it_came(server):
    server.enrol("a-1", "m")
    server.api("PUT", "/api/devices/a-1/tags/lab", expect=204)
    told = events(server, "a-1")
    assert {e["kind"] for e in told} >= {"device.tagged", "device.enrolled"}
    assert {e["address"] for e in told} == {"127.0.0.1"}, told
    assert "127.0.0.1" in server.pqota("events").out
    assert events(server, "a-1") == server.pqota("events", "--subject", "a-1", "--json").json()["items"]


def test_what_the_server_does_comes_from_nowhere(server):
    """Even right after somebody's change, in the same transaction."""
    server.enrol("b-1", "b")
    release = server.publish("b", "1", b"x" * 500)
    body = {"release": release["id"], "target": {"kind": "all"}}
    server.api("POST", "/api/deployments", body, expect=201)
    everything = server.api("GET", "/api/events?limit=200").json()["items"]
    assert [e["address"] for e in everything if e["kind"] == "deployment.created"] == ["127.0.0.1"]
    assert all(e["address"] == "" for e in everything if e["kind"] == "operator.registered"), everything


def test_behind_a_proxy_it_is_the_clients_own(make_server):
    """What a proxy that is believed says; what anybody else says counts for nothing."""
    server = make_server({"unix.proxy": "yes"}, via="")
    server.enrol("c-1", "c")
    who, real = f"{FIELD}: {told_of(server.admin.cert)}", "X-Real-IP: 2001:db8::99"
    tag = "/api/devices/c-1/tags/"
    assert by_socket(server, tag + "one", who, real, method="PUT").status == 204
    assert by_socket(server, tag + "two", who, method="PUT").status == 204
    assert server.curl(tag + "three", "-X", "PUT", "-H", real).status == 204
    told = {e["detail"]: e["address"] for e in events(server, "c-1") if e["kind"] == "device.tagged"}
    assert told == {"one": "2001:db8::99", "two": "unix", "three": "127.0.0.1"}
