"""The file objects that PQCSocket.makefile makes."""

import io
from typing import TYPE_CHECKING, Any

from pqc_tls.errors import PQCTLSError, PQCTLSTimeoutError, PQCTLSWantReadError, PQCTLSWantWriteError

if TYPE_CHECKING:
    from pqc_tls.sockets import PQCSocket


class SocketFile(io.RawIOBase):
    """A socket as a raw file; the socket stays open until its files are closed too."""

    def __init__(self, sock: "PQCSocket", reading: bool, writing: bool) -> None:
        super().__init__()
        self._sock: PQCSocket | None = sock
        self._reading, self._writing = reading, writing
        self._timed_out = False

    def readable(self) -> bool:
        return self._reading and not self.closed

    def writable(self) -> bool:
        return self._writing and not self.closed

    def fileno(self) -> int:
        return self._open().fileno()

    def _open(self) -> "PQCSocket":
        if self._sock is None:
            raise ValueError("the file is closed")
        return self._sock

    def readinto(self, buffer: Any) -> int | None:
        sock = self._open()
        if not self._reading:
            raise io.UnsupportedOperation("the file was not opened for reading")
        if self._timed_out:  # a buffer above may have lost what came before the deadline
            raise PQCTLSError("cannot read on: a deadline passed in the middle of reading")
        try:
            return sock.recv_into(buffer)
        except PQCTLSWantReadError:
            return None
        except PQCTLSTimeoutError:
            self._timed_out = True
            raise

    def write(self, data: Any) -> int | None:
        sock = self._open()
        if not self._writing:
            raise io.UnsupportedOperation("the file was not opened for writing")
        try:
            return sock.send(data)
        except PQCTLSWantWriteError:
            return None

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        sock, self._sock = self._sock, None
        if sock is not None:
            sock._file_closed()


def open_file(
    sock: "PQCSocket",
    mode: str,
    buffering: int | None,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """As socket.makefile; the caller counted the file already."""
    if not mode or set(mode) - set("rwb"):
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writing, binary = "w" in mode, "b" in mode
    reading = "r" in mode or not writing
    raw = SocketFile(sock, reading, writing)
    size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    if size == 0:
        if not binary:
            raise ValueError("unbuffered streams must be binary")
        return raw
    buffered: Any
    if reading and writing:
        buffered = io.BufferedRWPair(raw, raw, size)
    elif reading:
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if binary:
        return buffered
    return io.TextIOWrapper(buffered, io.text_encoding(encoding), errors, newline)
