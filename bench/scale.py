#!/usr/bin/env python3
"""A large fleet on one small server: what it costs to create, poll, advance and cancel a deployment.

    bench/scale.py                              1 000 000 registered devices, 10 000 of them live
    bench/scale.py --devices 100000 --live 2000 --seconds 30

Fills a server's database (fleet_rows.py), deploys to all in three phases, lets pqfleet act as the live ones,
and cancels. Prints a table as Markdown and writes build/bench/scale.json. docs/scale.md says what it means.
Exit code 0: measured; 1: something went wrong on the way.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lib"))

import harness  # noqa: E402
from fleet import Fleet, fill  # noqa: E402

PLACE = harness.TREE / "build" / "bench"
PHASES = [
    {"name": "canary", "count": 100, "success_percent": 50, "error_percent": 50},
    {"name": "tenth", "percent": 10, "success_percent": 90, "error_percent": 50},
    {"name": "rest"},
]
WAIT = 600  # seconds for anything


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=1000000)
    parser.add_argument("--live", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=60, help="that the live ones are polling")
    parser.add_argument("--interval", type=float, default=10, help="between two polls of a device")
    return parser.parse_args()


def timed(fn):
    began = time.monotonic()
    value = fn()
    return value, time.monotonic() - began


class Scale:
    def __init__(self, server, given, folder):
        self.server, self.given, self.folder = server, given, folder
        self.found = {"devices": given.devices, "live": given.live}

    def shown(self):
        return self.server.api("GET", f"/api/deployments/{self.deployment}", expect=200).json()

    def question(self, what):
        """How long curl takes for GET /api/status, of which the connection is the most: the median of 15."""
        times = [timed(lambda: self.server.api("GET", "/api/status", expect=200))[1] for _ in range(15)]
        self.found[what] = round(1000 * statistics.median(times), 1)

    def fill(self):
        self.server.stop()
        live = min(self.given.live, self.given.devices)
        args = ["--model", "fleet", "--version", "1.0", "--certificates", live, "--tag", "beta:10"]
        rows, seconds = timed(lambda: fill(self.server, self.given.devices, *args))
        self.issuer = rows["issuer"]
        self.found["fill_s"] = round(seconds, 1)
        self.found["database_mib"] = (self.server.dir / "data" / "pqota.db").stat().st_size >> 20
        self.server.start()

    def deploy(self):
        body = {
            "name": "fleet",
            "version": "2.0",
            "target": {"kind": "filter", "value": "model==fleet"},
            "dynamic": False,
            "phases": PHASES,
        }
        self.question("status_idle_ms")
        began = time.monotonic()
        made, seconds = timed(lambda: self.server.api("POST", "/api/deployments", body, expect=201).json())
        self.deployment = made["id"]
        self.found["create_ms"] = round(1000 * seconds)
        self.question("status_preparing_ms")
        harness.wait_for(lambda: self.shown()["prepared"], WAIT, "all devices are in their phases")
        self.found["prepared_s"] = round(time.monotonic() - began, 1)

    def live(self):
        fleet = Fleet(
            self.server,
            self.folder,
            *["--protocol", "native", "--issuer", self.issuer, "-n", self.given.live, "--stay"],
            *["--interval", self.given.interval, "--install", 1, "--connections", 9500],
            *["--fail", 0.05, "--vanish", 0.01, "--hang", 0.01, "--fall-back", 0.01],
            *["--seconds", self.given.seconds],
            build=harness.RELEASE,
        ).start()
        result = fleet.wait(self.given.seconds + 60)
        self.found["polls"], self.found["polls_per_second"] = result["polls"], round(
            result["polls_per_second"]
        )
        for percentile in ("p50_ms", "p99_ms"):
            self.found["poll_" + percentile] = round(result["poll"][percentile], 2)
        self.found["errors"] = result["errors"]["count"]
        self.found["ended"] = sum(result["outcomes"][k] for k in ("success", "failure", "fell-back"))
        self.found["phase"] = self.shown()["phase"]
        self.found["wrong"] = self.compare(fleet)

    def compare(self, fleet):
        """How many devices stand elsewhere than what they did says."""
        states = {"success": "succeeded", "failure": "failed", "fell-back": "failed"}
        told = {f.device: states[f.outcome] for f in fleet.fates() if f.outcome in states}
        stored, after = {}, 0
        while after is not None:
            page = self.server.api(
                "GET", f"/api/deployments/{self.deployment}/actions?limit=500&after={after}", expect=200
            ).json()
            stored.update({row["device"]: row["state"] for row in page["items"]})
            after = page["next"]
        return sum(stored.get(device) != state for device, state in told.items())

    def cancel(self):
        began = time.monotonic()
        path = f"/api/deployments/{self.deployment}/cancel"
        _, seconds = timed(lambda: self.server.api("POST", path, expect=200))
        self.found["cancel_ms"] = round(1000 * seconds)
        harness.wait_for(lambda: self.shown()["devices"]["waiting"] == 0, WAIT, "all are told")
        self.found["cancelled_s"] = round(time.monotonic() - began, 1)
        self.found["server_peak_mib"] = self.server.peak_kib() // 1024


def markdown(found):
    rows = (
        ("registered devices, live ones", f"{found['devices']:,} / {found['live']:,}".replace(",", " ")),
        ("the database, filled", f"{found['database_mib']} MiB, in {found['fill_s']} s"),
        ("`POST /api/deployments` to all, three phases", f"{found['create_ms']} ms"),
        ("all devices put into their phases after", f"{found['prepared_s']} s"),
        (
            "`GET /api/status` with curl: idle, while they are put",
            f"{found['status_idle_ms']} ms, {found['status_preparing_ms']} ms",
        ),
        ("polls of the live ones", f"{found['polls']}, {found['polls_per_second']}/s"),
        ("a poll, median and 99th percentile", f"{found['poll_p50_ms']} ms, {found['poll_p99_ms']} ms"),
        ("updates that ended; phase reached", f"{found['ended']}; {found['phase']}"),
        ("devices that stand elsewhere than they should", str(found["wrong"])),
        (
            "cancelling: answered after, all told after",
            f"{found['cancel_ms']} ms, {found['cancelled_s']} s",
        ),
        ("the server's memory at most", f"{found['server_peak_mib']} MiB"),
    )
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def main():
    given = options()
    PLACE.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="scale-", dir=PLACE))
    server = harness.Server(folder / "server", {"unix.proxy": "yes"}, build=harness.RELEASE)
    try:
        server.start()
        server.publish("fleet", "1.0", os.urandom(5000), model="fleet")
        server.publish("fleet", "2.0", os.urandom(5000), model="fleet")
        scale = Scale(server, given, folder)
        for step in (scale.fill, scale.deploy, scale.live, scale.cancel):
            print(step.__name__, file=sys.stderr, flush=True)
            step()
        (PLACE / "scale.json").write_text(json.dumps(scale.found, indent=1) + "\n")
        print(markdown(scale.found))
        return 0 if scale.found["wrong"] == 0 else 1
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
