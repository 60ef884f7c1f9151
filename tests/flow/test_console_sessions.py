"""Who is signed in at the console, how, until when; and what pages of other sites cannot do."""

import contextlib
import re
import signal
import sqlite3
import time

import pytest

from console import Console, Stream, account, link, signed_in
from harness import wait_for

FAKE = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
LATER = 600  # seconds by which a clock may be off and a test still means what it says


@pytest.fixture(scope="module")
def admin(shared):
    return signed_in(shared)


def database(server):
    return contextlib.closing(sqlite3.connect(server.dir / "data" / "pqota.db"))


# --- by a link ---


def test_a_link_works_once(shared):
    token = link(shared)
    first, second = Console(shared), Console(shared)
    said = first.sign_in(token=token).json()
    assert (said["name"], said["role"], said["by_link"]) == ("admin", "admin", True)
    assert first.who() == ("admin", "admin")
    refused = second.sign_in(token=token, expect=401)
    assert "used already" in refused.json()["detail"] and second.cookie is None
    assert first.get("/api/accounts").json()["items"]


@pytest.mark.parametrize("token", ["", "0" * 64, "z" * 64, "0" * 63, "a" * 5000])
def test_what_is_no_link(shared, token):
    reply = Console(shared).call("POST", "/console/session", {"link": token})
    assert reply.status in (400, 401), reply


def test_a_link_makes_the_account_once_and_keeps_its_role(shared):
    token = link(shared, "--account", "nora", "--role", "approver")
    place = Console(shared)
    place.sign_in(token=token)
    assert place.who() == ("nora", "approver")
    again = Console(shared)
    again.sign_in(token=link(shared, "--account", "nora"))
    assert again.who() == ("nora", "approver")
    other = shared.pqota("console", "--account", "nora", "--role", "admin", check=1)
    assert "as approver" in other.err and other.out == ""
    shared.pqota("account", "disable", "nora")
    assert "disabled" in shared.pqota("console", "--account", "nora", check=1).err


def test_a_link_of_an_account_that_is_gone(shared):
    token = link(shared, "--account", "gone", "--role", "viewer")
    shared.pqota("account", "remove", "gone", "--yes")
    Console(shared).sign_in(token=token, expect=401)
    token = link(shared, "--account", "off", "--role", "viewer")
    shared.pqota("account", "disable", "off")
    Console(shared).sign_in(token=token, expect=401)


def test_only_an_admin_makes_links(shared):
    for role in ("viewer", "approver", "operator"):
        assert signed_in(shared, role).call("POST", "/api/sign-in-links", {}).status == 403
    made = signed_in(shared).call(
        "POST", "/api/sign-in-links", {"account": "lin", "role": "viewer"}, expect=201
    )
    place = Console(shared)
    place.sign_in(token=made.json()["link"])
    assert place.who() == ("lin", "viewer") and made.headers["cache-control"] == "no-store"


def test_a_first_password_after_a_link(shared):
    place = Console(shared)
    place.sign_in(token=link(shared, "--account", "pia", "--role", "operator"))
    short = place.call("PUT", "/console/password", {"new": "too short"}, expect=400)
    assert "12" in short.json()["detail"]
    place.call("PUT", "/console/password", {"new": "pia's own password"}, expect=204)
    assert place.who() == ("pia", "operator")
    assert place.get("/console/session").json()["by_link"] is False
    # From now on the old one is asked for.
    place.call("PUT", "/console/password", {"new": "quite another one"}, expect=403)
    Console(shared).sign_in("pia", "pia's own password")
    place.call(
        "PUT", "/console/password", {"old": "pia's own passwore", "new": "quite another one"}, expect=403
    )
    place.call(
        "PUT", "/console/password", {"old": "pia's own password", "new": "quite another one"}, expect=204
    )
    Console(shared).sign_in("pia", "pia's own password", expect=401)
    Console(shared).sign_in("pia", "quite another one")


# --- by a password ---


def test_the_cookie(shared):
    password = account(shared, "cook", "viewer")
    place = Console(shared)
    reply = place.sign_in("cook", password)
    value, *rules = re.split(r"; *", reply.headers["set-cookie"])
    assert re.fullmatch(r"__Host-pqota=[0-9a-f]{64}", value)
    assert {r.lower() for r in rules} == {
        "path=/",
        "secure",
        "httponly",
        "samesite=strict",
        f"max-age={12 * 3600}",
    }
    said = reply.json()
    left = time.mktime(time.strptime(said["expires"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(
        time.gmtime()
    )
    assert abs(left - 12 * 3600) < LATER and said["by_link"] is False
    with database(shared) as db:  # what is stored opens nothing
        assert value.partition("=")[2] not in "\n".join(db.iterdump())
    assert value.partition("=")[2] not in shared.logs() and password not in shared.logs()


def test_each_sign_in_is_another_session(shared):
    """Nobody is given one beforehand."""
    password = account(shared, "twice", "viewer")
    place = Console(shared, cookie="__Host-pqota=" + "ab" * 32)
    assert place.who() is None
    first = place.sign_in("twice", password).headers["set-cookie"]
    second = place.sign_in("twice", password).headers["set-cookie"]
    assert first.split(";")[0] != second.split(";")[0] and "abab" not in first


def test_what_is_wrong_looks_the_same(shared):
    account(shared, "dis", "viewer")
    shared.pqota("account", "disable", "dis")
    told = set()
    for i, (name, password) in enumerate((("dis", "x" * 20), ("nobody", "x"), ("a b", "x"), ("", ""))):
        place = Console(shared)
        reply = place.call(
            "POST", "/console/session", {"name": name, "password": password}, "--interface", f"127.0.3.{i}"
        )
        assert reply.status in (400, 401), reply
        told.add((reply.status, reply.json()["detail"]))
        assert place.cookie is None
    assert len({t for t in told if t[0] == 401}) == 1 and len(told) <= 2, told


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "__Host-pqota",
        "__Host-pqota=",
        "__Host-pqota=xyz",
        "pqota={}",
        "__Host-pqota={}0",
        "__Host-pqota={} x",
        "a=b; __host-pqota={}",
        "__Host-pqota=" + "0" * 64,
        "__Host-pqota=\x01",
        "; " * 100,
    ],
)
def test_what_is_no_session(shared, admin, cookie):
    value = admin.cookie.partition("=")[2]
    place = Console(shared, cookie=cookie.format(value) or "x")
    assert place.call("GET", "/api/status").status in (400, 401)


def test_a_cookie_among_others(shared, admin):
    assert Console(shared, cookie=f"theme=dark; {admin.cookie}; b=c").who() == (admin.name, "admin")


# --- guessing ---


@pytest.fixture
def guessed(make_server):
    """A server and the password of its account vic."""
    server = make_server()
    server.password = account(server, "vic", "viewer")
    return server


def guess(server, address, name="vic", password="wrong wrong wrong", **kw):
    place = Console(server)
    body = {"name": name, "password": password} if "token" not in kw else {"link": kw["token"]}
    return place.call("POST", "/console/session", body, "--interface", address)


def test_guessing(guessed):
    assert [guess(guessed, "127.0.0.1").status for _ in range(10)] == [401] * 10
    limited = guess(guessed, "127.0.0.1", password=guessed.password)
    assert limited.status == 429 and 0 < int(limited.headers["retry-after"]) <= 60
    assert limited.headers["content-type"] == "application/problem+json"
    assert limited.headers["retry-after"] in limited.json()["detail"]
    assert guess(guessed, "127.0.0.1", name="other").status == 429  # the address waits, for all names
    assert guess(guessed, "127.0.0.2", password=guessed.password).status == 200

    # From elsewhere too, one account is guessed at so often and no more; the others are not concerned.
    account(guessed, "wim", "viewer")
    assert [guess(guessed, "127.0.0.2").status for _ in range(10)] == [401] * 10
    locked = guess(guessed, "127.0.0.3", password=guessed.password)
    assert locked.status == 429 and 60 < int(locked.headers["retry-after"]) <= 900
    assert guess(guessed, "127.0.0.3", name="wim").status == 401
    # An administrator's link is the way in, for its owner.
    way = guess(guessed, "127.0.0.3", token=link(guessed, "--account", "vic"))
    assert way.status == 200 and way.json()["name"] == "vic"
    assert "too many failed logins to one account" in guessed.logs()
    assert 'result="limited"' in guessed.curl("/metrics").body.decode()


def test_a_link_gets_in_from_where_others_guess(guessed):
    """Somebody behind the same router; a link cannot be guessed."""
    assert [guess(guessed, "127.0.0.1").status for _ in range(10)] == [401] * 10
    assert guess(guessed, "127.0.0.1").status == 429
    assert guess(guessed, "127.0.0.1", token=link(guessed)).status == 200
    assert guess(guessed, "127.0.0.1", token="00" * 32).status == 429


def test_wrong_links_are_counted(guessed):
    assert [guess(guessed, "127.0.0.1", token=f"{i:064x}").status for i in range(10)] == [401] * 10
    assert guess(guessed, "127.0.0.1", token="ff" * 32).status == 429


def test_an_old_password_is_not_guessed_either(guessed):
    place = Console(guessed)
    place.sign_in("vic", guessed.password)
    body = {"old": "wrong wrong wrong", "new": "another password"}
    assert [place.call("PUT", "/console/password", body).status for _ in range(10)] == [403] * 10
    assert place.call("PUT", "/console/password", body).status == 429
    assert place.who() == ("vic", "viewer")


# --- the end of a session ---


def remove(server, name):
    server.pqota("account", "remove", name, "--yes")


def new_role(server, name):
    server.pqota("account", "role", name, "operator")


def new_password(server, name):
    server.pqota("account", "password", name)


def disable(server, name):
    server.pqota("account", "disable", name)
    server.pqota("account", "enable", name)  # and it does not come back


@pytest.mark.parametrize("change", [remove, new_role, new_password, disable])
def test_a_change_to_the_account_ends_it_at_once(shared, change):
    place = signed_in(shared, "viewer")
    with Stream(place, "/api/status") as stream:
        assert stream.update()["status"] == 200
        change(shared, place.name)
        assert place.get("/api/status", expect=401).json()["detail"].startswith("sign in first")
        assert stream.end() == "signed-out"
    assert place.who() is None


def test_signing_out(shared):
    here = signed_in(shared, "viewer")
    there = Console(shared)
    there.sign_in(here.name, here.password)
    was = here.cookie
    reply = here.call("DELETE", "/console/session", expect=204)
    assert (
        reply.headers["set-cookie"].startswith("__Host-pqota=;")
        and "Max-Age=0" in reply.headers["set-cookie"]
    )
    assert Console(shared, cookie=was).who() is None
    here.call("DELETE", "/console/session", expect=401)
    assert there.who() == (here.name, "viewer")
    here.sign_in(here.name, here.password)
    there.call("DELETE", "/console/sessions", expect=204)
    assert here.who() is None and there.who() is None


def test_a_password_of_ones_own_ends_the_others(shared):
    here = signed_in(shared, "viewer")
    there = Console(shared)
    there.sign_in(here.name, here.password)
    here.call("PUT", "/console/password", {"old": here.password, "new": "a new password"}, expect=204)
    assert here.who() == (here.name, "viewer") and there.who() is None


def test_time_ends_links_and_sessions(make_server):
    server = make_server({"console.session_hours": 1})
    unused = link(server, "--account", "tim", "--role", "viewer")
    place = Console(server)
    place.sign_in(token=link(server))
    env = dict(server.env)

    def restart(minutes):
        server.stop()
        server.env = {
            **env,
            "LD_PRELOAD": FAKE,
            "FAKETIME": f"+{minutes}m",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "ASAN_OPTIONS": env["ASAN_OPTIONS"] + ":verify_asan_link_order=0",
        }
        server.start()

    restart(14)
    assert place.who() == ("admin", "admin")  # it outlasts the server
    restart(16)
    Console(server).sign_in(token=unused, expect=401)
    restart(59)
    assert place.who() == ("admin", "admin")
    restart(61)
    assert place.who() is None
    place.get("/api/status", expect=401)
    place.sign_in(token=link(server))
    with database(server) as db:  # what is over goes
        assert db.execute("SELECT count(*) FROM session").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM sign_in_link").fetchone() == (0,)


def test_a_stream_ends_when_the_session_runs_out(shared):
    place = signed_in(shared, "viewer")
    with Stream(place, "/api/status") as stream:
        stream.update()
        with database(shared) as db:
            db.execute(
                "UPDATE session SET expires_at = 1 WHERE account = (SELECT pk FROM account WHERE name = ?)",
                (place.name,),
            )
            db.commit()
        assert stream.end() == "signed-out"


# --- other sites ---


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("POST", "/api/tokens", {"model": "m"}),
        ("PUT", "/api/devices/x/tags/y", None),
        ("DELETE", "/console/sessions", None),
        ("PUT", "/console/password", {"new": "quite another one"}),
        ("POST", "/console/session", {"name": "x", "password": "y"}),
        ("PUT", "/api/firmware/m/1/file.bin", None),
    ],
)
def test_a_page_of_another_site_changes_nothing(shared, admin, method, path, body):
    own = admin.url
    for origin in (
        None,
        "null",
        "https://evil.example",
        own + "0",
        own.replace("https", "http"),
        f"{own}.evil.example",
        "https://localhost",
        f"https://127.0.0.1:{shared.console_port}",
        f"{own}/",
        f" {own} x",
    ):
        reply = admin.call(method, path, body, origin=origin)
        assert reply.status == 403 and "another site" in reply.json()["detail"], (origin, reply)
    for site in ("cross-site", "same-site"):
        reply = admin.call(method, path, body, "-H", f"Sec-Fetch-Site: {site}")
        assert reply.status == 403, (site, reply)
    assert admin.who() == (admin.name, "admin")


def test_the_page_itself_does(shared, admin):
    for site in ("same-origin", "none"):
        reply = admin.call("POST", "/api/tokens", {"model": "m"}, "-H", f"Sec-Fetch-Site: {site}")
        assert reply.status == 201, reply
    by_address = Console(shared, cookie=admin.cookie, host="127.0.0.1")
    by_address.call("POST", "/api/tokens", {"model": "m"}, expect=201)


def test_a_form_cannot_sign_anybody_in(shared):
    """Forms cannot say JSON."""
    place = Console(shared)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        reply = place.call(
            "POST", "/console/session", None, "-H", f"Content-Type: {kind}", "-d", '{"name": "a"}'
        )
        assert reply.status == 415, reply


def test_sessions_are_there_after_a_kill(make_server):
    server = make_server()
    place = Console(server)
    place.sign_in(token=link(server))
    server.stop(signal.SIGKILL)
    server.start()
    wait_for(lambda: place.who() == ("admin", "admin"), what="the session goes on")
