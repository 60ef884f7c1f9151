"""The console without a browser: its cookie, what its page sends, and its live streams."""

import http.client
import itertools
import json
import ssl
import urllib.parse

from harness import ANYONE, wait_for

SELF = object()
NUMBERS = itertools.count(1)


def authority(server):
    """What a browser is given to believe the console."""
    return server.dir / "pki" / "console-ca.pem"


def link(server, *args):
    """The token of a new one-time link, from the real command."""
    url = server.pqota("console", *args).out.strip()
    head, _, token = url.partition("#sign-in=")
    assert head == f"{server.console_url}/" and token, url
    return token


def account(server, name, role):
    """A new account; answers its password."""
    return server.pqota("account", "create", name, "--role", role).out.strip()


class Console:
    """One browser's place: it keeps its cookie, and its requests come from the page itself."""

    def __init__(self, server, cookie=None, host="localhost"):
        self.server, self.cookie = server, cookie
        self.url = f"https://{host}:{server.console_port}"

    def call(self, method, path, body=None, *args, origin=SELF, expect=None, timeout=60):
        """origin: another text, or None for none. args: more for curl."""
        argv = ["--cacert", authority(self.server), "-X", method]
        if self.cookie:
            argv += ["-H", f"Cookie: {self.cookie}"]
        if origin is SELF:
            origin = self.url if method not in ("GET", "HEAD") else None
        if origin is not None:
            argv += ["-H", f"Origin: {origin}"]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        reply = self.server.curl(path, *argv, *args, who=ANYONE, url=self.url, timeout=timeout)
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
        if expect is not None:
            assert reply.status == expect, f"{method} {path}: wanted {expect}, got {reply!r}"
        return reply

    def get(self, path, *args, expect=200, **kw):
        return self.call("GET", path, None, *args, expect=expect, **kw)

    def sign_in(self, name=None, password=None, token=None, expect=200):
        body = {"link": token} if token else {"name": name, "password": password}
        return self.call("POST", "/console/session", body, expect=expect)

    def who(self):
        """The session's name and role; None for nobody."""
        said = self.get("/console/session").json()
        return (said["name"], said["role"]) if said["name"] else None


def signed_in(server, role="admin", name=None):
    """A place where a new account of that role is signed in by its password. It has name and password."""
    place = Console(server)
    place.name = name or f"{role}-{next(NUMBERS)}"
    place.password = account(server, place.name, role)
    place.sign_in(place.name, place.password)
    return place


def tls(server):
    context = ssl.create_default_context(cafile=str(authority(server)))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class Stream:
    """GET /console/live, event by event."""

    def __init__(self, place, *topics, query=None, timeout=20, context=None):
        asked = (
            "&".join(f"topic={urllib.parse.quote(t, safe='')}" for t in topics) if query is None else query
        )
        self.http = http.client.HTTPSConnection(
            "localhost", place.server.console_port, timeout=timeout, context=context or tls(place.server)
        )
        self.http.request("GET", f"/console/live?{asked}", headers={"Cookie": place.cookie or ""})
        self.socket = self.http.sock  # the other forgets it
        self.reply = self.http.getresponse()
        self.status, self.headers = self.reply.status, self.reply.headers

    def event(self):
        """The next: (event, data); None at the end."""
        name, data = None, []
        while line := self.reply.readline():
            text = line.decode().removesuffix("\n")
            if not text and name:
                if name != "here":
                    return name, json.loads("\n".join(data))
                name, data = None, []
            key, _, value = text.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
        return None

    def update(self, topic=None, when=lambda data: True):
        """The data of the next update, of that topic, that is as it should be."""
        while event := self.event():
            name, data = event
            assert name == "update", event
            if topic in (None, data["topic"]) and when(data):
                return data
        raise AssertionError("the stream has ended")

    def end(self):
        """Why it ended; updates before it do not matter."""
        while event := self.event():
            if event[0] == "end":
                assert self.event() is None
                return event[1]["reason"]
        return None

    def problem(self):
        return json.loads(self.reply.read())

    def close(self):
        self.reply.close()
        self.http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def streams(server):
    """How many there are, as the server counts them."""
    page = server.curl("/metrics").body.decode()
    return int(page.partition("\npqota_console_streams ")[2].split("\n")[0])


def wait_for_streams(server, n):
    wait_for(lambda: streams(server) == n, what=f"{n} streams")
