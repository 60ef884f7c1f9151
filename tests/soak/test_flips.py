"""A bit turned over at every byte of each file of metadata, as a server may serve it to a device; make check
takes some of them."""

import re

import harness
from harness import run


def test_a_bit_of_every_byte_of_metadata():
    program = harness.BUILD / "tests" / "unit" / "client" / "test-client-flips"
    done = run([str(program)], env=harness.environment(PQOTA_FLIPS="all"), timeout=2400)
    assert done.code == 0, done
    counts = re.findall(r"(?m)^(\d+) bits turned over in what is (served|stored)", done.out + done.err)
    assert [what for _, what in counts] == ["served", "stored"], done
    assert int(counts[0][0]) > 80_000 and int(counts[1][0]) > 10_000, counts
