"""ML-KEM and ML-DSA beside OpenSSL's over ten thousand random keys of each set, on each code path."""

import pytest
from harness import BUILD, environment, run


@pytest.mark.parametrize("algorithm", ["mlkem", "mldsa"])
def test_ten_thousand_keys(algorithm):
    program = BUILD / "tests" / "unit" / "lattice" / f"test-lattice-{algorithm}"
    run([program], timeout=3600, check=0, env=environment(PQOTA_ROUNDS="10000"))
