"""Devices of hawkBit's protocol behind a proxy that says who they are, and how the fleet comes."""

from ddi_who import NAMED, add, ask, refused, set_to, start, target, unix

from harness import ANYONE, free_port, openssl, run, wait_for

# --- header fields of a proxy ---


def test_header_fields_count_from_where_they_are_believed(make_server):
    server = start(make_server, {"ddi.header_authority": "ff00;ab12CD"})
    refused(unix(server, "h-1", *NAMED))
    set_to(server, "authentication.header.enabled", "true")
    assert unix(server, "h-1", *NAMED).status == 200
    refused(ask(server, "h-1", *NAMED))  # nobody said that this address is a proxy's
    refused(ask(server, "h-1", *NAMED, url=server.direct_url))
    for good in (
        "X-Authority-0: ab12cd",
        "x-authority-17: AB12CD;x",
        "X-Ssl-Issuer-Hash-1: ff00",
        "X-Authority:  , ab12cd ",
    ):
        assert unix(server, "h-1", NAMED[0], good).status == 200, good
    for bad in (
        (NAMED[0],),
        (NAMED[1],),
        ("X-Controller-Id: h-2", NAMED[1]),
        (NAMED[0], "X-Controller-Id: h-2", NAMED[1]),
        (NAMED[0], NAMED[0], NAMED[1]),
        (NAMED[0], "X-Authority: ab12"),
        (NAMED[0], "X-Authority: ff00ab12cd"),
        (NAMED[0], "X-Authority;"),
        (NAMED[0], "X-Authority-x: ab12cd"),
        (NAMED[0], "X-Authority1: ab12cd"),
    ):
        refused(unix(server, "h-1", *bad))
    # A wrong token beside them is as none; one that has a certificate is refused.
    assert unix(server, "h-1", *NAMED, target("x" * 32)).status == 200
    server.enrol("h-c", "gw")
    refused(unix(server, "h-c", "X-Controller-Id: h-c", NAMED[1]))
    set_to(server, "authentication.header.authority", "other")
    assert unix(server, "h-1", *NAMED).status == 200
    set_to(server, "authentication.header.authority", "third")
    refused(unix(server, "h-1", *NAMED))


def test_header_fields_over_tcp_and_behind_a_proxy_with_a_field_of_its_own(make_server):
    settings = {
        "ddi.header": "yes",
        "ddi.header_authority": "ab12cd",
        "ddi.insecure_header_addresses": "127.0.0.0/8",
        "unix.proxy": "yes",
    }
    server = start(make_server, settings, via="")
    assert ask(server, "h-1", *NAMED).status == 200
    assert ask(server, "h-1", *NAMED, url=server.direct_url).status == 200
    none = "X_Pqota_Client: verify=NONE; serial=; sha1=; issuer="
    # What such a proxy lets through is its client's word.
    refused(unix(server, "h-1", *NAMED, none))


def test_a_proxy_for_such_devices_beside_one_for_all(make_server):
    """docs/hawkbit.md: what `pqota nginx-conf` writes, and another server on the same socket."""
    named = {"ddi.header": "yes", "ddi.header_authority": "ab12cd", "unix.proxy": "yes"}
    server = start(make_server, named, via="")
    came = ("X-Forwarded-Proto: https", "X-Forwarded-Host: ota.example:8446", "X-Forwarded-Port: 8446")
    reply = unix(server, "h-1", *NAMED, *came)
    assert reply.status == 200, repr(reply)
    link = reply.json()["_links"]["configData"]["href"]
    assert link == "https://ota.example:8446/DEFAULT/controller/v1/h-1/configData"
    assert unix(server, "x-1", target(add(server, "x-1")), *came).status == 200
    refused(unix(server, "x-1", *came))
    # Elsewhere who is not named would be local.
    for path in ("/metrics", "/api/status", "/rest/v1/targets", "/nothing"):
        args = [part for field in (*NAMED, *came) for part in ("-H", field)]
        reply = server.curl(path, "--unix-socket", server.unix, *args, who=ANYONE, url="http://localhost")
        assert reply.status == 400 and "X_Pqota_Client is missing" in reply.body.decode(), (path, reply)


def test_behind_nginx(make_server):
    server = start(make_server, {"ddi.header": "yes", "ddi.header_authority": "ab12cd"}, via="nginx")
    token = add(server, "x-1")
    assert ask(server, "x-1", target(token), url=server.url).status == 200
    refused(ask(server, "h-1", *NAMED, url=server.url))
    device = server.enrol("x-2", "gw")
    assert ask(server, "x-2", who=device, url=server.url).status == 200
    refused(ask(server, "x-1", target(token), who=device, url=server.url), 403)
    wait_for(lambda: transports(server)["proxy"] == 2, what="how they came is noted")


# --- how they come ---


def transports(server):
    return server.api("GET", "/api/status").json()["devices"]["transport"]


def test_how_much_of_the_fleet_is_post_quantum(make_server, tmp_path):
    key, cert = tmp_path / "ec.key", tmp_path / "ec.pem"
    names = [
        "subjectAltName=DNS:localhost",
        "extendedKeyUsage=serverAuth",
        "basicConstraints=critical,CA:FALSE",
    ]
    names = [part for name in [*names, "keyUsage=critical,digitalSignature"] for part in ("-addext", name)]
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)
    openssl("req", "-x509", *curve, "-out", cert, "-days", "30", "-subj", "/CN=localhost", *names)
    settings = {
        "classical.enabled": "yes",
        "classical.listen": f"127.0.0.1:{free_port()}",
        "classical.certificate": cert,
        "classical.key": key,
        "ddi.header": "yes",
        "ddi.header_authority": "ab12cd",
    }
    server = start(make_server, settings, via="")
    tokens = {name: add(server, name) for name in ("p-tls", "p-plain", "p-old", "h-1")}
    native = server.enrol("p-native", "gw")
    server.curl("/api/update", who=native)
    assert ask(server, "p-tls", target(tokens["p-tls"]), url=server.url).status == 200
    assert ask(server, "p-plain", target(tokens["p-plain"])).status == 200
    assert unix(server, "h-1", *NAMED).status == 200
    old = f"https://localhost:{settings['classical.listen'].split(':')[1]}/DEFAULT/controller/v1/p-old"
    argv = [
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--cacert",
        cert,
        "-H",
        target(tokens["p-old"]),
    ]
    assert run([*argv, "--curves", "X25519", old], check=0).out == "200"
    want = {"pq": 2, "classical": 1, "plain": 1, "proxy": 1}
    wait_for(lambda: transports(server) == want, what="how they came is noted")
    shown = server.pqota("status").out
    assert "40 % post-quantum" in shown and "1 without TLS" in shown and "1 classical" in shown
    # What changes is counted again, and a restart knows it still.
    assert ask(server, "p-plain", target(tokens["p-plain"]), url=server.url).status == 200
    wait_for(lambda: transports(server) == {**want, "pq": 3, "plain": 0}, what="it is noted anew")
    server.stop()
    server.start()
    assert transports(server) == {**want, "pq": 3, "plain": 0}
