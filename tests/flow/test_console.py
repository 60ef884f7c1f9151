"""The console's listener: its TLS, its pages, what exists there and what does not; with openssl and curl."""

import gzip
import hashlib
import json
import re
import shutil
import signal
import subprocess

import pytest

from certificates import operator, sign
from console import Console, account, authority, link, signed_in
from harness import ANYONE, TREE, Server, environment, program, run, wait_for

WEB = TREE / "web"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
}


@pytest.fixture(scope="module")
def anyone(shared):
    return Console(shared)


@pytest.fixture(scope="module")
def admin(shared):
    return signed_in(shared)


def s_client(server, *args):
    argv = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{server.console_port}",
        "-servername",
        "localhost",
    ]
    done = subprocess.run([*argv, *args], input=b"Q\n", capture_output=True, timeout=30, env=environment())
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


# --- TLS ---


def test_a_browser_is_shown_an_ecdsa_certificate(shared):
    code, text = s_client(shared, "-CAfile", str(authority(shared)), "-verify_return_error")
    assert code == 0 and "TLSv1.3" in text and "X25519MLKEM768" in text, text
    assert re.search(r"Peer signature type: (ecdsa|ECDSA)", text), text


def test_who_takes_mldsa_alone_is_shown_the_servers_own(shared):
    only = ("-sigalgs", "mldsa65", "-verify_return_error")
    code, text = s_client(shared, "-CAfile", str(shared.roots), *only)
    assert code == 0 and re.search(r"Peer signature type: mldsa65", text), text
    assert s_client(shared, "-CAfile", str(authority(shared)), *only)[0] != 0


@pytest.mark.parametrize("group", ["X25519", "P-256", "X448"])
def test_classical_key_exchange_is_refused(shared, group):
    before = shared.logs().count("handshake failed")
    assert s_client(shared, "-groups", group)[0] != 0
    wait_for(lambda: shared.logs().count("handshake failed") > before, what="the log says so")


@pytest.mark.parametrize("group", ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"])
def test_hybrid_key_exchange_is_taken(shared, group):
    code, text = s_client(shared, "-groups", group)
    assert code == 0 and group in text, text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_1"])
def test_older_tls_is_refused(shared, version):
    assert s_client(shared, version)[0] != 0


def test_the_page_is_told_what_its_connection_uses(shared, anyone):
    said = anyone.get("/console/session", "--curves", "SecP256r1MLKEM768").json()
    assert said["connection"]["group"] == "SecP256r1MLKEM768" and said["connection"]["post_quantum"] is True
    assert said["connection"]["signature"].startswith("ecdsa") and said["name"] is None
    assert said["connection"]["cipher"].startswith("TLS_")
    assert said["version"] in run([program("pqota"), "--version"]).out


# --- pages ---


def files():
    return sorted(str(p.relative_to(WEB)) for p in WEB.rglob("*") if p.is_file())


def test_every_file_of_the_page(anyone):
    types = {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    for name in files():
        whole = anyone.get(f"/{name}")
        same = whole.body == (WEB / name).read_bytes()
        assert same, f"{name} is not what was built in"
        assert whole.headers["content-type"].lower() == types[name[name.rindex(".") :]], name
        packed = anyone.get(f"/{name}", "-H", "Accept-Encoding: br, gzip")
        assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == whole.body
        assert packed.headers["etag"] != whole.headers["etag"] and len(packed.body) < len(whole.body)
        assert "accept-encoding" in packed.headers["vary"].lower()
    assert anyone.get("/").body == anyone.get("/index.html").body
    assert anyone.get("/app.js", "-H", "Accept-Encoding: gzip;q=0").headers.get("content-encoding") is None


def test_a_page_that_was_not_changed_is_not_sent_again(anyone):
    first = anyone.get("/app.js")
    tag = ("-H", f'If-None-Match: {first.headers["etag"]}')
    again = anyone.get("/app.js", *tag, expect=304)
    assert again.body == b"" and again.headers["cache-control"] == "no-cache"
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert anyone.get("/style.css", *tag).body


def test_all_of_it_is_small(anyone):
    """Every file that it ever loads, as it goes over the wire."""
    page = [anyone.get(f"/{name}", "-H", "Accept-Encoding: gzip") for name in [*files(), "chart.js"]]
    assert sum(len(p.body) for p in page) < 300_000
    linked = re.findall(r'(?:src|href)="([^"]+)"', (WEB / "index.html").read_text())
    assert set(linked) <= {*files(), "chart.js"}  # nothing that is not there


def test_nothing_comes_from_elsewhere():
    for name in files():
        text = (WEB / name).read_text()
        outside = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`)]*", text, re.I))
        assert outside <= {"http://www.w3.org/2000/svg"}, (name, outside)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/views/",
        "/views/app.js",
        "/../web/app.js",
        "/views/..%2fapp.js",
        "/app.js%00",
        "/strings/%2e%2e/app.js",
        "/" + "x" * 500,
        "/web_files",
        "//app.js",
    ],
)
def test_no_other_file(anyone, path):
    reply = anyone.call("GET", path, None, "--path-as-is")
    assert reply.status in (400, 404), reply
    assert reply.headers["content-type"] == "application/problem+json"


# --- what a browser is told ---


def is_guarded(reply):
    for name, value in HEADERS.items():
        assert reply.headers.get(name) == value, (name, reply)
    rules = {rule.strip() for rule in reply.headers["content-security-policy"].split(";")}
    assert POLICY <= rules and not [r for r in rules if "unsafe" in r or "*" in r], rules
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers.get("content-type"), reply


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/", 200),
        ("GET", "/app.js", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/console/session", 200),
        ("GET", "/api/status", 200),
        ("GET", "/metrics", 200),
        ("GET", "/api/devices/nobody", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/api/update", 404),
        ("GET", "/%ff%", 400),
        ("GET", "/console/live", 400),
        ("DELETE", "/api/status", 405),
        ("PATCH", "/api/status", 501),
        ("POST", "/api/tokens", 400),
    ],
)
def test_every_answer_is_guarded(admin, method, path, status):
    reply = admin.call(method, path)
    assert reply.status == status, reply
    is_guarded(reply)


def test_refusals_are_guarded_too(anyone, admin):
    is_guarded(anyone.get("/api/status", expect=401))
    is_guarded(admin.call("POST", "/api/tokens", {"model": "m"}, origin=None, expect=403))
    is_guarded(admin.call("POST", "/api/tokens", None, "-d", "x", expect=415))
    is_guarded(admin.call("PUT", "/console/password", {"new": "x" * 9000}, expect=413))
    is_guarded(anyone.sign_in("nobody", "wrong password", expect=401))
    private = admin.get("/api/status").headers
    assert private["cache-control"] == "no-store"


# --- what exists here, and what does not ---

DEVICES_OWN = [
    ("POST", "/api/enroll"),
    ("POST", "/api/renew"),
    ("GET", "/api/update"),
    ("POST", "/api/update/1/status"),
    ("POST", "/api/update/1/consent"),
    ("GET", "/DEFAULT/controller/v1/dev-1"),
    ("PUT", "/DEFAULT/controller/v1/dev-1/configData"),
    ("GET", "/rest/v1/targets"),
    ("POST", "/rest/v1/targets"),
    ("GET", "/rest/v1/userinfo"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/pki/server-roots.pem"),
    ("GET", "/pki/device-roots.pem"),
    ("GET", "/pki/device.crl"),
]
CONSOLES_OWN = [
    "/index.html",
    "/app.js",
    "/style.css",
    "/views/fleet.js",
    "/strings/en.js",
    "/chart.js",
    "/console/session",
    "/console/live?topic=/api/status",
]


@pytest.mark.parametrize("method, path", DEVICES_OWN)
def test_what_devices_and_others_use_is_elsewhere(shared, admin, anyone, method, path):
    for place in (admin, anyone):
        reply = place.call(method, path, {} if method != "GET" else None)
        assert reply.status == 404, reply
        is_guarded(reply)
    if not path.startswith("/DEFAULT"):  # where it says 404 to whom it does not know
        assert shared.curl(path, "-X", method, who=ANYONE).status != 404


@pytest.mark.parametrize(
    "path",
    ["image/timestamp.json", "director/1.root.json", "director/dev-1/targets.json", "image/targets/a/1/2/x"],
)
def test_what_updates_are_checked_by_is_elsewhere(admin, anyone, path):
    for place in (admin, anyone):
        assert "for devices" in place.get(f"/tuf/{path}", expect=404).json()["detail"]


def test_the_description_of_the_interface_is_for_anybody(anyone):
    assert anyone.get("/openapi.json").json()["openapi"]


@pytest.mark.parametrize("path", CONSOLES_OWN)
def test_what_the_console_uses_is_here_alone(shared, admin, path):
    assert admin.call("GET", path, None, "-I", "-X", "HEAD").status in (200, 400)
    assert shared.curl(path).status == 404
    sock = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", shared.unix]
    assert run([*sock, f"http://localhost{path}"], check=0).out == "404"


def test_no_certificate_counts_here(shared, anyone):
    """Browsers may have one that a page on another site could use."""
    reply = shared.curl("/api/status", "--cacert", authority(shared), url=shared.console_url)
    assert reply.status == 401, reply
    login = ("-u", f"basic:{account(shared, 'basic', 'admin')}")
    assert anyone.get("/api/status", *login, expect=401).headers.get("www-authenticate") is None


def test_a_session_counts_nowhere_else(shared, admin):
    field = ("-H", f"Cookie: {admin.cookie}")
    assert shared.curl("/api/status", *field, who=ANYONE).status == 401
    assert shared.curl("/rest/v1/userinfo", *field, who=ANYONE).status == 401


# --- its certificate and its files ---


def own_certificate(folder, name, life=("-days", "9")):
    """An authority, and a leaf of it for localhost; answers authority, certificate with it, key."""
    ca, ca_key, key, csr, leaf, ext = (
        folder / f"{name}.{end}" for end in ("ca.pem", "ca.key", "key", "csr", "pem", "ext")
    )
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    own = ["-keyout", ca_key, "-out", ca, "-subj", f"/CN={name} CA", "-days", "9"]
    run(["openssl", "req", "-x509", *ec, *own], check=0)
    run(["openssl", "req", *ec, "-keyout", key, "-out", csr, "-subj", f"/CN={name}"], check=0)
    ext.write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n")
    sign(csr, ca, ca_key, ext, leaf, *life)
    return ca, leaf, key


def test_a_certificate_of_ones_own_and_another_one_without_a_restart(make_server, tmp_path):
    ca, leaf, key = own_certificate(tmp_path, "mine")
    server = make_server({"console.certificate": leaf, "console.key": key})

    def believes(file):
        return (
            server.curl("/console/session", "--cacert", file, who=ANYONE, url=server.console_url).status
            == 200
        )

    assert believes(ca) and not believes(authority(server))
    subject = [
        c["subject"]
        for c in server.api("GET", "/api/server").json()["certificates"]
        if c["what"] == "console"
    ]
    assert subject == ["CN=mine"]
    other, other_leaf, other_key = own_certificate(tmp_path, "other")
    shutil.copy(other_leaf, leaf)
    shutil.copy(other_key, key)
    assert believes(ca)
    server.reload()
    assert believes(other) and not believes(ca)
    shutil.copy(ca, leaf)  # not of that key: nothing changes
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "[console]" in server.logs(), what="it says what is wrong")
    assert believes(other)


def test_a_certificate_that_is_over_stops_nobody_but_browsers(make_server, tmp_path):
    past = ("-not_before", "20200101000000Z", "-not_after", "20200201000000Z")
    ca, leaf, key = own_certificate(tmp_path, "over", past)
    server = make_server({"console.certificate": leaf, "console.key": key})
    said = "browsers will refuse the console's certificate"
    assert server.api("GET", "/api/status") and said in server.logs()
    assert f"{leaf} expired at 2020-02-01" in server.logs()

    def asked(*trust):
        return server.curl("/console/session", *trust, who=ANYONE, url=server.console_url)

    assert asked("--cacert", ca).curl == 60 and asked("--insecure").status == 200
    checked = run([program("pqota", server.build), "check-config", "-c", server.conf], check=0)
    assert f"console certificate: {leaf}, until 2020-02-01" in checked.out
    assert "warning: [console] certificate" in checked.err and "2020-02-01" in checked.err
    server.reload()  # whatever else is new is taken
    assert server.logs().count(said) == 2
    fresh = own_certificate(tmp_path, "fresh")
    shutil.copy(fresh[1], leaf)
    shutil.copy(fresh[2], key)
    server.reload()
    assert asked("--cacert", fresh[0]).status == 200 and server.logs().count(said) == 2


def old_folder(folder):
    """As pqota init made it before there was a console."""
    for name in ("console.pem", "console.key", "console-ca.pem", "console-ca.key"):
        (folder / "pki" / name).unlink()
    text = (folder / "pqota.conf").read_text()
    text = re.sub(r"(?ms)^(#[^\n]*\n)*\[console\]\n.*?(?=^(#[^\n]*\n)*\[)", "", text)
    assert "[console]" not in text
    (folder / "pqota.conf").write_text(text)


def test_a_folder_from_before_the_console(tmp_path):
    server = Server(tmp_path)
    old_folder(server.dir)
    pqota = [program("pqota"), "init", server.dir]
    said = run([program("pqota"), "check-config", "-c", server.conf])
    assert said.code != 0 and "pqota init" in said.err and "enabled = no" in said.err, said
    before = hashlib.sha256((server.dir / "pki" / "server.pem").read_bytes()).digest()
    run(pqota, check=0)
    assert (server.dir / "pki" / "console.pem").exists() and (
        server.dir / "pki" / "console-ca.pem"
    ).exists()
    assert hashlib.sha256((server.dir / "pki" / "server.pem").read_bytes()).digest() == before
    run([program("pqota"), "check-config", "-c", server.conf], check=0)


def test_without_a_console(tmp_path):
    server = Server(tmp_path, {"console.enabled": "no"})
    for name in ("console.pem", "console.key", "console-ca.pem", "console-ca.key"):
        (server.dir / "pki" / name).unlink()
    server.start()
    try:
        assert server.curl("/console/session", who=ANYONE, url=server.console_url).curl == 7
        assert {row["name"] for row in server.api("GET", "/api/server").json()["listeners"]} == {
            "tls",
            "unix",
        }
        refused = server.pqota("console", check=1)
        assert "enabled = yes" in refused.err and refused.out == "", refused
    finally:
        server.close()


def test_the_link_leads_to_the_console(shared):
    """What the command prints, opened as printed."""
    token = link(shared, "--account", "lea", "--role", "viewer")
    assert re.fullmatch(r"[0-9a-f]{64}", token)
    said = shared.pqota("console", "--account", "lea", "--json").json()
    assert said["account"] == "lea" and said["port"] == shared.console_port
    told = shared.pqota("console", "--account", "lea").err
    assert str(authority(shared).resolve()) in told.replace("operator/../", "") and "once" in told, told
    assert json.loads(Console(shared).sign_in(token=token).body)["name"] == "lea"


def test_an_operator_whose_name_no_account_may_have(shared, tmp_path):
    kim = operator(shared, tmp_path, "kim~2", "admin")
    refused = shared.curl("/api/sign-in-links", "-H", "Content-Type: application/json", "-d", "{}", who=kim)
    assert refused.status == 400
    said = refused.json()["detail"]
    assert '"kim~2" is no account\'s name' in said and "say another with --account" in said
    other = shared.pqota("console", "--account", "kim~3", check=1).err
    assert '"kim~3" is no account\'s name' in other and "--account" not in other
