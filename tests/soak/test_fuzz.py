"""Each libFuzzer target for a minute, with clang's address and undefined behaviour sanitizers."""

import os
import pathlib
import shutil
import subprocess

import pytest

from harness import TREE

SECONDS = int(os.environ.get("PQOTA_FUZZ_SECONDS", "60"))
FUZZ = TREE / "tests" / "fuzz"
BUILD = pathlib.Path(os.environ.get("PQOTA_FUZZ_BUILD", TREE / "build" / "fuzz"))
LONGER = {"manifest": 5200}  # bytes, where the usual 4096 would leave something out
TARGETS = sorted(p.stem for p in FUZZ.glob("*.c"))


@pytest.fixture(scope="module")
def built():
    if not (BUILD / "build.ninja").exists():
        options = ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"]
        made = subprocess.run(
            ["meson", "setup", str(BUILD), *options],
            cwd=TREE, env={**os.environ, "CC": "clang"}, capture_output=True, text=True, timeout=300,
        )
        assert made.returncode == 0, made.stdout + made.stderr
    targets = [f"tests/fuzz/fuzz-{name}" for name in TARGETS]
    made = subprocess.run(
        ["ninja", "-C", str(BUILD), *targets], capture_output=True, text=True, timeout=1200
    )
    assert made.returncode == 0, made.stdout[-4000:]
    return BUILD / "tests" / "fuzz"


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_it(built, name, tmp_path):
    """New inputs go to the first folder; what is kept in the tree is only read."""
    found, kept = tmp_path / "found", FUZZ / "corpus" / name
    found.mkdir()
    words = FUZZ / f"{name.split('_')[0]}.dict"
    argv = [
        built / f"fuzz-{name}",
        f"-max_total_time={SECONDS}",
        f"-max_len={LONGER.get(name, 4096)}",
        "-timeout=10",
        "-rss_limit_mb=1024",
        *([f"-dict={words}"] if words.exists() else []),
        f"-artifact_prefix={tmp_path}/",
        "-print_final_stats=1",
        found,
        *([kept] if kept.exists() else []),
    ]
    done = subprocess.run(
        [str(a) for a in argv], capture_output=True, text=True, errors="replace", timeout=SECONDS + 120
    )
    crashes = [p for p in tmp_path.iterdir() if p.is_file()]
    report = TREE / "build" / "fuzz-crashes"
    for crash in crashes:  # what made it fail outlives the test
        report.mkdir(parents=True, exist_ok=True)
        shutil.copy(crash, report / f"{name}-{crash.name}")
    assert done.returncode == 0, f"{name}: {crashes or ''} kept in {report}\n{done.stderr[-4000:]}"
    runs = next(line for line in done.stderr.splitlines() if "number_of_executed_units" in line)
    assert int(runs.split()[-1]) > 1000, runs
    print(f"\n{name}: {runs.split()[-1]} inputs")
