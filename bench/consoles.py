#!/usr/bin/env python3
"""What open consoles cost the devices: the same load with none and with 50 of them, in turns.

    bench/consoles.py                                   50 consoles, 5 rounds of 3 seconds
    bench/consoles.py --consoles 10 --rounds 1 --seconds 0.5

Each console is signed in and keeps the fleet's view up to date by its stream; twice a second something in the
fleet changes, with and without them. Prints a table as Markdown and writes build/bench/consoles.json.
Exit code 0: measured; 1: something went wrong on the way.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import ssl
import statistics
import sys
import tempfile
import threading

import configs
import measure
import parts
from parts import harness
from rows import ROWS

PLACE = harness.TREE / "build" / "bench"
WANTED = ("full-mutual", "resumed-mutual", "keep-mutual", "handshake-mutual")
TOPICS = "topic=/api/status&topic=/api/fleet/history%3Fhours%3D168&topic=/api/failures"


class Console:
    """Somebody's browser with the fleet's view open."""

    def __init__(self, server, context, cookie):
        self.updates = 0
        self.connection = http.client.HTTPSConnection("localhost", server.console_port, context=context)
        self.connection.request("GET", f"/console/live?{TOPICS}", headers={"Cookie": cookie})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError, ValueError):
            while line := self.answer.readline():
                self.updates += line.startswith(b"event: update")

    def close(self):
        self.connection.sock and self.connection.sock.close()
        self.answer.close()
        self.connection.close()


class Changes:
    """Twice a second the fleet is another."""

    def __init__(self, server):
        self.server, self.done = server, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        n = 0
        while not self.done.wait(0.5):
            n += 1
            self.server.api("PUT", f"/api/devices/bench-1/tags/t{n % 2}", expect=204)
            self.server.api("DELETE", f"/api/devices/bench-1/tags/t{n % 2}", expect=204)

    def stop(self):
        self.done.set()
        self.thread.join()


def sign_in(server, context):
    """The cookie of a session that began by a link."""
    link = json.loads(server.pqota("console", "--json").out)["link"]
    connection = http.client.HTTPSConnection("localhost", server.console_port, context=context)
    connection.request(
        "POST",
        "/console/session",
        json.dumps({"link": link}),
        {"Content-Type": "application/json", "Origin": server.console_url},
    )
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    connection.close()
    return cookie


def options(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    return parser.parse_args(argv)


def run(given, folder):
    """{row: {"without": [...], "with": [...]}}, and how many updates each console had."""
    os.sched_setaffinity(0, {int(parts.LOAD_CORE)})
    bench = configs.Bench(folder, ["pqota"], 1)
    try:
        server, config = bench.pqota.server, bench.configs["pqota"]
        context = ssl.create_default_context(cafile=server.dir / "pki" / "console-ca.pem")
        cookie = sign_in(server, context)
        changes = Changes(server)
        found = {row: {"without": [], "with": []} for row in WANTED}
        updates = []
        for turn in range(2 * given.rounds):
            watched = (turn + turn // 2) % 2 == 1  # without, with, with, without, ...
            count = given.consoles if watched else 0
            consoles = [Console(server, context, cookie) for _ in range(count)]
            for row in (r for r in ROWS if r.name in WANTED):
                figures, _ = measure.load(config, row, bench.material, given.seconds)
                found[row.name]["with" if watched else "without"].append(figures[row.figure])
            updates += [c.updates for c in consoles]
            for console in consoles:
                console.close()
        changes.stop()
        return found, updates
    finally:
        bench.stop()


def markdown(given, found):
    lines = [f"| | no console | {given.consoles} consoles | |", "|---|---|---|---|"]
    for row in (r for r in ROWS if r.name in WANTED):
        without, watched = (statistics.median(found[row.name][k]) for k in ("without", "with"))
        unit = " ms" if row.figure == "p50_ms" else "/s"
        title = row.title if row.title != "The same, mutual" else f"{row.name.partition('-')[0]}, mutual"
        lines.append(f"| {title} | {without:.4g}{unit} | {watched:.4g}{unit} | ×{watched / without:.2f} |")
    return "\n".join(lines)


def main(argv=None):
    given = options(argv)
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="consoles-", dir=PLACE) as folder:
        found, updates = run(given, pathlib.Path(folder) / "run")
    if not updates or min(updates) < 3:
        print("consoles.py: a console was not kept up to date", file=sys.stderr)
        return 1
    (PLACE / "consoles.json").write_text(json.dumps({"rows": found, "updates": updates}, indent=1) + "\n")
    print(markdown(given, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
