"""What the store has acknowledged is there after a power cut at any moment.

store-writer writes rows and blobs from several threads under the preload library that records what
reaches the disk; the data folder is then rebuilt as a cut at each of many moments would have left it.
Needs PQOTA_BUILD, the build folder (tests/lib/powercut/ in it holds the two programs).
"""

import hashlib
import os
import pathlib
import random
import sqlite3
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import harness  # noqa: E402
import powercut  # noqa: E402

SHIM = harness.BUILD / "tests" / "lib" / "powercut" / "powercut.so"
WRITER = harness.BUILD / "tests" / "lib" / "powercut" / "store-writer"
ROUNDS, THREADS, JOBS = 3, 3, 160  # rows of 6 kB: enough for the log to be written back in between
CUTS = harness.rounds(24, 60)
SEED = 20261122


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Three runs one after another on one data folder; the last one is killed in the middle."""
    folder = tmp_path_factory.mktemp("recorded")
    data = folder / "data"
    data.mkdir()
    path = folder / "log"
    for number in range(ROUNDS):
        last = number == ROUNDS - 1
        env = dict(os.environ, **powercut.environment(SHIM, data, path, acks=True))
        jobs = 100000 if last else JOBS
        command = [WRITER, data / "store", str(number), str(THREADS), str(jobs)]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as child:
            lines = 0
            for _ in child.stdout:
                lines += 1
                if last and lines == THREADS * JOBS:
                    child.kill()
            status = child.wait()
        assert status == (-9 if last else 0)
        assert lines >= THREADS * JOBS
    return powercut.Log(path)


def pick(log, rng):
    """Right after an acknowledgement (the worst moment), and anywhere."""
    acks = [at for at, _ in log.acks()]
    cuts = rng.sample(acks, CUTS // 2) + rng.sample(log.cuts(), CUTS // 2)
    return sorted(cuts + [acks[0], acks[-1], log.size])


def check(log, cut, folder):
    """Everything that was acknowledged before the cut; returns how much that was."""
    acknowledged = [line for at, line in log.acks() if at <= cut]
    data = folder / "store"
    rows, blobs = set(), {}
    for line in acknowledged:
        word, *rest = line.split()
        if word == "row":
            rows.add((rest[0], int(rest[1])))
        elif word == "blob":
            blobs[rest[0]] = int(rest[1])
    for name, size in blobs.items():
        content = (data / "blobs" / name[:2] / name[2:]).read_bytes()
        assert len(content) == size
        assert hashlib.sha256(content).hexdigest() == name
    if acknowledged:
        database = sqlite3.connect(data / "pqota.db")
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        there = set(database.execute("SELECT key, length(value) FROM meta"))
        assert rows <= there
        database.close()
    return len(acknowledged)


@pytest.mark.long
@pytest.mark.parametrize("chance", [None, 1, 2])
def test_acknowledged_is_durable(log, tmp_path, chance):
    rng = random.Random(SEED + (chance or 0))
    seen = set()
    for number, cut in enumerate(pick(log, rng)):
        folder = tmp_path / str(number)
        powercut.Disk(log, cut, rng if chance else None).write_to(folder)
        seen.add(check(log, cut, folder))
    assert len(seen) > CUTS // 2  # the cuts really fell at different moments


@pytest.mark.long
def test_the_store_opens_after_a_cut(log, tmp_path):
    """Also where the cut fell into the first start, or into a restart."""
    rng = random.Random(SEED)
    first = [r.end for r in log.records if r.end <= log.acks()[0][0]]
    reopened = [at for at, line in log.acks() if line in ("open", "closed")]
    for number, cut in enumerate(
        rng.sample(first, CUTS // 3) + reopened + rng.sample(log.cuts(), CUTS // 6)
    ):
        folder = tmp_path / str(number)
        powercut.Disk(log, cut, rng if number % 2 else None).write_to(folder)
        command = [WRITER, folder / "store", "9", "1", "5"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("closed\n")
        assert not list((folder / "store" / "tmp").iterdir())
        check(log, cut, folder)


def test_the_check_can_fail(log, tmp_path):
    """Without the flushes, rows are lost: what is tested above is really the program's doing."""
    lost = 0
    for record in log.records:
        if record.kind == powercut.FSYNC:
            record.a = 0
    try:
        powercut.Disk(log, log.size).write_to(tmp_path / "cut")
        check(log, log.size, tmp_path / "cut")
    except (AssertionError, OSError, sqlite3.Error):
        lost += 1
    assert lost == 1
