"""`make install`: what lands where, and that a program outside the tree can use the libraries; and what the
other targets need."""

import re
import sys

import pytest
from harness import RELEASE, TREE, environment, run


def test_installed_files_and_a_program_built_against_them(tmp_path):
    run(["meson", "install", "-C", RELEASE, "--no-rebuild", "--destdir", tmp_path], check=0)
    prefix = tmp_path / "usr" / "local"
    have = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}
    wanted = {
        "bin/pqota",
        "bin/pqota-agent",
        "bin/pqota-tuf",
        "include/pqc_tls.h",
        "include/pqota_client.h",
        "include/pqota_manifest.h",
        "include/pqota_trust.h",
        "share/man/man1/pqota.1",
        "share/man/man1/pqota-agent.1",
        "share/man/man1/pqota-tuf.1",
        "share/man/man3/pqc_tls.3",
        "share/man/man3/pqota_client.3",
        "share/man/man3/pqota_trust.3",
        "share/man/man5/pqota.conf.5",
        "share/man/man5/pqota-agent.conf.5",
        "lib/systemd/system/pqota.service",
        "lib/systemd/system/pqota-agent.service",
        "lib/systemd/system/pqota-agent-tunnel.service",
        "lib/sysusers.d/pqota.conf",
        "share/bash-completion/completions/pqota",
        "share/pqota/pqlattice.cnf",
    }
    missing = {w for w in wanted if w not in have and not any(h.startswith(w) for h in have)}
    assert not missing, f"{missing} not in {sorted(have)}"
    libraries = [h for h in have if re.search(r"libpqc_tls\.so\.1$", h)]
    assert libraries, sorted(have)
    unit = (prefix / "lib/systemd/system/pqota.service").read_text()
    assert "ExecStart=/usr/local/bin/pqota serve" in unit and "@" not in re.sub(
        r"@system-service|@privileged|@resources", "", unit
    )

    folder = (prefix / libraries[0]).parent
    program = tmp_path / "use.c"
    program.write_text(
        "#include <pqc_tls.h>\n#include <stdio.h>\nint main(void) {\n"
        '    pqc_tls_ctx_t c = pqc_tls_create_server_ctx("/none", "/none", "/none", "mlkem768", '
        '"dilithium3", true);\n    puts(pqc_tls_error());\n    pqc_tls_free_ctx(c);\n    return c != 0;\n}\n'
    )
    env = environment(PKG_CONFIG_PATH=str(folder / "pkgconfig"), PKG_CONFIG_SYSROOT_DIR=str(tmp_path))
    flags = run(["pkg-config", "--cflags", "--libs", "pqc_tls"], check=0, env=env).out.split()
    run(["gcc", "-Wall", "-Werror", program, "-o", tmp_path / "use", *flags], check=0)
    done = run([tmp_path / "use"], env=environment(LD_LIBRARY_PATH=str(folder)), check=0)
    assert "/none" in done.out
    exported = run(["nm", "-D", "--defined-only", folder / "libpqc_tls.so.1"], check=0).out
    assert all(
        line.split()[-1].startswith(("pqc_tls_", "PQC_TLS")) for line in exported.splitlines()
    ), exported


@pytest.mark.parametrize("program", ["tools/demo", "bench/run"])
def test_it_needs_no_package_of_the_tests(program):
    """Their machines have Python, without what only tests import (-S: nothing but what comes with Python)."""
    folder, name = program.split("/")
    code = f"import sys; sys.path.insert(0, {str(TREE / folder)!r}); import {name}"
    run([sys.executable, "-S", "-B", "-c", code], check=0)
