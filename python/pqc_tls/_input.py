"""What comes in on a connection of the WSGI server: bytes under deadlines, heads and bodies under limits."""

import io
import re
import time
from collections.abc import Callable
from typing import Any

from pqc_tls.errors import PQCTLSConnectionError, PQCTLSError, PQCTLSTimeoutError
from pqc_tls.files import SocketFile
from pqc_tls.sockets import PQCSocket

CHUNK_LINE = 256  # bytes of a chunk's size line, with its extensions
TRAILER_LINES = 32
SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}")


class Refused(Exception):
    """A request that gets an error without the application's seeing it."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


class Wire(SocketFile):
    """The connection as a raw file, with a deadline over many reads."""

    def __init__(self, conn: PQCSocket, io_seconds: float) -> None:
        super().__init__(conn, True, True)
        self._conn, self._io_seconds = conn, io_seconds
        self._deadline: float | None = None
        self.broken = False  # nothing more can be said
        self.ended = False  # the peer has closed

    def reads_until(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def readinto(self, buffer: Any) -> int | None:
        if self._conn.gettimeout() != 0:
            left = self._io_seconds
            if self._deadline is not None:
                left = min(left, self._deadline - time.monotonic())
            if left <= 0:
                raise PQCTLSTimeoutError("the client took too long to send its request")
            self._conn.settimeout(left)
        try:
            n = super().readinto(buffer)
        except PQCTLSError:
            self.broken = True
            raise
        self.ended = n == 0
        return n

    def write(self, data: Any) -> int | None:
        if self.broken:
            return memoryview(data).nbytes  # what a buffer still holds when the connection is gone
        self._conn.settimeout(self._io_seconds)
        try:
            return super().write(data)
        except PQCTLSError:
            self.broken = True
            raise


class Head:
    """The lines of a head, counted."""

    def __init__(self, file: io.BufferedReader, limit: int) -> None:
        self._file, self._left = file, limit

    def readline(self, limit: int = -1) -> bytes:
        line = self._file.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise Refused(431, "the request's head is too large")
        if not line.endswith(b"\n"):
            raise PQCTLSConnectionError("the client went in the middle of a request")
        if b"\r" in line.rstrip(b"\r\n") or b"\0" in line:
            raise Refused(400, "a carriage return or NUL stands alone in the request's head")
        return line


class Body(io.RawIOBase):
    """A request's body, and nothing behind it. size None: chunked."""

    def __init__(
        self, file: io.BufferedReader, size: int | None, limit: int, begin: Callable[[], None]
    ) -> None:
        super().__init__()
        self._file, self._chunked, self._limit, self._begin = file, size is None, limit, begin
        self._left = size or 0  # of the chunk, when chunked
        self._first = True
        self.done = size == 0
        self.failure: Refused | PQCTLSError | None = None

    def readable(self) -> bool:
        return True

    def unread(self) -> int:
        """Bytes still to come, as far as is known."""
        return self._left

    def was_begun(self) -> bool:
        return not self._first

    def readinto(self, buffer: Any) -> int:
        if self.failure is not None:
            raise self.failure
        if self.done:
            return 0
        try:
            return self._readinto(buffer)
        except (Refused, PQCTLSError) as error:
            self.failure = error
            raise

    def _readinto(self, buffer: Any) -> int:
        if self._first:
            self._begin()
        if self._chunked and self._left == 0:
            self._next_chunk()
        self._first = False
        if self.done:
            return 0
        data = self._file.read1(min(len(buffer), self._left))
        if not data:
            raise PQCTLSConnectionError("the client went in the middle of a request's body")
        buffer[: len(data)] = data
        self._left -= len(data)
        self.done = not self._chunked and self._left == 0
        return len(data)

    def _line(self) -> bytes:
        line = self._file.readline(CHUNK_LINE)
        if not line.endswith(b"\r\n"):
            raise Refused(400, "the body's chunks are malformed")
        return line[:-2]

    def _next_chunk(self) -> None:
        """RFC 9112 section 7.1."""
        if not self._first and self._line() != b"":
            raise Refused(400, "the body's chunks are malformed")
        size = self._line().partition(b";")[0].rstrip(b" \t")
        if SIZE.fullmatch(size) is None:
            raise Refused(400, "the body's chunks are malformed")
        self._left = int(size, 16)
        self._limit -= self._left
        if self._limit < 0:
            raise Refused(413, "the body is too large")
        if self._left == 0:
            for _ in range(TRAILER_LINES):
                if self._line() == b"":
                    self.done = True
                    return
            raise Refused(400, "the body has too many trailers")
