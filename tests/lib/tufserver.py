"""Serves a tests/lib/tufrepo.Repository over plain HTTP on a thread, notes what is asked for, and misbehaves
where the repository's `tricks` say so.

    with tufserver.Server(repo) as server:
        server.metadata_url, server.targets_url
        repo.tricks["timestamp.json"] = tufserver.status(503)
"""

import http.server
import threading

DRIP_PAUSE = 0.05  # seconds between two bytes of a slow answer
ENDLESS_MOST = 64 << 20  # bytes: an endless answer ends for a client that takes all of it


def status(code, body=b"no"):
    """Answers that status."""

    def answer(handler, _):
        handler.reply(code, body)

    return answer


def redirect(url, code=302):
    def answer(handler, _):
        handler.reply(code, b"", Location=url)

    return answer


def endless(with_what=b" " * 65536, promised=None):
    """Sends on and on; promised: the Content-Length that it pretends."""

    def answer(handler, data):
        handler.begin(200, promised)
        handler.send((data or b"") + with_what)
        for _ in range(ENDLESS_MOST // len(with_what)):
            if not handler.send(with_what):
                return
        handler.close_connection = True

    return answer


def drip(handler, data):
    """Sends one byte, then another, then another..."""
    handler.begin(200, len(data))
    for i in range(len(data)):
        if handler.server.stopping.wait(DRIP_PAUSE) or not handler.send(data[i : i + 1]):
            return


def short_of(missing=1):
    """Promises the whole file and closes before its end."""

    def answer(handler, data):
        handler.begin(200, len(data))
        handler.send(data[:-missing])
        handler.close_connection = True

    return answer


def instead(other):
    """Sends other bytes."""

    def answer(handler, _):
        handler.reply(200, other)

    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def do_GET(self):
        repo, path = self.server.repo, self.path.lstrip("/")
        kind, _, rest = path.partition("/")
        name = path if kind == "targets" else rest
        repo.requests.append(name)
        held = (repo.blobs if kind == "targets" else repo.files).get(rest)
        trick = repo.tricks.get(name)
        if trick is not None:
            trick(self, held)
        elif held is None:
            self.reply(404, b"there is none")
        else:
            self.reply(200, held)

    def begin(self, code, length, **headers):
        self.send_response(code)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, data):
        """False when the client has gone, or the server ends."""
        try:
            self.wfile.write(data)
            return not self.server.stopping.is_set()
        except OSError:
            self.close_connection = True
            return False

    def reply(self, code, body, **headers):
        self.begin(code, len(body), **headers)
        self.send(body)

    def log_message(self, *_):
        """Says nothing: what was asked is in repo.requests."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, repo):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repo, self.stopping = repo, threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.metadata_url, self.targets_url = self.url + "/metadata/", self.url + "/targets/"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.005,), daemon=True)
        self.thread.start()

    def handle_error(self, request, client_address):
        """A client that hangs up is none."""

    def close(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
