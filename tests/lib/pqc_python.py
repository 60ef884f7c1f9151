"""The Python package as a user has it: installed by pip into a folder of its own. And a PKI for its tests."""

import atexit
import contextlib
import functools
import importlib
import os
import pathlib
import shutil
import socket
import sys
import tempfile
import threading

from harness import GROUPS, RELEASE, TREE, Reply, environment, run

LIBRARY = RELEASE / "src" / "tls" / "libpqc_tls.so.1"


@functools.cache
def installed():
    """The folder that pip installed into; gone when the tests end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pqc_tls-installed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-index"]
    argv += ["--root-user-action", "ignore", "--target", folder / "site", TREE / "python"]
    run(argv, check=0, env=environment(HOME=str(folder)))
    return folder / "site"


@functools.cache
def package():
    """The installed package, imported, over the release build's library (a sanitizer's would need its runtime
    loaded into Python)."""
    os.environ["PQC_TLS_LIBRARY"] = str(LIBRARY)
    sys.path.insert(0, str(installed()))
    module = importlib.import_module("pqc_tls")
    assert pathlib.Path(module.__file__).parent == installed() / "pqc_tls"
    return module


def python(*args, check=None, timeout=60, env=None, **kw):
    """A Python of its own that has the package."""
    more = {"PYTHONPATH": str(installed()), "PQC_TLS_LIBRARY": str(LIBRARY), **(env or {})}
    return run([sys.executable, *args], check=check, timeout=timeout, env=environment(**more), **kw)


class Pki:
    """A server's and a device's authority, with certificates named as the founding document does."""

    def __init__(self, folder):
        self.folder = folder
        self.server_ca = self._root("server-ca")
        self.ca = self.device_ca = self._root("device-ca")
        self.other_ca = self._root("other-ca")
        self.cert, self.key = self.issue("mlkem768_dilithium3_server", "server-ca", "server", ".crt")
        self.client_cert, self.client_key = self.issue("dev-1", "device-ca", "client")
        self.stranger_cert, self.stranger_key = self.issue("dev-x", "other-ca", "client")

    def _root(self, name):
        cert = self.folder / f"{name}.pem"
        argv = ["openssl", "req", "-x509", "-newkey", "ML-DSA-65", "-nodes", "-subj", f"/CN={name}"]
        run([*argv, "-days", "5", "-keyout", self.folder / f"{name}.key", "-out", cert], check=0)
        return cert

    def issue(self, name, ca, side, ending=".pem"):
        key, csr, ext = (self.folder / (name + end) for end in (".key", ".csr", ".ext"))
        cert = self.folder / (name + ending)
        argv = ["openssl", "req", "-newkey", "ML-DSA-65", "-nodes", "-subj", f"/CN={name}"]
        run([*argv, "-keyout", key, "-out", csr], check=0)
        names = "DNS:localhost,IP:127.0.0.1" if side == "server" else f"DNS:{name}.example"
        ext.write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            f"extendedKeyUsage={side}Auth\nsubjectAltName={names}\n"
        )
        argv = ["openssl", "x509", "-req", "-in", csr, "-days", "5", "-extfile", ext, "-out", cert]
        run([*argv, "-CA", self.folder / f"{ca}.pem", "-CAkey", self.folder / f"{ca}.key"], check=0)
        return cert, key

    def server_context(self, **kw):
        return package().ServerContext(self.cert, self.key, self.ca, **kw)

    def client_context(self, *args, **kw):
        return package().ClientContext(self.client_cert, self.client_key, self.server_ca, *args, **kw)

    def curl(self, url, *args, certificate=True):
        argv = ["curl", "-sS", "-i", "--max-time", "20", "--cacert", self.server_ca]
        if certificate:
            argv += ["--cert", self.client_cert, "--key", self.client_key]
        if "--curves" not in args:
            argv += ["--curves", GROUPS]
        return reply(run([*argv, *args, url], timeout=30))


def reply(done):
    """What curl -i printed."""
    head, _, body = done.out.partition("\n\n")
    while head.startswith("HTTP/1.1 100"):
        head, _, body = body.partition("\n\n")
    lines = head.splitlines()
    status = int(lines[0].split()[1]) if lines else 0
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
    return Reply(done.code, status, headers, body, done.err)


@contextlib.contextmanager
def in_thread(work):
    """Runs work beside the test; what it raised or returned is known afterwards."""
    result = []

    def run_it():
        try:
            result.append(work())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run_it)
    thread.start()
    try:
        yield result
    finally:
        thread.join(30)
        assert not thread.is_alive(), "the thread did not end"


@contextlib.contextmanager
def connected(server, client, host="localhost"):
    """Both ends of a connection."""
    a, b = socket.socketpair()
    with in_thread(lambda: server.wrap_socket(a)) as accepted:
        there = client.wrap_socket(b, server_hostname=host)
    with there, accepted[0] as here:
        yield here, there


def listener():
    sock = socket.create_server(("127.0.0.1", 0))
    sock.settimeout(20)
    return sock
