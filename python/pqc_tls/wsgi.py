"""A WSGI server with TLS in process: a loop that accepts and watches, and a bounded pool that works.

The loop never handshakes and never reads: a connection goes to a worker when its client has sent something,
and comes back when it has nothing to say, in the middle of a handshake too. So who is idle or not known yet
holds no worker, and who is slow with a request holds one for a bounded time.
"""

import contextlib
import enum
import logging
import queue
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from pqc_tls._http import Limits, Request
from pqc_tls.context import Path, ServerContext
from pqc_tls.errors import PQCTLSError, PQCTLSWantReadError, PQCTLSWantWriteError
from pqc_tls.sockets import PQCSocket

log = logging.getLogger("pqc_tls.wsgi")

BACKLOG = 128
TICK_SECONDS = 0.5  # how late a deadline of an idle connection may be noticed
HOT_SECONDS = 0.02  # that a worker waits for a connection's next request before it gives it back


class _Next(enum.Enum):
    PARK = 1  # until the client sends something
    AGAIN = 2  # it has sent something, but others are waiting
    CLOSE = 3


class _Connection:
    def __init__(self, sock: socket.socket, address: Any) -> None:
        self.sock: socket.socket | PQCSocket = sock
        self.address = address
        self.tls: PQCSocket | None = None
        self.request: Request | None = None  # after the handshake
        self.begun = time.monotonic()
        self.deadline = 0.0  # while parked
        self.event = selectors.EVENT_READ  # that it is parked for

    def close(self) -> None:
        """At once, if need be without a goodbye."""
        with contextlib.suppress(OSError):
            if self.request is not None:
                self.request.wire.broken = True
            if self.tls is not None:
                self.tls.settimeout(0)
            self.sock.close()


class WSGIServer:
    """Made by make_wsgi_server. server_address and server_port tell where it listens."""

    def __init__(self, app: Any, host: str, port: int, context: ServerContext, limits: Limits) -> None:
        self.app, self.limits, self._context = app, limits, context
        both = host == "" and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
        self._listener = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
        self._listener.setblocking(False)
        self.server_address = self._listener.getsockname()
        self.server_port: int = self.server_address[1]
        self._base = {"SERVER_NAME": host or socket.gethostname(), "SERVER_PORT": str(self.server_port)}
        self._work: queue.SimpleQueue[_Connection | None] = queue.SimpleQueue()
        self._back: deque[_Connection] = deque()  # from the workers to the loop
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()  # around _connections
        self._parked: set[_Connection] = set()
        self._next_look = 0.0
        self._stopping = False
        self._accepting = False
        self._accept_again = 0.0  # when, after the system had no room for a connection
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._threads: list[threading.Thread] = []

    @property
    def connections(self) -> int:
        """Open now."""
        with self._lock:
            return len(self._connections)

    # --- start and stop ---

    def serve_forever(self) -> None:
        """Until shutdown() is called, from another thread or a signal's handler; then requests under way are
        finished."""
        for i in range(self.limits.threads):
            thread = threading.Thread(target=self._worker, name=f"pqc_tls-{i}", daemon=True)
            thread.start()
            self._threads.append(thread)
        try:
            while not self._stopping:
                self._watch_listener()
                for key, _ in self._selector.select(TICK_SECONDS):
                    self._on_event(key)
                self._take_back()
                self._end_idle()
        finally:
            self._stopping = True
            self._stop()

    def shutdown(self) -> None:
        """Asks it to stop, and returns at once."""
        self._stopping = True
        self._wake()

    def _stop(self) -> None:
        self._listener.close()
        self._take_back()
        for conn in list(self._parked):
            self._unpark(conn)
            self._close(conn)
        for _ in self._threads:
            self._work.put(None)
        deadline = time.monotonic() + self.limits.stop_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left = list(self._connections)
        for conn in left:
            log.warning("%s: cut off, it was not done in time", conn.address[0])
            self._close(conn)
        self._threads.clear()

    def server_close(self) -> None:
        """After serve_forever: gives everything back."""
        self._listener.close()
        self._selector.close()
        self._bell.close()
        self._ring.close()
        self._context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server_close()

    # --- the loop ---

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._ring.send(b"x")  # a full pipe wakes it too

    def _watch_listener(self) -> None:
        """At the limit the kernel's queue keeps who comes."""
        room = self.connections < self.limits.connections
        wanted = room and time.monotonic() >= self._accept_again
        if wanted and not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif not wanted and self._accepting:
            self._selector.unregister(self._listener)
            if not room:
                log.warning(
                    "%d connections are open: no more are accepted for now", self.limits.connections
                )
        self._accepting = wanted

    def _on_event(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._bell:
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)
        else:
            self._unpark(key.data)
            self._work.put(key.data)

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except OSError as error:  # it went again, or there are too many files: then others must end first
            if not isinstance(error, BlockingIOError | ConnectionError):
                log.error("cannot accept a connection: %s", error)
                self._accept_again = time.monotonic() + TICK_SECONDS
            return
        sock.settimeout(self.limits.io_seconds)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn = _Connection(sock, address)
        with self._lock:
            self._connections.add(conn)
        self._park(conn)

    def _park(self, conn: _Connection) -> None:
        if conn.request is None:
            conn.deadline = conn.begun + self.limits.handshake_seconds
        else:
            conn.deadline = time.monotonic() + self.limits.idle_seconds
        self._selector.register(conn.sock, conn.event, conn)
        self._parked.add(conn)

    def _unpark(self, conn: _Connection) -> None:
        self._selector.unregister(conn.sock)
        self._parked.discard(conn)

    def _take_back(self) -> None:
        while self._back:
            self._park(self._back.popleft())

    def _end_idle(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + TICK_SECONDS
        for conn in [c for c in self._parked if c.deadline < now]:
            if conn.request is None:
                log.info("%s: stalled in the handshake", conn.address[0])
            self._unpark(conn)
            self._close(conn)

    def _close(self, conn: _Connection) -> None:
        conn.close()
        with self._lock:
            self._connections.discard(conn)
        if not self._accepting:
            self._wake()

    # --- the workers ---

    def _worker(self) -> None:
        while (conn := self._work.get()) is not None:
            try:
                then = _Next.CLOSE if self._stopping else self._serve(conn)
            except BaseException:  # an application may even raise SystemExit: the worker goes on
                log.exception("%s: the connection is closed", conn.address[0])
                then = _Next.CLOSE
            if then is _Next.PARK and not self._stopping:
                self._back.append(conn)
                self._wake()
            elif then is _Next.AGAIN and not self._stopping:
                self._work.put(conn)
            else:
                self._close(conn)

    def _serve(self, conn: _Connection) -> _Next:
        try:
            request = conn.request or self._handshake(conn)
            if request is None:
                return _Next.PARK
            while request.has_input(HOT_SECONDS if self._work.empty() else 0.0):
                request.handle_one_request()
                if request.close_connection:
                    request.close()
                    return _Next.CLOSE
                if not self._work.empty():
                    return _Next.AGAIN if request.has_input() else _Next.PARK
            return _Next.CLOSE if request.wire.ended else _Next.PARK
        except PQCTLSError as error:
            log.info("%s: %s", conn.address[0], error.strerror or error)
            return _Next.CLOSE

    def _handshake(self, conn: _Connection) -> Request | None:
        """None: it waits for the client."""
        if conn.tls is None:
            assert isinstance(conn.sock, socket.socket)
            conn.tls = conn.sock = self._context.wrap_socket(conn.sock, do_handshake_on_connect=False)
        conn.tls.settimeout(0)
        conn.event = selectors.EVENT_READ
        try:
            conn.tls.do_handshake()
        except PQCTLSWantReadError:
            return None
        except PQCTLSWantWriteError:
            conn.event = selectors.EVENT_WRITE
            return None
        conn.request = Request(
            self.app, conn.tls, conn.address, self._base, self.limits, lambda: self._stopping
        )
        return conn.request


def make_wsgi_server(
    app: Any,
    host: str,
    port: int,
    cert_file: Path,
    key_file: Path,
    ca_file: Path | None,
    kem_algorithm: str | None = None,
    sig_algorithm: str | None = None,
    *,
    require_client_cert: bool = True,
    limits: Limits | None = None,
) -> WSGIServer:
    """A server that listens; serve_forever() serves. host "": all addresses; port 0: any."""
    limits = limits or Limits()
    context = ServerContext(
        cert_file,
        key_file,
        ca_file,
        kem_algorithm,
        sig_algorithm,
        require_client_cert=require_client_cert,
        handshake_timeout=limits.handshake_seconds,
    )
    try:
        return WSGIServer(app, host, port, context, limits)
    except BaseException:
        context.close()
        raise


@contextlib.contextmanager
def _stopped_by_signals(server: WSGIServer) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: server.shutdown()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve_wsgi(
    app: Any,
    host: str,
    port: int,
    cert_file: Path,
    key_file: Path,
    ca_file: Path | None,
    kem_algorithm: str | None = None,
    sig_algorithm: str | None = None,
    *,
    require_client_cert: bool = True,
    limits: Limits | None = None,
) -> None:
    """Serves a WSGI application over post-quantum TLS until SIGTERM or Ctrl-C, then finishes what is under
    way. The application finds the client's identity in its environ: SSL_CLIENT_VERIFY ("SUCCESS" or "NONE"),
    SSL_CLIENT_S_DN_CN, SSL_CLIENT_FINGERPRINT, ...; and the connection itself as "pqc_tls.connection"."""
    with make_wsgi_server(
        app,
        host,
        port,
        cert_file,
        key_file,
        ca_file,
        kem_algorithm,
        sig_algorithm,
        require_client_cert=require_client_cert,
        limits=limits,
    ) as server:
        with _stopped_by_signals(server):
            log.info("serving on %s port %d", host or "all addresses", server.server_port)
            server.serve_forever()
