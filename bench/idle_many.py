"""The row "idle-15000": a fleet's connections that stay open in one process and poll now and then."""

import re
import statistics

import measure
import table
from configs import Bench

CONNECTIONS = 15000
STORE = 100000
SPARE = 16  # connections of others: who asks for figures
RATE, SECONDS = 1000, 6
PATIENCE = 120  # seconds to open them all


def admitted(log, wanted):
    """As many as the server takes: it says at its start when the process may open too few files."""
    said = re.findall(r"fewer connections than limits\.connections allows.* connections=(\d+)", log)
    return min(wanted, int(said[-1]) - SPARE) if said else wanted


def run(given):
    """{"wanted", "connections", "memory_per_connection", "rate", "rounds": [figures of polling, ...]}"""
    bench = Bench(given.place / "idle-15000", ["pqota"], 1)
    try:
        bench.give_fleet(given.part(STORE))
        config, wanted = bench.configs["pqota"], given.part(CONNECTIONS)
        count = admitted(bench.pqota.server.logs(), wanted)
        rate, seconds = given.part(RATE), given.lasting(SECONDS)
        config.restart()  # no memory of how the fleet came is counted
        first = ["--mode", "keep", "--connections", 4, "--operations", 8]
        measure.finish(measure.pqload(config, "poll", bench.material, *first), 60)
        pids = config.pids()
        before = measure.resident_bytes(pids)
        argv = measure.pqload(config, "poll", bench.material, "--mode", "idle", "--connections", count)
        with measure.Held(argv, PATIENCE) as connections:
            memory = (measure.resident_bytes(pids) - before) / count
            rounds = [polled(connections, pids, rate, seconds) for _ in range(min(2, given.rounds))]
            connections.end()
        found = {"wanted": wanted, "connections": count, "memory_per_connection": memory, "rate": rate}
        return found | {"rounds": rounds}
    finally:
        bench.stop()


def polled(connections, pids, rate, seconds):
    cpu, others = measure.cpu_seconds(pids), measure.Others(pids)
    stretch = connections.poll(rate, seconds)
    cpu = measure.cpu_seconds(pids) - cpu
    latency = stretch["operation"]
    found = {name: latency[name] for name in ("p50_ms", "p99_ms", "max_ms")}
    found["server_cpu_us"] = 1e6 * cpu / max(1, stretch["operations"])
    found["others_share"] = others.share()
    return found | {"polls": stretch["operations"], "undone": stretch["undone"]}


def markdown(found):
    figures = {field: statistics.median(r[field] for r in found["rounds"]) for field in found["rounds"][0]}
    fewer = f" of {found['wanted']}: the server takes no more" * (found["connections"] < found["wanted"])
    lines = [
        "| idle connections | memory for each | polls | p50 / p99, the longest | the server's time for one |",
        "|---|---|---|---|---|",
        f"| {found['connections']}{fewer} | {found['memory_per_connection'] / 1024:.1f} KiB"
        f" | {found['rate']}/s"
        f" | {figures['p50_ms']:.2f} / {figures['p99_ms']:.2f} ms, {figures['max_ms']:.1f} ms"
        f" | {figures['server_cpu_us']:.0f} µs |",
    ]
    return "\n".join(lines + table.remarks({"pqota": found["rounds"]}))
