"""ML-KEM beside OpenSSL's over ten thousand random keys of each parameter set, on each code path."""

from harness import BUILD, environment, run


def test_ten_thousand_keys():
    program = BUILD / "tests" / "unit" / "lattice" / "test-lattice-mlkem"
    run([program], timeout=900, check=0, env=environment(PQOTA_ROUNDS="10000"))
