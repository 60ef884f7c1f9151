"""An updater that knows nothing of post-quantum TLS, played by curl, behind `pqota-agent tunnel`."""

import hashlib
import os

import pytest
from harness import Agent, wait_for
from test_agent_renewal import age, serial
from tunnel import DATA, LAST, Tunnel, begin, ddi, deploy, flip  # noqa: F401
from tunnel import front, history, make_tunnel, offer, plain, same, trusted  # noqa: F401

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


def test_feedback_after_a_look_at_a_file(ddi, front, trusted, make_tunnel):
    """HEAD of a file, then POST on the same connection to the server: it arrives as what it is."""
    tunnel = make_tunnel(trusted, {"connections": 1})
    offer(front)
    action, file = tunnel.deployment()
    assert tunnel.curl(file["_links"]["download"]["href"], "-I").status == 200
    report = {"id": str(action), "status": {"execution": "proceeding", "result": {"finished": "none"}}}
    done = tunnel.send("POST", f"{tunnel.base}/deploymentBase/{action}/feedback", report)
    assert done.status == 200, done
    assert [method for method, path, _ in front.seen if path.endswith("/feedback")] == ["POST"]


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
    # nor by the agent, which does the updates itself from now on
    tunnel.stop()
    assert trusted.once().code == 3
    assert "anti-rollback counter 2" in history(ddi)


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


def test_settings_of_a_device_that_runs_the_tunnel_alone(shared, tmp_path):
    """It installs nothing, so nobody asks it for an installer but who wants to run the agent."""
    conf = tmp_path / "agent.conf"
    agent = Agent(shared, tmp_path, "gw-1", "gw")
    for more, code, word in (
        ("", 0, "good for the tunnel"),
        ("[update]\nattempt = maybe\n", 1, "install or wait"),
        ("[tunnel]\nranges = maybe\n", 1, "vouched or no"),
        ("[installer]\ntimeout_seconds = 60\n", 1, "[installer]"),
    ):
        conf.write_text("[trust]\ninsecure_unsigned = yes\n" + more)
        done = agent.run("check-config", "--config", conf, check=code)
        assert word in done.out + done.err, done
    conf.write_text("[trust]\ninsecure_unsigned = yes\n")
    assert "[installer]" in agent.run("once", "--config", conf, check=1).err


def test_without_enrolment_it_says_so(shared, tmp_path):
    agent = Agent(shared, tmp_path, "gw-1", "gw")
    Tunnel(agent)
    assert "run pqota-agent enroll first" in agent.run("tunnel", "--config", agent.conf, check=1).err


def test_the_certificate_is_renewed_while_it_runs(ddi, plain, make_tunnel):
    age(ddi, plain, -300, 30)
    old = serial(plain.state / "device.crt")
    tunnel = make_tunnel(plain)
    wait_for(lambda: serial(plain.state / "device.crt") != old, what="it has a new one")
    wait_for(lambda: "the certificate was renewed" in tunnel.logs(), what="it is used")
    deploy(ddi)
    assert same(tunnel.curl(tunnel.offered()).body, DATA)


def test_stopped_in_the_middle_of_a_download(ddi, plain, make_tunnel, tmp_path):
    tunnel = make_tunnel(plain)
    deploy(ddi, os.urandom(8_000_000))
    out = tmp_path / "out"
    curl = begin(tunnel, tunnel.offered(), out, "1M")
    wait_for(lambda: out.exists() and out.stat().st_size > 100_000, what="it has begun")
    tunnel.stop()  # asserts a clean end, under the sanitizers
    curl.communicate(timeout=60)
    assert curl.returncode == 18
