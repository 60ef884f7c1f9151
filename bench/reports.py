"""The row "reports": how a fleet under update reports, each report on the disk before its answer.

Each connection is another device with an update of its own under way; each report differs from the one
before, so that each is an entry of the device's history.
"""

import json
import os
import pathlib
import statistics
import time

import devices
import measure
import table
from configs import Bench

CONNECTIONS = 256
SECONDS = 3
SETTINGS = {"devices.status_max": 100000}  # so that the history takes them all
MODEL = "reporting"
REPORT = '{"state":"downloading","progress":40,"message":"########## of 9999999999 bytes"}'
SYNCS, BLOCK = 200, 4096


def disk(folder):
    """Milliseconds of a write of 4 KiB and fdatasync, each after the one before: the median."""
    file, times = folder / "bench-disk", []
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(SYNCS):
            began = time.monotonic()
            os.write(fd, bytes(BLOCK))
            os.fdatasync(fd)
            times.append(time.monotonic() - began)
    finally:
        os.close(fd)
        file.unlink()
    return 1000 * statistics.median(times)


def written(pid):
    """Bytes that the thread which writes the database's log has written."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "store-writer":
            fields = dict(line.split(": ") for line in (task / "io").read_text().splitlines())
            return int(fields["wchar"])
    raise measure.Failed("the server has no thread store-writer, whose bytes would be counted")


class Counters:
    """What the server has counted until now."""

    def __init__(self, server):
        page = dict(
            line.rsplit(" ", 1)
            for line in server.curl("/metrics").body.decode().splitlines()
            if not line.startswith("#")
        )
        self.commits, self.jobs = (int(page[f"pqota_store_{name}_total"]) for name in ("commits", "jobs"))
        self.written = written(server.process.pid)


def begin_updates(bench, count):
    """Devices that were told to update; answers pqload's identities, each with the path of its reports."""
    server = bench.pqota.server
    release = server.publish(MODEL, "2.0", os.urandom(1000), model=MODEL)
    enrolled = devices.enrol(server, MODEL, [f"{MODEL}-{i:04}" for i in range(count)])
    devices.deploy(server, release, MODEL)
    rows = []
    for who in enrolled.values():
        action = json.loads(devices.ask(server, who, "GET", "/api/update?version=1.0&hold=yes"))["action"]
        rows.append((who, f"/api/update/{action}/status"))
    return devices.write_identities(bench.folder / "reporting", rows)


def round_of(bench, config, argv, seconds):
    server = bench.pqota.server
    sync_ms = disk(server.dir / "data")
    before, others = Counters(server), measure.Others([server.process.pid])
    result = measure.finish(argv, seconds + 60)
    after = Counters(server)
    jobs = after.jobs - before.jobs
    each_commit = jobs / max(1, after.commits - before.commits)
    return {
        "per_second": result["per_second"],
        "p50_ms": result["operation"]["p50_ms"],
        "p99_ms": result["operation"]["p99_ms"],
        "server_cpu_us": result["server_cpu_us"],
        "reports_per_commit": each_commit,
        "commits_per_second": result["per_second"] / each_commit,
        "log_bytes": (after.written - before.written) / max(1, jobs),
        "disk_sync_ms": sync_ms,
        "generator_cpu_share": result["generator_cpu_share"],
        "others_share": others.share(),
    }


def run(given):
    """{"connections", "rounds": [the figures of each]}"""
    bench = Bench(given.place / "reports", ["pqota"], 1, SETTINGS)
    try:
        count = given.part(CONNECTIONS)
        config = bench.configs["pqota"]
        config.identities["report"] = begin_updates(bench, count)
        config.paths["report"], config.expect["report"] = "/", 204
        body = bench.folder / "report"
        body.write_text(REPORT)
        seconds = given.lasting(SECONDS)
        args = ["--mode", "keep", "--connections", count, "--open-first", "--seconds", seconds]
        args += ["--warmup", measure.WARMUP, "--body", body, "--header", "Content-Type: application/json"]
        argv = measure.pqload(config, "report", bench.material, *args, "--cpu-of", config.pids()[0])
        rounds = [round_of(bench, config, argv, seconds) for _ in range(given.rounds)]
        return {"connections": count, "rounds": rounds}
    finally:
        bench.stop()


def markdown(found):
    figures = {name: statistics.median(r[name] for r in found["rounds"]) for name in found["rounds"][0]}
    head = "reports | p50 / p99 | the server's time for one | commits | reports a commit | log for one"
    cells = (
        f"{figures['per_second']:.0f}/s",
        f"{figures['p50_ms']:.1f} / {figures['p99_ms']:.1f} ms",
        f"{figures['server_cpu_us']:.0f} µs",
        f"{figures['commits_per_second']:.0f}/s",
        f"{figures['reports_per_commit']:.0f}",
        f"{figures['log_bytes']:.0f} B",
        f"{figures['disk_sync_ms']:.2f} ms",
    )
    return "\n".join(
        [
            f"| {head} | the disk's own write and fdatasync of 4 KiB |",
            "|---" * len(cells) + "|",
            "| " + " | ".join(cells) + " |",
            *table.remarks({"pqota": found["rounds"]}),
        ]
    )
