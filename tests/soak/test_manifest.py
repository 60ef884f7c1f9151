"""Every bit of a manifest turned over, one at a time; make check takes one bit of each byte."""

import re

import harness
from harness import run


def test_every_bit_of_a_manifest_counts():
    program = harness.BUILD / "tests" / "unit" / "trust" / "test-trust-manifest"
    env = harness.environment(PQOTA_SOURCE=str(harness.TREE), PQOTA_FLIPS="all")
    done = run([str(program)], env=env, timeout=600)
    assert done.code == 0, done
    assert re.search(r"^39688 bits turned over", done.out + done.err, re.M), done
