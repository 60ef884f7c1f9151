"""Accounts: names and passwords at hawkBit's management interface, with the real curl and pqota."""

import re
import signal
import sqlite3
import stat

import pytest

from console import Console
from harness import ANYONE, free_port, program, run, wait_for

WHO = "/rest/v1/userinfo"


def database(server):
    return sqlite3.connect(server.dir / "data" / "pqota.db")


@pytest.fixture(scope="module")
def people(shared_home):
    """A server with the accounts vera (viewer), otto (operator), and dora, who is disabled."""
    made = {
        name: create(shared_home, name, role)
        for name, role in (("vera", "viewer"), ("otto", "operator"), ("dora", "admin"))
    }
    shared_home.pqota("account", "disable", "dora")
    return made


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    import harness

    server = harness.Server(tmp_path_factory.mktemp("accounts"), {"plain.enabled": "yes"})
    server.plain = f"127.0.0.1:{free_port()}"
    server.set("plain.listen", server.plain)
    server.start()
    yield server
    server.close()


def create(server, name, role):
    return server.pqota("account", "create", name, "--role", role).out.strip()


def login(server, name, password, *args, **kw):
    return server.curl(WHO, "-u", f"{name}:{password}", *args, who=ANYONE, **kw)


def logins(server):
    page = server.curl("/metrics").body.decode()
    return {m[1]: int(m[2]) for m in re.finditer(r'pqota_logins_total\{result="(\w+)"\} (\d+)', page)}


def test_a_password_counts(shared_home, people):
    before = logins(shared_home)
    for _ in range(2):
        for name in ("vera", "otto"):
            reply = login(shared_home, name, people[name])
            assert reply.status == 200 and reply.json() == {"tenant": "DEFAULT", "username": name}
    after = logins(shared_home)
    assert after["right"] - before["right"] == 2  # hashed once each
    assert after["cached"] - before["cached"] == 2
    assert login(shared_home, "vera", people["vera"], "-I").status == 200


def test_what_is_wrong_looks_the_same(shared_home, people):
    answers = set()
    for name, password in (
        ("vera", people["otto"]),
        ("nobody", people["vera"]),
        ("dora", people["dora"]),
        ("", ""),
    ):
        reply = login(shared_home, name, password)
        assert reply.status == 401 and reply.headers["www-authenticate"].startswith('Basic realm="pqota"')
        answers.add(reply.body)
    assert len(answers) == 1
    assert shared_home.curl(WHO, who=ANYONE).status == 401
    assert shared_home.curl(WHO, "-X", "POST", who=ANYONE).json()["errorCode"]


def test_every_listener_takes_them(shared_home, people):
    for where in (["--unix-socket", shared_home.unix, "http://localhost"], [f"http://{shared_home.plain}"]):
        argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *where[:-1], where[-1] + WHO]
        assert run([*argv, "-u", f"vera:{people['vera']}"], check=0).out == "200"
        assert run([*argv, "-u", "vera:wrong"], check=0).out == "401"
        assert run(argv, check=0).out == "401"


def test_certificates_beside_them(shared_home, people):
    assert shared_home.curl(WHO).json()["username"] == "admin"
    both = shared_home.curl(WHO, "-u", "vera:wrong")  # who came with a certificate is that
    assert both.status == 200 and both.json()["username"] == "admin"
    device = shared_home.enrol("acc-1", "m")
    refused = shared_home.curl(WHO, who=device)
    assert (
        refused.status == 403
        and refused.json()["errorCode"] == "hawkbit.server.error.insufficientPermission"
    )
    named = shared_home.curl(WHO, "-u", f"vera:{people['vera']}", who=device)
    assert named.status == 200 and named.json()["username"] == "vera"


def test_a_page_of_another_site_does_nothing_with_a_certificate(shared_home):
    """Browsers send certificates too, and a form needs nobody's leave to be sent."""
    for path, form in (
        ("/rest/v1/softwaremodules/1/artifacts", ("-F", "file=@/dev/null")),
        ("/api/tokens", ()),
    ):
        for site, status in (("cross-site", 403), ("same-site", 403), ("none", None)):
            field = f"Sec-Fetch-Site: {site}"
            reply = shared_home.curl(path, "-X", "POST", *form, "-H", field)
            assert (reply.status == 403) == (status == 403), (path, site, reply)
    assert shared_home.curl(WHO, "-H", "Sec-Fetch-Site: cross-site").status == 200  # nobody reads it


def test_no_password_counts_elsewhere(shared_home, people):
    for path in ("/api/status", "/api/accounts", "/metrics"):
        assert shared_home.curl(path, "-u", f"otto:{people['otto']}", who=ANYONE).status == 401


def test_no_password_is_written_anywhere(shared_home, people):
    for name, password in people.items():
        login(shared_home, name, password)
    shared_home.pqota(
        "account", "create", "paul", "--role", "viewer", "--password-file", "/dev/null", check=1
    )
    where = [shared_home.log_file, *(shared_home.dir / "data").glob("pqota.db*")]
    for file in where:
        data = file.read_bytes()
        assert not [p for p in people.values() if p.encode() in data], file


def test_the_verbs(server, tmp_path):
    made = server.pqota("account", "create", "ci@example.com", "-r", "operator")
    password = made.out.strip()
    assert re.fullmatch(r"[a-z2-9]{24}", password) and made.out.count("\n") == 1
    assert "shown this once" in made.err and password not in made.err
    assert login(server, "ci@example.com", password).status == 200
    assert server.pqota("account", "create", "ci@example.com", "-r", "viewer", check=1).out == ""
    server.pqota("account", "create", "a b", "-r", "viewer", check=1)
    server.pqota("account", "create", "x", "-r", "king", check=2)
    server.pqota("account", "create", "x", check=2)

    file = tmp_path / "password"
    file.write_text("a password of mine\nand a remark\n")
    quiet = server.pqota("account", "create", "ann", "-r", "admin", "--password-file", file)
    assert quiet.out == "" and login(server, "ann", "a password of mine").status == 200
    file.write_text("too short\n")
    assert "12" in server.pqota("account", "password", "ann", "--password-file", file, check=1).err
    assert login(server, "ann", "a password of mine").status == 200
    file.write_text("another password\n")
    server.pqota("account", "password", "ann", "--password-file", file)
    assert login(server, "ann", "a password of mine").status == 401
    assert login(server, "ann", "another password").status == 200
    assert login(server, "ann", server.pqota("account", "password", "ann").out.strip()).status == 200

    server.pqota("account", "role", "ann", "viewer")
    server.pqota("account", "role", "ann", "king", check=1)
    server.pqota("account", "disable", "ci@example.com")
    assert login(server, "ci@example.com", password).status == 401  # though it was good a moment ago
    rows = server.pqota("account", "list").out
    assert re.search(r"ann +viewer .* good", rows) and re.search(
        r"ci@example.com +operator .* disabled", rows
    )
    listed = server.pqota("account", "list", "--json").json()["items"]
    assert [(a["name"], a["role"], a["created_by"]) for a in listed] == [
        ("ann", "viewer", "admin"),
        ("ci@example.com", "operator", "admin"),
    ]
    server.pqota("account", "enable", "ci@example.com")
    assert login(server, "ci@example.com", password).status == 200
    server.pqota("account", "remove", "ci@example.com", check=2)  # asks, and there is no terminal
    server.pqota("account", "remove", "--yes", "ci@example.com")
    assert login(server, "ci@example.com", password).status == 401
    for verb in (["password"], ["disable"], ["enable"], ["remove", "--yes"]):
        server.pqota("account", *verb, "ci@example.com", check=3)
    kinds = [
        e["kind"] for e in server.pqota("events", "--json", "--subject", "account/ann").json()["items"]
    ]
    assert kinds == ["account.role", "account.password", "account.password", "account.created"]


def test_too_many_wrong_ones_make_an_address_wait(server):
    password = create(server, "vera", "viewer")
    for _ in range(10):
        assert login(server, "vera", "wrong").status == 401
    late = login(server, "vera", password)
    assert late.status == 429 and 0 < int(late.headers["retry-after"]) <= 60
    assert late.json()["errorCode"]
    elsewhere = ["--interface", "127.0.0.2", "--resolve", f"localhost:{server.port}:127.0.0.1"]
    assert login(server, "vera", password, *elsewhere).status == 200
    assert server.curl("/api/status").status == 200  # certificates are not concerned
    assert server.logs().count("a login failed") == 10
    assert server.logs().count("too many failed logins from one address") == 1
    assert logins(server) == {"cached": 0, "right": 1, "wrong": 10, "limited": 1}


def test_one_account_is_guessed_at_so_often_wherever_from(server):
    password = {name: create(server, name, "viewer") for name in ("vera", "wim")}

    def there(last, name, said):
        way = ["--interface", f"127.0.0.{last}", "--resolve", f"localhost:{server.port}:127.0.0.1"]
        return login(server, name, said, *way)

    assert there(5, "vera", password["vera"]).status == 200
    assert [there(2 + i // 9, "vera", "wrong").status for i in range(20)] == [401] * 20
    late = there(6, "vera", "wrong")
    assert late.status == 429 and 60 < int(late.headers["retry-after"]) <= 900
    assert there(7, "wim", password["wim"]).status == 200
    assert there(5, "vera", password["vera"]).status == 200  # a script that is at work goes on
    place = Console(server)
    refused = place.sign_in("vera", password["vera"], expect=429)  # the account is the same at the console
    assert 60 < int(refused.headers["retry-after"]) <= 900
    assert server.logs().count("too many failed logins to one account") == 1

    # What is wrong at the console counts here too.
    for i in range(20):
        said, where = {"name": "wim", "password": "wrong wrong"}, f"127.0.1.{2 + i // 9}"
        assert place.call("POST", "/console/session", said, "--interface", where).status == 401
    fresh = server.pqota("account", "password", "wim").out.strip()  # not known from a moment ago
    assert there(8, "wim", fresh).status == 429


def test_a_crash_and_a_restart_keep_them(server):
    password = create(server, "vera", "viewer")
    server.stop(signal.SIGKILL)
    server.start()
    assert login(server, "vera", password).status == 200
    server.stop()
    server.set("accounts.enabled", "no")
    server.start()
    off = login(server, "vera", password)
    assert off.status == 401 and "www-authenticate" not in off.headers
    assert server.curl(WHO).status == 200


def starts(server):
    done = run([program("pqota", server.build), "serve", "-c", server.conf], timeout=60)
    assert done.code != 0, done
    return done.err


def test_the_secret_key(make_server):
    server = make_server(start=False)
    key = server.dir / "secret.key"
    first = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(first) == 32
    init = [program("pqota", server.build), "init", server.dir]
    run(init, check=0)
    assert key.read_bytes() == first
    key.chmod(0o644)
    assert "0600" in starts(server)
    assert "0600" in run([program("pqota", server.build), "check-config", "-c", server.conf], check=1).err
    key.unlink()
    server.start()  # nothing is sealed: a new one is as good
    assert key.read_bytes() != first and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "made a secret key" in server.logs()
    server.enrol("acc-2", "m")
    server.stop()
    with database(server) as db:
        db.execute("INSERT INTO device_token VALUES (1, 'h', x'01', 1)")
    db.close()
    key.unlink()
    said = starts(server)
    assert "secret.key is missing" in said and "put it back" in said and not key.exists()
    run(init, check=0)
    server.start()
    wait_for(lambda: server.curl("/readyz", who=ANYONE).status == 200)
