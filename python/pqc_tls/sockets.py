"""A connection that looks like a socket."""

import ctypes
import errno
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pqc_tls import errors
from pqc_tls._library import WANT_READ, WANT_WRITE, Library
from pqc_tls.files import open_file

HANDSHAKE_SECONDS = 10.0  # of a whole handshake, unless the context says otherwise
IO_SECONDS = 30.0  # of one read or write, unless settimeout says otherwise
GOODBYE_SECONDS = 5.0  # at most for telling a peer that takes nothing that we close
LONGEST_POLL = 86_400_000  # milliseconds
RECORD = 16384  # bytes in one TLS record (RFC 8446 section 5.1)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who the peer is, from its verified certificate."""

    common_name: str
    san: str  # the first DNS name
    fingerprint: str  # SHA-256 of the certificate, lower-case hex
    serial: str  # lower-case hex, no leading zeros
    issuer: str  # SHA-256 of the issuer's public key
    not_after: int  # Unix seconds


class PQCSocket:
    """One connection, made by a context. As a socket.socket, with these differences:

    A read or write takes 30 seconds at most unless settimeout() says otherwise; settimeout(None) waits for
    ever. An end without goodbye is a PQCTLSConnectionError, not b"". One thread at a time reads, and one at a
    time writes (they may be two); more are let in one after the other, in no order.
    """

    def __init__(
        self, lib: Library, handle: int, sock: socket.socket, handshake_timeout: float, is_server: bool
    ) -> None:
        """Takes over the C library's connection and the socket."""
        self._lib = lib
        self._handle: int | None = handle
        self._free = weakref.finalize(self, lib.free_conn, handle)
        self._free.atexit = False  # at the end a daemon thread may still be in a call with it
        self._sock = sock
        self._handshake_timeout = handshake_timeout
        inherited = sock.gettimeout()
        self._timeout: float | None = IO_SECONDS if inherited is None else inherited
        self._call_lock = threading.Lock()  # around each call of the C library; none of them waits
        self._write_lock = threading.Lock()  # around a whole write, which may take many calls
        self._half_written = False  # the C library must be offered the same bytes again
        self._said_goodbye = False
        self._waiting = 0
        self._files = 0
        self._closed = False  # by close(); the connection stays until its files are closed too
        self.server_side = is_server
        self.group = self.cipher = self.signature = ""
        self.resumed = False
        self.peer: Peer | None = None

    # --- what was agreed on, known after the handshake, also after close ---

    @property
    def common_name(self) -> str:
        """Of the peer's certificate, "" without one."""
        return self.peer.common_name if self.peer else ""

    @property
    def san(self) -> str:
        return self.peer.san if self.peer else ""

    @property
    def fingerprint(self) -> str:
        return self.peer.fingerprint if self.peer else ""

    def version(self) -> str:
        return "TLSv1.3"

    def _learn(self, handle: int) -> None:
        def text(name: str) -> str:
            raw: bytes | None = getattr(self._lib, name)(handle)
            return raw.decode(errors="replace") if raw else ""

        self.group, self.cipher, self.signature = text("group"), text("cipher"), text("signature")
        self.resumed = self._lib.resumed(handle)
        if text("peer_fingerprint"):
            self.peer = Peer(
                common_name=text("peer_common_name"),
                san=text("peer_san"),
                fingerprint=text("peer_fingerprint"),
                serial=text("peer_serial"),
                issuer=text("peer_issuer"),
                not_after=self._lib.peer_not_after(handle),
            )

    # --- steps and waiting ---

    def _alive(self) -> int:
        if self._handle is None:
            raise errors.PQCTLSError(errno.EBADF, "the connection is closed")
        return self._handle

    def _deadline(self, limit: float | None = None) -> float | None:
        limits = [s for s in (self._timeout, limit) if s is not None]
        return time.monotonic() + min(limits) if limits else None

    def _wait(self, want: int, deadline: float | None, late: Callable[[], errors.PQCTLSError]) -> None:
        """Until the descriptor is ready; the GIL is free meanwhile, and signals are handled."""
        if self._timeout == 0:
            if want == WANT_READ:
                raise errors.PQCTLSWantReadError(errno.EAGAIN, "nothing to read yet")
            raise errors.PQCTLSWantWriteError(errno.EAGAIN, "the peer takes nothing yet")
        left = None if deadline is None else min((deadline - time.monotonic()) * 1000, LONGEST_POLL)
        if left is not None and left <= 0:
            raise late()
        with self._call_lock:
            self._alive()
            poller = select.poll()
            poller.register(self._sock, select.POLLIN if want == WANT_READ else select.POLLOUT)
            self._waiting += 1
        try:
            if not poller.poll(left) and left != LONGEST_POLL:
                raise late()
        finally:
            with self._call_lock:
                self._waiting -= 1
                if self._handle is None and self._waiting == 0:
                    self._sock.close()

    def _step(
        self,
        call: Callable[[int], int],
        deadline: float | None,
        late: Callable[[], errors.PQCTLSError],
        failure: type[errors.PQCTLSError],
    ) -> int:
        """Calls until it is done. call: answers as the C library's calls that do not wait."""
        while True:
            with self._call_lock:
                result = call(self._alive())
                if result >= 0:
                    return result
                reason = self._lib.reason() if result == -1 else ""
            if result not in (WANT_READ, WANT_WRITE):
                raise failure(errno.ECONNRESET, reason)
            self._wait(result, deadline, late)

    def do_handshake(self) -> None:
        """Contexts do it, unless told not to."""
        limit = self._handshake_timeout if self._timeout != 0 else None
        deadline = self._deadline(limit)
        peer = "client" if self.server_side else "server"

        def late() -> errors.PQCTLSError:
            return errors.PQCTLSHandshakeTimeoutError(
                errno.ETIMEDOUT, f"the {peer} stalled in the handshake: it was not done in time"
            )

        def call(handle: int) -> int:
            result: int = self._lib.handshake(handle)
            if result == 0 and not self.group:
                self._learn(handle)
            return result

        self._step(call, deadline, late, errors.PQCTLSHandshakeError)

    # --- reading ---

    def _late_reader(self) -> errors.PQCTLSError:
        return errors.PQCTLSTimeoutError(errno.ETIMEDOUT, f"the peer sent nothing for {self._timeout} s")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Bytes read into the buffer; 0 when the peer closed in due form."""
        if flags:
            raise ValueError("flags have no meaning over TLS")
        with memoryview(buffer).cast("B") as view:
            size = min(nbytes or view.nbytes, view.nbytes, 1 << 30)
            if nbytes < 0:
                raise ValueError("a negative number of bytes")
            if size == 0:
                self._alive()
                return 0
            first = ctypes.c_char.from_buffer(view)
            try:
                return self._step(
                    lambda handle: self._lib.try_read(handle, ctypes.byref(first), size),
                    self._deadline(),
                    self._late_reader,
                    errors.PQCTLSConnectionError,
                )
            finally:
                del first

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """1 to bufsize bytes, 16 KiB at most; b"" when the peer closed in due form."""
        if bufsize < 0:
            raise ValueError("a negative number of bytes")
        buffer = bytearray(min(bufsize, RECORD))
        n = self.recv_into(buffer, 0, flags)
        return bytes(memoryview(buffer)[:n])

    read = recv

    def pending(self) -> int:
        """Bytes that can be read although select() does not tell so."""
        with self._call_lock:
            n: int = self._lib.pending(self._alive())
            return n

    # --- writing ---

    def _late_writer(self) -> errors.PQCTLSError:
        return errors.PQCTLSTimeoutError(
            errno.ETIMEDOUT, f"the peer took too long to accept what was written: over {self._timeout} s"
        )

    def _begin_write(self, deadline: float | None) -> None:
        wait = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._write_lock.acquire(timeout=wait):
            raise self._late_writer()
        if self._half_written and self._timeout != 0:
            self._write_lock.release()
            raise errors.PQCTLSConnectionError(errno.EPIPE, "an earlier write on this connection failed")

    def _write(self, chunk: bytes, deadline: float | None) -> int:
        def call(handle: int) -> int:
            result: int = self._lib.try_write(handle, chunk, len(chunk))
            self._half_written = result == WANT_WRITE
            return result

        return self._step(call, deadline, self._late_writer, errors.PQCTLSConnectionError)

    def send(self, data: Any, flags: int = 0) -> int:
        """Writes one record at most; the number of bytes taken."""
        if flags:
            raise ValueError("flags have no meaning over TLS")
        with _bytes_of(data) as view:
            if view.nbytes == 0:
                self._alive()
                return 0
            deadline = self._deadline()
            self._begin_write(deadline)
            try:
                return self._write(bytes(view[:RECORD]), deadline)
            finally:
                self._write_lock.release()

    write = send

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Writes all of it, under one deadline."""
        if flags:
            raise ValueError("flags have no meaning over TLS")
        with _bytes_of(data) as view:
            deadline = self._deadline()
            self._begin_write(deadline)
            try:
                done = 0
                self._alive()
                while done < view.nbytes:
                    done += self._write(bytes(view[done : done + RECORD]), deadline)
            finally:
                self._write_lock.release()

    # --- the end ---

    def _goodbye(self) -> None:
        """Best effort: the caller is leaving."""
        deadline = self._deadline(GOODBYE_SECONDS)
        try:
            self._begin_write(deadline)
        except errors.PQCTLSError:
            return
        try:
            if not self._half_written and not self._said_goodbye and self.group:
                self._said_goodbye = True
                self._step(
                    self._lib.try_shutdown, deadline, self._late_writer, errors.PQCTLSConnectionError
                )
        except errors.PQCTLSError:
            pass  # the peer is gone, or takes nothing: then it sees a cut, which it was
        finally:
            self._write_lock.release()

    def shutdown(self, how: int) -> None:
        """SHUT_WR: says goodbye, and nothing can be sent afterwards; reading goes on."""
        self._alive()
        if how in (socket.SHUT_WR, socket.SHUT_RDWR):
            self._goodbye()
        self._sock.shutdown(how)

    def close(self) -> None:
        """Says goodbye and frees; may be called again. Waits for files that makefile() made to be closed."""
        self._closed = True
        if self._files <= 0:
            self._real_close()

    def _file_closed(self) -> None:
        self._files -= 1
        if self._closed:
            self.close()

    def _real_close(self) -> None:
        if self._handle is None:
            return
        self._goodbye()
        self._drop()

    def _drop(self) -> None:
        """Frees without a goodbye."""
        with self._call_lock:
            self._handle = None
            self._free()
            if self._waiting == 0:
                self._sock.close()
                return
            # The last of the threads that wait closes it: its number must not be another's under them.
            try:
                self._sock.shutdown(socket.SHUT_RDWR)  # wakes them
            except OSError:
                pass  # it was not connected any more: they are awake

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._handle is None else f"fd={self.fileno()}"
        return f"<PQCSocket {state} group={self.group!r} peer={self.common_name!r}>"

    # --- the socket below ---

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """A file object, as socket.makefile makes it."""
        file = open_file(self, mode, buffering, encoding, errors, newline)
        self._files += 1
        return file

    def settimeout(self, seconds: float | None) -> None:
        if seconds is not None and seconds < 0:
            raise ValueError("a timeout is not negative")
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        return self._timeout

    timeout = property(gettimeout)

    def setblocking(self, blocking: bool) -> None:
        self._timeout = None if blocking else 0.0

    def getblocking(self) -> bool:
        return self._timeout != 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def getpeername(self) -> Any:
        return self._sock.getpeername()

    def getsockname(self) -> Any:
        return self._sock.getsockname()

    def setsockopt(self, level: int, name: int, value: int | bytes) -> None:
        self._sock.setsockopt(level, name, value)

    def getsockopt(self, level: int, name: int) -> int:
        return self._sock.getsockopt(level, name)

    @property
    def family(self) -> int:
        return self._sock.family

    @property
    def type(self) -> int:
        return self._sock.type

    @property
    def proto(self) -> int:
        return self._sock.proto


def _bytes_of(data: Any) -> memoryview:
    if isinstance(data, str):
        raise TypeError("bytes, bytearray or memoryview are sent, not str: encode the text first")
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise TypeError(f"bytes, bytearray or memoryview are sent, not {type(data).__name__}") from None


def borrow(descriptor: Any) -> socket.socket:
    """A socket of our own over the same connection: the caller's descriptor stays the caller's."""
    fd = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    if isinstance(descriptor, bool) or fd < 0:
        raise errors.PQCTLSError(errno.EBADF, f"{descriptor!r} is no open socket")
    timeout = None if isinstance(descriptor, int) else descriptor.gettimeout()
    blocking = os.get_blocking(fd)
    copy = os.dup(fd)
    try:
        sock = socket.socket(fileno=copy)
    except OSError as error:
        os.close(copy)
        raise errors.PQCTLSError(
            error.errno, f"descriptor {fd} cannot carry TLS: {error.strerror}"
        ) from None
    if timeout is not None or socket.getdefaulttimeout() is not None:
        sock.settimeout(timeout)
        os.set_blocking(fd, blocking)  # shared by both descriptors
    return sock
