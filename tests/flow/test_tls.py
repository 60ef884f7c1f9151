"""Who gets a connection: with the real openssl and curl as foreign clients."""

import os
import re
import socket
import subprocess
import time

import pytest

from certificates import sign
from harness import ANYONE, Credential, environment, run, wait_for


def s_client(server, *args, data=b""):
    argv = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{server.port}",
        "-servername",
        "localhost",
        "-CAfile",
        str(server.roots),
        "-verify_return_error",
        *args,
    ]
    done = subprocess.run(argv, input=data, capture_output=True, timeout=30, env=environment())
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def test_negotiates_hybrid_key_exchange_and_mldsa(shared):
    code, text = s_client(shared, data=b"Q\n")
    assert code == 0, text
    assert "X25519MLKEM768" in text
    assert "mldsa65" in text.lower()
    assert "TLSv1.3" in text


@pytest.mark.parametrize(
    "group",
    ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "MLKEM512", "MLKEM768", "MLKEM1024"],
)
def test_each_post_quantum_group(shared, group):
    code, text = s_client(shared, "-groups", group, data=b"Q\n")
    assert code == 0, text
    assert re.search(rf"(Negotiated TLS1.3 group|Peer Temp Key|Server Temp Key): {group}", text), text


@pytest.mark.parametrize("group", ["X25519", "P-256", "X448"])
def test_refuses_a_classical_group_and_the_log_says_why(shared, group):
    code, _ = s_client(shared, "-groups", group)
    assert code != 0
    wait_for(
        lambda: re.search(r"handshake failed.*post-quantum|post-quantum.*handshake failed", shared.logs()),
        what="the log says why",
    )


def test_curl_with_a_classical_group_is_refused(shared):
    assert shared.curl("/healthz", "--curves", "X25519", who=ANYONE).curl == 35
    assert shared.curl("/healthz", "--curves", "X25519MLKEM768", who=ANYONE).status == 200


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_1"])
def test_refuses_older_tls(shared, version):
    code, _ = s_client(shared, version)
    assert code != 0


def test_without_a_certificate_only_the_public_parts_answer(shared):
    assert shared.curl("/healthz", who=ANYONE).status == 200
    assert shared.curl("/readyz", who=ANYONE).status == 200
    assert shared.curl("/pki/server-roots.pem", who=ANYONE).status == 200
    assert shared.curl("/pki/device.crl", who=ANYONE).status == 200
    for path in [
        "/api/firmware/latest?model=m",
        "/api/firmware",
        "/api/devices",
        "/api/update",
        "/metrics",
        "/api/events",
        "/api/status",
    ]:
        reply = shared.curl(path, who=ANYONE)
        assert reply.status == 401, (path, reply)
        assert reply.headers["content-type"] == "application/problem+json"
        assert "certificate" in reply.json()["detail"]


def test_a_certificate_of_an_unknown_authority_is_refused(shared, tmp_path):
    key, cert = tmp_path / "k.pem", tmp_path / "c.pem"
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ML-DSA-65",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=operator",
            "-addext",
            "extendedKeyUsage=clientAuth",
            "-days",
            "2",
        ],
        check=0,
    )
    reply = shared.curl("/api/status", who=Credential(cert, key))
    assert reply.curl != 0 and reply.status == 0, reply


def test_an_operator_certificate_that_is_not_registered_counts_for_nothing(shared, tmp_path):
    """Somebody with the operator CA's key still needs a row in the database."""
    key, csr, cert = (tmp_path / n for n in ("k.pem", "r.pem", "c.pem"))
    ext = tmp_path / "ext"
    ext.write_text("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n")
    pki = shared.dir / "pki"
    new = ["-newkey", "ML-DSA-65", "-nodes", "-keyout", key]
    run(["openssl", "req", *new, "-out", csr, "-subj", "/CN=admin"], check=0)
    sign(csr, pki / "operator-ca.pem", pki / "operator-ca.key", ext, cert, "-days", "2")
    reply = shared.curl("/api/status", who=Credential(cert, key))
    assert reply.status == 401, reply


def test_a_server_certificate_is_no_client_certificate(shared):
    pki = shared.dir / "pki"
    reply = shared.curl("/api/status", who=Credential(pki / "server.pem", pki / "server.key"))
    assert reply.curl != 0 and reply.status == 0, reply


def test_garbage_instead_of_a_client_hello(shared):
    for junk in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"A" * 200,
        os.urandom(3000),
        b"\x80\x2e\x01\x00\x02",
        b"",
    ]:
        with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as s:
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass  # the server may have hung up on the first bytes
    assert shared.curl("/healthz", who=ANYONE).status == 200


def test_a_peer_that_stalls_in_the_handshake_is_dropped(make_server):
    server = make_server({"limits.handshake_seconds": 1})
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
        s.sendall(b"\x16\x03\x01\x06\x00\x01")
        began = time.monotonic()
        assert s.recv(100) == b""
        assert 0.5 < time.monotonic() - began < 5


def test_sessions_resume_with_a_small_ticket_and_keep_the_identity(shared, tmp_path):
    session = tmp_path / "session"
    request = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    who = ["-cert", str(shared.admin.cert), "-key", str(shared.admin.key), "-ign_eof"]
    code, text = s_client(shared, *who, "-sess_out", str(session), data=request)
    assert "HTTP/1.1 200" in text, text
    code, text = s_client(shared, "-ign_eof", "-sess_in", str(session), data=request)
    assert "Reused, TLSv1.3" in text, text
    assert "HTTP/1.1 200" in text, "the resumed connection lost its identity\n" + text
    # The ticket is a name for a session here, not the session: an ML-DSA certificate would be over 5 KB.
    sent = int(re.search(r"SSL handshake has read \d+ bytes and written (\d+) bytes", text)[1])
    assert sent < 2500, sent


@pytest.mark.parametrize(
    "policy,group,signature",
    [("cnsa2", "MLKEM1024", "mldsa87"), ("constrained", "MLKEM512|MLKEM768", "mldsa44")],
)
def test_policies(make_server, policy, group, signature):
    server = make_server(init_args=("--policy", policy))
    code, text = s_client(server, "-groups", group.replace("|", ":"), data=b"Q\n")
    assert code == 0, text
    assert re.search(rf"(group|Key): ({group})", text), text
    assert signature in text.lower()
    if policy == "cnsa2":
        assert s_client(server, "-groups", "X25519MLKEM768")[0] != 0
        assert s_client(server, "-groups", "MLKEM1024", "-ciphersuites", "TLS_AES_128_GCM_SHA256")[0] != 0
    assert server.pqota("status").code == 0
