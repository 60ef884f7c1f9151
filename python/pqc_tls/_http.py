"""One HTTP connection of the WSGI server: the standard library parses, strictness and limits are ours."""

import http.server
import io
import logging
import re
import select
import sys
import urllib.parse
import wsgiref.handlers
import wsgiref.headers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pqc_tls._input import Body, Head, Refused, Wire
from pqc_tls.errors import PQCTLSError
from pqc_tls.sockets import PQCSocket

log = logging.getLogger("pqc_tls.wsgi")

DRAIN = 65536  # bytes of a request's body that are read away when the application did not want them
LINGER_SECONDS = 2.0  # for a client to read our refusal before its connection is reset

# RFC 9110 section 5.6.2; RFC 9112 section 3, without CONNECT's target.
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(TOKEN + r" (/[!-~]*|[A-Za-z][A-Za-z0-9+.-]*://[!-~]+|\*) HTTP/[0-9.]+")


@dataclass(frozen=True, slots=True)
class Limits:
    threads: int = 16  # requests served at once
    connections: int = 512  # open at once; more wait to be accepted
    head_bytes: int = 32768  # request line and headers
    body_bytes: int = 64 << 20  # a request's body
    handshake_seconds: float = 10.0
    head_seconds: float = 10.0  # from the first byte of a request to the end of its head
    body_seconds: float = 300.0  # a whole body
    io_seconds: float = 30.0  # one read or write
    idle_seconds: float = 15.0  # between requests
    stop_seconds: float = 10.0  # for requests under way when the server stops

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")


class Gateway(wsgiref.handlers.SimpleHandler):
    """One request's way through the application, answered in HTTP/1.1."""

    http_version = "1.1"
    server_software = "pqc_tls"
    os_environ: dict[str, str] = {}
    # What the base class keeps, for which there are no types.
    environ: dict[str, Any]
    headers: wsgiref.headers.Headers | None
    headers_sent: bool
    status: str | None

    def __init__(self, request: "Request", body: Body, environ: dict[str, Any]) -> None:
        stream: Any = io.BufferedReader(body)
        out: Any = request.wfile
        super().__init__(stream, out, sys.stderr, environ, multithread=True, multiprocess=False)
        self._request, self._body = request, body
        self._chunked = self._silent = False
        self._declared: int | None = None
        self._sent = 0
        self.whole = False  # the response was sent to its end
        self.answered = "-"  # the status, for the log

    def run(self, application: Any) -> None:
        try:
            self.setup_environ()
            self.result = application(self.environ, self.start_response)
            self.finish_response()
        except Exception:
            self._failed()

    def _failed(self) -> None:
        self._request.close_connection = True
        error = sys.exc_info()[1]
        self.result = None  # finish_response has closed it
        if self._request.wire.broken or isinstance(self._body.failure, PQCTLSError):  # the client has gone
            log.info("%s: %s", self._request.address_string(), error)
            self.close()
            return
        if isinstance(error, Refused) and not self.headers_sent:
            self.close()
            self._request.refuse(error)
            return
        self.handle_error()

    def log_exception(self, exc_info: Any) -> None:
        log.error("%s: the application failed", self._request.requestline, exc_info=exc_info)

    def cleanup_headers(self) -> None:
        headers = self.headers
        assert headers is not None and self.status is not None
        for text in (self.status, *headers.keys(), *headers.values()):
            if re.search(r"[\r\n\0]", text):
                raise ValueError("the status or a response header has a line break in it")
        code = int(self.status[:3])
        self.answered = self.status[:3]
        self._silent = self._request.command == "HEAD" or code < 200 or code in (204, 304)
        if not self._silent and "Content-Length" not in headers:
            self.set_content_length()
        if code < 200 or code == 204:
            del headers["Content-Length"]
        length = headers.get("Content-Length")
        if length is not None and re.fullmatch(r"[0-9]+", length) is None:
            raise ValueError("the Content-Length given is no number")
        self._declared = int(length) if length is not None else None
        if self._declared is None and not self._silent:
            self._chunked = self._request.request_version != "HTTP/1.0"
            if self._chunked:
                headers["Transfer-Encoding"] = "chunked"
            else:
                self._request.close_connection = True
        if self._request.close_connection or self._request.must_end(self._body):
            self._request.close_connection = True
            headers["Connection"] = "close"
        elif self._request.request_version == "HTTP/1.0":
            headers["Connection"] = "keep-alive"

    def send_headers(self) -> None:
        if self._body.failure is not None:  # a framework may have taken it for its application's fault
            raise self._body.failure
        super().send_headers()

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"the application gave {type(data).__name__} for a body, not bytes")
        if self.status is None:
            raise RuntimeError("the application wrote before it called start_response")
        if not self.headers_sent:
            self.bytes_sent = len(data)  # for set_content_length
            self.send_headers()
        self._send(data)
        self._flush()

    def _send(self, data: bytes) -> None:
        if self._silent or not data:
            return
        if self._declared is not None and len(data) > self._declared - self._sent:
            log.warning("%s: the body is longer than the Content-Length given", self._request.requestline)
            data = data[: self._declared - self._sent]
        self._sent += len(data)
        self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def finish_content(self) -> None:
        if not self.headers_sent:
            self.bytes_sent = 0
        super().finish_content()
        if self._chunked:
            self._write(b"0\r\n\r\n")
        self._flush()
        self.whole = self._silent or self._declared is None or self._sent == self._declared
        if not self.whole:
            log.warning("%s: the body is shorter than the Content-Length given", self._request.requestline)


class Request(http.server.BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # errors are answered in, before the version is known
    server_version = "pqc_tls"
    sys_version = ""
    error_content_type = "text/plain;charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"
    rfile: io.BufferedReader

    def __init__(
        self,
        app: Any,
        conn: PQCSocket,
        address: Any,
        base: dict[str, Any],
        limits: Limits,
        is_stopping: Callable[[], bool],
    ) -> None:
        # Not the base class's: it serves the whole connection in one go.
        self.app, self.conn, self.client_address, self.base, self.limits = app, conn, address, base, limits
        self.is_stopping = is_stopping
        self.wire = Wire(conn, limits.io_seconds)
        self.rfile = io.BufferedReader(self.wire, 65536)
        self.wfile = io.BufferedWriter(self.wire, 65536)
        self.close_connection = False
        self.requestline, self.command, self.request_version = "", "", "HTTP/1.1"

    # --- between requests ---

    def has_input(self, seconds: float = 0.0) -> bool:
        """Whether a request has begun, or begins within that time."""
        self.conn.settimeout(0)
        try:
            if self.rfile.peek(1):
                return True
            if self.wire.ended or seconds <= 0:
                return False
            poller = select.poll()
            poller.register(self.conn, select.POLLIN)
            return bool(poller.poll(seconds * 1000)) and len(self.rfile.peek(1)) > 0
        finally:
            self.conn.settimeout(self.limits.io_seconds)

    # --- one request ---

    def handle_one_request(self) -> None:
        """Sets close_connection when nothing may follow."""
        self.close_connection = True
        try:
            self.wire.reads_until(self.limits.head_seconds)
            body = self._read_head()
            if body is not None:
                self.wire.reads_until(self.limits.body_seconds)
                self._answer(body)
            self.wfile.flush()
        except Refused as error:
            self.refuse(error)
        except PQCTLSError as error:
            self.close_connection = True
            log.info("%s: %s", self.address_string(), error.strerror or error)

    def _read_head(self) -> Body | None:
        """None: the parser has sent an error."""
        reader = self.rfile
        head: Any = Head(reader, self.limits.head_bytes)
        self.rfile = head
        try:
            self.raw_requestline = head.readline()
            understood = self.parse_request()
        finally:
            self.rfile = reader
        if not understood:
            self.close_connection = True
            return None
        if REQUEST_LINE.fullmatch(self.requestline) is None:
            raise Refused(400, "a request line has a method, a target and a version")
        if self.request_version not in ("HTTP/1.0", "HTTP/1.1"):
            raise Refused(505, "HTTP/1.0 and HTTP/1.1 are spoken here")
        self._check_headers()
        return self._find_body()

    def _check_headers(self) -> None:
        """The parser lets pass what another server might read differently."""
        if self.headers.defects or self.headers.get_payload() or self.headers.get_unixfrom() is not None:
            raise Refused(400, "a header is malformed")
        for name, value in self.headers.items():
            if re.fullmatch(TOKEN, name) is None or "\n" in value:
                raise Refused(400, "a header is malformed")
        hosts = len(self.headers.get_all("Host", []))
        if hosts > 1 or (hosts == 0 and self.request_version == "HTTP/1.1"):
            raise Refused(400, "one Host header is needed")

    def _find_body(self) -> Body:
        codings = self.headers.get_all("Transfer-Encoding", [])
        lengths = self.headers.get_all("Content-Length", [])
        size: int | None = 0
        if codings:
            if lengths or self.request_version == "HTTP/1.0":
                raise Refused(400, "Transfer-Encoding together with Content-Length or HTTP/1.0")
            if [c.strip().lower() for c in codings] != ["chunked"]:
                raise Refused(501, "no transfer coding but chunked is known here")
            size = None
        elif lengths:
            if len(lengths) > 1 or re.fullmatch(r"[0-9]{1,15}", lengths[0]) is None:
                raise Refused(400, "Content-Length must be one number")
            size = int(lengths[0])
            if size > self.limits.body_bytes:
                raise Refused(413, "the body is too large")
        return Body(self.rfile, size, self.limits.body_bytes, self._ask_for_body)

    def handle_expect_100(self) -> bool:
        return True  # told when the application begins to read the body

    def _ask_for_body(self) -> None:
        expects = self.headers.get("Expect", "").lower() == "100-continue"
        if expects and self.request_version == "HTTP/1.1":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()

    def _answer(self, body: Body) -> None:
        gateway = Gateway(self, body, self._environ(body))
        gateway.run(self.app)
        if not gateway.whole or body.failure is not None:
            self.close_connection = True
        log.info('%s "%s" %s', self.address_string(), ascii(self.requestline)[1:-1], gateway.answered)
        if not body.done and not self.close_connection:
            self.close_connection = not self._drain(body)

    def must_end(self, body: Body) -> bool:
        """Whether no request can follow. A body that was announced by Expect and never asked for may come, or
        may not."""
        unasked = "Expect" in self.headers and not body.was_begun()
        ended = self.is_stopping() or body.failure is not None
        return ended or body.unread() > DRAIN or (unasked and not body.done)

    def _drain(self, body: Body) -> bool:
        """Whether the connection stands at the next request now."""
        left = DRAIN
        try:
            while left > 0:
                n = body.readinto(memoryview(bytearray(min(left, 16384))))
                if n == 0:
                    return True
                left -= n
        except Refused:  # too late to say so: the answer is out
            return False
        return body.done

    def refuse(self, error: Refused) -> None:
        self.close_connection = True
        try:
            self.send_error(error.code, error.why)
            self.wfile.flush()
        except PQCTLSError:
            pass  # the client did not wait for it

    def close(self) -> None:
        """Says goodbye. What the client is still sending is read away for a moment: closing over unread bytes
        would reset the connection, and the client might not see the answer."""
        try:
            if not self.wire.broken and not self.wire.ended:
                self.conn.shutdown(1)
                self.wire.reads_until(LINGER_SECONDS)
                left = 4 * DRAIN
                while left > 0 and (n := len(self.rfile.read1(16384))) > 0:
                    left -= n
        except (OSError, ValueError):
            pass  # it is closed in any case
        finally:
            self.wire.broken = True
            self.conn.close()

    # --- what the application is told ---

    def _environ(self, body: Body) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        if path[0] not in "/*":  # absolute form
            path = "/" + path.partition("://")[2].partition("/")[2]
        environ: dict[str, Any] = dict(self.base)
        environ.update(
            REQUEST_METHOD=self.command,
            SCRIPT_NAME="",
            PATH_INFO=urllib.parse.unquote(path, "iso-8859-1"),
            QUERY_STRING=query,
            SERVER_PROTOCOL=self.request_version,
            REMOTE_ADDR=str(self.client_address[0]),
            REMOTE_PORT=str(self.client_address[1]),
            RAW_URI=self.path,
        )
        environ["wsgi.input_terminated"] = True
        for name, value in self.headers.items():
            if "_" in name:
                continue  # X_Y would look like X-Y
            key = name.replace("-", "_").upper()
            if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[key] = value
            elif "HTTP_" + key in environ:
                environ["HTTP_" + key] += "," + value
            else:
                environ["HTTP_" + key] = value
        environ.update(identity(self.conn))
        return environ

    def address_string(self) -> str:
        who = f" {self.conn.common_name!r}" if self.conn.peer else ""
        return f"{self.client_address[0]}{who}"

    def log_message(self, format: str, *args: Any) -> None:
        log.info("%s: %s", self.address_string(), ascii(format % args)[1:-1])

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.info('%s "%s" %s', self.address_string(), ascii(self.requestline)[1:-1], code)


def identity(conn: PQCSocket) -> dict[str, Any]:
    """The peer in an application's environ, by the names that Apache httpd gives them."""
    told: dict[str, Any] = {
        "HTTPS": "on",
        "SSL_PROTOCOL": conn.version(),
        "SSL_CIPHER": conn.cipher,
        "SSL_SESSION_RESUMED": "Resumed" if conn.resumed else "Initial",
        "SSL_CLIENT_VERIFY": "SUCCESS" if conn.peer else "NONE",
        "PQC_TLS_GROUP": conn.group,
        "PQC_TLS_SIGNATURE": conn.signature,
        "pqc_tls.connection": conn,
    }
    if conn.peer:
        told["SSL_CLIENT_S_DN_CN"] = conn.peer.common_name
        told["SSL_CLIENT_M_SERIAL"] = conn.peer.serial
        told["SSL_CLIENT_FINGERPRINT"] = conn.peer.fingerprint
        told["SSL_CLIENT_ISSUER_KEY"] = conn.peer.issuer
        told["SSL_CLIENT_NOT_AFTER"] = str(conn.peer.not_after)
        if conn.peer.san:
            told["SSL_CLIENT_SAN_DNS_0"] = conn.peer.san
    return told
