"""What an operator does to a running server: reload, stop, back up, restore, listen elsewhere."""

import json
import os
import re
import signal
import socket
import sqlite3
import threading
import time

import pytest

from harness import ANYONE, free_port, program, run, wait_for

OK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def ask(s, f):
    s.sendall(OK)
    line = f.readline()
    while f.readline() != b"\r\n":
        pass
    assert f.read(3) == b"ok\n"
    return int(line.split()[1])


def server_serial(server):
    done = run(
        [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{server.port}",
            "-servername",
            "localhost",
            "-CAfile",
            server.roots,
        ],
        input="Q\n",
    )
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.out, re.S)[0]
    return run(["openssl", "x509", "-noout", "-serial"], input=pem, check=0).out


def test_sighup_brings_a_new_certificate_and_drops_nobody(make_server, tmp_path):
    server = make_server()
    before = server_serial(server)
    with server.connect(ANYONE) as s:
        f = s.makefile("rb")
        assert ask(s, f) == 200
        pki = server.dir / "pki"
        ext = tmp_path / "ext"
        ext.write_text(
            "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
            "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
        )
        run(
            [
                "openssl",
                "req",
                "-new",
                "-key",
                pki / "server.key",
                "-subj",
                "/CN=localhost",
                "-out",
                tmp_path / "r",
            ],
            check=0,
        )
        run(
            [
                "openssl",
                "x509",
                "-req",
                "-in",
                tmp_path / "r",
                "-CA",
                pki / "server-ca.pem",
                "-CAkey",
                pki / "server-ca.key",
                "-days",
                "9",
                "-extfile",
                ext,
                "-out",
                pki / "server.pem",
            ],
            check=0,
        )
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: server_serial(server) != before, what="the new certificate is served")
        assert ask(s, f) == 200  # the old connection lives on
    assert server.curl("/api/status").status == 200


@pytest.mark.parametrize(
    "damage,says",
    [
        (lambda text: text.replace("[tls]", "[tsl]", 1), "tsl"),
        (
            lambda text: re.sub(r"(?m)^#?\s*idle_seconds\s*=.*$", "idle_seconds = soon", text),
            "idle_seconds",
        ),
        (
            lambda text: re.sub(
                r"(?m)^#?\s*certificate\s*=.*$", "certificate = pki/nothing.pem", text, count=1
            ),
            "nothing.pem",
        ),
        (
            lambda text: re.sub(r"(?m)^#?\s*key\s*=.*$", "key = pki/device-ca.key", text, count=1),
            "device-ca.key",
        ),
    ],
    ids=["section", "value", "missing file", "key of another"],
)
def test_a_bad_configuration_keeps_the_old_one_and_says_so(make_server, damage, says):
    server = make_server()
    good = server.conf.read_text()
    bad = damage(good)
    assert bad != good
    server.conf.write_text(bad)
    checked = run([program("pqota", server.build), "check-config", "-c", server.conf])
    assert checked.code != 0 and says in checked.err, checked
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays in force" in server.logs(), what="the log says so")
    assert says in server.logs()
    assert server.curl("/api/status").status == 200
    server.conf.write_text(good)
    assert run([program("pqota", server.build), "check-config", "-c", server.conf]).code == 0


def test_a_bad_configuration_keeps_the_server_from_starting_with_a_sentence(make_server):
    server = make_server(start=False)
    server.set("tls.certificate", "pki/nothing.pem")
    done = run([program("pqota", server.build), "serve", "-c", server.conf])
    assert done.code != 0 and "nothing.pem" in done.err


def test_a_taken_port_is_said(make_server):
    two = make_server(start=False)
    # SO_REUSEPORT lets sockets of one user share a port; one that was opened without it does not.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        two.set("tls.listen", f"127.0.0.1:{taken.getsockname()[1]}")
        done = run([program("pqota", two.build), "serve", "-c", two.conf])
        assert done.code != 0 and "[tls]: cannot listen on" in done.err, done


def test_two_listeners_on_one_port_are_said_before_the_start(make_server):
    """As after an upgrade, where another listener has the console's port already."""
    server = make_server(start=False)
    server.set("tls.listen", f"127.0.0.1:{server.console_port}")
    for verb in ("check-config", "serve"):
        done = run([program("pqota", server.build), verb, "-c", server.conf])
        assert done.code == 1 and "[tls] listen = " in done.err, done
        assert f"both take port {server.console_port}: give [console] another port" in done.err


def test_two_servers_never_share_a_data_folder(make_server):
    server = make_server()
    server.set("tls.listen", f"127.0.0.1:{free_port()}")
    done = run([program("pqota", server.build), "serve", "-c", server.conf])
    assert done.code != 0 and re.search(r"another|in use|lock", done.err), done


def test_sigterm_finishes_what_is_under_way(make_server):
    server = make_server()
    data = os.urandom(30_000_000)
    made = server.publish("drain", "1", data)
    got = bytearray()
    with server.connect(timeout=60) as s:
        s.sendall(f"GET /api/firmware/{made['id']}/file HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got += s.recv(1000)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in server.logs(), what="it is stopping")
        with pytest.raises(OSError):
            for _ in range(100):
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
                time.sleep(0.05)
        while piece := s.recv(1 << 20):
            got += piece
    assert bytes(got).partition(b"\r\n\r\n")[2] == data
    assert server.process.wait(20) == 0
    server.stop()


def test_backup_and_restore_while_it_runs(make_server, tmp_path):
    server = make_server()
    kept = server.publish("kept", "1", os.urandom(200_000))
    who = server.enrol("kept-dev", "kept")
    stop, failures = threading.Event(), []

    def load():
        while not stop.is_set():
            if server.api("POST", "/api/tokens", {"model": "busy"}).status != 201:
                failures.append("a write failed during the backup")

    writer = threading.Thread(target=load)
    writer.start()
    try:
        run([program("pqota", server.build), "backup", "-c", server.conf, tmp_path / "backup"], check=0)
    finally:
        stop.set()
        writer.join()
    assert not failures
    server.publish("later", "1", b"after the backup")
    server.api("POST", "/api/devices/kept-dev/revoke", {}, expect=204)
    assert server.curl("/api/update", who=who).status == 401
    run([program("pqota", server.build), "restore", tmp_path / "backup", "-c", server.conf], check=0)
    assert server.api("GET", f"/api/firmware/{kept['id']}").status == 200
    assert server.api("GET", "/api/firmware?name=later").json()["items"] == []
    # What is held in memory follows: the device was not revoked when the backup was made.
    wait_for(lambda: server.curl("/api/update", who=who).status == 204, what="the restored state counts")
    assert server.curl(f"/api/firmware/{kept['id']}/file").status == 200


def test_restore_refuses_a_damaged_backup(make_server, tmp_path):
    server = make_server()
    server.publish("a", "1", os.urandom(100_000))
    run([program("pqota", server.build), "backup", "-c", server.conf, tmp_path / "b"], check=0)
    blob = next(p for p in (tmp_path / "b").rglob("*") if p.is_file() and p.stat().st_size == 100_000)
    damaged = bytearray(blob.read_bytes())
    damaged[500] ^= 1
    blob.unlink()  # it may be a hard link to the server's own
    blob.write_bytes(damaged)
    server.publish("b", "1", b"newer")
    done = run([program("pqota", server.build), "restore", tmp_path / "b", "-c", server.conf])
    wanted = (blob.parent.name + blob.name)[-64:]
    assert done.code != 0 and wanted in done.err, done
    assert len(server.api("GET", "/api/firmware").json()["items"]) == 2


def test_a_database_of_a_newer_pqota_is_refused_and_not_touched(make_server):
    server = make_server()
    server.stop()
    db = server.dir / "data" / "pqota.db"
    with sqlite3.connect(db) as c:
        c.execute("PRAGMA user_version = 9999")
    c.close()
    before = db.read_bytes()
    done = run([program("pqota", server.build), "serve", "-c", server.conf])
    assert done.code != 0 and "newer" in done.err, done
    assert db.read_bytes() == before
    assert not list((server.dir / "data" / "backups").iterdir())


def test_listeners(make_server, tmp_path):
    """IPv4 and IPv6, plain on loopback, classical TLS, the Unix socket: each on or off."""
    plain, classical = free_port(), free_port()
    key, cert = tmp_path / "k.pem", tmp_path / "c.pem"
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "extendedKeyUsage=serverAuth",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
        check=0,
    )
    server = make_server(
        {
            "plain.enabled": "yes",
            "plain.listen": f"127.0.0.1:{plain}",
            "classical.enabled": "yes",
            "classical.listen": f"127.0.0.1:{classical}",
            "classical.certificate": cert,
            "classical.key": key,
        },
        start=False,
    )
    server.set("tls.listen", f"127.0.0.1:{server.port}, [::1]:{server.port}")
    server.start()
    assert server.curl("/healthz", "-4", who=ANYONE).status == 200
    assert server.curl("/healthz", "-6", who=ANYONE).status == 200
    assert server.curl("/healthz", who=ANYONE, url=f"http://127.0.0.1:{plain}").status == 200
    assert server.curl("/api/status", who=ANYONE, url=f"http://127.0.0.1:{plain}").status == 401
    old = server.curl(
        "/healthz",
        "--cacert",
        cert,
        "--tls-max",
        "1.2",
        "--curves",
        "P-256",
        who=ANYONE,
        url=f"https://localhost:{classical}",
    )
    assert old.status == 200, old
    local = server.curl("/metrics", "--unix-socket", server.unix, who=ANYONE, url="http://localhost")
    assert local.status == 200
    assert re.search(r"(?m)^pqota_handshakes_classical_total 1$", local.body.decode())
    assert (
        server.curl("/api/devices", "--unix-socket", server.unix, who=ANYONE, url="http://localhost").status
        == 401
    )
    server.stop()
    assert not server.unix.exists()
    server.set("plain.enabled", "no")
    server.set("classical.enabled", "no")
    server.set("unix.enabled", "no")
    server.start()
    assert server.curl("/healthz", who=ANYONE, url=f"http://127.0.0.1:{plain}").curl == 7
    assert not server.unix.exists()


def test_plain_outside_loopback_must_be_asked_for_by_its_name(make_server):
    server = make_server({"plain.enabled": "yes", "plain.listen": "0.0.0.0:0"}, start=False)
    done = run([program("pqota", server.build), "check-config", "-c", server.conf])
    assert done.code != 0 and "insecure" in done.err, done


def test_logs_are_json_if_asked_and_hostile_text_stays_in_its_field(make_server):
    server = make_server({"server.log_format": "json", "server.log_level": "debug"})
    server.curl("/x%0d%0alevel=error", who=ANYONE)
    with server.connect(ANYONE) as s:
        s.sendall(b"GET /\x1b[31mred\xff HTTP/1.1\r\nHost: h\r\n\r\n")
        s.recv(4096)
    server.stop()
    lines = server.logs().splitlines()
    assert len(lines) > 3
    for line in lines:
        assert {"time", "level", "area", "msg"} <= set(json.loads(line))
        assert "\x1b" not in line


def test_a_request_that_succeeded_is_logged_without_an_error(server):
    server.publish("gw", "1.0", b"x")
    server.publish("gw", "1.0", b"y", expect=409)

    def logged(status):
        found = [l for l in server.logs().splitlines() if "method=PUT" in l and f"status={status}" in l]
        return found[0] if found else None

    good, refused = (wait_for(lambda s=status: logged(s), what=f"{status} logged") for status in (201, 409))
    assert "error=" not in good, good
    assert "error=" in refused, refused


def test_init_again_destroys_nothing(make_server):
    server = make_server(start=False)
    before = {p: p.read_bytes() for p in server.dir.rglob("*") if p.is_file() and "data" not in p.parts}
    run([program("pqota", server.build), "init", server.dir], check=0)
    (server.dir / "pki" / "server.pem").unlink()
    (server.dir / "pki" / "server.key").unlink()
    again = run([program("pqota", server.build), "init", server.dir], check=0)
    assert "server.pem" in again.out
    for path, data in before.items():
        if path.name not in ("server.pem", "server.key"):
            assert path.read_bytes() == data, path
    for key in server.dir.rglob("*.key"):
        assert key.stat().st_mode & 0o777 == 0o600, key


def test_metrics_are_prometheus_text(server):
    server.curl("/nothing")
    page = server.curl("/metrics").body.decode()
    labels = r"\{LABEL(,LABEL)*\}".replace("LABEL", r'[a-z_]+="[^"]*"')
    for line in page.splitlines():
        assert re.fullmatch(rf"# (HELP|TYPE) \w+ .+|\w+({labels})? [0-9.e+-]+", line), line
    told = [line.rsplit(" ", 1)[0] for line in page.splitlines() if not line.startswith("# HELP")]
    assert len(told) == len(set(told)), "Prometheus refuses a page that says something twice"
    assert re.search(r'(?m)^pqota_requests_total\{class="4xx"\} [1-9]', page)
    assert re.search(r"(?m)^pqota_handshakes_total\{result=\"full\"\} [1-9]", page)
