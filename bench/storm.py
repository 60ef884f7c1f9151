"""The row "storm": what devices that are connected notice when very many others come back at once.

Some poll at an even rate on connections that they have, each poll timed from when it was due, without the
storm and during it. The storm's clients come all at once, each with its own certificate, a full mutual
handshake, one GET and an end; one that is turned away tries again after a random time. Both are on the load's
core: the storm's client gives way to the pollers', or the figures would be of the load's own waiting.
"""

import subprocess

import measure
import table
from configs import Bench

NAMES = ("pqota", "nginx")
STORE = 100000
POLLERS, RATE = 1000, 1000
CLIENTS = 10000
QUIET = 4  # seconds
LONGEST = 60  # seconds for the storm
TIMEOUT, RETRY = 30, 1  # of one attempt; the pause after it, on average
MODEST = ("nice", "-n", "19")


def first_of_all():
    """Before all others on the core, where that is allowed."""
    realtime = ("chrt", "--fifo", "1")
    return realtime if subprocess.run([*realtime, "true"], capture_output=True).returncode == 0 else ()


def latency_of(stretch):
    found = {name: stretch["operation"][name] for name in ("p50_ms", "p99_ms", "max_ms")}
    return found | {"polls": stretch["operations"], "errors": stretch["errors"], "undone": stretch["undone"]}


def prepared(config, material, clients):
    """The storm's client, with all certificates loaded."""
    args = ["--mode", "full", "--connections", clients, "--operations", clients, "--seconds", LONGEST]
    args += ["--timeout", TIMEOUT, "--retry", RETRY, "--allow-errors", "--await"]
    return measure.Held(measure.pqload(config, "return", material, *args, first=MODEST), 60)


def blow(storm, clients, pids):
    """The storm itself."""
    others = measure.Others(pids)
    storm.say("go")
    result = measure.judge(*storm.outcome(LONGEST + TIMEOUT + 60))
    return {
        "clients": clients,
        "served": result["operations"],
        "turned_away": result["retries"]["count"],
        "turned_away_by": result["retries"]["kinds"],
        "seconds": result["seconds"],
        "p50_ms": result["operation"]["p50_ms"],
        "max_ms": result["operation"]["max_ms"],
        "generator_cpu_share": result["generator_cpu_share"],
        "others_share": others.share(),
        "samples": result["retries"]["samples"] + result["errors"]["samples"],
    }


def weathered(config, material, given):
    """Without the storm and with it, at one server."""
    config.restart()
    pids = config.pids()
    count, rate, clients = given.part(POLLERS), given.part(RATE), given.part(CLIENTS)
    args = ["--mode", "idle", "--connections", count, "--timeout", TIMEOUT, "--allow-errors"]
    argv = measure.pqload(config, "poll", material, *args, first=first_of_all())
    with measure.Held(argv, 60) as pollers, prepared(config, material, clients) as client:
        without = pollers.poll(rate, given.lasting(QUIET))
        before = measure.resident_bytes(pids)
        pollers.say(f"poll {rate} {2 * LONGEST + TIMEOUT}")
        storm = blow(client, clients, pids)
        pollers.say("stop")
        during = pollers.answer(2 * TIMEOUT)
        pollers.end()
    memory = {"before": before, "peak": measure.resident_bytes(pids, "VmHWM")}
    return {"without": latency_of(without), "during": latency_of(during), "storm": storm, "memory": memory}


def run(given):
    """{configuration: {"without", "during", "storm", "memory"}}"""
    bench = Bench(given.place / "storm", NAMES, 1)
    try:
        bench.give_fleet(given.part(STORE), given.part(CLIENTS))
        return {name: weathered(bench.configs[name], bench.material, given) for name in NAMES}
    finally:
        bench.stop()


def cells(found):
    storm, memory = found["storm"], found["memory"]
    for when in ("without", "during"):
        latency = found[when]
        text = f"{latency['p50_ms']:.2f} / {latency['p99_ms']:.2f}, {latency['max_ms']:.1f} ms"
        lost = latency["errors"] + latency["undone"]
        yield text + (f" ({lost} failed)" if lost else "")
    yield f"{storm['served']} of {storm['clients']}"
    yield f"{storm['turned_away']}"
    yield f"{storm['seconds']:.1f} s"
    yield f"{memory['before'] >> 20} MiB, {memory['peak'] >> 20} MiB"


def markdown(found):
    head = "polls without: p50 / p99, longest | during | served | turned away | the last after"
    lines = [f"| | {head} | memory before, peak |", "|---" * 7 + "|"]
    lines += [f"| {name} | " + " | ".join(cells(figures)) + " |" for name, figures in found.items()]
    return "\n".join(lines + table.remarks({name: [figures["storm"]] for name, figures in found.items()}))
