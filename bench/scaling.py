"""The row "scaling": how much more two loop threads on two cores do than one loop thread on one.

The load needs cores as well, and there are two: so each core carries a loop of the server and the load for
it. With one loop all of it is on one core; with two, the server's loops and two loads are on both.
"""

import concurrent.futures
import copy
import statistics

import measure
from configs import Bench
from parts import LOAD_CORE, SERVER_CORE
from rows import ROWS

WANTED = ("full-mutual", "resumed-mutual", "keep-mutual")
CORES = (SERVER_CORE, LOAD_CORE)
SPREAD = 0.25  # rounds whose figures differ by more tell nothing


def make(given, loops):
    cores = ",".join(CORES[:loops])
    return Bench(given.place / f"scaling-{loops}", ["pqota"], 1, {"server.loops": loops}, cores)


def measured(bench, row, loops, seconds):
    """As many loads as loops, each on a core, at the same time."""
    part = type(row)(**{**row.__dict__, "connections": row.connections // 2})

    def load(core):
        config = copy.copy(bench.configs["pqota"])
        config.load_cores = core
        return measure.load(config, part, bench.material, seconds)[0]

    with concurrent.futures.ThreadPoolExecutor(loops) as pool:
        figures = list(pool.map(load, CORES[:loops]))
    rate = sum(f["per_second"] for f in figures)
    # Each saw all that the server needed, and only its own operations.
    needed = statistics.mean(f["server_cpu_us"] * f["per_second"] for f in figures)
    return {"per_second": rate, "server_cpu_us": needed / rate}


def run(given):
    """{row: {"1": [figures of a round, ...], "2": [...]}}"""
    benches = {}
    try:
        for loops in (1, 2):
            benches[str(loops)] = make(given, loops)
        found = {name: {loops: [] for loops in benches} for name in WANTED}
        for n in range(given.rounds):
            for row in (row for row in ROWS if row.name in WANTED):
                for loops in benches if n % 2 == 0 else reversed(benches):
                    found[row.name][loops].append(measured(benches[loops], row, int(loops), given.seconds))
        return found
    finally:
        for bench in benches.values():
            bench.stop()


def factors_of(rounds):
    """How many times as much two loops did as one, round by round."""
    return [b["per_second"] / a["per_second"] for a, b in zip(rounds["1"], rounds["2"])]


def markdown(found):
    head = "| | one loop, one core | two loops, two cores | | the server's time for one |"
    lines = [head, "|---" * 5 + "|"]
    for name, rounds in found.items():
        middle = {
            loops: {field: statistics.median(r[field] for r in rounds[loops]) for field in rounds[loops][0]}
            for loops in rounds
        }
        factors = factors_of(rounds)
        noisy = " ~" if max(factors) - min(factors) > SPREAD * statistics.median(factors) else ""
        one, two = middle["1"], middle["2"]
        lines.append(
            f"| {name} | {one['per_second']:.4g}/s | {two['per_second']:.4g}/s"
            f" | ×{statistics.median(factors):.2f}{noisy}"
            f" | {one['server_cpu_us']:.4g} µs, {two['server_cpu_us']:.4g} µs |"
        )
    return "\n".join(lines)
