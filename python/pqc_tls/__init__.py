"""Post-quantum TLS 1.3 over libpqc_tls: ML-KEM key exchange, ML-DSA certificates, no fallback.

    import pqc_tls

    tls = pqc_tls.get_pqc_tls()
    ctx = tls.create_server_context("server.pem", "server.key", "device-ca.pem", "mlkem768", "dilithium3")
    conn = tls.accept(ctx, fd)

Or, as a Python person would: ServerContext and ClientContext, whose connections are sockets (PQCSocket);
connect() and PQCHTTPSConnection for clients; serve_wsgi() for web applications.
"""

from pqc_tls._version import VERSION as __version__
from pqc_tls._http import Limits
from pqc_tls.client import PQCHTTPSConnection, connect
from pqc_tls.context import ClientContext, ServerContext
from pqc_tls.errors import (
    PQCTLSConnectionError,
    PQCTLSError,
    PQCTLSHandshakeError,
    PQCTLSHandshakeTimeoutError,
    PQCTLSLibraryError,
    PQCTLSTimeoutError,
    PQCTLSWantReadError,
    PQCTLSWantWriteError,
)
from pqc_tls.sockets import Peer, PQCSocket
from pqc_tls.wrapper import PQCTLS, get_pqc_tls
from pqc_tls.wsgi import WSGIServer, make_wsgi_server, serve_wsgi

__all__ = [
    "PQCTLS",
    "ClientContext",
    "Limits",
    "PQCHTTPSConnection",
    "PQCSocket",
    "PQCTLSConnectionError",
    "PQCTLSError",
    "PQCTLSHandshakeError",
    "PQCTLSHandshakeTimeoutError",
    "PQCTLSLibraryError",
    "PQCTLSTimeoutError",
    "PQCTLSWantReadError",
    "PQCTLSWantWriteError",
    "Peer",
    "ServerContext",
    "WSGIServer",
    "__version__",
    "connect",
    "get_pqc_tls",
    "make_wsgi_server",
    "serve_wsgi",
]
