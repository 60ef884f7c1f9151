"""One measurement: pqload against one configuration, and what the machine did meanwhile."""

import hashlib
import json
import os
import pathlib
import subprocess
import time

import parts
from parts import harness
from rows import figures_of

TICK = os.sysconf("SC_CLK_TCK")
PQLOAD = harness.RELEASE / "bench" / "pqload"
WARMUP = 0.3


class Failed(Exception):
    """The load had errors; the text says which."""


def busy_seconds(core):
    """How long that core was not idle, since the machine started."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) / TICK
    raise RuntimeError(f"there is no processor core {core}; two are needed")


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident_bytes(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def calibrate(seconds=0.15):
    """Hashes a second on the servers' core: the same work each time, so what differs is the machine."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(parts.SERVER_CORE)})
    try:
        block, n, begin = bytes(16384), 0, time.monotonic()
        while (spent := time.monotonic() - begin) < seconds:
            hashlib.sha256(block).digest()
            n += 1
        return n / spent
    finally:
        os.sched_setaffinity(0, before)


def command(config, row, material, pids, more):
    argv = [
        "taskset",
        "-c",
        parts.LOAD_CORE,
        PQLOAD,
        "--json",
        "--mode",
        row.mode,
        "--address",
        "127.0.0.1",
    ]
    argv += ["--connections", row.connections, "--ca", material.ca, "--cpu-of", ",".join(map(str, pids))]
    if row.mutual:
        argv += ["--cert", material.device.cert, "--key", material.device.key]
    return [str(a) for a in [*argv, *more, config.url(row.kind)]]


def judge(done_code, out, err):
    """pqload's result; what went wrong is an exception."""
    lines = out.strip().splitlines()
    result = json.loads(lines[-1]) if lines else {}
    if done_code != 0:
        samples = result.get("errors", {}).get("samples", [])
        raise Failed("; ".join(dict.fromkeys(samples)) or err.strip() or f"pqload ended with {done_code}")
    return result


def load(config, row, material, seconds, rate=None):
    """Figures of the row, and notes on what makes them doubtful."""
    if row.mode == "idle":
        return idle(config, row, material), {}
    pids = config.pids()
    more = ["--seconds", seconds, "--warmup", WARMUP] + (["--rate", f"{rate:.3f}"] if rate else [])
    before, own_before, began = busy_seconds(parts.SERVER_CORE), cpu_seconds(pids), time.monotonic()
    done = subprocess.run(
        command(config, row, material, pids, more),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        env=harness.environment(),
    )
    spent = time.monotonic() - began
    others = busy_seconds(parts.SERVER_CORE) - before - (cpu_seconds(pids) - own_before)
    result = judge(done.returncode, done.stdout, done.stderr)
    notes = {"others": max(0.0, others / spent), "generator": result["generator_cpu_share"]}
    shaken = result["handshakes_full"] + result["handshakes_resumed"]
    if row.mode == "resumed":
        notes["resumed"] = result["handshakes_resumed"] / max(1, shaken)
    return figures_of(row, result), notes


def idle(config, row, material):
    """Memory of the servers' processes before and after the connections, by connection."""
    config.restart()
    warm = ["--seconds", "0.2", "--warmup", "0"]
    keep = type(row)(**{**row.__dict__, "mode": "keep", "connections": 4})
    done = subprocess.run(
        command(config, keep, material, config.pids(), warm), capture_output=True, text=True, timeout=60
    )
    judge(done.returncode, done.stdout, done.stderr)
    pids = config.pids()
    before = resident_bytes(pids)
    with subprocess.Popen(
        command(config, row, material, pids, []),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        ready = process.stdout.readline()
        after = resident_bytes(pids) if ready else before
        out, err = process.communicate(timeout=60)
    judge(process.returncode, out, err)
    found = dict.fromkeys(("per_second", "p50_ms", "p99_ms", "server_cpu_us"))
    found |= dict.fromkeys(("bytes_to_client", "bytes_from_client"))
    found["rss_per_connection"] = (after - before) / row.connections
    return found
