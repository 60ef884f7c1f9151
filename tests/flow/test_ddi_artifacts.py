"""hawkBit's device protocol: the files of an update."""

import email
import hashlib
import os
import re

import ddi
import pytest
from ddi import Device, asked_to_stop, cancel

DATA = bytes(i * 7 % 251 for i in range(300_000))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-artifacts"))
    yield server
    server.close()


class Update:
    """One under way, and its file."""

    def __init__(self, server, data=None, **policy):
        self.data = data or DATA + os.urandom(8)
        self.device = Device(server)
        self.device.get("")
        self.deployment = ddi.deploy(server, self.device, ddi.publish(server, data=self.data), **policy)
        links = self.device.links()
        kind = "confirmation" if "confirmationBase" in links else "deployment"
        self.action = self.device.action(f"{kind}Base")
        chunk = self.device.get(f"/{kind}Base/{self.action}").json()[kind]["chunks"][0]
        self.href = chunk["artifacts"][0]["_links"]["download"]["href"]
        self.list = re.sub(r"/[^/]+$", "", self.href)

    def get(self, expect=200, **headers):
        return self.device.get(self.href, expect, **headers)


@pytest.fixture(scope="module")
def update(server):
    return Update(server)


def test_the_whole_file(update):
    reply = update.get()
    assert reply.body == update.data
    sha1 = hashlib.sha1(update.data).hexdigest()
    expected = {
        "etag": f'"{sha1}"',
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "x-content-type-options": "nosniff",
        "content-length": str(len(update.data)),
        "content-disposition": 'attachment; filename="f.swu"',
    }
    assert {name: reply.headers[name] for name in expected} == expected
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.headers["last-modified"])
    assert "transfer-encoding" not in reply.headers


def test_head(update):
    reply = update.device.ask("HEAD", update.href)
    whole = update.get()
    assert reply.body == b""
    for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-disposition"):
        assert reply.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "asked, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=299999-", 299999, None),
        ("bytes=-5", -5, None),
        ("bytes=5-999999999", 5, None),
    ],
)
def test_one_range(update, asked, first, last):
    size = len(update.data)
    first = first % size
    last = size - 1 if last is None else last
    reply = update.get(206, Range=asked)
    assert reply.body == update.data[first : last + 1]
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert int(reply.headers["content-length"]) == last - first + 1
    assert reply.headers["content-type"] == "application/octet-stream"


def test_several_ranges_in_their_order(update):
    size = len(update.data)
    reply = update.get(206, Range="bytes=1000-1999,0-99,250000-,50-149")
    assert re.fullmatch(r"multipart/byteranges; boundary=\w+", reply.headers["content-type"])
    assert int(reply.headers["content-length"]) == len(reply.body)
    head = f"Content-Type: {reply.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + reply.body).get_payload()
    ranges = [(0, 149), (1000, 1999), (250000, size - 1)]
    assert [p["Content-Range"] for p in parts] == [f"bytes {a}-{b}/{size}" for a, b in ranges]
    for a, b in ranges:
        assert b"\r\n\r\n" + update.data[a : b + 1] + b"\r\n--" in reply.body


def test_read_in_steps_until_the_end(update):
    """A range that begins at exactly the size is how readers find the end."""
    size, step, got = len(update.data), 128 * 1024, b""
    while True:
        reply = update.get(None, Range=f"bytes={len(got)}-{len(got) + step - 1}")
        if reply.status == 416:
            break
        assert reply.status == 206
        got += reply.body
    assert got == update.data
    assert reply.headers["content-range"] == f"bytes */{size}"
    assert reply.json()["errorCode"]
    update.get(416, Range=f"bytes={size}-")
    update.get(200, Range="lines=1-2")  # not a unit that is known


def test_conditions(update):
    tag = update.get().headers["etag"]
    assert update.get(206, If_Match=tag, Range="bytes=0-9").body == update.data[:10]
    assert "errorCode" in update.get(412, If_Match='"another"').json()
    assert update.get(206, If_Range=tag, Range="bytes=0-9").body == update.data[:10]
    assert update.get(200, If_Range='"another"', Range="bytes=0-9").body == update.data
    assert update.get(304, If_None_Match=tag).body == b""


def test_md5sum(update):
    reply = update.device.get(update.href + ".MD5SUM")
    assert reply.body.decode() == f"{hashlib.md5(update.data).hexdigest()}  f.swu"
    assert reply.headers["content-type"] == "text/plain"
    assert reply.headers["content-disposition"] == 'attachment; filename="f.swu.MD5SUM"'
    update.device.get(update.list + "/other.MD5SUM", 404)
    update.device.get(update.list + "/.MD5SUM", 404)


def test_the_list(update):
    listed = update.device.get(update.list).json()
    shown = update.device.get(f"/deploymentBase/{update.action}").json()
    assert listed == shown["deployment"]["chunks"][0]["artifacts"]


def test_for_whom(server):
    mine = Update(server)
    other = Device(server)
    other.get("")
    module = mine.list.split("/softwaremodules/")[1]
    for device, status in ((mine.device, 200), (other, 404)):
        device.get(f"/softwaremodules/{module}", status)
        device.get(f"/softwaremodules/{module}/f.swu", status)
        device.get(f"/softwaremodules/{module}/f.swu.MD5SUM", status)
        device.ask("HEAD", f"/softwaremodules/{module}/f.swu", expect=status)
    mine.device.get(mine.list + "/other", 404)
    mine.device.get("/softwaremodules/999999/artifacts", 404)
    mine.device.get("/softwaremodules/x/artifacts/f.swu", 404)


def test_how_long(server):
    given_up, failed, done, consent = (
        Update(server),
        Update(server),
        Update(server),
        Update(server, consent=True),
    )
    consent.get()  # it may look at what it is asked about
    cancel(server, given_up.deployment)
    given_up.device.links()
    given_up.get(404)  # while it is to be given up
    given_up.device.say(given_up.action, "closed", "success", kind="cancelAction")
    given_up.get(404)
    failed.device.say(failed.action, "closed", "failure")
    failed.get(404)
    done.device.say(done.action, "closed", "success")
    done.get()  # what is installed
    ddi.deploy(server, done.device)
    done.device.say(done.device.action(), "closed", "success")
    done.get(404)  # and what was


def entries(update):
    return [kind for kind, _ in update.device.entries(update.action)]


def test_a_download_is_noted_unless_it_is_a_part(server):
    update = Update(server)
    update.get(206, Range="bytes=0-9")
    update.device.ask("HEAD", update.href)
    update.get(304, If_None_Match="*")
    update.get(412, If_Match='"x"')
    update.get(206, Range="bytes=0-")
    update.device.get(update.href + ".MD5SUM")
    assert entries(update) == ["retrieved", "offered"]
    update.get()
    ddi.wait_for(lambda: entries(update)[0] == "downloading", what="the download is noted")
    assert update.device.entries(update.action)[0][1] == ["Update Server: Target downloads f.swu"]
    assert entries(update) == ["downloading", "retrieved", "offered"]
    assert update.device.state(update.action) == "downloading"


def test_a_download_after_the_end_is_not(server):
    update = Update(server)
    update.device.say(update.action, "closed", "success")
    update.get()
    follows = Update(server)  # what is noted comes in its order
    follows.get()
    ddi.wait_for(lambda: entries(follows)[0] == "downloading", what="the next one's is noted")
    assert entries(update)[0] == "succeeded" and update.device.state(update.action) == "succeeded"


def test_nothing_to_begin_while_it_is_to_be_given_up(server):
    device, action, _ = asked_to_stop(server)
    device.get(f"/deploymentBase/{action}", 404)
