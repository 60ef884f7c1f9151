"""The founding document's interface: one object with a handful of calls."""

import socket
import threading
from typing import Any

from pqc_tls._library import library
from pqc_tls.context import ClientContext, Path, ServerContext
from pqc_tls.sockets import PQCSocket


class PQCTLS:
    """Get it from get_pqc_tls(). May be used by any number of threads; a connection by one at a time."""

    def __init__(self) -> None:
        self._lib = library()

    @property
    def library_path(self) -> str:
        return self._lib.path

    @property
    def version(self) -> str:
        raw: bytes = self._lib.version()
        return raw.decode()

    def create_server_context(
        self,
        cert_file: Path,
        key_file: Path,
        ca_file: Path | None,
        kem_algorithm: str | None = None,
        sig_algorithm: str | None = None,
        require_client_cert: bool = True,
    ) -> ServerContext:
        return ServerContext(
            cert_file,
            key_file,
            ca_file,
            kem_algorithm,
            sig_algorithm,
            require_client_cert=require_client_cert,
        )

    def create_client_context(
        self,
        cert_file: Path | None,
        key_file: Path | None,
        ca_file: Path | None,
        kem_algorithm: str | None = None,
        sig_algorithm: str | None = None,
    ) -> ClientContext:
        return ClientContext(cert_file, key_file, ca_file, kem_algorithm, sig_algorithm)

    def accept(self, ctx: ServerContext, fd: int | socket.socket) -> PQCSocket:
        """The handshake; the descriptor stays the caller's to close."""
        return ctx.accept(fd)

    def connect(self, ctx: ClientContext, fd: int | socket.socket, host: str) -> PQCSocket:
        return ctx.connect(fd, host)

    def read(self, conn: PQCSocket, n: int) -> bytes:
        """1 to n bytes; b"" when the peer closed."""
        return conn.recv(n)

    def write(self, conn: PQCSocket, data: Any) -> int:
        """Writes all of it; how many bytes that were."""
        conn.sendall(data)
        return memoryview(data).nbytes

    def close(self, conn: PQCSocket) -> None:
        """Says goodbye; the descriptor stays open."""
        conn.close()


_lock = threading.Lock()
_instance: PQCTLS | None = None


def get_pqc_tls() -> PQCTLS:
    """The one wrapper of this process. The library is loaded at the first call."""
    global _instance
    with _lock:
        if _instance is None:
            _instance = PQCTLS()
        return _instance
