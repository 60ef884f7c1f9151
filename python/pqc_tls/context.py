"""Contexts: certificate, key, roots and rules, from which connections are made."""

import os
import socket
import threading
import weakref
from types import TracebackType
from typing import Any, Self

from pqc_tls import errors
from pqc_tls._library import Library, library, path_bytes
from pqc_tls.sockets import HANDSHAKE_SECONDS, PQCSocket, borrow

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class _Context:
    check_hostname = True  # as ssl.SSLContext names it: a client always does

    def __init__(self, lib: Library, handle: int | None, handshake_timeout: float) -> None:
        if handle is None:
            raise errors.PQCTLSError(lib.reason())
        self._lib = lib
        self._lock = threading.Lock()
        self._handle: int | None = handle
        self._free = weakref.finalize(self, lib.free_ctx, handle)
        self._free.atexit = False
        if handshake_timeout <= 0:
            raise ValueError("handshake_timeout must be more than 0 seconds")
        self.handshake_timeout = handshake_timeout

    def close(self) -> None:
        """Connections made from it stay good. May be called again."""
        with self._lock:
            self._handle = None
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, sock: socket.socket, host: str | None, handshake: bool) -> PQCSocket:
        """Takes the socket over, and closes it when it fails."""
        try:
            name = path_bytes("the host name", host)
            with self._lock:
                if self._handle is None:
                    raise errors.PQCTLSError("the context is closed")
                handle = self._lib.begin(self._handle, sock.fileno(), name)
            if handle is None:
                raise errors.PQCTLSError(self._lib.reason())
        except BaseException:
            sock.close()
            raise
        conn = PQCSocket(self._lib, handle, sock, self.handshake_timeout, host is None)
        if handshake:
            try:
                conn.do_handshake()
            except BaseException:
                conn._drop()
                raise
        return conn


class ServerContext(_Context):
    """A server's side. cert_file: PEM, the leaf first, then the CAs between it and the root; key_file: a path
    or a URI of an OpenSSL store (pkcs11:...); ca_file: the roots that clients' certificates end in;
    kem_algorithm: "mlkem768", "x25519mlkem768", ..., a comma list, or a policy ("balanced", "cnsa2",
    "constrained"); sig_algorithm: "mldsa65", "dilithium3", .... Files are read here and not again."""

    def __init__(
        self,
        cert_file: Path,
        key_file: Path,
        ca_file: Path | None,
        kem_algorithm: str | None = None,
        sig_algorithm: str | None = None,
        *,
        require_client_cert: bool = True,
        handshake_timeout: float = HANDSHAKE_SECONDS,
    ) -> None:
        lib = library()
        handle = lib.create_server_ctx(
            path_bytes("cert_file", cert_file),
            path_bytes("key_file", key_file),
            path_bytes("ca_file", ca_file),
            path_bytes("kem_algorithm", kem_algorithm),
            path_bytes("sig_algorithm", sig_algorithm),
            bool(require_client_cert),
        )
        super().__init__(lib, handle, handshake_timeout)

    def accept(self, fd: int | socket.socket) -> PQCSocket:
        """The handshake on a connected socket or its descriptor, which stays the caller's to close."""
        return self._begin(borrow(fd), None, True)

    def wrap_socket(
        self, sock: socket.socket, server_side: bool = True, do_handshake_on_connect: bool = True
    ) -> PQCSocket:
        """As accept, and the socket becomes the connection's: it is closed with it, and on failure."""
        if not server_side:
            raise ValueError("a server's context serves; make a ClientContext")
        return self._begin(_take(sock), None, do_handshake_on_connect)


class ClientContext(_Context):
    """A client's side; cert_file and key_file may be None for servers that demand none. The server's
    certificate is always checked, the host name too. The last session is kept and resumed."""

    def __init__(
        self,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        ca_file: Path | None = None,
        kem_algorithm: str | None = None,
        sig_algorithm: str | None = None,
        *,
        handshake_timeout: float = HANDSHAKE_SECONDS,
    ) -> None:
        lib = library()
        handle = lib.create_client_ctx(
            path_bytes("cert_file", cert_file),
            path_bytes("key_file", key_file),
            path_bytes("ca_file", ca_file),
            path_bytes("kem_algorithm", kem_algorithm),
            path_bytes("sig_algorithm", sig_algorithm),
        )
        super().__init__(lib, handle, handshake_timeout)

    def connect(self, fd: int | socket.socket, host: str) -> PQCSocket:
        """The handshake on a connected socket or its descriptor, which stays the caller's to close."""
        return self._begin(borrow(fd), host, True)

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = False,
        server_hostname: str | None = None,
    ) -> PQCSocket:
        """As connect, and the socket becomes the connection's. As ssl.SSLContext.wrap_socket, so that
        libraries which take an SSLContext take this."""
        if server_side or suppress_ragged_eofs:
            raise ValueError("a client's context does not serve, and takes no cut for an end")
        if server_hostname is None:
            raise ValueError("server_hostname is needed: whom the server's certificate must be for")
        return self._begin(_take(sock), server_hostname, do_handshake_on_connect)


def _take(sock: Any) -> socket.socket:
    if not isinstance(sock, socket.socket):
        raise TypeError(f"a connected socket.socket is wrapped, not {type(sock).__name__}")
    timeout = sock.gettimeout()
    taken = socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    taken.settimeout(timeout)
    return taken
