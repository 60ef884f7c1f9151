"""One measurement: pqload against one configuration, and what the machine did meanwhile."""

import hashlib
import json
import os
import pathlib
import select
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


def resident_bytes(pids, which="VmRSS"):
    """Now, or with VmHWM the most that there were."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(which + ":"):
                total += int(line.split()[1]) * 1024
    return total


class Others:
    """How much of the servers' core others took since it was made."""

    def __init__(self, pids):
        self.pids, self.began = pids, time.monotonic()
        self.before = self.taken()

    def taken(self):
        return busy_seconds(parts.SERVER_CORE) - cpu_seconds(self.pids)

    def share(self):
        return max(0.0, (self.taken() - self.before) / (time.monotonic() - self.began))


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


def pqload(config, kind, material, *args, mutual=True, first=()):
    """Its command line; first: a program that sets it up, such as nice."""
    argv = [*first, "taskset", "-c", config.load_cores, PQLOAD, "--json", "--address", "127.0.0.1"]
    argv += ["--ca", material.ca, "--expect", config.expect.get(kind, 200)]
    if kind in config.identities:
        argv += ["--identities", config.identities[kind]]
    elif mutual:
        argv += ["--cert", material.device.cert, "--key", material.device.key]
    return [str(a) for a in [*argv, *args, config.url(kind)]]


def command(config, row, material, pids, more):
    args = ["--mode", row.mode, "--connections", row.connections, "--cpu-of", ",".join(map(str, pids))]
    if row.kind in config.identities and row.mode == "keep":
        args.append("--open-first")
    return pqload(config, row.kind, material, *args, *more, mutual=row.mutual)


def finish(argv, seconds):
    """Runs pqload to its end, which comes in that time."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, env=harness.environment()
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"pqload did not end within {seconds:.0f} s") from error
    return judge(done.returncode, done.stdout, done.stderr)


def program(argv, seconds):
    """What a program of our own measured by itself, on the servers' core: its object."""
    done = subprocess.run(
        ["taskset", "-c", parts.SERVER_CORE, *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=harness.environment(),
    )
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"{pathlib.Path(argv[0]).name} ended with {done.returncode}")
    return json.loads(done.stdout)


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
    others = Others(pids)
    result = finish(command(config, row, material, pids, more), seconds + 60)
    notes = {"others": others.share(), "generator": result["generator_cpu_share"]}
    shaken = result["handshakes_full"] + result["handshakes_resumed"]
    if row.mode == "resumed":
        notes["resumed"] = result["handshakes_resumed"] / max(1, shaken)
    return figures_of(row, result), notes


class Held:
    """pqload that is told what to do: its connections stay open and poll when they should, or it waits for
    its beginning (--await). Once it was made it is ready for that."""

    def __init__(self, argv, patience):
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=harness.environment(),
        )
        try:
            self.answer(patience)
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """Does nothing to one that has ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def answer(self, patience):
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise Failed(f"pqload had not done what it was told within {patience:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            judge(*self.outcome())
            raise Failed("pqload ended early")
        return json.loads(line)

    def outcome(self, patience=60):
        try:
            out, err = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"pqload did not end within {patience:.0f} s") from error
        return self.process.returncode, out, err

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def poll(self, rate, seconds):
        self.say(f"poll {rate} {seconds}")
        return self.answer(seconds + 60)

    def end(self):
        self.say("quit")
        return judge(*self.outcome())


def idle(config, row, material):
    """Memory of the servers' processes before and after the connections, by connection."""
    config.restart()
    keep = type(row)(**{**row.__dict__, "mode": "keep", "connections": 4})
    finish(command(config, keep, material, config.pids(), ["--seconds", "0.2", "--warmup", "0"]), 60)
    pids = config.pids()
    before = resident_bytes(pids)
    with Held(command(config, row, material, pids, []), 60) as connections:
        after = resident_bytes(pids)
        connections.end()
    found = dict.fromkeys(("per_second", "p50_ms", "p99_ms", "server_cpu_us"))
    found |= dict.fromkeys(("bytes_to_client", "bytes_from_client"))
    found["rss_per_connection"] = (after - before) / row.connections
    return found
