"""The client side: a connection, and HTTPS over it."""

import http.client
import socket
from typing import Any

from pqc_tls.context import ClientContext, Path
from pqc_tls.sockets import IO_SECONDS, PQCSocket


def connect(
    host: str,
    port: int,
    *,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    kem_algorithm: str | None = None,
    sig_algorithm: str | None = None,
    timeout: float | None = IO_SECONDS,
    context: ClientContext | None = None,
) -> PQCSocket:
    """Connects to a server whose certificate must be for host. Give a context, or the files for one."""
    own = context or ClientContext(cert_file, key_file, ca_file, kem_algorithm, sig_algorithm)
    try:
        sock = socket.create_connection((host, port), timeout)
        conn = own.wrap_socket(sock, server_hostname=host)
        conn.settimeout(timeout)
        return conn
    finally:
        if context is None:
            own.close()


class PQCHTTPSConnection(http.client.HTTPConnection):
    """An http.client connection over post-quantum TLS. Give a context, or the files for one."""

    default_port = 443

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        context: ClientContext | None = None,
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        kem_algorithm: str | None = None,
        sig_algorithm: str | None = None,
        timeout: float | None = IO_SECONDS,
        source_address: tuple[str, int] | None = None,
        blocksize: int = 16384,
    ) -> None:
        super().__init__(host, port, timeout, source_address, blocksize)
        self.context = context or ClientContext(cert_file, key_file, ca_file, kem_algorithm, sig_algorithm)

    def connect(self) -> None:
        super().connect()
        plain: Any = self.sock
        host = getattr(self, "_tunnel_host", None) or self.host
        self.sock = None  # the plain socket is the connection's now, or closed
        secured: Any = self.context.wrap_socket(plain, server_hostname=host)
        secured.settimeout(self.timeout)
        self.sock = secured
