"""Downloads encrypted by the kernel, on kernels of Debian's that can, in an emulated machine: in_guest.py
runs there. Debian 13's own takes a key once for all; the one of its backports takes another one."""

import pytest

import emulator
import harness

UNIT = harness.BUILD / "tests" / "unit" / "tls" / "test-tls-kernel"


WANTED = "needs qemu-system-x86, busybox-static, e2fsprogs and apt"


@pytest.mark.skipif(not emulator.is_there(), reason=WANTED)
@pytest.mark.parametrize("kernel", ["trixie", "trixie-backports"])
def test_kernel_tls(kernel):
    command = (
        f"uname -r; cd {harness.TREE} && {UNIT} && "
        f"PQOTA_BUILD={harness.BUILD} PQOTA_RELEASE={harness.RELEASE} "
        "python3 -m pytest -q -rP -p no:cacheprovider --tb=short tests/soak/in_guest.py; "
        "code=$?; grep Tx /proc/net/tls_stat; exit $code"
    )
    code, output = emulator.run(harness.TREE / "build" / "emulator", kernel, command, timeout=1200)
    print(output)
    assert code == 0, output[-8000:]
    assert "another key is " + ("refused" if kernel == "trixie" else "taken") in output
