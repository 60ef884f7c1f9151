"""OpenSSL's own programs with the provider as a module: keys, secrets, and TLS with each group."""

import re
import shutil
import subprocess

import pytest
from harness import RELEASE, environment, free_port, openssl, run, wait_for

# The release build's: a sanitizer's would need its runtime in OpenSSL's program.
MODULE = RELEASE / "src" / "provider" / "pqlattice.so"
LOADED = ["-provider-path", MODULE.parent, "-provider", "pqlattice", "-provider", "default"]
OURS = [*LOADED, "-propquery", "?provider=pqlattice"]
THEIRS = []
SETS = ["ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"]
HYBRIDS = ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"]
SIGNERS = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]
GROUPS = ["MLKEM512", "MLKEM768", "MLKEM1024", *HYBRIDS]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    openssl(
        "req", "-x509", "-newkey", "mldsa65", "-nodes", "-keyout", folder / "key", "-out", folder / "cert",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
    )  # fmt: skip
    return folder


@pytest.fixture
def preferring(tmp_path):
    """The environment of a program that knows nothing of the provider, but its openssl.cnf does."""
    cnf = tmp_path / "openssl.cnf"
    cnf.write_text(
        "openssl_conf = all\n[all]\nproviders = providers\nalg_section = algorithms\n"
        "[algorithms]\ndefault_properties = ?provider=pqlattice\n"
        "[providers]\ndefault = usual\npqlattice = ours\n[usual]\nactivate = 1\n"
        f"[ours]\nmodule = {MODULE}\nactivate = 1\n"
    )
    return environment(OPENSSL_CONF=str(cnf))


def test_says_what_it_is_and_has():
    text = openssl("list", "-providers", "-verbose", *LOADED).decode()
    part = text[text.index("pqlattice\n") :]
    assert "status: active" in part
    assert re.search(r"build info: \d+\.\d+\.\d+ (avx512|avx2|portable)$", part, re.M), part
    found = openssl("list", "-kem-algorithms", *LOADED).decode()
    for name in [*SETS, *HYBRIDS]:
        assert re.search(rf"\b{name}\b.* @ pqlattice$", found, re.M), found
    found = openssl("list", "-signature-algorithms", *LOADED).decode()
    for name in SIGNERS:
        assert re.search(rf"\b{name}\b.* @ pqlattice$", found, re.M), found


def test_nothing_but_its_beginning_can_be_seen():
    symbols = run(["nm", "-D", "--defined-only", MODULE], check=0).out.split("\n")
    assert [line.split()[-1] for line in symbols if line] == ["OSSL_provider_init"]


@pytest.mark.parametrize("writer,reader", [(OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)])
@pytest.mark.parametrize("name", SETS)
def test_keys_and_secrets(tmp_path, name, writer, reader):
    key, share = tmp_path / "key", tmp_path / "share"
    openssl("genpkey", "-algorithm", name, "-out", key, *writer)
    openssl("pkey", "-in", key, "-pubout", "-out", share, *writer)
    assert openssl("pkey", "-in", key, "-pubout", *reader) == share.read_bytes()
    assert b"Key is valid" in openssl("pkey", "-in", key, "-check", "-noout", *reader)
    told = openssl("pkey", "-in", key, "-text", "-noout", *writer)
    assert told == openssl("pkey", "-in", key, "-text", "-noout", *reader)
    assert told.startswith(f"{name} Private-Key:".encode())
    ciphertext, made, taken = tmp_path / "ciphertext", tmp_path / "made", tmp_path / "taken"
    openssl("pkeyutl", "-encap", "-pubin", "-inkey", share, "-out", ciphertext, "-secret", made, *reader)
    openssl("pkeyutl", "-decap", "-inkey", key, "-in", ciphertext, "-secret", taken, *writer)
    assert len(made.read_bytes()) == 32 and made.read_bytes() == taken.read_bytes()


@pytest.mark.parametrize("writer,reader", [(OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)])
@pytest.mark.parametrize("name", SIGNERS)
def test_signatures(tmp_path, name, writer, reader):
    key, half, image, signature = (tmp_path / part for part in ("key", "half", "image", "signature"))
    image.write_bytes(b"firmware" * 1000)
    openssl("genpkey", "-algorithm", name, "-out", key, *writer)
    openssl("pkey", "-in", key, "-pubout", "-out", half, *writer)
    assert openssl("pkey", "-in", key, "-pubout", *reader) == half.read_bytes()
    told = openssl("pkey", "-in", key, "-text", "-noout", *writer)
    assert told == openssl("pkey", "-in", key, "-text", "-noout", *reader)
    context = ["-rawin", "-in", image, "-pkeyopt", "context-string:pqota"]
    openssl("pkeyutl", "-sign", "-inkey", key, "-out", signature, *context, *writer)
    verify = ["pkeyutl", "-verify", "-pubin", "-inkey", half, "-sigfile", signature, *reader]
    assert b"Verified Successfully" in openssl(*verify, *context)
    assert run(["openssl", *verify, "-rawin", "-in", image]).code != 0
    image.write_bytes(b"Firmware" * 1000)
    assert run(["openssl", *verify, *context]).code != 0


@pytest.mark.parametrize("writer,reader", [(OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)])
@pytest.mark.parametrize("name", SIGNERS)
def test_certificates(tmp_path, name, writer, reader):
    root, key, request, leaf = (tmp_path / part for part in ("root", "key", "request", "leaf"))
    new = ["req", "-newkey", name, "-nodes", *writer]
    openssl(*new, "-x509", "-keyout", key, "-out", root, "-subj", "/CN=root")
    openssl(*new, "-keyout", tmp_path / "other", "-out", request, "-subj", "/CN=device")
    assert b"verify OK" in openssl("req", "-verify", "-noout", "-in", request, *reader)
    openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", key, "-out", leaf, *writer)
    text = openssl("x509", "-in", leaf, "-noout", "-text", *reader).decode()
    assert text.count(f"Signature Algorithm: {name}") == 2 and f"Public Key Algorithm: {name}" in text
    assert b"OK" in openssl("verify", *reader, "-CAfile", root, leaf)
    broken = leaf.read_bytes().splitlines()
    broken[-3] = broken[-3][::-1]
    leaf.write_bytes(b"\n".join(broken) + b"\n")
    assert run(["openssl", "verify", *reader, "-CAfile", root, leaf]).code != 0


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signing_key_from_its_seed_is_everybodys(name):
    seed = ["-pkeyopt", "hexseed:" + bytes(range(32)).hex()]
    keys = [openssl("genpkey", "-algorithm", name, *seed, *how) for how in (OURS, THEIRS)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("name", SETS)
def test_a_key_from_its_seed_is_everybodys(name):
    seed = ["-pkeyopt", "hexseed:" + bytes(range(64)).hex()]
    keys = [openssl("genpkey", "-algorithm", name, *seed, *how) for how in (OURS, THEIRS)]
    assert keys[0] == keys[1]


def test_a_key_with_a_password(tmp_path):
    key, locked = tmp_path / "key", tmp_path / "locked"
    openssl("genpkey", "-algorithm", "ML-KEM-768", "-out", key, *OURS)
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:mellon", "-out", locked, *OURS)
    assert b"ENCRYPTED" in locked.read_bytes()
    opened = openssl("pkey", "-in", locked, "-passin", "pass:mellon", *OURS)
    assert opened == key.read_bytes()
    assert run(["openssl", "pkey", "-in", locked, "-passin", "pass:friend", *OURS]).code != 0


class Peer:
    """s_server, under a debugger that counts what our provider is asked, which nothing else shows."""

    def __init__(self, certificate, group, env, log):
        self.port = free_port()
        self.log = log
        watched = ["-ex", "set breakpoint pending on", "-ex", "set debuginfod enabled off"]
        watched += ["-ex", "set startup-with-shell off"]
        for function in ("kem_key_encapsulate", "sig_key_sign"):
            watched += ["-ex", f'dprintf {function},"{function}\\n"']
        watched += ["-ex", "run"]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["gdb", "-q", "-nx", "-batch", *watched, "--args", shutil.which("openssl"), "s_server",
                 "-accept", f"127.0.0.1:{self.port}", "-cert", certificate / "cert", "-key",
                 certificate / "key", "-groups", group, "-naccept", "1", "-www"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env,
            )  # fmt: skip
        wait_for(lambda: "ACCEPT" in log.read_text(), what=f"s_server listens: {log}")

    def end(self):
        """How often our provider made a secret, and a signature."""
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
        lines = self.log.read_text().splitlines()
        return lines.count("kem_key_encapsulate"), lines.count("sig_key_sign")


def client(certificate, port, group, env):
    return run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile",
         certificate / "cert", "-verify_return_error", "-groups", group],
        env=env, input="GET / HTTP/1.0\r\n\r\n",
    )  # fmt: skip


@pytest.mark.parametrize("ours", ["server", "client", "both"])
@pytest.mark.parametrize("group", GROUPS)
def test_tls(tmp_path, certificate, preferring, group, ours):
    usual = environment()
    server = Peer(certificate, group, usual if ours == "client" else preferring, tmp_path / "log")
    done = client(certificate, server.port, group, usual if ours == "server" else preferring)
    used = server.end()
    assert done.code == 0, done
    assert f"Negotiated TLS1.3 group: {group}\n" in done.out, done.out
    assert used == ((0, 0) if ours == "client" else (1, 1)), server.log.read_text()


def test_is_installed_where_openssl_looks_below_the_prefix(tmp_path):
    run(["meson", "install", "-C", RELEASE, "--no-rebuild", "--destdir", tmp_path], check=0)
    usual = run(["pkg-config", "--variable=modulesdir", "libcrypto"], check=0).out.strip()
    installed = tmp_path / "usr" / "local" / usual.removeprefix("/usr/") / "pqlattice.so"
    found = openssl("list", "-providers", "-provider-path", installed.parent, "-provider", "pqlattice")
    assert b"pqlattice" in found
