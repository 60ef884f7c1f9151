"""HTTP/1.1 on the wire, byte for byte (RFC 9110, RFC 9112)."""

import hashlib
import os
import re
import socket
import time

import pytest

from harness import ANYONE, wait_for

HOST = b"Host: localhost\r\n"


def read_response(f, head=False):
    """One response from a file object: status, headers, body."""
    line = f.readline()
    if not line:
        return None
    status = int(line.split()[1])
    headers = {}
    while True:
        line = f.readline()
        assert line, "the connection ended in the head"
        if line == b"\r\n":
            break
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    body = b"" if head or status in (204, 304) or status < 200 else f.read(length)
    return status, headers, body


def talk(server, data, who=None, head=False):
    """Sends bytes, reads every response until the server closes or nothing more is owed."""
    with server.connect(who) as s:
        s.sendall(data)
        f = s.makefile("rb")
        got = []
        while (one := read_response(f, head)) is not None:
            got.append(one)
            if one[1].get("connection") == "close":
                break
        return got


def one(server, data, **kw):
    got = talk(server, data, **kw)
    assert got, "no response"
    return got[0]


@pytest.fixture(scope="module")
def blob(shared):
    data = os.urandom(300_000)
    return shared.publish("http-model", "1.0", data), data


def close(path, *headers, method=b"GET", version=b"HTTP/1.1", body=b""):
    lines = [method + b" " + path + b" " + version, *headers, b"Connection: close"]
    return b"\r\n".join(lines) + b"\r\n" + (b"" if version == b"HTTP/1.0" else HOST) + b"\r\n" + body


def test_keep_alive_and_pipelining(shared):
    with shared.connect(ANYONE) as s:
        f = s.makefile("rb")
        for _ in range(3):
            s.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
            assert read_response(f)[0] == 200
        s.sendall(
            (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n") * 200
            + b"GET /nothing HTTP/1.1\r\n"
            + HOST
            + b"\r\n"
            + b"GET /readyz HTTP/1.1\r\n"
            + HOST
            + b"\r\n"
        )
        statuses = [read_response(f)[0] for _ in range(202)]
        assert statuses == [200] * 200 + [404, 200]


def test_a_request_in_single_bytes(shared):
    with shared.connect(ANYONE) as s:
        for b in b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Some: thing\r\n\r\n":
            s.sendall(bytes([b]))
        assert read_response(s.makefile("rb"))[0] == 200


def test_pipelined_reads_of_files_come_in_order(shared, blob):
    release, data = blob
    path = f"/api/firmware/{release['id']}/file".encode()
    with shared.connect() as s:
        s.sendall(
            b"".join(
                b"GET " + path + b" HTTP/1.1\r\n" + HOST + f"Range: bytes={i}-{i + 9}\r\n\r\n".encode()
                for i in range(0, 500, 10)
            )
        )
        f = s.makefile("rb")
        for i in range(0, 500, 10):
            status, _, body = read_response(f)
            assert (status, body) == (206, data[i : i + 10])


def test_head_and_conditional_requests(shared, blob):
    release, data = blob
    path = f"/api/firmware/{release['id']}/file".encode()
    status, headers, _ = one(shared, close(path, method=b"HEAD"), head=True)
    assert status == 200 and headers["content-length"] == str(len(data))
    etag = headers["etag"]
    assert etag == f'"{hashlib.sha256(data).hexdigest()}"'
    assert one(shared, close(path, b"If-None-Match: " + etag.encode()))[0] == 304
    assert one(shared, close(path, b'If-None-Match: "other", ' + etag.encode()))[0] == 304
    assert one(shared, close(path, b'If-Match: "other"'))[0] == 412
    assert one(shared, close(path, b"If-Modified-Since: " + headers["last-modified"].encode()))[0] == 304
    # If-Range with a stale validator gives the whole.
    status, _, body = one(shared, close(path, b"Range: bytes=0-9", b'If-Range: "other"'))
    assert status == 200 and body == data
    status, _, body = one(shared, close(path, b"Range: bytes=0-9", b"If-Range: " + etag.encode()))
    assert status == 206 and body == data[:10]


@pytest.mark.parametrize(
    "spec,start,stop", [("0-0", 0, 1), ("5-", 5, None), ("-7", -7, None), ("299990-400000", 299990, None)]
)
def test_single_ranges(shared, blob, spec, start, stop):
    release, data = blob
    status, headers, body = one(
        shared, close(f"/api/firmware/{release['id']}/file".encode(), b"Range: bytes=" + spec.encode())
    )
    assert status == 206 and body == data[start:stop]
    assert re.fullmatch(r"bytes \d+-\d+/300000", headers["content-range"])


def test_several_ranges_as_multipart(shared, blob):
    release, data = blob
    path = f"/api/firmware/{release['id']}/file".encode()
    status, headers, body = one(shared, close(path, b"Range: bytes=0-9,1000-1999,-5"))
    assert status == 206
    boundary = (
        re.fullmatch(r"multipart/byteranges; boundary=(\S+)", headers["content-type"])[1]
        .strip('"')
        .encode()
    )
    parts = body.split(b"--" + boundary)
    assert parts[0].strip() == b"" and parts[-1].strip() == b"--"
    pieces = [p.partition(b"\r\n\r\n")[2][:-2] for p in parts[1:-1]]
    assert pieces == [data[0:10], data[1000:2000], data[-5:]]
    assert one(shared, close(path, b"Range: bytes=300000-"))[0] == 416
    # More ranges than anybody needs: the whole file once, rather than work without bound.
    many = b",".join(f"{i}-{i}".encode() for i in range(0, 1000, 2))
    assert one(shared, close(path, b"Range: bytes=" + many))[0] == 200


BAD = {
    "both lengths": (
        b"POST /api/tokens HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        b"\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (
        b"POST /api/tokens HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
    ),
    "the same length twice": (
        b"POST /api/tokens HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    "bad chunk": (
        b"POST /api/tokens HTTP/1.1\r\n"
        + HOST
        + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        400,
    ),
    "chunk longer than said": (
        b"POST /api/tokens HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        400,
    ),
    "unknown coding": (
        b"POST /api/tokens HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        501,
    ),
    "folded header": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\r\n c\r\n\r\n", 400),
    "space before the colon": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A : b\r\n\r\n", 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "NUL in a header": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\0c\r\n\r\n", 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "unknown version": (b"GET /healthz HTTP/3.7\r\n" + HOST + b"\r\n", 505),
    "unknown method": (b"FROB /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "long target": (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "long head": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 40000 + b"\r\n\r\n", 431),
    "many headers": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\r\n" * 200 + b"\r\n", 431),
    "not HTTP at all": (b"\x00\x01\x02\x03\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_requests_are_refused_and_the_connection_ends(shared, name):
    data, status = BAD[name]
    got = talk(shared, data + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert [g[0] for g in got] == [status], got
    assert got[0][1]["connection"] == "close"


@pytest.mark.parametrize(
    "data,status",
    [
        (close(b"/no/such/path"), 404),
        (close(b"/healthz", method=b"DELETE"), 405),
        (close(b"/api/firmware/a/1/f", method=b"PUT"), 411),
        (close(b"/healthz", b"Content-Length: 3", body=b"abc"), 413),
        (
            close(
                b"/api/tokens",
                b"Content-Type: application/json",
                b"Content-Length: 99999999",
                method=b"POST",
            ),
            413,
        ),
        (
            close(
                b"/api/tokens",
                b"Content-Type: text/plain",
                b"Content-Length: 2",
                method=b"POST",
                body=b"{}",
            ),
            415,
        ),
        (
            close(
                b"/api/tokens",
                b"Content-Type: application/json",
                b"Content-Length: 2",
                method=b"POST",
                body=b"{]",
            ),
            400,
        ),
        (close(b"/api/%zz"), 400),
        (close(b"/api/firmware/%2e%2e%2fx"), 400),
        (close(b"/healthz", b"Expect: something", method=b"GET"), 417),
    ],
    ids=lambda v: v if isinstance(v, int) else "",
)
def test_statuses(shared, data, status):
    got, headers, body = one(shared, data)
    assert got == status, body
    assert headers["content-type"] == "application/problem+json"
    if status == 405:
        assert "GET" in headers["allow"]


def test_http_1_0(shared):
    got = talk(shared, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert got[0][0] == 200 and got[0][1]["connection"] == "close"


def test_expect_continue(shared):
    body = b'{"model":"expect-model"}'
    with shared.connect() as s:
        f = s.makefile("rb")
        s.sendall(
            b"POST /api/tokens HTTP/1.1\r\n"
            + HOST
            + b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n"
        )
        assert read_response(f)[0] == 100
        s.sendall(body)
        assert read_response(f)[0] == 201
        # A refusal comes instead of the invitation.
        s.sendall(
            b"POST /no/such HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert read_response(f)[0] == 404


def test_chunked_upload(shared):
    data = os.urandom(700_000)
    with shared.connect() as s:
        s.sendall(
            b"PUT /api/firmware/chunked/1.0/f.bin HTTP/1.1\r\n"
            + HOST
            + b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for i in range(0, len(data), 7001):
            piece = data[i : i + 7001]
            s.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        s.sendall(b"0\r\nX-Trailer: t\r\n\r\n" + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        f = s.makefile("rb")
        status, _, body = read_response(f)
        assert status == 201 and hashlib.sha256(data).hexdigest().encode() in body
        assert read_response(f)[0] == 200


@pytest.mark.parametrize(
    "sent,limit",
    [
        (b"", "idle_seconds"),
        (b"GET /healthz HT", "header_seconds"),
        (
            b"POST /api/tokens HTTP/1.1\r\n"
            + HOST
            + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            "body_seconds",
        ),
    ],
    ids=["idle", "header", "body"],
)
def test_deadlines(make_server, sent, limit):
    server = make_server({f"limits.{limit}": 1})
    with server.connect() as s:
        began = time.monotonic()
        s.sendall(sent)
        answer = s.makefile("rb").read()
        assert 0.7 < time.monotonic() - began < 8
        assert answer == b"" if not sent else answer.startswith(b"HTTP/1.1 408 ")


def test_connections_per_address_are_limited(make_server):
    server = make_server({"limits.connections_per_address": 5})
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    for s in held:
        s.sendall(b"\x16")  # who says nothing is not taken from the system yet
    wait_for(lambda: server.curl("/healthz", who=ANYONE).curl != 0, what="the sixth is refused")
    assert "connections_per_address" in server.logs()
    for s in held:
        s.close()
    wait_for(lambda: server.curl("/healthz", who=ANYONE).status == 200, what="a place is free again")
