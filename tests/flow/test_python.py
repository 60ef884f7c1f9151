"""The Python package: as installed by pip, over the real library, against foreign clients and servers."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from harness import RELEASE, TREE, environment, run
from pqc_python import LIBRARY, Pki, connected, in_thread, installed, listener, package, python


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pqc():
    return package()


# --- installing, finding the library, types ---


def test_versions_agree_everywhere(pqc):
    version = re.search(r"version: '([\d.]+)'", (TREE / "meson.build").read_text())[1]
    assert pqc.__version__ == version == pqc.get_pqc_tls().version
    assert (installed() / f"pqc_tls-{version}.dist-info").is_dir()


def test_installing_leaves_nothing_in_the_source_tree():
    installed()
    left = [p.name for p in (TREE / "python").iterdir() if p.name not in ("__pycache__", ".mypy_cache")]
    assert sorted(left) == ["README.md", "examples", "pqc_tls", "pyproject.toml", "setup.py"]


def test_it_is_typed(tmp_path):
    assert (installed() / "pqc_tls" / "py.typed").exists()
    use = tmp_path / "use.py"
    use.write_text(
        "import pqc_tls\n\n\ndef first(host: str) -> bytes:\n"
        "    with pqc_tls.connect(host, 443, ca_file='ca.pem') as conn:\n"
        "        reveal_type(conn.peer)\n        return conn.recv(1)\n\n\n"
        "bad: int = pqc_tls.connect('a', 1).recv(1)\n"
    )
    files = ["pqc_tls", "examples/flask_app.py", "examples/mqtt_client.py", use]
    argv = ["mypy", "--strict", "--cache-dir", RELEASE.parent / "mypy", *files]
    done = run(argv, cwd=TREE / "python")
    assert re.search(r"use.py:6: note: Revealed type is .*Peer", done.out), repr(done)
    assert "use.py:10: error: " in done.out and "Found 1 error in 1 file" in done.out, repr(done)


def test_the_library_is_named_by_the_environment(tmp_path):
    code = "import pqc_tls; print(pqc_tls.get_pqc_tls().library_path)"
    assert python("-c", code, check=0).out.strip() == str(LIBRARY)
    done = python("-c", code, check=1, env={"PQC_TLS_LIBRARY": str(tmp_path / "none.so")})
    assert "PQCTLSLibraryError" in done.err and f"PQC_TLS_LIBRARY names {tmp_path}/none.so" in done.err
    done = python("-c", code, check=1, env={"PQC_TLS_LIBRARY": "libc.so.6"})
    assert "libc.so.6 has no pqc_tls_create_server_ctx: it is older" in done.err


def test_the_library_is_found_installed_or_freshly_built(tmp_path):
    code = "import pqc_tls; print(pqc_tls.get_pqc_tls().library_path)"
    alone = tmp_path / "alone"
    shutil.copytree(TREE / "python" / "pqc_tls", alone / "pqc_tls")
    env = environment(PYTHONPATH=str(alone))
    done = run([sys.executable, "-c", code], env=env, check=1)
    assert "libpqc_tls.so.1 was not found" in done.err and "PQC_TLS_LIBRARY, which is not set" in done.err
    assert "/usr/local/lib/libpqc_tls.so.1" in done.err

    done = run([sys.executable, "-c", code], env=env | {"LD_LIBRARY_PATH": str(LIBRARY.parent)}, check=0)
    assert done.out.strip() == "libpqc_tls.so.1"

    tree = tmp_path / "tree"
    (tree / "include").mkdir(parents=True)
    (tree / "include" / "pqc_tls.h").touch()
    shutil.copytree(TREE / "python" / "pqc_tls", tree / "python" / "pqc_tls")
    env = environment(PYTHONPATH=str(tree / "python"))
    built = tree / "build" / "release" / "src" / "tls" / "libpqc_tls.so.1"
    done = run([sys.executable, "-c", code], env=env, check=1)
    assert f"{built}: is not there (make build makes it)" in done.err
    built.parent.mkdir(parents=True)
    shutil.copy(LIBRARY, built)
    built.chmod(0o644)
    assert run([sys.executable, "-c", code], env=env, check=0).out.strip() == str(built)
    built.chmod(0o666)
    done = run([sys.executable, "-c", code], env=env, check=1)
    assert f"{built}: is left alone, since others may write {built}" in done.err
    built.chmod(0o644)
    built.parents[2].chmod(0o777)  # who may rename its folders can put another in its place
    done = run([sys.executable, "-c", code], env=env, check=1)
    assert f"{built}: is left alone, since others may write {built.parents[2]}" in done.err
    built.parents[2].chmod(0o1777)  # as /tmp: only their own
    assert run([sys.executable, "-c", code], env=env, check=0).out.strip() == str(built)


def test_what_pip_installed_finds_the_tree_it_came_from():
    if RELEASE != TREE / "build" / "release":
        pytest.skip("the release build is elsewhere")
    code = "import pqc_tls; print(pqc_tls.get_pqc_tls().library_path)"
    done = run([sys.executable, "-c", code], env=environment(PYTHONPATH=str(installed())), check=0)
    assert done.out.strip() in (str(LIBRARY), "libpqc_tls.so.1", "/usr/local/lib/libpqc_tls.so.1")


# --- the founding document's calls ---

DOCUMENT = """
import socket, sys
import pqc_tls

tls = pqc_tls.get_pqc_tls()
ctx = tls.create_server_context(
    cert_file="mlkem768_dilithium3_server.crt",
    key_file="mlkem768_dilithium3_server.key",
    ca_file="device-ca.pem",
    kem_algorithm="mlkem768",
    sig_algorithm="dilithium3",
)
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)
while True:
    client, addr = server.accept()
    conn = tls.accept(ctx, client.fileno())
    request = tls.read(conn, 4096)
    body = b'{"version": "1.0"}'
    head = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body)
    tls.write(conn, head + body)
    tls.close(conn)
    client.close()
"""


def test_the_documents_server(pki):
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", DOCUMENT],
        cwd=pki.folder,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(PYTHONPATH=str(installed()), PQC_TLS_LIBRARY=str(LIBRARY)),
    )
    try:
        port = int(process.stdout.readline())
        for _ in range(3):
            answer = pki.curl(f"https://localhost:{port}/api/firmware/latest", "--curves", "MLKEM768")
            assert answer.status == 200 and answer.json() == {"version": "1.0"}, answer
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_wrapper_is_one_object_and_takes_positions(pqc, pki):
    tls = pqc.get_pqc_tls()
    assert tls is pqc.get_pqc_tls()
    server = tls.create_server_context(str(pki.cert), str(pki.key), str(pki.ca), "mlkem768", "dilithium3")
    client = tls.create_client_context(
        pki.client_cert, pki.client_key, pki.server_ca, "mlkem768", "mldsa65"
    )
    a, b = socket.socketpair()
    with in_thread(lambda: tls.accept(server, a)) as accepted:
        there = tls.connect(client, b.fileno(), "localhost")
    here = accepted[0]
    assert tls.write(there, b"hello") == 5
    assert tls.read(here, 100) == b"hello"
    tls.close(there)
    assert tls.read(here, 100) == b""
    tls.close(here)
    tls.close(here)
    assert a.fileno() >= 0 and b.fileno() >= 0  # still the caller's
    a.close(), b.close()


def test_a_borrowed_descriptor_stays_as_it_was(pqc, pki):
    for blocking in (True, False):
        a, b = socket.socketpair()
        a.setblocking(blocking), b.setblocking(blocking)
        server, client = pki.server_context(), pki.client_context()
        with in_thread(lambda: server.accept(a.fileno())) as accepted:
            there = client.connect(b.fileno(), "localhost")
        there.sendall(b"x")
        assert accepted[0].recv(1) == b"x"
        there.close(), accepted[0].close()
        assert (os.get_blocking(a.fileno()), os.get_blocking(b.fileno())) == (blocking, blocking)
        a.close(), b.close()


# --- who gets a connection ---


def shake(pki, server, act):
    """What the server makes of what act does to the other end of its connection."""
    a, b = socket.socketpair()
    with in_thread(lambda: server.wrap_socket(a)) as accepted, b:
        act(b)
    return accepted[0]


def test_wrong_files_are_named(pqc, pki, tmp_path):
    none = tmp_path / "none.pem"
    with pytest.raises(pqc.PQCTLSError, match="none.pem"):
        pqc.ServerContext(none, pki.key, pki.ca)
    with pytest.raises(pqc.PQCTLSError, match="none.pem"):
        pqc.ServerContext(pki.cert, none, pki.ca)
    with pytest.raises(pqc.PQCTLSError, match="none.pem"):
        pqc.ClientContext(None, None, none)
    with pytest.raises(pqc.PQCTLSError, match="dev-1.key"):
        pqc.ServerContext(pki.cert, pki.client_key, pki.ca)  # another certificate's key
    with pytest.raises(pqc.PQCTLSError, match="mlkem999"):
        pqc.ServerContext(pki.cert, pki.key, pki.ca, "mlkem999")
    with pytest.raises(ValueError, match="NUL"):
        pqc.ServerContext("a\0b", pki.key, pki.ca)
    with pytest.raises(pqc.PQCTLSError):
        pqc.ServerContext(pki.cert, pki.key, None)  # who should be let in?


def test_a_client_of_another_authority_is_refused(pqc, pki):
    server = pki.server_context()
    a, b = socket.socketpair()
    with in_thread(lambda: server.wrap_socket(a)) as accepted:
        client = pqc.ClientContext(pki.stranger_cert, pki.stranger_key, pki.server_ca)
        with pytest.raises(pqc.PQCTLSError, match="does not trust"):
            client.wrap_socket(b, server_hostname="localhost").recv(1)
    assert isinstance(accepted[0], pqc.PQCTLSHandshakeError) and "dev-x" in str(accepted[0])


def test_a_client_without_certificate(pqc, pki):
    nobody = pqc.ClientContext(ca_file=pki.server_ca)
    a, b = socket.socketpair()
    server = pki.server_context()
    with in_thread(lambda: server.wrap_socket(a)) as accepted:
        with pytest.raises(pqc.PQCTLSError, match="demands a certificate"):
            nobody.wrap_socket(b, server_hostname="localhost").recv(1)
    assert "showed no certificate" in str(accepted[0])
    with connected(pki.server_context(require_client_cert=False), nobody) as (here, there):
        assert here.peer is None and here.common_name == "" and there.common_name.startswith("mlkem768")


def test_a_server_is_checked(pqc, pki):
    server = pki.server_context()
    for client, host, words in [
        (pki.client_context(), "other.example", "other.example"),
        (pqc.ClientContext(pki.client_cert, pki.client_key, pki.other_ca), "localhost", "certificate"),
    ]:

        def act(sock):
            with pytest.raises(pqc.PQCTLSHandshakeError, match=words):
                client.wrap_socket(sock, server_hostname=host)
            assert sock.fileno() == -1  # it was taken over

        assert isinstance(shake(pki, server, act), pqc.PQCTLSHandshakeError)


def test_classical_clients_are_refused(pqc, pki):
    server = pki.server_context()
    with listener() as sock, in_thread(lambda: server.wrap_socket(sock.accept()[0])) as accepted:
        done = run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{sock.getsockname()[1]}", "-groups", "X25519"],
            input="",
        )
    assert done.code != 0
    assert isinstance(accepted[0], pqc.PQCTLSHandshakeError)
    assert "no post-quantum key exchange" in str(accepted[0]) and "X25519" in str(accepted[0])


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "closed|gone|cut"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "plain HTTP"),
        (b"\x00" * 300, "not TLS"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "closed|gone|cut"),
    ],
)
def test_garbage_and_clients_that_go(pqc, pki, data, words):
    error = shake(pki, pki.server_context(), lambda sock: sock.sendall(data))
    assert isinstance(error, pqc.PQCTLSHandshakeError) and re.search(words, str(error)), repr(error)


def test_a_client_that_says_nothing_runs_into_the_deadline(pqc, pki):
    server = pki.server_context(handshake_timeout=0.2)
    a, b = socket.socketpair()
    begin = time.monotonic()
    with pytest.raises(pqc.PQCTLSHandshakeTimeoutError, match="stalled") as caught:
        server.wrap_socket(a)
    assert isinstance(caught.value, TimeoutError) and time.monotonic() - begin < 5
    b.close()


def test_what_is_no_socket(pqc, pki):
    server = pki.server_context()
    r, w = os.pipe()
    for wrong in (r, -1, 100000):
        with pytest.raises(OSError):
            server.accept(wrong)
    with pytest.raises(TypeError):
        server.wrap_socket(r)
    os.close(r), os.close(w)
    server.close()
    a, b = socket.socketpair()
    with pytest.raises(pqc.PQCTLSError, match="context is closed"):
        server.wrap_socket(a)
    b.close()
