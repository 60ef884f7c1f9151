"""Who is who: enrolment, renewal, revocation, roles."""

import concurrent.futures
import json
import re
import shutil
import time

import pytest

from harness import ANYONE, Credential, run, wait_for


def subject(cert):
    return run(["openssl", "x509", "-in", cert, "-noout", "-subject", "-nameopt", "multiline"], check=0).out


def text_of(cert):
    return run(["openssl", "x509", "-in", cert, "-noout", "-text"], check=0).out


def new_key(folder, name="k"):
    key, csr = folder / f"{name}.key", folder / f"{name}.csr"
    run(["openssl", "genpkey", "-algorithm", "ML-DSA-65", "-out", key], check=0)
    run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=whatever", "-out", csr], check=0)
    return key, csr


def issue(server, folder, device, *args, ca="device-ca"):
    """A certificate made with the authority's key and openssl: for times that pqota would not issue."""
    key, csr = new_key(folder, device)
    cert, ext = folder / f"{device}.pem", folder / f"{device}.ext"
    ext.write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={device}", "-out", csr], check=0)
    run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            csr,
            "-CA",
            server.dir / "pki" / f"{ca}.pem",
            "-CAkey",
            server.dir / "pki" / f"{ca}.key",
            "-extfile",
            ext,
            "-out",
            cert,
            *args,
        ],
        check=0,
    )
    return Credential(cert, key)


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


def test_bad_tokens_all_get_the_same_answer(shared, tmp_path):
    csr = new_key(tmp_path)[1].read_text()
    revoked = shared.api("POST", "/api/tokens", {"model": "m"}, expect=201).json()
    shared.api("DELETE", f"/api/tokens/{revoked['id']}", expect=204)
    used = shared.token("m")
    shared.api(
        "POST",
        "/api/enroll",
        {"token": used, "csr": new_key(tmp_path, "x")[1].read_text()},
        who=ANYONE,
        expect=201,
    )
    answers = set()
    for token in ["pqt_" + "0" * 40, "nonsense", revoked["token"], used]:
        reply = shared.api("POST", "/api/enroll", {"token": token, "csr": csr}, who=ANYONE)
        answers.add((reply.status, reply.body))
    assert len(answers) == 1 and answers.pop()[0] == 401


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


@pytest.mark.parametrize(
    "alg", [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-algorithm", "ED25519"]]
)
def test_only_mldsa_keys_enrol(shared, tmp_path, alg):
    key, csr = tmp_path / "k", tmp_path / "c"
    run(["openssl", "genpkey", *alg, "-out", key], check=0)
    run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", csr], check=0)
    reply = shared.api(
        "POST", "/api/enroll", {"token": shared.token("m"), "csr": csr.read_text()}, who=ANYONE
    )
    assert reply.status == 400 and "ML-DSA" in reply.json()["detail"]


def test_tokens_are_stored_hashed(shared):
    token = shared.token("hashed-model")
    shared.api("GET", "/api/tokens", expect=200)
    for file in (shared.dir / "data").rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file
    assert token not in shared.logs()
    assert token not in shared.api("GET", "/api/tokens").body.decode()


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
        serial = re.search(
            r"serial=(\w+)", run(["openssl", "x509", "-in", who.cert, "-noout", "-serial"]).out
        )[1]
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


def test_the_device_authority_makes_no_operator(shared, tmp_path):
    """Whoever has the device CA's key makes devices, and no admin, whatever it writes into a certificate."""
    who = issue(shared, tmp_path, "admin", "-days", "2")
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=who).status in (401, 403)
    assert shared.curl("/api/devices", who=who).status in (401, 403)


def test_roles(shared, tmp_path):
    def operator(name, role):
        who = issue(shared, tmp_path, name, "-days", "30", ca="operator-ca")
        reply = shared.api(
            "POST", "/api/operators", {"name": name, "role": role, "certificate": who.cert.read_text()}
        )
        assert reply.status == 201, reply
        return who

    shared.enrol("role-dev", "m1")
    viewer, editor = operator("vera", "viewer"), operator("otto", "operator")
    assert shared.curl("/api/devices", who=viewer).status == 200
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=viewer).status == 403
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=editor).status == 201
    assert shared.api("POST", "/api/devices/role-dev/revoke", {}, who=editor).status == 403
    events = shared.api("GET", "/api/events?limit=200", who=viewer).json()["items"]
    assert any(e["who"] == "otto" for e in events)
    shared.api("POST", "/api/operators/otto/revoke", expect=204)
    assert shared.curl("/api/devices", who=editor).status == 401
    assert shared.api("POST", "/api/operators/admin/revoke").status in (403, 409)


def serial_of(cert):
    return re.search(
        r"serial=(\w+)", run(["openssl", "x509", "-in", cert, "-noout", "-serial"], check=0).out
    )[1]


def test_the_operator_authority_alone_makes_no_operator(shared, tmp_path):
    """Whoever has the operator CA's key needs a row in the database too: also with the serial number of one."""
    stranger = issue(shared, tmp_path, "stranger", "-days", "2", ca="operator-ca")
    assert shared.curl("/api/devices", who=stranger).status == 401
    twin = issue(
        shared,
        tmp_path,
        "twin",
        "-days",
        "2",
        "-set_serial",
        "0x" + serial_of(shared.admin.cert),
        ca="operator-ca",
    )
    assert serial_of(twin.cert) == serial_of(shared.admin.cert)
    reply = shared.curl("/api/devices", who=twin)
    assert reply.status == 401 and "not the one" in reply.json()["detail"], reply
    assert shared.curl("/api/devices").status == 200


def test_a_request_under_way_ends_with_its_operators_rights(shared, tmp_path):
    """The head came before the revocation, the body after it: nothing is done."""
    who = issue(shared, tmp_path, "slow-admin", "-days", "2", ca="operator-ca")
    accomplice = issue(shared, tmp_path, "accomplice", "-days", "2", ca="operator-ca")
    shared.api(
        "POST",
        "/api/operators",
        {"name": "slow-admin", "role": "admin", "certificate": who.cert.read_text()},
        expect=201,
    )
    body = json.dumps(
        {"name": "accomplice", "role": "admin", "certificate": accomplice.cert.read_text()}
    ).encode()
    with shared.connect(who) as s:
        s.sendall(
            b"POST /api/operators HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
        )
        f = s.makefile("rb")
        assert b"100" in f.readline() and f.readline() == b"\r\n"  # the head has been judged
        s.sendall(body[:10])
        shared.api("POST", "/api/operators/slow-admin/revoke", expect=204)
        s.sendall(body[10:])
        assert f.readline().split()[1] == b"401"
    assert shared.curl("/api/devices", who=accomplice).status == 401


def test_an_unknown_device_of_our_authority_gets_nothing(shared, tmp_path):
    """A false device, or one enrolled after the backup that was restored."""
    shared.publish("ghost-model", "1.0", b"firmware")
    ghost = issue(shared, tmp_path, "ghost", "-days", "2")
    for path in [
        "/api/update",
        "/api/firmware",
        "/api/firmware/latest?model=ghost-model",
        "/api/firmware/latest",
    ]:
        assert shared.curl(path, who=ghost).status in (401, 403, 404), path
    csr = new_key(tmp_path, "fresh")[1].read_text()
    assert shared.api("POST", "/api/renew", {"csr": csr}, who=ghost).status == 401


def test_only_an_admin_takes_a_revocation_back(shared, tmp_path):
    editor = issue(shared, tmp_path, "readmitter", "-days", "2", ca="operator-ca")
    shared.api(
        "POST",
        "/api/operators",
        {"name": "readmitter", "role": "operator", "certificate": editor.cert.read_text()},
        expect=201,
    )
    shared.enrol("banned", "m1")
    assert shared.api("POST", "/api/tokens", {"model": "m1", "device": "banned"}, who=editor).status == 201
    shared.api("POST", "/api/devices/banned/revoke", {}, expect=204)
    assert shared.api("POST", "/api/tokens", {"model": "m1", "device": "banned"}, who=editor).status == 403
    csr = new_key(tmp_path, "fresh")[1].read_text()
    token = shared.token("m1", device="banned")
    shared.api("POST", "/api/enroll", {"token": token, "csr": csr}, who=ANYONE, expect=201)


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


def test_a_bad_token_is_refused_before_anything_else_is_looked_at(shared):
    reply = shared.api("POST", "/api/enroll", {"token": "pqt_" + "1" * 40, "csr": "no request"}, who=ANYONE)
    assert reply.status == 401
    reply = shared.api("POST", "/api/enroll", {"token": shared.token("m"), "csr": "no request"}, who=ANYONE)
    assert reply.status == 400


def enrol_at_once(server, requests):
    """Sends them side by side; answers their statuses."""
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        sent = [pool.submit(server.api, "POST", "/api/enroll", r, ANYONE) for r in requests]
        return [f.result() for f in sent]


def test_a_token_for_one_admits_one_of_many_at_once(shared, tmp_path):
    token = shared.token("race")
    csrs = [new_key(tmp_path, f"k{i}")[1].read_text() for i in range(6)]
    replies = enrol_at_once(shared, [{"token": token, "csr": csr} for csr in csrs])
    assert sorted(r.status for r in replies) == [201] + 5 * [401]


def test_an_id_goes_to_one_of_many_at_once(shared, tmp_path):
    csrs = [new_key(tmp_path, f"k{i}")[1].read_text() for i in range(6)]
    replies = enrol_at_once(shared, [{"token": shared.token("race"), "csr": csr, "id": "race-1"} for csr in csrs])
    assert sorted(r.status for r in replies) == [201] + 5 * [409]


def test_a_key_that_asks_many_times_at_once_gets_one_certificate(shared, tmp_path):
    body = {"token": shared.token("race"), "csr": new_key(tmp_path)[1].read_text()}
    replies = enrol_at_once(shared, 6 * [body])
    assert {r.status for r in replies} <= {200, 201}
    assert len({r.json()["certificate"] for r in replies}) == 1


@pytest.mark.parametrize("serial", ["0x1", "0x0a", "0x00f0", "0xABCDEF0123456789abcdef0123456789abcdef"])
def test_serial_numbers_are_written_one_way(shared, tmp_path, serial):
    """As in the certificate, in the database and in the handshake."""
    name = f"serial-{serial}"
    who = issue(shared, tmp_path, name, "-days", "2", "-set_serial", serial, ca="operator-ca")
    shared.api("POST", "/api/operators", {"name": name, "role": "viewer", "certificate": who.cert.read_text()},
               expect=201)
    assert shared.curl("/api/devices", who=who).status == 200
    shared.api("POST", f"/api/operators/{name}/revoke", expect=204)
    assert shared.curl("/api/devices", who=who).status == 401


def test_a_request_with_a_huge_key_is_cheap_to_refuse(shared, tmp_path):
    key, csr = tmp_path / "k", tmp_path / "c"
    run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-pkeyopt",
         "ec_param_enc:explicit", "-out", key], check=0)
    run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", csr], check=0)
    token = shared.token("m")
    for text in [csr.read_text(), "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 30000, "A" * 32768]:
        began = time.monotonic()
        assert shared.api("POST", "/api/enroll", {"token": token, "csr": text}, who=ANYONE).status == 400
        assert time.monotonic() - began < 5
    assert shared.api("POST", "/api/enroll", {"token": token, "csr": "A" * 32769}, who=ANYONE).status == 400
    assert shared.api("POST", "/api/enroll", {"token": token, "csr": "A" * 70000}, who=ANYONE).status == 413


def test_root_roll_over_by_a_bundle(make_server, tmp_path):
    """A second device authority beside the first: devices of either are known after SIGHUP."""
    import signal

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
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "read again" in server.logs(), what="the reload is done")
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
        base = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", "localhost", "-CAfile",
                str(server.roots), "-ign_eof"]
        assert "204 No Content" in run([*base, "-cert", old.cert, "-key", old.key, "-sess_out", session],
                                       input=request).out
        bundle.write_text((pki / "next.pem").read_text())
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: server.logs().count("read again") == 2, what="the second reload is done")
        assert ask() == 401
    assert "204 No Content" not in run([*base, "-sess_in", session], input=request).out
    assert server.curl("/api/update", who=old).status == 0
    assert server.curl("/api/update", who=new).status == 204
