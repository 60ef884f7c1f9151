"""What the console costs, and what it outlives: streams of much, guesses at once, restored databases."""

import concurrent.futures
import contextlib
import os
import signal
import socket
import sqlite3
import threading
import urllib.parse

from console import Console, Stream, account, link, signed_in, streams, tls
from fleet import fill
from harness import program, run

GUESSES = 24  # at once; ten may be tried
MANY = 8000  # devices
YEAR_MS = 365 * 86400 * 1000


def cpu_seconds(server):
    stat = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def at_once(times, what):
    with concurrent.futures.ThreadPoolExecutor(times) as pool:
        return sorted(reply.status for reply in pool.map(lambda _: what(), range(times)))


# --- streams ---


def fill_with_long_names(server):
    """Half a megabyte to look at."""
    server.stop()
    fill(server, 500, "--model", "m")
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "pqota.db")) as db:
        db.execute("UPDATE device SET name = ?", ("n" * 1000,))
        db.commit()
    server.start()


def test_more_than_one_part_holds(make_server):
    """Each of them is told, however much they are together."""
    server = make_server()
    fill_with_long_names(server)
    topics = [f"/api/devices?limit=500&after=a{n}" for n in range(16)]
    with Stream(signed_in(server), *topics) as stream:
        assert stream.status == 200
        told = [stream.update() for _ in topics]
    assert sorted(t["topic"] for t in told) == sorted(topics)
    assert all(len(t["body"]["items"]) == 500 for t in told)
    assert len(str(told)) > 4 << 20


def test_so_much_and_no_more(make_server):
    """What there is no memory for is told so, and told as it is once others have left."""
    server = make_server({"console.memory": "4M"})
    fill_with_long_names(server)
    place = signed_in(server)
    with Stream(place, *[f"/api/devices?limit=500&after=a{n}" for n in range(16)]) as greedy:
        told = {}
        while len(told) < 16:
            data = greedy.update()
            told[data["topic"]] = data
        full, none = ([t for t in told.values() if t["status"] == status] for status in (200, 503))
        assert len(full) + len(none) == 16 and len(full) >= 3, [t["status"] for t in told.values()]
        assert sum(len(str(t)) for t in full) <= 4 << 20
        assert none and all("[console] memory" in t["body"]["detail"] for t in none)
        late = "/api/devices?limit=500&after=b"
        with Stream(place, "/api/status", late) as other:
            assert other.update("/api/status")["status"] == 200
            assert other.update(late)["status"] == 503
            greedy.close()
            assert len(other.update(late)["body"]["items"]) == 500


def test_who_asks_for_much_leaves_time_for_others(make_server):
    """Hundreds of filters, each over many devices, while the data change: more than one turn has time for."""
    server = make_server()
    server.stop()
    fill(server, MANY, "--model", "m")
    server.start()
    greedy, other = signed_in(server, "viewer"), signed_in(server, "viewer")
    over = threading.Event()

    def costly(n):
        wanted = ",".join(f"id==*{n}x{k}*y" for k in range(45))
        return f"/api/devices?limit=1&filter={urllib.parse.quote(wanted, safe='=*,')}"

    def change():
        n = 0
        while not over.wait(0.2):
            server.api(("PUT", "DELETE")[n % 2], "/api/devices/fleet-0000001/tags/t", expect=204)
            n += 1

    with concurrent.futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as held:
        held.callback(over.set)
        changes = pool.submit(change)
        for k in range(8):
            held.enter_context(Stream(greedy, *[costly(100 * k + n) for n in range(12)]))
        for n in (1, 2):
            with Stream(other, f"/api/status?n={n}", timeout=30) as stream:
                assert stream.update()["body"]["devices"]["total"] == MANY
        over.set()
        changes.result()


def test_one_account_leaves_streams_for_others(make_server):
    server = make_server({"console.streams": 16})
    greedy, other = signed_in(server, "viewer"), signed_in(server, "viewer")
    with contextlib.ExitStack() as held:
        for _ in range(8):
            assert held.enter_context(Stream(greedy, "/api/status")).status == 200
        refused = held.enter_context(Stream(greedy, "/api/status"))
        assert refused.status == 429 and greedy.name in refused.problem()["detail"]
        assert held.enter_context(Stream(other, "/api/status")).status == 200


def test_who_asks_for_the_head_alone_holds_no_stream(shared):
    place = signed_in(shared, "viewer")
    with socket.create_connection(("127.0.0.1", shared.console_port), timeout=5) as plain:
        with tls(shared).wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(
                b"HEAD /console/live?topic=/api/status HTTP/1.1\r\nHost: localhost\r\n"
                + f"Cookie: {place.cookie}\r\n\r\n".encode()
            )
            got = b"".join(iter(lambda: secure.recv(65536), b""))  # to its end, which comes at once
    assert got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"\r\n\r\n") and got.count(b"\r\n\r\n") == 1
    assert b"text/event-stream" in got and b"Content-Length" not in got
    assert streams(shared) == 0


def test_streams_that_come_and_go_while_it_stops(make_server):
    """Opened, left, reset and not read, up to the last moment: it ends, and nothing is left behind."""
    server = make_server({"limits.write_seconds": 2})
    place = signed_in(server)
    stopping = False

    def churn(n):
        while not stopping:
            with contextlib.suppress(OSError, AssertionError, ValueError):
                with Stream(place, "/api/status", "/api/devices?limit=100", timeout=5) as stream:
                    if n % 3:
                        stream.update()
                    if n % 2:
                        reset = b"\x01\0\0\0\0\0\0\0"
                        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for n in range(6):
            pool.submit(churn, n)
        for n in range(40):
            server.api("POST", "/api/tokens", {"model": "busy"}, expect=201)
            if n % 8 == 0:
                server.reload()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        stopping = True
    assert server.stop() == 0


# --- passwords ---


def test_guesses_at_an_old_password_at_once(make_server):
    """What queued before the first was found wrong is not tried beyond the limit either."""
    server = make_server()
    place = signed_in(server, "viewer")
    body = {"old": "wrong wrong wrong", "new": "another password"}
    answers = at_once(GUESSES, lambda: place.call("PUT", "/console/password", body))
    assert answers == [403] * 10 + [429] * (GUESSES - 10)


def test_what_is_refused_anyway_is_not_hashed(shared):
    place = signed_in(shared, "viewer")
    place.who()
    before = cpu_seconds(shared)
    for _ in range(10):
        reply = place.call("PUT", "/console/password", {"new": "another password"}, expect=403)
        assert "old password" in reply.json()["detail"]
    assert cpu_seconds(shared) - before < 1  # a hash takes a fifth of a second


# --- what ends ---


def test_a_link_ends_with_a_change_to_its_account(shared):
    account(shared, "leo", "viewer")
    for change in (["password", "leo"], ["role", "leo", "operator"], ["disable", "leo"]):
        token = link(shared, "--account", "leo")
        shared.pqota("account", *change)
        if change[0] == "disable":
            shared.pqota("account", "enable", "leo")
        Console(shared).sign_in(token=token, expect=401)
    Console(shared).sign_in(token=link(shared, "--account", "leo"))


def test_one_link_at_once_gets_one_in(make_server):
    server = make_server()
    body = {"link": link(server)}
    answers = at_once(8, lambda: Console(server).call("POST", "/console/session", body))
    assert answers == [200] + [401] * 7


def test_who_just_signed_in_stays_where_the_clock_went_back(shared):
    """As many sessions as an account may have, all of them newer by the clock: an old one goes, not this."""
    place = signed_in(shared, "viewer")
    with contextlib.closing(sqlite3.connect(shared.dir / "data" / "pqota.db")) as db:
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
            " INSERT INTO session SELECT printf('%064x', i), account, account_changed, 0,"
            " created_at + 1800000 + i, expires_at, address FROM n, session"
            " WHERE account = (SELECT pk FROM account WHERE name = ?)",
            (place.name,),
        )
        db.commit()
    place.sign_in(place.name, place.password)
    assert place.who() == (place.name, "viewer")
    with contextlib.closing(sqlite3.connect(shared.dir / "data" / "pqota.db")) as db:
        many = "SELECT count(*) FROM session s JOIN account a ON a.pk = s.account WHERE a.name = ?"
        assert db.execute(many, (place.name,)).fetchone() == (32,)


def test_what_was_made_by_a_wrong_clock_does_not_last_until_then(shared):
    """The clock was years ahead, and was set right."""
    place, token = signed_in(shared, "viewer"), link(shared, "--account", "ann", "--role", "viewer")
    with contextlib.closing(sqlite3.connect(shared.dir / "data" / "pqota.db")) as db:
        for table in ("session", "sign_in_link"):
            db.execute(
                f"UPDATE {table} SET created_at = created_at + ?1, expires_at = expires_at + ?1", (YEAR_MS,)
            )
        db.commit()
    assert place.who() is None
    Console(shared).sign_in(token=token, expect=401)
    place.sign_in(place.name, place.password)
    assert place.who() == (place.name, "viewer")
    with contextlib.closing(sqlite3.connect(shared.dir / "data" / "pqota.db")) as db:
        assert db.execute("SELECT count(*) FROM session").fetchone() == (1,)


def test_a_restored_database_signs_nobody_in(make_server, tmp_path):
    """Who signed out since the backup was made, or used a link, did so for good."""
    server = make_server()
    place, token = signed_in(server), link(server, "--account", "eve", "--role", "viewer")
    run([program("pqota", server.build), "backup", "-c", server.conf, tmp_path / "backup"], check=0)
    cookie = place.cookie
    place.call("DELETE", "/console/session", expect=204)
    Console(server).sign_in(token=token)
    run([program("pqota", server.build), "restore", tmp_path / "backup", "-c", server.conf], check=0)
    names = [a["name"] for a in server.api("GET", "/api/accounts").json()["items"]]
    assert place.name in names and "eve" in names
    assert Console(server, cookie=cookie).who() is None
    Console(server).sign_in(token=token, expect=401)
