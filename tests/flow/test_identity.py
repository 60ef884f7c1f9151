"""Who is who: enrolment, renewal, revocation, roles."""

import re
import shutil

from certificates import issue, new_key, operator, serial_of
from harness import ANYONE, Credential, run, wait_for


def subject(cert):
    return run(["openssl", "x509", "-in", cert, "-noout", "-subject", "-nameopt", "multiline"], check=0).out


def text_of(cert):
    return run(["openssl", "x509", "-in", cert, "-noout", "-text"], check=0).out


def test_enrolment_takes_id_and_model_from_the_token(shared, tmp_path):
    who = shared.enrol("dev-1", "m1", shared.token("m1", device="dev-1"))
    assert "dev-1" in subject(who.cert) and "ignored" not in subject(who.cert)
    text = text_of(who.cert)
    assert "TLS Web Client Authentication" in text and "CA:FALSE" in text and "TLS Web Server" not in text
    assert shared.curl("/api/update", who=who).status == 204
    shown = shared.api("GET", "/api/devices/dev-1").json()
    assert shown["model"] == "m1"


def test_a_lost_reply_can_be_asked_for_again(shared, tmp_path):
    token = shared.token("m1")
    key, csr = new_key(tmp_path)
    first = shared.api(
        "POST", "/api/enroll", {"token": token, "csr": csr.read_text()}, who=ANYONE, expect=201
    ).json()
    again = shared.api(
        "POST", "/api/enroll", {"token": token, "csr": csr.read_text()}, who=ANYONE, expect=200
    ).json()
    assert again["certificate"] == first["certificate"] and again["id"] == first["id"]
    other = new_key(tmp_path, "other")[1]
    refused = shared.api("POST", "/api/enroll", {"token": token, "csr": other.read_text()}, who=ANYONE)
    assert refused.status == 401


def test_a_device_id_is_never_taken_over(shared, tmp_path):
    shared.enrol("taken", "m1")
    csr = new_key(tmp_path)[1].read_text()
    reply = shared.api(
        "POST", "/api/enroll", {"token": shared.token("m1"), "csr": csr, "id": "taken"}, who=ANYONE
    )
    assert reply.status == 409
    # unless the operator said so
    reply = shared.api(
        "POST", "/api/enroll", {"token": shared.token("m1", device="taken"), "csr": csr}, who=ANYONE
    )
    assert reply.status == 201


def test_a_device_sees_its_own_model_and_its_own_actions_only(shared):
    one, two = shared.enrol("own-1", "own-a"), shared.enrol("own-2", "own-b")
    release = shared.publish("own-a", "1.0", b"for a")
    shared.api(
        "POST",
        "/api/deployments",
        {"release": release["id"], "target": {"kind": "model", "value": "own-a"}},
        expect=201,
    )
    action = shared.curl("/api/update", who=one).json()["action"]
    status = {"state": "failed", "message": "mischief"}
    assert shared.api("POST", f"/api/update/{action}/status", status, who=two).status == 404
    assert shared.curl(f"/api/firmware/{release['id']}", who=one).status == 200
    assert shared.curl(f"/api/firmware/{release['id']}", who=two).status == 404
    assert shared.curl(f"/api/firmware/{release['id']}/file", who=two).status == 404
    assert shared.curl("/api/firmware/latest?model=own-a", who=two).status in (403, 404)
    assert shared.curl("/api/firmware", who=two).json()["items"] == []
    for path in [
        "/api/devices",
        "/api/tokens",
        "/api/events",
        "/api/deployments",
        "/metrics",
        "/api/operators",
    ]:
        assert shared.curl(path, who=one).status == 403, path
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=one).status == 403


def test_a_revoked_device_is_refused_at_its_next_request_on_an_open_connection(shared):
    who = shared.enrol("revoked-1", "m1")
    with shared.connect(who) as s:
        f = s.makefile("rb")

        def ask():
            s.sendall(b"GET /api/update HTTP/1.1\r\nHost: localhost\r\n\r\n")
            line = f.readline()
            while f.readline() not in (b"\r\n", b""):
                pass
            return int(line.split()[1])

        assert ask() == 204
        shared.api("POST", "/api/devices/revoked-1/revoke", {"reason": "stolen"}, expect=204)
        assert ask() == 401
    crl = shared.folder / "crl.pem"

    def listed():
        crl.write_bytes(shared.curl("/pki/device.crl", who=ANYONE).body)
        serial = serial_of(who.cert)
        return serial.upper() in run(["openssl", "crl", "-in", crl, "-noout", "-text"], check=0).out.upper()

    wait_for(listed, 20, "the revocation list has it")
    checked = run(
        [
            "openssl",
            "verify",
            "-crl_check",
            "-CAfile",
            shared.dir / "pki" / "device-ca.pem",
            "-CRLfile",
            crl,
            who.cert,
        ]
    )
    assert checked.code != 0 and "revoked" in checked.err + checked.out


def test_a_revoked_device_is_refused_on_a_resumed_connection(shared, tmp_path):
    who = shared.enrol("revoked-2", "m1")
    session = tmp_path / "session"
    request = "GET /api/update HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    base = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{shared.port}",
        "-servername",
        "localhost",
        "-CAfile",
        str(shared.roots),
        "-ign_eof",
    ]
    first = run([*base, "-cert", who.cert, "-key", who.key, "-sess_out", session], input=request)
    assert "204 No Content" in first.out
    shared.api("POST", "/api/devices/revoked-2/revoke", {}, expect=204)
    second = run([*base, "-sess_in", session], input=request)
    assert "Reused, TLSv1.3" in second.out and "HTTP/1.1 401" in second.out, second


def test_an_expired_certificate_is_good_for_renewal_alone(shared, tmp_path):
    shared.enrol("expired-1", "m1")
    who = issue(
        shared, tmp_path, "expired-1", "-not_before", "20260101000000Z", "-not_after", "20261101000000Z"
    )
    reply = shared.curl("/api/update", who=who)
    assert reply.status == 401 and "expired" in reply.json()["detail"]
    csr = new_key(tmp_path, "fresh")[1].read_text()
    renewed = shared.api("POST", "/api/renew", {"csr": csr}, who=who)
    assert renewed.status == 201, renewed
    cert = tmp_path / "renewed.pem"
    cert.write_text(renewed.json()["certificate"])
    fresh = Credential(cert, tmp_path / "fresh.key")
    assert shared.curl("/api/update", who=fresh).status == 204
    assert "expired-1" in subject(cert)


def test_a_certificate_that_expired_long_ago_is_good_for_nothing(shared, tmp_path):
    shared.enrol("expired-2", "m1")
    who = issue(
        shared, tmp_path, "expired-2", "-not_before", "20250101000000Z", "-not_after", "20260601000000Z"
    )
    assert shared.curl("/api/update", who=who).status == 401
    csr = new_key(tmp_path, "fresh")[1].read_text()
    assert shared.api("POST", "/api/renew", {"csr": csr}, who=who).status == 401


def test_renewal_from_two_thirds_on_and_the_old_one_until_the_new_is_used(shared, tmp_path):
    young = shared.enrol("renew-1", "m1")
    csr = new_key(tmp_path, "fresh")[1].read_text()
    early = shared.api("POST", "/api/renew", {"csr": csr}, who=young)
    assert early.status == 409 and re.search(r"20\d\d-\d\d-\d\d", early.json()["detail"])
    old = issue(
        shared, tmp_path, "renew-1", "-not_before", "20260101000000Z", "-not_after", "20270101000000Z"
    )
    renewed = shared.api("POST", "/api/renew", {"csr": csr}, who=old, expect=201).json()
    assert shared.curl("/api/update", who=young).status == 204  # a lost reply locks nobody out
    cert = tmp_path / "renewed.pem"
    cert.write_text(renewed["certificate"])
    assert shared.curl("/api/update", who=Credential(cert, tmp_path / "fresh.key")).status == 204
    wait_for(
        lambda: shared.curl("/api/update", who=young).status == 401, what="the older one is superseded"
    )


def test_roles(shared, tmp_path):
    shared.enrol("role-dev", "m1")
    viewer = operator(shared, tmp_path, "vera", "viewer")
    editor = operator(shared, tmp_path, "otto")
    assert shared.curl("/api/devices", who=viewer).status == 200
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=viewer).status == 403
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=editor).status == 201
    assert shared.api("POST", "/api/devices/role-dev/revoke", {}, who=editor).status == 403
    events = shared.api("GET", "/api/events?limit=200", who=viewer).json()["items"]
    assert any(e["who"] == "otto" for e in events)
    shared.api("POST", "/api/operators/otto/revoke", expect=204)
    assert shared.curl("/api/devices", who=editor).status == 401
    assert shared.api("POST", "/api/operators/admin/revoke").status in (403, 409)


def test_pem_with_the_line_ends_of_windows(shared, tmp_path):
    key, csr = new_key(tmp_path)
    text = csr.read_text().replace("\n", "\r\n")
    reply = shared.api("POST", "/api/enroll", {"token": shared.token("m"), "csr": text}, who=ANYONE)
    assert reply.status == 201, reply
    who = issue(shared, tmp_path, "wilma", "-days", "2", ca="operator-ca")
    pem = who.cert.read_text().replace("\n", "\r\n")
    reply = shared.api("POST", "/api/operators", {"name": "wilma", "role": "viewer", "certificate": pem})
    assert reply.status == 201, reply
    # in texts that people read they stay refused
    assert shared.api("POST", "/api/tokens", {"model": "m", "note": "a\rb"}).status == 400


def test_root_roll_over_by_a_bundle(make_server, tmp_path):
    """A second device authority beside the first: devices of either are known after SIGHUP."""
    server = make_server()
    old = server.enrol("roll-old", "m1")
    pki = server.dir / "pki"
    shutil.copy(pki / "device-ca.pem", tmp_path / "old-root.pem")
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ML-DSA-65",
            "-nodes",
            "-keyout",
            pki / "next.key",
            "-out",
            pki / "next.pem",
            "-subj",
            "/CN=pqota device CA next",
            "-days",
            "3650",
            "-addext",
            "basicConstraints=critical,CA:TRUE,pathlen:0",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ],
        check=0,
    )
    bundle = pki / "device-roots.pem"
    bundle.write_text((tmp_path / "old-root.pem").read_text() + (pki / "next.pem").read_text())
    server.set("pki.device_roots", "pki/device-roots.pem")
    server.set("pki.device_ca", "pki/next.pem")
    server.set("pki.device_ca_key", "pki/next.key")
    server.reload()
    new = server.enrol("roll-new", "m1")
    issuer = run(["openssl", "x509", "-in", new.cert, "-noout", "-issuer"], check=0).out
    assert "device CA next" in issuer
    assert server.curl("/api/update", who=old).status == 204
    assert server.curl("/api/update", who=new).status == 204
    crl = tmp_path / "crl.pem"

    def signed_by_the_new_one():
        crl.write_bytes(server.curl("/pki/device.crl", who=ANYONE).body)
        return run(["openssl", "crl", "-in", crl, "-noout", "-CAfile", pki / "next.pem"]).code == 0

    wait_for(signed_by_the_new_one, 20, "the revocation list is the new authority's")
    # the old root leaves the bundle: its devices are out, on new and on open connections
    with server.connect(old) as s:
        f = s.makefile("rb")

        def ask():
            s.sendall(b"GET /api/update HTTP/1.1\r\nHost: localhost\r\n\r\n")
            line = f.readline()
            while f.readline() not in (b"\r\n", b""):
                pass
            return int(line.split()[1])

        assert ask() == 204
        session = tmp_path / "session"
        request = "GET /api/update HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        base = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{server.port}",
            "-servername",
            "localhost",
            "-CAfile",
            str(server.roots),
            "-ign_eof",
        ]
        assert (
            "204 No Content"
            in run([*base, "-cert", old.cert, "-key", old.key, "-sess_out", session], input=request).out
        )
        bundle.write_text((pki / "next.pem").read_text())
        server.reload()
        assert ask() == 401
    assert "204 No Content" not in run([*base, "-sess_in", session], input=request).out
    assert server.curl("/api/update", who=old).status == 0
    assert server.curl("/api/update", who=new).status == 204
