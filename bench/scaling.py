"""The row "scaling": what a second loop thread costs each operation.

Two cores are all that is asked for, and the load needs one of them: what two loops do at most cannot be seen.
What can be is the server's own processor time for an operation, with one loop and with two, on both cores
together with the load: where two need no more time than one, two cores do twice as much.
"""

import statistics

import measure
from configs import Bench
from parts import LOAD_CORE, SERVER_CORE
from rows import ROWS

WANTED = ("full-mutual", "resumed-mutual", "keep-mutual")
BOTH = f"{SERVER_CORE},{LOAD_CORE}"
SPREAD = 0.25  # rounds whose figures differ by more tell nothing


def make(given, loops):
    bench = Bench(given.place / f"scaling-{loops}", ["pqota"], 1, {"server.loops": loops}, BOTH)
    bench.configs["pqota"].load_cores = BOTH
    return bench


def measured(bench, row, seconds):
    figures, _ = measure.load(bench.configs["pqota"], row, bench.material, seconds)
    return {"per_second": figures["per_second"], "server_cpu_us": figures["server_cpu_us"]}


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
                    found[row.name][loops].append(measured(benches[loops], row, given.seconds))
        return found
    finally:
        for bench in benches.values():
            bench.stop()


def implied(rounds):
    """How many times as much two cores do as one, round by round."""
    return [2 * a["server_cpu_us"] / b["server_cpu_us"] for a, b in zip(rounds["1"], rounds["2"])]


def markdown(found):
    lines = ["| | one loop | two loops | the server's time for one | two cores would do |", "|---" * 5 + "|"]
    for name, rounds in found.items():
        middle = {
            loops: {field: statistics.median(r[field] for r in rounds[loops]) for field in rounds[loops][0]}
            for loops in rounds
        }
        factors = implied(rounds)
        noisy = " ~" if max(factors) - min(factors) > SPREAD * statistics.median(factors) else ""
        one, two = middle["1"], middle["2"]
        lines.append(
            f"| {name} | {one['per_second']:.4g}/s | {two['per_second']:.4g}/s"
            f" | {one['server_cpu_us']:.4g} µs, {two['server_cpu_us']:.4g} µs"
            f" | ×{statistics.median(factors):.2f}{noisy} |"
        )
    return "\n".join(lines)
