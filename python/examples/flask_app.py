"""A Flask application in front of a pqota server: a place for your own business logic.

    GET /api/firmware/latest          the newest firmware for the device that asks, known by its certificate
    GET /api/firmware/latest?model=M  the same, for a device that says its model; a wrong one is refused

Settings come from the environment:

    PQOTA_URL    https://ota.example:8443       the real server
    PQOTA_CA     pqota/pki/server-ca.pem        the roots its certificate ends in
    PQOTA_CERT   viewer.pem                     a viewer's credential (pqota operator add app --role viewer)
    PQOTA_KEY    viewer.key
    CACHE_SECONDS    2    (how old an answer may be)

As a program it serves post-quantum TLS itself, and wants to know more:

    LISTEN           8443
    TLS_CERT, TLS_KEY    its own certificate and key
    TLS_CLIENT_CA    pqota/pki/device-ca.pem        the roots that devices' certificates end in

Behind nginx (see nginx.conf) run it under gunicorn, and say that nginx tells who the client is:

    BEHIND_NGINX=1 gunicorn --bind unix:/run/ota-app/app.sock --umask 007 --threads 8 flask_app:app
"""

import json
import logging
import os
import re
import threading
import time
import urllib.parse
from collections import OrderedDict
from typing import Any

from flask import Flask, Response, jsonify, request

import pqc_tls

CACHE_SECONDS = float(os.environ.get("CACHE_SECONDS", "2"))  # how old an answer may be
CACHE_ENTRIES = 1024
REPLY_BYTES = 1 << 20
UPSTREAM_SECONDS = 10.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+~-]{0,127}")


class Problem(Exception):
    """An answer other than 200; text is for the client to read."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Pqota:
    """The real server's REST interface, over one kept connection per thread."""

    def __init__(self, url: str, ca: str, cert: str, key: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or parts.hostname is None:
            raise ValueError(f"PQOTA_URL must be https://HOST:PORT, not {url!r}")
        self.url = url.rstrip("/")
        self._host, self._port = parts.hostname, parts.port or 443
        self._context = pqc_tls.ClientContext(cert, key, ca)
        self._local = threading.local()
        self._cache: OrderedDict[str, tuple[float, int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON; as it was up to CACHE_SECONDS ago."""
        now = time.monotonic()
        with self._lock:
            known = self._cache.get(path)
            if known is not None and known[0] > now:
                return known[1], known[2]
        status, value = self._fetch(path)
        if status in (200, 404):
            with self._lock:
                self._cache[path] = (now + CACHE_SECONDS, status, value)
                self._cache.move_to_end(path)
                while len(self._cache) > CACHE_ENTRIES:
                    self._cache.popitem(last=False)
        return status, value

    def _fetch(self, path: str) -> tuple[int, Any]:
        """A kept connection may have ended meanwhile: then once more on a new one."""
        for attempt in (1, 2):
            conn: pqc_tls.PQCHTTPSConnection | None = getattr(self._local, "conn", None)
            fresh = conn is None
            if conn is None:
                conn = self._local.conn = pqc_tls.PQCHTTPSConnection(
                    self._host, self._port, context=self._context, timeout=UPSTREAM_SECONDS
                )
            try:
                conn.request("GET", path, headers={"Accept": "application/json"})
                reply = conn.getresponse()
                body = reply.read(REPLY_BYTES + 1)
                if len(body) > REPLY_BYTES:
                    raise ValueError("the reply is over 1 MiB")
                return reply.status, json.loads(body) if body else None
            except Exception as error:  # whatever it was, the connection is in no known state
                conn.close()
                self._local.conn = None
                if fresh or attempt == 2:
                    logging.getLogger(__name__).error("GET %s%s: %s", self.url, path, error)
                    raise Problem(502, "the update server cannot be reached") from error
        raise AssertionError("not reached")


def caller() -> tuple[str, str]:
    """The device that asks and its certificate's serial number, by the verified certificate."""
    told, headers = request.environ, request.headers
    if "SSL_CLIENT_VERIFY" in told:  # TLS in this process
        if told["SSL_CLIENT_VERIFY"] == "SUCCESS":
            return told["SSL_CLIENT_S_DN_CN"], told["SSL_CLIENT_M_SERIAL"]
    # nginx always sets these, also to nothing; only it can reach our socket.
    elif os.environ.get("BEHIND_NGINX") == "1" and headers.get("X-Client-Verify") == "SUCCESS":
        return headers.get("X-Client-Name", ""), headers.get("X-Client-Serial", "").lower().lstrip("0")
    raise Problem(401, "show a client certificate")


def create_app(pqota: Pqota) -> Flask:
    app = Flask(__name__)

    @app.get("/api/firmware/latest")
    def latest() -> Response:
        name, serial = caller()
        if NAME.fullmatch(name) is None:
            raise Problem(403, "this certificate names no device")
        status, device = pqota.get("/api/devices/" + urllib.parse.quote(name, safe=""))
        if status == 404:
            raise Problem(403, f"there is no device {name}")
        if status != 200:
            raise Problem(502, "the update server does not answer questions about devices")
        if device["revoked"] is not None:
            raise Problem(403, f"device {name} is revoked")
        good = [c["serial"] for c in device["certificates"] if c["revoked"] is None]
        if serial not in good:  # replaced by a newer one, for instance
            raise Problem(403, f"this certificate of device {name} does not count any more")
        model = request.args.get("model", device["model"])
        if model != device["model"]:
            raise Problem(403, f"device {name} is of another model")
        # Here is the place for rules of your own: staged roll-outs, licences, regions, ...
        status, firmware = pqota.get("/api/firmware/latest?model=" + urllib.parse.quote(model, safe=""))
        if status == 404:
            raise Problem(404, f"there is no firmware for {model} yet")
        if status != 200:
            raise Problem(502, "the update server does not tell the newest firmware")
        wanted = ("name", "version", "size", "sha256", "filename", "url", "notes")
        answer = {key: firmware[key] for key in wanted}
        if answer["url"]:
            answer["url"] = urllib.parse.urljoin(pqota.url + "/", answer["url"])
        return jsonify(answer)

    @app.get("/healthz")
    def health() -> Response:
        return jsonify(status="ok")

    @app.errorhandler(Problem)
    def problem(error: Problem) -> tuple[Response, int]:
        return jsonify(status=error.status, detail=error.text), error.status

    return app


def setting(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise SystemExit(f"{name} is not set; the beginning of {__file__} tells what it is") from None


def from_environment() -> Flask:
    return create_app(
        Pqota(setting("PQOTA_URL"), setting("PQOTA_CA"), setting("PQOTA_CERT"), setting("PQOTA_KEY"))
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pqc_tls.serve_wsgi(
        from_environment(),
        "",
        int(os.environ.get("LISTEN", "8443")),
        setting("TLS_CERT"),
        setting("TLS_KEY"),
        setting("TLS_CLIENT_CA"),
    )
else:
    app = from_environment()  # for gunicorn
