"""What goes wrong, with the C library's text: one sentence that names the file or peer and the cause."""


class PQCTLSError(OSError):
    """Every failure of this package is one of these."""


class PQCTLSLibraryError(PQCTLSError):
    """libpqc_tls was not found, or is not the one that this package needs."""


class PQCTLSHandshakeError(PQCTLSError):
    """Peer and we did not agree: no post-quantum key exchange in common, a certificate refused, not TLS."""


class PQCTLSTimeoutError(PQCTLSError, TimeoutError):
    """A deadline passed."""


class PQCTLSHandshakeTimeoutError(PQCTLSHandshakeError, PQCTLSTimeoutError):
    """The handshake was not done in time."""


class PQCTLSConnectionError(PQCTLSError, ConnectionResetError):
    """The connection broke: cut off without a goodbye, or damaged."""


class PQCTLSWantReadError(PQCTLSError, BlockingIOError):
    """A socket that does not block must first become readable."""


class PQCTLSWantWriteError(PQCTLSError, BlockingIOError):
    """A socket that does not block must first become writable; then send the same bytes again."""
