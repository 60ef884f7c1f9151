"""What open consoles cost the devices: the same load with none and with 50 of them, in turns.

Each console is signed in and keeps the fleet's view up to date by its stream; twice a second something in the
fleet changes, with and without them.
"""

import contextlib
import http.client
import json
import socket
import ssl
import statistics
import threading

import measure
from configs import Bench
from rows import ROWS

WANTED = ("full-mutual", "resumed-mutual", "keep-mutual", "handshake-mutual")
TOPICS = "topic=/api/status&topic=/api/fleet/history%3Fhours%3D168&topic=/api/failures"
CONSOLES = 50
SPREAD = 0.25  # rounds whose ratios differ by more tell nothing


class Console:
    """Somebody's browser with the fleet's view open."""

    def __init__(self, server, context, cookie):
        self.updates = 0
        self.connection = http.client.HTTPSConnection("localhost", server.console_port, context=context)
        self.connection.request("GET", f"/console/live?{TOPICS}", headers={"Cookie": cookie})
        self.socket = self.connection.sock  # the answer takes it over, since it ends with the connection
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError, ValueError):
            while line := self.answer.readline():
                self.updates += line.startswith(b"event: update")

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # or the reading thread would keep the answer locked
        self.thread.join()
        self.answer.close()


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


def chosen():
    return [row for row in ROWS if row.name in WANTED]


def turn(bench, given, count, context, cookie):
    """One measurement of each row with so many consoles: {row: (its figure, the server's microseconds)}."""
    consoles = [Console(bench.pqota.server, context, cookie) for _ in range(count)]
    found = {}
    try:
        for row in chosen():
            figures, _ = measure.load(bench.configs["pqota"], row, bench.material, given.seconds)
            found[row.name] = (figures[row.figure], figures["server_cpu_us"])
    finally:
        for console in consoles:
            console.close()
    silent = [c for c in consoles if c.updates < 3]
    if silent:
        raise measure.Failed(f"{len(silent)} of {count} consoles were not kept up to date")
    return found


def run(given):
    """{row: {"without": [(figure, microseconds), ...], "with": [...]}}, one each round."""
    bench = Bench(given.place / "consoles", ["pqota"], 1)
    try:
        server = bench.pqota.server
        context = ssl.create_default_context(cafile=server.dir / "pki" / "console-ca.pem")
        cookie = sign_in(server, context)
        changes = Changes(server)
        found = {row.name: {"without": [], "with": []} for row in chosen()}
        for n in range(given.rounds):
            for kind in ("without", "with") if n % 2 == 0 else ("with", "without"):
                count = CONSOLES if kind == "with" else 0
                for name, figures in turn(bench, given, count, context, cookie).items():
                    found[name][kind].append(figures)
        changes.stop()
        return found
    finally:
        bench.stop()


def compared(figures, which, less_is_better):
    """Medians without and with the consoles; round by round, how many times as good with them."""
    without, watched = ([f[which] for f in figures[kind]] for kind in ("without", "with"))
    ratios = [o / w if less_is_better else w / o for w, o in zip(watched, without)]
    noisy = " ~" if max(ratios) - min(ratios) > SPREAD else ""
    factor = f"×{statistics.median(ratios):.2f}{noisy}"
    return statistics.median(without), statistics.median(watched), factor


def markdown(found):
    head = f"| | no console | {CONSOLES} consoles | | the server's time for one | |"
    lines = [head, "|---|---|---|---|---|---|"]
    for row in chosen():
        unit = " ms" if row.figure == "p50_ms" else "/s"
        without, watched, factor = compared(found[row.name], 0, row.figure == "p50_ms")
        cpu, cpu_watched, cpu_factor = compared(found[row.name], 1, True)
        lines.append(
            f"| {row.name} | {without:.4g}{unit} | {watched:.4g}{unit} | {factor}"
            f" | {cpu:.4g} µs, {cpu_watched:.4g} µs | {cpu_factor} |"
        )
    return "\n".join(lines)
