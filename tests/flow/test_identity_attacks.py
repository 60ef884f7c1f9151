"""Who is who, asked by those who are not: stolen keys, forged certificates, races, odd requests."""

import concurrent.futures
import json
import time

import pytest

from certificates import issue, new_key, serial_of
from harness import ANYONE, run


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


def test_the_device_authority_makes_no_operator(shared, tmp_path):
    """Whoever has the device CA's key makes devices, and no admin, whatever it writes into a certificate."""
    who = issue(shared, tmp_path, "admin", "-days", "2")
    assert shared.api("POST", "/api/tokens", {"model": "x"}, who=who).status in (401, 403)
    assert shared.curl("/api/devices", who=who).status in (401, 403)


def test_the_operator_authority_alone_makes_no_operator(shared, tmp_path):
    """Whoever has the operator CA's key needs a row in the database too, also with an operator's serial."""
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
    assert "has the operators' authority been stolen?" in shared.logs()
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
    requests = [{"token": shared.token("race"), "csr": csr, "id": "race-1"} for csr in csrs]
    replies = enrol_at_once(shared, requests)
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
    body = {"name": name, "role": "viewer", "certificate": who.cert.read_text()}
    shared.api("POST", "/api/operators", body, expect=201)
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
