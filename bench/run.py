#!/usr/bin/env python3
"""`make bench`: pqota beside nginx and Flask on the machine at hand, in one run.

    bench/run.py                     everything: about eleven minutes
    bench/run.py --quick             shorter measurements of everything
    bench/run.py --rows full,keep --configs pqota,nginx
    bench/run.py --rows trust        signed update metadata alone: about twenty seconds
    bench/run.py --rows consoles     pqota with and without 50 consoles open: about half a minute
    bench/run.py --rows storm        likewise the other rows that are no part of the table
    bench/run.py --readme            prints the last run's table as Markdown
    BENCH_OPTIONS=--quick make bench the same options

Writes build/bench/bench.json (an object for each configuration and row), machine.json (where and how it was
measured, and what is doubtful), bench.svg, trust.json (signed update metadata), and for each other row that
is no part of the table a file of its name, such as storm.json.
docs/bench.md says how to read it.
Exit code 0: measured; 1: something could not be measured; 2: wrong usage.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import chart  # noqa: E402
import consoles  # noqa: E402
import downloads  # noqa: E402
import idle_many  # noqa: E402
import measure  # noqa: E402
import priority  # noqa: E402
import report  # noqa: E402
import reports  # noqa: E402
import scaling  # noqa: E402
import sessions  # noqa: E402
import storm  # noqa: E402
import table as tables  # noqa: E402
import trust  # noqa: E402
from configs import Bench  # noqa: E402
from parts import LOAD_CORE, SERVER_CORE, TREE  # noqa: E402
from rows import ROWS  # noqa: E402

PLACE = TREE / "build" / "bench"
SECONDS, QUICK_SECONDS = 1.2, 0.5
FIRMWARE_MIB = 64
STORE = 100000  # devices, for the rows that poll
TRUST = "trust"  # a row beside those of ROWS: no server takes part
OTHERS = {  # each with rounds and a table of its own
    "consoles": consoles,
    "reports": reports,
    "storm": storm,
    "idle-15000": idle_many,
    "downloads-1000": downloads,
    "scaling": scaling,
    "sessions": sessions,
}


class Given(argparse.Namespace):
    """What the command line says."""

    def part(self, count):
        """Of so many devices or connections, as many as --share says."""
        return max(1, round(count * self.share))

    def lasting(self, seconds):
        """A measurement that takes so long, unless --seconds says otherwise of all."""
        return seconds * self.seconds / SECONDS


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [r.name for r in ROWS] + [*OTHERS, TRUST]
    parser.add_argument("--rows", type=lambda t: t.split(","), help="a part of: " + ",".join(names))
    parser.add_argument(
        "--configs", type=lambda t: t.split(","), help="a part of: " + ",".join(Bench.NAMES)
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each measurement")
    parser.add_argument("--quick", action="store_true", help=f"the same as --seconds {QUICK_SECONDS}")
    parser.add_argument("--idle", type=int, help="connections of the idle rows")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the devices and connections of rows with very many (1)"
    )
    parser.add_argument("--place", type=pathlib.Path, default=PLACE, help="where the results go")
    parser.add_argument("--readme", action="store_true", help="only print the last run's table as Markdown")
    given = parser.parse_args(namespace=Given())
    given.place = given.place.resolve()
    known = {"rows": names, "configs": list(Bench.NAMES)}
    for what, names in known.items():
        for name in getattr(given, what) or []:
            if name not in names:
                parser.error(f"--{what}: there is no {name}; there are {', '.join(names)}")
    if given.rounds < 1 or given.seconds < 0.05:
        parser.error("--rounds and --seconds must be more")
    if not 0 < given.share <= 1:
        parser.error("--share is more than 0 and at most 1")
    if given.quick:
        given.seconds = QUICK_SECONDS
    return given


def say(text):
    print(text, file=sys.stderr, flush=True)


def output(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    return (done.stdout + done.stderr).strip()


def machine(given):
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    openssl = " ".join(output(["openssl", "version"]).split()[:2])
    nginx = output(["nginx", "-v"]).rpartition("/")[2]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{os.cpu_count()} × {cpu[1] if cpu else platform.machine()}, Linux {platform.release()}",
        "versions": f"{system[1] if system else 'Linux'}, {openssl}, nginx {nginx}",
        "rounds": given.rounds,
        "seconds": given.seconds,
        "connections_idle": given.idle,
        "settings": "one core for the server, one for the load; X25519MLKEM768, ML-DSA-65, "
        "TLS_AES_256_GCM_SHA384; nginx: worker_processes 1, access_log off, keepalive_requests 100000",
    }


def rate_for(row, table, bench, given):
    """Half of what nginx can do in full handshakes, from this run's row or from a short look."""
    if not row.rate_of:
        return None
    base = next(r for r in ROWS if r.name == row.rate_of)
    reached = [v for name in tables.NGINX for v in table.of(base, name, "per_second") if v]
    if not reached and "nginx" in bench.configs:
        figures, _ = measure.load(bench.configs["nginx"], base, bench.material, given.seconds)
        reached = [figures["per_second"]]
    return tables.median(reached) / 2 if reached else 100.0


def measure_row(row, bench, table, given):
    """The configurations in turn, round by round, so that the machine's drift meets all of them.

    Answers the rate that was asked for, None when it was as much as there could be.
    """
    names = [n for n, c in bench.configs.items() if row.kind in c.paths]
    if row.kind in ("poll", "poll-ddi"):
        bench.give_fleet(given.part(STORE))
    rate = rate_for(row, table, bench, given)
    for i in range(given.rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if (row.name, name) in table.failed:
                table.add(row, name, None, {})
                continue
            try:
                table.add(
                    row, name, *measure.load(bench.configs[name], row, bench.material, given.seconds, rate)
                )
            except measure.Failed as error:
                table.fail(row, name, str(error))
    return rate


def calibration(values):
    return {"hashes_per_second": [round(v) for v in values], "spread": round(tables.spread(values) or 0, 3)}


def run(given, rows):
    table, speeds = tables.Table(), [measure.calibrate()]
    names = given.configs or list(Bench.NAMES)
    begin = time.monotonic()
    bench, rates = Bench(given.place / "work", names, FIRMWARE_MIB), {}
    try:
        for row in rows:
            say(f"bench: {time.monotonic() - begin:4.0f} s  {row.name}")
            rates[row.name] = measure_row(row, bench, table, given)
            speeds.append(measure.calibrate())
    finally:
        bench.stop()
    head = machine(given) | {"calibration": calibration(speeds)}
    done = [name for name in names if name in bench.configs]
    lines = {(r.name, n): table.line(r, n) for r in rows for n in done if (r.name, n) in table.found}
    doubts = {key: table.doubts(next(r for r in rows if r.name == key[0]), key[1]) for key in lines}
    head["doubts"] = [{"row": r, "config": c, "doubts": d} for (r, c), d in doubts.items() if d]
    head["rates"] = {name: rate for name, rate in rates.items() if rate is not None}
    save(given.place, rows, done, lines, head)
    print(head["machine"], head["versions"], head["settings"], sep="\n")
    print(report.text(rows, done, lines, doubts))
    print(
        f"\nThe machine: the same work on the servers' core took between rows up to "
        f"{head['calibration']['spread']:.0%} more or less time."
    )
    print(f"{given.place / 'bench.json'}, machine.json, bench.svg; {time.monotonic() - begin:.0f} s")
    return 1 if table.failed else 0


def run_trust(given):
    """The row that needs no server."""
    say("bench: trust")
    try:
        found = trust.run(given.rounds, given.quick)
    except measure.Failed as error:
        say(f"bench: trust: {error}")
        return 1
    found |= {"machine": machine(given), "doubts": trust.doubts(found)}
    (given.place / "trust.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(trust.text(found))
    print(f"\n{given.place / 'trust.json'}")
    return 0


def run_other(given, name):
    """A row that is no part of the table."""
    say(f"bench: {name}")
    begin, kind = time.monotonic(), OTHERS[name]
    try:
        found = kind.run(given)
    except (measure.Failed, AssertionError) as error:
        say(f"bench: {name}: {error}")
        return 1
    file = given.place / f"{name}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{name}\n{kind.markdown(found)}\n\n{file}; {time.monotonic() - begin:.0f} s", flush=True)
    return 0


def save(place, rows, names, lines, head):
    (place / "bench.json").write_text(json.dumps(list(lines.values()), indent=1) + "\n")
    (place / "machine.json").write_text(json.dumps(head, indent=1, ensure_ascii=False) + "\n")
    (place / "bench.svg").write_text(chart.svg(rows, names, lines, head))


def print_markdown(given, rows):
    """Of what was measured last, servers and metadata."""
    printed = []
    if rows and (given.place / "bench.json").exists():
        printed.append(servers_markdown(given, rows))
    for name, kind in OTHERS.items():
        if wants(given, name) and (given.place / f"{name}.json").exists():
            printed.append(kind.markdown(json.loads((given.place / f"{name}.json").read_text())))
    if wants(given, TRUST) and (given.place / "trust.json").exists():
        printed.append(trust.markdown(json.loads((given.place / "trust.json").read_text())))
    if not printed:
        say(f"bench: there is nothing in {given.place}; run make bench first")
        return 1
    print("\n\n".join(printed))
    return 0


def servers_markdown(given, rows):
    lines = json.loads((given.place / "bench.json").read_text())
    head = json.loads((given.place / "machine.json").read_text())
    doubts = {(d["row"], d["config"]): d["doubts"] for d in head["doubts"]}
    by_key = {(line["row"], line["config"]): line for line in lines}
    shown = [r for r in rows if any(k[0] == r.name for k in by_key)]
    return report.markdown(shown, Bench.NAMES, by_key, doubts, head)


def wants(given, row):
    return given.rows is None or row in given.rows


def main():
    given = options()
    rows = [r for r in ROWS if given.rows is None or r.name in given.rows]
    if given.idle:
        rows = [
            type(r)(**{**r.__dict__, "connections": given.idle}) if r.mode == "idle" else r for r in rows
        ]
    if given.readme:
        return print_markdown(given, rows)
    cores = os.sched_getaffinity(0)
    if not {int(SERVER_CORE), int(LOAD_CORE)} <= cores:
        say(f"bench: this needs processor cores {SERVER_CORE} and {LOAD_CORE}; there are {sorted(cores)}")
        return 1
    given.place.mkdir(parents=True, exist_ok=True)
    with priority.raised(say):
        code = run(given, rows) if rows else 0
        for name in OTHERS:
            code = (run_other(given, name) if wants(given, name) else 0) or code
        return (run_trust(given) if wants(given, TRUST) else 0) or code


if __name__ == "__main__":
    sys.exit(main())
