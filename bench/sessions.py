"""The row "sessions": what a server's store of resumable sessions takes. pqsessions measures."""

import statistics

import measure
from parts import harness

PQSESSIONS = harness.RELEASE / "bench" / "pqsessions"
COUNTS = (100_000, 1_000_000)  # what a server keeps unless its settings say otherwise; a large fleet


def run_once(count):
    return measure.program([PQSESSIONS, "-n", count], 120)


def run(given):
    """{sessions: [figures of a round, ...]}"""
    counts = [max(1000, given.part(count)) for count in COUNTS]
    return {str(count): [run_once(count) for _ in range(given.rounds)] for count in counts}


def markdown(found):
    head = "| sessions | memory for each | all | with as many again | to keep one, to find one |"
    lines = [head, "|---" * 5 + "|"]
    for count, rounds in found.items():
        figures = {field: statistics.median(r[field] for r in rounds) for field in rounds[0]}
        lines.append(
            f"| {count} | {figures['bytes_each']:.0f} B | {figures['bytes'] / (1 << 20):.0f} MiB"
            f" | {figures['bytes_after_as_many'] / (1 << 20):.0f} MiB"
            f" | {figures['put_us']:.2f} µs, {figures['get_us']:.2f} µs |"
        )
    return "\n".join(lines)
