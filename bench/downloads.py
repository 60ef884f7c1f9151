"""The row "downloads-1000": so many devices that go on with the download of a large file, all at once."""

import statistics
import threading

import measure
import table
from configs import Bench

CONNECTIONS = 1000
MIB = 64
FROM = 16 << 20  # the first bytes are there already
SECONDS = 4
ROUNDS = 2
NAMES = ("pqota", "nginx")


class Memory:
    """The most that processes had resident while it looked."""

    def __init__(self, pids):
        self.pids, self.most, self.done = pids, 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.done.wait(0.1):
            self.most = max(self.most, measure.resident_bytes(self.pids))

    def stop(self):
        self.done.set()
        self.thread.join()
        return self.most


def round_of(config, material, count, seconds):
    config.restart()
    first = ["--mode", "keep", "--operations", 4]
    measure.finish(measure.pqload(config, "latest", material, *first), 60)
    pids = config.pids()
    before = measure.resident_bytes(pids)
    args = ["--mode", "download", "--connections", count, "--open-first", "--timeout", 60]
    args += ["--header", f"Range: bytes={FROM}-", "--seconds", seconds, "--warmup", measure.WARMUP]
    args += ["--cpu-of", ",".join(map(str, pids))]
    memory, others = Memory(pids), measure.Others(pids)
    try:
        result = measure.finish(measure.pqload(config, "file", material, *args), seconds + 120)
    finally:
        most = memory.stop()
    return {
        "bytes_per_second": result["body_bytes_per_second"],
        "server_cpu_us_per_mib": result["server_cpu_total_us"] / max(1, result["body_bytes"] / (1 << 20)),
        "memory_per_connection": (most - before) / count,
        "generator_cpu_share": result["generator_cpu_share"],
        "others_share": others.share(),
    }


def run(given):
    """{"connections", "rounds": {configuration: [figures of a round, ...]}}"""
    bench = Bench(given.place / "downloads", NAMES, MIB)
    try:
        count, seconds = given.part(CONNECTIONS), given.lasting(SECONDS)
        for config in bench.configs.values():
            config.expect = {"file": 206}
        rounds = {name: [] for name in NAMES}
        for n in range(min(ROUNDS, given.rounds)):
            for name in NAMES if n % 2 == 0 else reversed(NAMES):
                rounds[name].append(round_of(bench.configs[name], bench.material, count, seconds))
        return {"connections": count, "rounds": rounds}
    finally:
        bench.stop()


def markdown(found):
    head = "all together | the server's time for a MiB | memory for each"
    lines = [f"| {found['connections']} downloads at once | {head} |", "|---|---|---|---|"]
    for name, rounds in found["rounds"].items():
        figures = {field: statistics.median(r[field] for r in rounds) for field in rounds[0]}
        lines.append(
            f"| {name} | {figures['bytes_per_second'] / 1e9:.2f} GB/s"
            f" | {figures['server_cpu_us_per_mib']:.0f} µs"
            f" | {figures['memory_per_connection'] / 1024:.1f} KiB |"
        )
    return "\n".join(lines + table.remarks(found["rounds"]))
