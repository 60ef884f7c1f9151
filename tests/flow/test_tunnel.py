"""An updater that knows nothing of post-quantum TLS, played by curl, behind `pqota-agent tunnel`."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest
from harness import RELEASE, Agent, wait_for
from relay import Acceptor
from tuffront import Front, trusting
from tunnel import Tunnel

DATA = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(12_000))  # 384000 bytes
LAST = 65536  # bytes that wait for the hash


@pytest.fixture
def ddi(make_server):
    return make_server({"ddi.enabled": "yes"})


@pytest.fixture
def make_tunnel():
    made = []

    def make(agent, settings=None):
        made.append(Tunnel(agent, settings))
        return made[-1].start()

    yield make
    for it in made:
        it.stop()


@pytest.fixture
def plain(ddi, make_agent):
    """A device that takes what the server says; nothing stands between the two."""
    agent = make_agent(ddi, "gw-1", "gw")
    agent.enrol()
    return agent


@pytest.fixture
def front(ddi):
    it = Front(ddi)
    yield it
    it.close()


@pytest.fixture
def trusted(ddi, make_agent, front):
    """A device that begins with the vendor's and the director's roots, which the test holds."""
    return trusting(make_agent, ddi, front)


def same(one, two):
    """Without a hundred pages when they are not."""
    return len(one) == len(two) and hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


def deploy(server, data=DATA, version="1.0", device="gw-1"):
    release = server.publish("fw", version, data, model="gw")
    target = {"kind": "device", "value": device}
    server.api("POST", "/api/deployments", {"release": release["id"], "target": target}, expect=201)
    return release


def offer(front, version="1.0", data=DATA, **custom):
    """The server has it, the vendor signed it, and the director wants it."""
    front.deploy(version, data)
    front.direct(front.sign(version, data, **custom))


def history(server, device="gw-1"):
    items = server.api("GET", f"/api/devices/{device}/history", expect=200).json()["items"]
    return "\n".join(item["text"] for item in items)


# --- what is carried ---


def test_an_update_from_poll_to_success(ddi, plain, make_tunnel):
    tunnel = make_tunnel(plain)
    said = tunnel.poll()
    assert said["config"]["polling"]["sleep"] and "deploymentBase" not in said.get("_links", {})
    done = tunnel.send("PUT", tunnel.base + "/configData", {"mode": "merge", "data": {"hw": "b"}})
    assert done.status == 200, done
    deploy(ddi)
    action, file = tunnel.deployment()
    links = {name: link["href"] for name, link in file["_links"].items()}
    assert {"download", "download-http", "md5sum", "md5sum-http"} == set(links)
    assert all(href.startswith(tunnel.url + tunnel.base) for href in links.values()), links
    assert links["download"] == links["download-http"]
    got = tunnel.curl(links["download"])
    assert got.status == 200 and same(got.body, DATA), got
    assert got.headers["content-length"] == str(len(DATA)) and got.headers["accept-ranges"] == "bytes"
    assert "attachment" in got.headers["content-disposition"] and got.headers["etag"].startswith('"')
    head = tunnel.curl(links["download"], "-I")
    assert head.status == 200 and head.headers["content-length"] == str(len(DATA))
    assert tunnel.curl(links["md5sum"]).body.split()[0].decode() == hashlib.md5(DATA).hexdigest()
    report = {"id": str(action), "status": {"execution": "closed", "result": {"finished": "success"}}}
    done = tunnel.send("POST", f"{tunnel.base}/deploymentBase/{action}/feedback", report)
    assert done.status == 200, done
    assert ddi.api("GET", "/api/devices/gw-1").json()["action"]["state"] == "succeeded"
    assert "deploymentBase" not in tunnel.poll().get("_links", {})


def test_links_lead_back_the_way_the_client_came(ddi, plain, make_tunnel, tmp_path):
    path = tmp_path / "t.sock"
    tunnel = make_tunnel(plain, {"socket": path})
    deploy(ddi)
    for base in (f"http://localhost:{tunnel.port}", tunnel.url):
        href = tunnel.curl(base + tunnel.base).json()["_links"]["deploymentBase"]["href"]
        assert href.startswith(f"{base}{tunnel.base}/deploymentBase/"), href
    got = tunnel.curl("http://updates" + tunnel.base, "--unix-socket", path)
    href = got.json()["_links"]["deploymentBase"]["href"]
    assert href.startswith(f"http://updates{tunnel.base}/deploymentBase/"), href
    assert path.stat().st_mode & 0o777 == 0o660


def test_only_this_devices_protocol_is_carried(ddi, plain, make_tunnel, make_agent):
    tunnel = make_tunnel(plain)
    ddi.enrol("gw-2", "gw")
    for path, status in (
        ("/DEFAULT/controller/v1/gw-2", 403),
        ("/DEFAULT/controller/v1/gw-2/softwaremodules/1/artifacts/firmware.bin", 403),
        ("/api/update", 404),
        ("/tuf/image/1.root.json", 404),
        ("/rest/v1/targets", 404),
        (tunnel.base + "/../gw-2", 404),
        ("/DEFAULT/controller/v1/gw-1%2f..%2fgw-2", 400),
        ("/../controller/v1/gw-1", 404),
        (tunnel.base + "/unknown", 404),
    ):
        got = tunnel.curl(path, "--path-as-is")
        assert got.status == status, (path, got)
        assert set(got.json()) >= {"exceptionClass", "errorCode", "message"}, got
    got = tunnel.curl(tunnel.base, "-X", "DELETE")
    assert got.status == 405 and got.headers["allow"] == "GET, HEAD"
    for args, status in (
        (("-H", "Host: evil.example"), 421),
        (("-H", "Origin: https://evil.example"), 403),
        (("-H", "Host: a b"), 400),
    ):
        assert tunnel.curl(tunnel.base, *args).status == status, args


def test_what_the_client_says_of_itself_stays_behind(ddi, front, trusted, make_tunnel):
    """The server sees the device's certificate, and nothing of what the local client claims."""
    heads = []
    passing = front._handle
    front._handle = lambda handler: (heads.append(handler.headers.items()), passing(handler))
    tunnel = make_tunnel(trusted)
    claims = (
        "Authorization: TargetToken abc",
        "X-Controller-Id: other",
        "X-Forwarded-Host: evil",
        "Connection: X-Secret",
        "X-Secret: 1",
        "Accept: application/cbor",
        "Cookie: a=b",
        "TE: trailers",
    )
    args = [part for claim in claims for part in ("-H", claim)]
    got = tunnel.curl(tunnel.base, *args)
    assert got.status == 200 and "json" in got.headers["content-type"], got
    seen = {name.lower(): value for name, value in heads[-1]}
    assert set(seen) <= {"host", "user-agent", "accept"}, seen
    assert seen["host"] == f"localhost:{front.port}" and seen["accept"] == "application/json"


# --- what goes through of files ---


def test_what_vendor_and_director_signed_goes_through(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front, counter=3)
    action, file = tunnel.deployment()
    got = tunnel.curl(file["_links"]["download"]["href"])
    assert got.status == 200 and same(got.body, DATA), (got, tunnel.logs())
    front.image.asked()
    assert same(tunnel.curl(file["_links"]["download"]["href"]).body, DATA)
    assert front.image.asked() == [], "an answer of the metadata holds for a minute"
    report = {"id": str(action), "status": {"execution": "closed", "result": {"finished": "success"}}}
    assert tunnel.send("POST", f"{tunnel.base}/deploymentBase/{action}/feedback", report).status == 200
    # what is older than what succeeded does not come back, though vendor and director signed it
    tunnel.stop()
    tunnel.start()
    offer(front, "0.9", DATA[::-1], counter=2)
    got = tunnel.curl(tunnel.offered())
    assert got.status == 403 and "anti-rollback counter 2" in got.json()["message"], got


def test_what_nobody_vouches_for_is_refused(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    front.deploy("1.0", DATA)
    front.direct(None)
    got = tunnel.curl(tunnel.offered())
    assert got.status == 404 and "the director names nothing" in got.json()["message"], got
    assert DATA[:100] not in got.body
    # another file of that name
    front.direct(front.sign("1.0", DATA[::-1]))
    action, file = tunnel.deployment()
    got = tunnel.curl(file["_links"]["download"]["href"])
    assert got.status == 403 and "not vouched for" in got.json()["message"], got
    # the server hears it once for the action
    wait_for(lambda: "pqota-agent tunnel refused firmware.bin" in history(ddi), what="the reason")
    assert history(ddi).count("pqota-agent tunnel refused") == 1
    assert "a file was refused" in tunnel.logs()


def test_without_the_servers_metadata_nothing_goes(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front)
    front.image.tricks["timestamp.json"] = lambda handler, held: handler.reply(500, b"no")
    got = tunnel.curl(tunnel.offered())
    assert got.status == 503 and got.headers["retry-after"] == "10", got
    del front.image.tricks["timestamp.json"]
    assert same(tunnel.curl(tunnel.offered()).body, DATA)


def flip(front, at):
    """From now on one byte of every file is another."""

    def change(method, path, status, headers, body):
        if "/artifacts/" in path and status in (200, 206):
            first = re.search(r"bytes (\d+)-", headers.get("Content-Range", ""))
            i = at - int(first[1]) if first else at
            if 0 <= i < len(body):
                body = body[:i] + bytes([body[i] ^ 1]) + body[i + 1 :]
        return status, headers, body

    front.answer = change


@pytest.mark.parametrize("at", [0, 200_000, len(DATA) - 1])
def test_of_other_bytes_the_end_does_not_come(ddi, front, trusted, make_tunnel, at):
    tunnel = make_tunnel(trusted)
    offer(front)
    flip(front, at)
    got = tunnel.curl(tunnel.offered())
    assert got.curl == 18 and got.status == 200, got  # the connection was cut
    assert len(got.body) <= len(DATA) - LAST
    assert "another SHA-256" in tunnel.logs()
    wait_for(lambda: "its end was withheld" in history(ddi), what="the server hears it")
    front.answer = None
    assert same(tunnel.curl(tunnel.offered()).body, DATA)


def test_a_small_file_of_other_bytes_does_not_come_at_all(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front, data=b"small")
    flip(front, 2)
    got = tunnel.curl(tunnel.offered())
    assert got.curl == 18 and got.body == b"", got


def test_another_size_is_refused_before_the_first_byte(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front)
    href = tunnel.offered()
    front.answer = lambda m, p, status, headers, body: (
        status,
        headers,
        body + b"more" if "/artifacts/" in p else body,
    )
    got = tunnel.curl(href)
    assert got.status == 403 and "another size" in got.json()["message"], got


# --- going on ---


def test_a_client_goes_on_where_it_was_cut(ddi, front, trusted, make_tunnel):
    """The rest is hashed together with what it has; the end comes only if all of it is right."""
    tunnel = make_tunnel(trusted)
    offer(front)
    href = tunnel.offered()
    got = b""
    for last in (99, 65_535, 65_536, 150_000, 300_000, len(DATA) - 2, len(DATA) - 1):
        answer = tunnel.curl(href, "-r", f"{len(got)}-{last}")
        assert answer.status == 206, answer
        assert answer.headers["content-range"] == f"bytes {len(got)}-{last}/{len(DATA)}"
        got += answer.body
        assert same(got, DATA[: last + 1])
    assert tunnel.logs().count("hash=right") == 1
    # it may go back a little, and open-ended
    answer = tunnel.curl(href, "-r", "100000-")
    assert answer.status == 206 and same(answer.body, DATA[100_000:]), answer
    assert tunnel.logs().count("hash=right") == 2
    answer = tunnel.curl(href, "-r", f"{len(DATA)}-")
    assert answer.status == 416 and answer.headers["content-range"] == f"bytes */{len(DATA)}"


def test_who_was_given_other_bytes_does_not_get_the_end(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted)
    offer(front)
    href = tunnel.offered()
    flip(front, 70_000)
    first = tunnel.curl(href, "-r", "0-199999").body
    assert len(first) == 200_000 and not same(first, DATA[:200_000])
    front.answer = None  # from here on the bytes are right
    rest = tunnel.curl(href, "-r", "200000-")
    assert rest.curl == 18 and len(rest.body) <= len(DATA) - 200_000 - LAST, rest
    # and other bytes in the block around the cut are seen before anything goes
    assert same(tunnel.curl(href, "-r", "0-199999").body, DATA[:200_000])
    flip(front, 199_000)
    rest = tunnel.curl(href, "-r", "200000-")
    assert rest.curl == 18 and len(rest.body) == 0, rest
    assert "other bytes than it sent before" in tunnel.logs()


def test_ranges_of_a_vouched_file_may_pass(ddi, front, trusted, make_tunnel):
    """As SWUpdate's delta handler asks; and not of others."""
    tunnel = make_tunnel(trusted)
    front.deploy("1.0", DATA)
    front.direct(None)
    href = tunnel.offered()
    assert tunnel.curl(href, "-r", "100-199").status == 404
    assert tunnel.curl(href, "-r", "100-199,5000-5099").status == 404
    front.direct(front.sign("1.0", DATA))
    answer = tunnel.curl(href, "-r", "100-199")
    assert answer.status == 206 and same(answer.body, DATA[100:200])
    answer = tunnel.curl(href, "-r", "100-199,5000-5099")
    assert answer.status == 206, answer
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    for part in (DATA[100:200], DATA[5000:5100]):
        assert answer.body.count(part) == 1
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_ranges_that_may_not_pass_are_the_whole(ddi, front, trusted, make_tunnel):
    tunnel = make_tunnel(trusted, {"ranges": "no"})
    offer(front)
    href = tunnel.offered()
    for spec in ("100-199", "100-199,5000-5099"):
        answer = tunnel.curl(href, "-r", spec)
        assert answer.status == 200 and same(answer.body, DATA), answer
    answer = tunnel.curl(href, "-r", "300000-")  # goes on from what it was sent
    assert answer.status == 206 and same(answer.body, DATA[300_000:])


class Cutter(Acceptor):
    """Passes bytes on to the server, and cuts the line after so many, as often as it is told."""

    def __init__(self, port):
        self.port_of_server, self.cut_after, self.cuts, self.lock = port, None, 0, threading.Lock()
        self.listen(self._serve)

    def _serve(self, one):
        try:
            two = socket.create_connection(("127.0.0.1", self.port_of_server))
        except OSError:
            one.close()
            return
        threading.Thread(target=self._pump, args=(one, two, False), daemon=True).start()
        self._pump(two, one, True)

    def _pump(self, source, sink, down):
        passed = 0
        try:
            while piece := source.recv(16384):
                passed += len(piece)
                with self.lock:
                    cut = down and self.cuts > 0 and passed > self.cut_after
                    self.cuts -= cut
                if cut:
                    break
                sink.sendall(piece)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_a_line_that_breaks_is_not_seen_by_the_client(ddi, make_agent, make_tunnel):
    cutter = Cutter(ddi.port)
    agent = make_agent(ddi, "gw-1", "gw", settings={"agent.server": f"https://localhost:{cutter.port}"})
    agent.enrol()
    tunnel = make_tunnel(agent)
    data = os.urandom(4_000_000)
    deploy(ddi, data)
    href = tunnel.offered()
    cutter.cut_after, cutter.cuts = 1_000_000, 3
    got = tunnel.curl(href)
    assert got.status == 200 and same(got.body, data), got
    assert cutter.cuts == 0 and tunnel.logs().count("a download broke off and goes on") == 3
    cutter.close()


def begin(tunnel, href, path, rate):
    """A slow download into a file."""
    return subprocess.Popen(tunnel.argv(href, "--limit-rate", rate, "-o", path), stderr=subprocess.PIPE)


def test_the_server_is_killed_and_started_again_in_the_middle(ddi, plain, make_tunnel, tmp_path):
    tunnel = make_tunnel(plain)
    data = os.urandom(24_000_000)
    deploy(ddi, data)
    href, out = tunnel.offered(), tmp_path / "out"
    curl = begin(tunnel, href, out, "12M")
    wait_for(lambda: out.exists() and out.stat().st_size > 1_000_000, what="it has begun")
    ddi.stop(signal.SIGKILL)
    got = tunnel.curl(tunnel.base)
    assert got.status == 502 and int(got.headers["retry-after"]) > 0, got
    assert set(got.json()) >= {"exceptionClass", "errorCode", "message"}
    ddi.start()
    _, error = curl.communicate(timeout=60)
    assert curl.returncode == 0, (error, tunnel.logs())
    assert same(out.read_bytes(), data)
    assert "a download broke off and goes on" in tunnel.logs()
    assert tunnel.poll()["_links"]


def test_a_large_file_takes_little_memory(make_server, make_agent, make_tunnel, tmp_path):
    """200 MB to three clients at once. Without the sanitizers, which keep what was freed."""
    server = make_server({"ddi.enabled": "yes"}, build=RELEASE)
    agent = make_agent(server, "gw-1", "gw")
    agent.enrol()
    tunnel = make_tunnel(agent)
    block = os.urandom(1 << 20)
    data = b"".join(i.to_bytes(4, "big") + block[4:] for i in range(200))
    deploy(server, data)
    href = tunnel.offered()
    wanted = hashlib.sha256(data).hexdigest()
    curls = [subprocess.Popen(tunnel.argv(href, "-o", tmp_path / str(i))) for i in range(3)]
    assert [curl.wait(120) for curl in curls] == [0, 0, 0]
    for i in range(3):
        with open(tmp_path / str(i), "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == wanted
    print(f"200 MB to three clients at once: at most {tunnel.peak_kib()} KiB")
    assert tunnel.peak_kib() < 32 * 1024


def test_a_client_that_leaves_ends_its_download(ddi, plain, make_tunnel, tmp_path):
    """With one connection alone, the next client is served at once, and goes on."""
    tunnel = make_tunnel(plain, {"connections": 1})
    data = os.urandom(8_000_000)
    deploy(ddi, data)
    href, out = tunnel.offered(), tmp_path / "out"
    curl = begin(tunnel, href, out, "2M")
    wait_for(lambda: out.exists() and out.stat().st_size > 500_000, what="it has begun")
    curl.kill()
    curl.communicate()
    have = out.stat().st_size
    got = wait_for(lambda: (lambda it: it.status == 206 and it)(tunnel.curl(href, "-r", f"{have}-")))
    assert same(out.read_bytes() + got.body, data)
    assert tunnel.logs().count("hash=right") == 1


# --- start and end ---


def test_one_agent_or_tunnel_a_folder(ddi, plain, make_tunnel):
    make_tunnel(plain)
    done = plain.once(check=1)
    assert "state" in done.err


@pytest.mark.parametrize(
    "row, word",
    [
        ({"listen": "0.0.0.0:8480"}, "must be 127.0.0.1:PORT"),
        ({"listen": ""}, "neither listen nor socket"),
        ({"ranges": "maybe"}, "vouched or no"),
        ({"connections": "0"}, "1 to 64"),
    ],
)
def test_settings_that_are_wrong(shared, tmp_path, row, word):
    agent = Agent(shared, tmp_path, "gw-1", "gw")
    Tunnel(agent, row)
    done = agent.run("tunnel", "--config", agent.conf, check=1)
    assert word in done.err, done


def test_without_enrolment_it_says_so(shared, tmp_path):
    agent = Agent(shared, tmp_path, "gw-1", "gw")
    Tunnel(agent)
    assert "run pqota-agent enroll first" in agent.run("tunnel", "--config", agent.conf, check=1).err


def test_stopped_in_the_middle_of_a_download(ddi, plain, make_tunnel, tmp_path):
    tunnel = make_tunnel(plain)
    deploy(ddi, os.urandom(8_000_000))
    out = tmp_path / "out"
    curl = begin(tunnel, tunnel.offered(), out, "1M")
    wait_for(lambda: out.exists() and out.stat().st_size > 100_000, what="it has begun")
    tunnel.stop()  # asserts a clean end, under the sanitizers
    curl.communicate(timeout=60)
    assert curl.returncode == 18
