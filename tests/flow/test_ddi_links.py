"""hawkBit's device protocol: links are right behind whatever stands in front, without any setting."""

import json

import ddi
import harness
import pytest
from ddi import GATEWAY, Device, given
from harness import ANYONE


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-links"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def update(server):
    return given(server)


def bases(update, headers, device=None):
    """What the links of a poll and of an update begin with."""
    device, action, _ = update
    polled = device.get("", **headers).json()["_links"]["deploymentBase"]["href"]
    shown = device.get(f"/deploymentBase/{action}", **headers).json()
    links = shown["deployment"]["chunks"][0]["artifacts"][0]["_links"]
    where = {rel: link["href"].split("/DEFAULT/")[0] for rel, link in links.items()}
    assert where["download"] == polled.split("/DEFAULT/")[0]
    return where["download"], where.get("download-http")


SAME = object()


@pytest.mark.parametrize(
    "headers, base, http",
    [
        ({"Host": "ota.example"}, "http://ota.example", SAME),
        ({"Host": "ota.example:8080"}, "http://ota.example:8080", SAME),
        ({"Host": "ota.example:80"}, "http://ota.example", SAME),
        ({"Host": "[2001:db8::1]:81"}, "http://[2001:db8::1]:81", SAME),
        ({"Host": "ota.example", "X_Forwarded_Proto": "https"}, "https://ota.example", None),
        ({"Host": "ota.example:9443", "X_Forwarded_Proto": "HTTPS"}, "https://ota.example:9443", None),
        (
            {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "ota.example", "X_Forwarded_Port": "8443"},
            "https://ota.example:8443",
            None,
        ),
        (
            {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "ota.example", "X_Forwarded_Port": "443"},
            "https://ota.example",
            None,
        ),
        (
            {
                "X_Forwarded_Proto": "https",
                "X_Forwarded_Host": "ota.example:444",
                "X_Forwarded_Port": "443",
            },
            "https://ota.example:444",
            None,
        ),
        (
            {"X_Forwarded_Host": "ota.example, inner:1", "X_Forwarded_Proto": "https, http"},
            "https://ota.example",
            None,
        ),
        ({"Host": "lb:80", "X_Forwarded_Port": "443", "X_Forwarded_Proto": "https"}, "https://lb", None),
        (
            {"Forwarded": 'for=192.0.2.1;host="ota.example:8443";proto=https, for=10.0.0.1;host=inner'},
            "https://ota.example:8443",
            None,
        ),
        ({"Forwarded": "Proto=https; Host=ota.example"}, "https://ota.example", None),
        (
            {
                "Forwarded": "host=other;proto=http",
                "X_Forwarded_Host": "ota.example",
                "X_Forwarded_Proto": "https",
            },
            "https://ota.example",
            None,
        ),
    ],
)
def test_by_what_a_proxy_says(update, headers, base, http):
    assert bases(update, headers) == (base, base if http is SAME else http)


@pytest.mark.parametrize(
    "field, value",
    [
        ("X_Forwarded_Host", "evil.example/path?"),
        ("X_Forwarded_Host", "a b"),
        ("X_Forwarded_Host", "user@evil.example"),
        ("X_Forwarded_Host", "[::1"),
        ("X_Forwarded_Host", "h:99999"),
        ("X_Forwarded_Host", "h:1:2"),
        ("X_Forwarded_Host", 'x"onclick'),
        ("X_Forwarded_Host", "x" * 256),
        ("X_Forwarded_Proto", "javascript"),
        ("X_Forwarded_Port", "0"),
        ("X_Forwarded_Port", "8x"),
        ("X_Forwarded_Port", "70000"),
        ("Forwarded", "host=<script>;proto=data"),
        ("Forwarded", 'host="'),
    ],
)
def test_what_cannot_be_does_not_count(update, field, value):
    base = "http://ota.example:8080"
    assert bases(update, {"Host": "ota.example:8080", field: value}) == (base, base)


def test_it_says_nothing_of_who_somebody_is(server, update):
    """Links alone: the same fields let nobody in, and nowhere else are they believed."""
    device, _, _ = update
    fields = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "127.0.0.1",
        "Forwarded": "host=evil.example",
    }
    device.ask("GET", "", expect=401, headers={**fields, "Authorization": "GatewayToken wrong-wrong-wrong"})
    reply = server.curl("/api/firmware", "-H", "X-Forwarded-Host: evil.example")
    assert reply.status == 200 and b"evil.example" not in reply.body


def test_the_unix_socket_too(server, update):
    device, action, _ = update
    base = f"http://ota.example/DEFAULT/controller/v1/{device.id}"
    reply = server.curl(
        "",
        *("--unix-socket", server.unix, "-H", f"Authorization: GatewayToken {GATEWAY}"),
        who=ANYONE,
        url=base,
    )
    assert reply.json()["_links"]["deploymentBase"]["href"].startswith(f"{base}/deploymentBase/{action}?c=")


def over_tls(server, device, path=""):
    reply = server.curl(
        f"/DEFAULT/controller/v1/{device.id}{path}",
        *("-H", f"Authorization: GatewayToken {GATEWAY}"),
        who=ANYONE,
    )
    assert reply.status == 200, repr(reply)
    return reply.json()


def artifact_links(server, device, action):
    shown = over_tls(server, device, f"/deploymentBase/{action}")
    links = shown["deployment"]["chunks"][0]["artifacts"][0]["_links"]
    return {rel: link["href"].split("/DEFAULT/")[0] for rel, link in links.items()}


def test_over_tls_and_files_without_it_only_where_that_is_allowed(tmp_path, make_server, server, update):
    device, action, _ = update
    polled = over_tls(server, device)["_links"]["deploymentBase"]["href"]
    assert polled.startswith(f"https://localhost:{server.port}/DEFAULT/")
    https = f"https://localhost:{server.port}"
    assert artifact_links(server, device, action) == {"download": https, "md5sum": https}
    folder = tmp_path / "allowed"
    folder.mkdir()
    allowing = ddi.start(folder, {"ddi.download_http": "yes"})
    try:
        device, action, _ = given(allowing)
        https, http = f"https://localhost:{allowing.port}", f"http://localhost:{allowing.plain_port}"
        expected = {"download": https, "md5sum": https, "download-http": http, "md5sum-http": http}
        assert artifact_links(allowing, device, action) == expected
        # A listener that only this machine reaches is no way for others.
        where = bases((device, action, None), {"Host": "ota.example", "X_Forwarded_Proto": "https"})
        assert where == ("https://ota.example", None)
    finally:
        allowing.close()


def test_files_elsewhere(tmp_path):
    """public_url is what links to files begin with; where to ask again it does not say."""
    server = ddi.start(tmp_path, {"server.public_url": "https://files.example"})
    try:
        device, action, _ = given(server)
        plain = f"http://127.0.0.1:{server.plain_port}"
        shown = device.get(f"/deploymentBase/{action}").json()
        links = shown["deployment"]["chunks"][0]["artifacts"][0]["_links"]
        assert links["download"]["href"].startswith("https://files.example/DEFAULT/controller/v1/")
        assert links["download-http"]["href"].startswith(f"{plain}/DEFAULT/")
        assert device.links()["deploymentBase"].startswith(f"{plain}/DEFAULT/")
    finally:
        server.close()


def test_a_device_by_its_certificate(server):
    """Without any token, over TLS: the path's id has to be the certificate's."""
    credential = server.enrol("certified", "m")
    path = "/DEFAULT/controller/v1/certified"
    assert "configData" in server.curl(path, who=credential).json()["_links"]
    body = json.dumps({"data": {"a": "1"}})
    reply = server.curl(
        f"{path}/configData",
        "-X",
        "PUT",
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
        who=credential,
    )
    assert reply.status == 200
    assert server.curl("/DEFAULT/controller/v1/other", who=credential).status == 403
    assert harness.wait_for(
        lambda: server.api("GET", "/api/devices/certified").json()["transport"] == "pq", what="how it came"
    )
