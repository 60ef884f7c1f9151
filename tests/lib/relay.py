"""Servers that stand between an agent and the real one, or in its place: a relay that changes what passes, a
raw TLS server that says what a test wants, and a proxy for CONNECT."""

import http.client
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def server_context(server):
    """TLS with the real server's own certificate, for an agent that trusts its authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(server.dir / "pki" / "server.pem", server.dir / "pki" / "server.key")
    return context


def extended(value):
    """The same JSON with members that no version knows in every object."""
    if isinstance(value, list):
        return [extended(v) for v in value]
    if not isinstance(value, dict):
        return value
    more = {"x_text": "später", "x_number": 1.5, "x_list": [1, {"deep": [None, True]}], "x_object": {"a": {}}}
    return {"x_first": [], **{k: extended(v) for k, v in value.items()}, **more}


class Acceptor:
    """A listening socket, and a thread that gives each of its connections to a thread of its own."""

    def listen(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def close(self):
        """Not before the thread is out of accept(): the next socket may get the same number, and it would
        take that one's connections."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class Relay:
    """Passes requests on to the server with a device's credential (the TLS of the agent ends here).

    ask(method, path, body) and answer(method, path, status, headers, body) may return something else."""

    def __init__(self, server, who=None, ask=None, answer=None):
        self.server, self.who, self.ask, self.answer = server, who, ask, answer
        self.seen = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def log_message(self, *args):
                pass

            def do(self):
                relay._handle(self)

            do_GET = do_HEAD = do_POST = do_PUT = do

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.socket = server_context(server).wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()  # close() waits

    def _handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path
        if self.ask:
            path, body = self.ask(handler.command, path, body)
        wanted = ("content-type", "range", "if-range")
        passed = {k: v for k, v in handler.headers.items() if k.lower() in wanted}
        upstream = http.client.HTTPSConnection(
            "localhost", self.server.port, context=self.server.tls_context(self.who), timeout=30
        )
        upstream.request(handler.command, path, body or None, passed)
        reply = upstream.getresponse()
        status, headers, content = reply.status, dict(reply.getheaders()), reply.read()
        upstream.close()
        if self.answer:
            status, headers, content = self.answer(handler.command, path, status, headers, content)
        self.seen.append((handler.command, handler.path, status))
        handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                handler.send_header(name, value)
        if handler.command == "HEAD":
            handler.send_header("Content-Length", headers.get("Content-Length", "0"))
        elif status != 204:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def on_json(change):
    """An answer() that changes JSON bodies."""

    def answer(method, path, status, headers, body):
        kind = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if "json" in kind and body:
            body = json.dumps(change(json.loads(body), path)).encode()
        return status, headers, body

    return answer


class Raw(Acceptor):
    """A TLS server whose connections are handled by script(connection, head), once for each request."""

    def __init__(self, server, script):
        self.context, self.script = server_context(server), script
        self.heads = []
        self.listen(self._serve)
        self.url = f"https://localhost:{self.port}"

    def _serve(self, plain):
        try:
            plain.settimeout(30)
            with self.context.wrap_socket(plain, server_side=True) as connection:
                while True:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        piece = connection.recv(4096)
                        if not piece:
                            return
                        head += piece
                    head, _, body = head.partition(b"\r\n\r\n")
                    text = head.decode("latin-1")
                    for line in text.split("\r\n")[1:]:
                        name, _, value = line.partition(":")
                        if name.lower() == "content-length":
                            while len(body) < int(value):
                                body += connection.recv(4096)
                    self.heads.append(text)
                    if self.script(connection, text) == "close":
                        return
        except OSError:
            pass


class ConnectProxy(Acceptor):
    """An HTTP proxy for CONNECT alone; every name leads to 127.0.0.1."""

    def __init__(self, refuse=None):
        self.refuse, self.asked = refuse, []
        self.listen(self._serve)
        self.url = f"http://127.0.0.1:{self.port}"

    def _serve(self, one):
        head = b""
        try:
            while b"\r\n\r\n" not in head:
                piece = one.recv(4096)
                if not piece:
                    return
                head += piece
            line = head.split(b"\r\n")[0].decode()
            self.asked.append(line)
            if self.refuse or not line.startswith("CONNECT "):
                one.sendall(f"HTTP/1.1 {self.refuse or '405 No'}\r\nContent-Length: 0\r\n\r\n".encode())
                one.close()
                return
            two = socket.create_connection(("127.0.0.1", int(line.split()[1].rsplit(":", 1)[1])))
        except OSError:
            one.close()
            return
        one.sendall(b"HTTP/1.1 200 Connected\r\nX-Proxy: test\r\n\r\n")
        for a, b in ((one, two), (two, one)):
            threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while piece := source.recv(16384):
                sink.sendall(piece)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
