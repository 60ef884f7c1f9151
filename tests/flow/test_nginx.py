"""The real nginx in front of the server, with the configuration that `pqota nginx-conf` writes."""

import hashlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

import harness
from certificates import issue, serial_of
from harness import ANYONE, TREE, environment, program, run, wait_for
from proxied import FIELD, told_of

LARGE = 200 << 20


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    server = harness.Server(tmp_path_factory.mktemp("front"), via="nginx").start()
    yield server
    server.close()


@pytest.fixture
def make_front(make_server):
    return lambda settings=None, **kw: make_server(settings, via="nginx", **kw)


def s_client(server, *args, data=""):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", "localhost", "-CAfile",
         str(server.roots), "-verify_return_error", *map(str, args)],
        input=data.encode(), capture_output=True, timeout=30, env=environment(),
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def nginx_conf(server, *args, check=None):
    return run([program("pqota", server.build), "nginx-conf", "-c", server.conf, *args], check=check)


# --- the configuration ---


@pytest.mark.parametrize(
    "policy,group,signature,others",
    [
        ("balanced", "X25519MLKEM768", "mldsa65", ["X25519", "P-256"]),
        ("cnsa2", "MLKEM1024", "mldsa87", ["X25519", "X25519MLKEM768", "MLKEM768"]),
        ("constrained", "MLKEM512", "mldsa44", ["X25519", "X25519MLKEM768"]),
    ],
)
def test_each_policy_is_nginxs_too(make_front, policy, group, signature, others):
    server = make_front({"tls.policy": policy}, init_args=("--policy", policy))
    checked = server.nginx.check()
    assert checked.code == 0 and "warn" not in checked.err, checked
    code, text = s_client(server, "-groups", group)
    assert code == 0 and f"Peer signature type: {signature}" in text, text
    for other in others:
        code, text = s_client(server, "-groups", other)
        assert code != 0 and "alert" in text, (other, text)
    code, text = s_client(server, "-tls1_2", "-groups", "X25519")
    assert code != 0, text
    assert server.curl("/api/status").status == 200


def test_the_documents_file_names(make_front, tmp_path):
    server = make_front()
    cert, key = (tmp_path / f"mlkem768_dilithium3_server.{end}" for end in ("crt", "key"))
    shutil.copy(server.dir / "pki" / "server.pem", cert)
    shutil.copy(server.dir / "pki" / "server.key", key)
    server.nginx.args = ["--certificate", cert, "--key", key]
    server.nginx.write()
    text = (server.nginx.folder / "pqota.conf").read_text()
    assert f'ssl_certificate "{cert}";' in text and f'ssl_certificate_key "{key}";' in text
    server.nginx.reload()
    assert server.curl("/api/status").status == 200
    for line in ["http2 on;", "TLSv1.3;", "TLS_AES_128_GCM_SHA256", "proxy_set_header X-Real-IP"]:
        assert line in text, line


def test_what_the_command_writes_and_what_it_refuses(make_server, tmp_path):
    server = make_server(start=False, via="")
    out = tmp_path / "site"
    shown = nginx_conf(server, check=0)
    assert "listen 443 ssl" in shown.out and "server_name localhost;" in shown.out
    assert nginx_conf(server, "-o", out, check=0) and out.read_text() == shown.out
    out.write_text("mine\n")
    refused = nginx_conf(server, "-o", out)
    assert refused.code == 1 and "--force" in refused.err and out.read_text() == "mine\n"
    assert nginx_conf(server, "--force", "-o", out, "--port", 8443, "--name", "a.test", check=0)
    assert "listen [::]:8443 ssl" in out.read_text() and "server_name a.test;" in out.read_text()
    server.set("server.public_url", "https://updates.test:8443")
    server.set("limits.upload_bytes", "10M")
    text = nginx_conf(server, check=0).out
    assert "server_name updates.test;" in text and "client_max_body_size 10485760;" in text
    # in nginx's folder relative paths mean something else
    text = run(
        [program("pqota", server.build), "nginx-conf", "-c", "pqota.conf"], cwd=server.dir, check=0
    ).out
    assert f'ssl_certificate "{server.dir}/pki/server.pem";' in text
    assert f'server "unix:{server.unix}";' in text
    for args, code, says in [
        (["--port", "0"], 2, "65535"),
        (["--name", "a b"], 2, "--name"),
        (["--name", "a;b"], 2, "--name"),
        (["--key", "x"], 2, "--certificate"),
        (["--force"], 2, "--output"),
        (["more"], 2, "too much"),
        (
            ["--certificate", server.dir / "pki/server.pem", "--key", server.dir / "pki/device-ca.key"],
            1,
            "not that",
        ),
        (["--certificate", server.admin.cert, "--key", server.admin.key], 1, "serverAuth"),
        (["--certificate", tmp_path / "none.pem", "--key", server.dir / "pki/server.key"], 3, "none.pem"),
        (["--crl", tmp_path / "a$b"], 1, "nginx's configuration"),
    ]:
        done = nginx_conf(server, *args)
        assert done.code == code and says in done.err, (args, done)


def test_what_is_not_right_yet_is_said(make_server):
    server = make_server(start=False, via="")
    off = nginx_conf(server, "--user", "root", check=0)
    assert "[unix] proxy = yes" in off.err and "WARNING" in off.out
    server.set("unix.proxy", "yes")
    right = nginx_conf(server, "--user", "root", check=0)
    assert right.err == "" and "WARNING" not in right.out
    server.set("unix.enabled", "no")
    assert "no Unix socket" in nginx_conf(server, "--user", "root", check=0).err


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to a group")
def test_whether_nginx_may_use_the_socket():
    folder = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o755)
        server = harness.Server(folder, {"unix.proxy": "yes"}, via="")
        server.dir.chmod(0o755)
        root_only = nginx_conf(server, check=0)
        assert "www-data cannot reach" in root_only.err, root_only
        shutil.chown(server.dir, group="games")
        told = nginx_conf(server, check=0)
        assert "usermod -a -G games www-data" in told.err, told
        server.dir.chmod(0o750)
        assert "usermod -a -G games www-data" in nginx_conf(server, check=0).err
        assert nginx_conf(server, "--user", "games", check=0).err == ""
        # open to everybody would make everybody on the machine an operator
        server.set("unix.mode", "0666")
        checked = server.pqota("check-config", "-c", server.conf, check=None)
        assert checked.code != 0 and "[unix] mode" in checked.err, checked
    finally:
        shutil.rmtree(folder)


# --- what passes through ---


def test_http_2_kept_alive_and_links_by_the_public_name(front):
    device = front.enrol("links-1", "links")
    front.publish("links", "1.0", b"x" * 1000, model="links")
    done = run(
        ["curl", "-sS", "--http2", "--cacert", front.roots, "--cert", device.cert, "--key", device.key,
         "-o", "/dev/null", "-w", "%{http_version} %{num_connects} %{http_code}\n",
         front.url + "/api/update", "--next", "-sS", "--cacert", front.roots, "--cert", device.cert, "--key",
         device.key, "-w", "\n%{http_version} %{num_connects} %{http_code}\n",
         front.url + "/api/firmware/latest"],
        check=0,
    )  # fmt: skip
    first, second = done.out.splitlines()[0], done.out.splitlines()[-1]
    assert first == "2 1 204" and second == "2 0 200", done
    for version in ("--http2", "--http1.1"):
        found = front.curl("/api/firmware/latest", version, who=device).json()
        assert found["url"].startswith(f"https://localhost:{front.port}/api/firmware/"), found
        body = front.curl(found["url"].removeprefix(front.url), version, who=device).body
        assert body == b"x" * 1000
    named = front.curl("/api/firmware/latest", "-H", "Host: updates.test", who=device).json()
    assert named["url"].startswith("https://updates.test/"), named
    # what the log says is the client's address, not the socket's
    front.api("POST", "/api/tokens", {"model": "links"}, expect=201)
    line = r"path=/api/tokens status=201 .*peer=(127\.0\.0\.1|::1) listener=unix"
    wait_for(lambda: re.search(line, front.logs()), what="the log has the address")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_large_files_stream_through_and_touch_no_disk_of_nginx(front, tmp_path, version):
    file = tmp_path / "large"
    with open(file, "wb") as f:
        f.truncate(LARGE)
    name = f"large{version.strip('-').replace('.', '')}"
    on_disk, done = set(), threading.Event()

    def watch():
        while not done.wait(0.01):
            on_disk.update(front.nginx.on_disk())
            # what was unlinked at once is still open
            for worker in front.nginx.workers():
                for fd in pathlib.Path(f"/proc/{worker}/fd").glob("*"):
                    try:
                        target = os.readlink(fd)
                    except OSError:
                        continue
                    if target.startswith(str(front.nginx.temp)):
                        on_disk.add(target)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        made = front.curl(f"/api/firmware/{name}/1/large.bin", version, "-T", file)
        assert made.status == 201 and made.json()["size"] == LARGE, made
        got = front.curl(f"/api/firmware/{made.json()['id']}/file", version)
        assert got.status == 200, got.error
    finally:
        done.set()
        watcher.join()
    assert hashlib.sha256(got.body).hexdigest() == made.json()["sha256"]
    assert not on_disk


def test_what_nginx_says_itself_looks_like_ours(make_front, tmp_path):
    server = make_front({"limits.upload_bytes": "1M"})
    device = server.enrol("own-1", "m1")
    expired = issue(
        server, tmp_path, "own-1", "-not_before", "20260101000000Z", "-not_after", "20261101000000Z"
    )
    reply = server.curl("/api/renew", "-X", "POST", who=expired)
    assert reply.status == 401 and "renewed at the server itself" in reply.json()["detail"], reply
    assert server.curl("/healthz", who=expired).status == 401
    (tmp_path / "big").write_bytes(b"x" * (2 << 20))
    reply = server.curl("/api/firmware/big/1/f.bin", "-T", tmp_path / "big")
    assert reply.status == 413 and "upload_bytes" in reply.json()["detail"], reply
    server.stop()
    reply = server.curl("/api/update", who=device)
    assert reply.status == 503 and reply.headers["retry-after"] == "5", reply
    assert reply.headers["content-type"] == "application/problem+json" and reply.json()["status"] == 503
    server.start()
    assert server.curl("/api/update", who=device).status == 204


def test_sessions_resume_with_a_client_certificate(make_front, tmp_path):
    server = make_front()
    device = server.enrol("resumed-1", "m1")
    session = tmp_path / "session"
    request = "GET /api/update HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    who = ["-cert", device.cert, "-key", device.key, "-ign_eof"]
    _, text = s_client(server, *who, "-sess_out", session, data=request)
    assert "204 No Content" in text, text
    assert text.count("Post-Handshake New Session Ticket arrived") == 1, text
    _, text = s_client(server, "-ign_eof", "-sess_in", session, data=request)
    assert "Reused, TLSv1.3" in text and "204 No Content" in text, text
    server.nginx.reload()  # a new list or certificate costs nobody the session
    _, text = s_client(server, "-ign_eof", "-sess_in", session, data=request)
    assert "Reused, TLSv1.3" in text and "204 No Content" in text, text
    wait_for(lambda: "resumed=r " in server.nginx.access(), what="nginx's log says so")
    server.api("POST", "/api/devices/resumed-1/revoke", {}, expect=204)
    _, text = s_client(server, "-ign_eof", "-sess_in", session, data=request)
    assert "Reused, TLSv1.3" in text and "HTTP/1.1 401" in text, text


# --- who it is ---


def raw(server, who, request):
    with server.connect(who) as s:
        s.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := s.recv(65536)):
            answer += more
        return int(answer.split()[1])


def test_the_header_cannot_be_sent_through_nginx(front):
    """Whatever a client writes, what arrives is what nginx verified."""
    device = front.enrol("sender", "sender")
    front.publish("sender", "1.0", b"x" * 10, model="sender")
    admin = told_of(front.admin.cert)
    spellings = [FIELD, FIELD.lower(), FIELD.upper(), "X-Pqota-Client", "x-pqota_client", f"{FIELD} "]
    for name in spellings:
        line = f"{name}: {admin}\r\n".encode()
        for lines in (line, line * 2, line.replace(b": ", b":\t"), line.replace(b"; ", b";\r\n  ")):
            for who, expect in ((ANYONE, 401), (device, 403)):
                head = b"GET /api/devices HTTP/1.1\r\nHost: localhost\r\n" + lines
                got = raw(front, who, head + b"Connection: close\r\n\r\n")
                assert got in (400, expect), (lines, got)
    for version in ("--http1.1", "--http2"):
        for name in spellings[:5]:
            for who, expect in ((ANYONE, 401), (device, 403)):
                reply = front.curl("/api/devices", version, "-H", f"{name}: {admin}", who=who)
                assert reply.status == expect, (version, name, reply)
        assert front.curl("/metrics", version, "-H", f"{FIELD};", who=ANYONE).status == 401
        # named in Connection, so that a proxy might take it for hop-by-hop and drop its own
        reply = front.curl("/metrics", version, "-H", f"Connection: close, {FIELD}", who=ANYONE)
        assert reply.status == 401
    forged = [word for field in ("X-Forwarded-Host: evil.test", "X-Forwarded-Port: 1",
                                 "X-Real-IP: 192.0.2.66",
                                 "X-Forwarded-Proto: http", "X-Forwarded-For: 192.0.2.66",
                                 "Forwarded: for=192.0.2.66;host=evil.test")
              for word in ("-H", field)]  # fmt: skip
    reply = front.curl("/api/firmware/latest", *forged, who=device)
    assert reply.json()["url"].startswith(front.url + "/"), reply
    assert front.curl("/api/devices", *forged, who=device).status == 403
    assert "192.0.2.66" not in front.logs() and "evil.test" not in front.logs()


def test_a_location_that_forgets_the_header_lets_no_client_send_it(make_front):
    """A proxy_set_header in a location takes away the block's; a block of one's own may have none."""
    server = make_front()
    device = server.enrol("forgot-1", "m1")
    conf, port = server.nginx.folder / "pqota.conf", harness.free_port()
    forgot = (
        "location /api/devices { proxy_set_header X-Other 1; proxy_pass http://pqota; }\n    location / {"
    )
    other = f"\nserver {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://pqota; }} }}\n"
    conf.write_text(conf.read_text().replace("location / {", forgot, 1) + other)
    server.nginx.more = "underscores_in_headers on; ignore_invalid_headers off;"
    server.nginx.write_main()
    server.nginx.reload()
    told = f"{FIELD}: {told_of(server.admin.cert)}"
    for version in ("--http1.1", "--http2"):
        for who in (ANYONE, device):
            reply = server.curl("/api/devices", version, "-H", told, who=who)
            assert reply.status == 401, (version, reply)
    assert server.curl("/api/update", who=device).status == 204
    server.nginx.more = ""
    server.nginx.write_main()
    server.nginx.reload()
    reply = server.curl("/api/devices", "-H", told, who=ANYONE, url=f"http://127.0.0.1:{port}")
    assert reply.status == 401, reply


def test_certificates_of_others_do_not_get_past_nginx(front, tmp_path):
    device = front.enrol("owner", "m1")
    other = harness.Server(tmp_path, via="")
    for stranger in (issue(other, tmp_path, "owner", "-days", "2"), other.admin):
        assert front.curl("/api/update", who=stranger).status == 401
    # ours, signed with the authority's stolen key: nginx lets it in, and pqota has not issued it
    unknown = issue(front, tmp_path, "stranger", "-days", "2", ca="operator-ca")
    assert "not known" in front.curl("/api/devices", who=unknown).json()["detail"]
    twin = issue(front, tmp_path, "twin", "-days", "2", "-set_serial", "0x" + serial_of(front.admin.cert),
                 ca="operator-ca")  # fmt: skip
    assert "not the one" in front.curl("/api/devices", who=twin).json()["detail"]
    assert front.curl("/api/update", who=device).status == 204


# --- revocation lists ---


def refresh(server, crl, reload="touch {}.reloaded", check=0):
    """deploy/nginx/pqota-nginx-crl, as its timer runs it."""
    return run(
        [TREE / "deploy" / "nginx" / "pqota-nginx-crl"],
        check=check,
        env=environment(
            PQOTA_SOCKET=str(server.unix),
            PQOTA_OPERATORS_CRL=str(server.dir / "pki" / "operator-ca.crl"),
            PQOTA_NGINX_CRL=str(crl),
            PQOTA_NGINX_RELOAD=reload.format(crl),
        ),
    )


def verdicts(server):
    """(status, whether the server was asked) of the requests in nginx's log."""
    return [
        (int(m[1]), m[2] != "-")
        for m in re.finditer(r'" (\d+) \d+ tls=.* upstream=(\S+)', server.nginx.access())
    ]


def test_nginx_gets_the_list_and_a_stale_one_lets_nobody_in(make_server, tmp_path):
    server = make_server({"unix.proxy": "yes"}, via="")
    crl = tmp_path / "pqota.crl"
    good, bad = server.enrol("crl-1", "m1"), server.enrol("crl-2", "m1")
    assert refresh(server, crl, reload="false", check=None).code != 0
    refresh(server, crl)  # the list is the same, and nginx has not read it yet
    reloaded = crl.with_name("pqota.crl.reloaded")
    assert reloaded.exists() and crl.read_text().count("BEGIN X509 CRL") == 2
    reloaded.unlink()
    refresh(server, crl)
    assert not reloaded.exists(), "nothing changed"
    server.port = harness.free_port()
    server.url = f"https://localhost:{server.port}"
    server.start_nginx(args=("--crl", crl))
    for who, path, expect in (
        (good, "/api/update", 204),
        (bad, "/api/update", 204),
        (None, "/api/devices", 200),
    ):
        assert server.curl(path, who=who).status == expect
    # nginx's list is old: pqota refuses
    server.api("POST", "/api/devices/crl-2/revoke", {}, expect=204)
    reply = server.curl("/api/update", who=bad)
    assert reply.status == 401 and "revoked" in reply.json()["detail"]
    wait_for(lambda: verdicts(server)[-1] == (401, True), what="pqota itself refused it")

    def listed():
        refresh(server, crl)
        return reloaded.exists()

    wait_for(listed, 20, "the list changed")
    server.nginx.reload()
    assert server.curl("/api/update", who=bad).status == 401
    wait_for(lambda: verdicts(server)[-1] == (401, False), what="nginx itself refused it")
    assert server.curl("/api/update", who=good).status == 204
    assert server.curl("/api/devices").status == 200
    # past its end: all devices are out until a new one comes, and are told to come again
    old_list(server, tmp_path, crl)
    server.nginx.reload()
    reply = server.curl("/api/update", who=good)
    assert reply.status == 503 and "CRL has expired" in reply.json()["detail"], reply
    assert server.curl("/api/devices").status == 200
    assert server.curl("/healthz", who=ANYONE).status == 200
    refresh(server, crl)
    server.nginx.reload()
    assert server.curl("/api/update", who=good).status == 204


def old_list(server, folder, crl):
    """A list of the device authority that ended yesterday, and the operators'."""
    pki = server.dir / "pki"
    (folder / "index").write_text("")
    (folder / "number").write_text("01\n")
    (folder / "ca.conf").write_text(
        f"[ca]\ndefault_ca = d\n[d]\ndatabase = {folder}/index\ncrlnumber = {folder}/number\n"
        "default_md = default\n"
    )
    run(
        ["openssl", "ca", "-gencrl", "-config", folder / "ca.conf", "-cert", pki / "device-ca.pem",
         "-keyfile", pki / "device-ca.key", "-crl_lastupdate", "20260101000000Z",
         "-crl_nextupdate", "20260102000000Z", "-out", folder / "old.crl"],
        check=0,
    )  # fmt: skip
    crl.write_text((folder / "old.crl").read_text() + (pki / "operator-ca.crl").read_text())


def test_nobody_reaches_the_socket_by_another_port(front):
    """nginx takes no plain HTTP on its port, and passes nothing on for it."""
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as s:
        told = f"{FIELD}: {told_of(front.admin.cert)}"
        s.sendall(f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{told}\r\n\r\n".encode())
        answer = s.recv(65536)
    assert b" 400 " in answer and b"pqota_" not in answer
