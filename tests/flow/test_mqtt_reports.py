"""Reports of devices that come over MQTT, and the certificate by which the server is known at the broker."""

import datetime
import json

import pytest
from announced import (
    HINT,
    deploy,
    hints,
    is_up,
    last_hint,
    metric,
    poll,
    watch,
)
from certificates import issue
from harness import ANYONE, Credential, program, run, wait_for


def report(broker, device, who, text, retain=False):
    text = text if isinstance(text, str) else json.dumps(text)
    return broker.publish(f"ota/devices/{device}/status", text, who=who, retain=retain)


def state_of(server, device):
    return server.api("GET", f"/api/devices/{device}", expect=200).json()["action"]["state"]


def test_reports(pair):
    """A device reports over MQTT; that its update is taken away is the receipt, also of a repeated report."""
    server, broker = pair
    one = server.enrol("d1", "gw")
    fw = server.publish("gw", "1.0", b"one")
    deployment = deploy(server, fw["id"])
    with watch(broker, HINT.format("d1")) as sub:
        last_hint(sub, "d1", deployment)
        action = poll(server, one)
        report(broker, "d1", one, {"action": action, "state": "downloading", "progress": 40})
        wait_for(lambda: state_of(server, "d1") == "downloading", what="the report counts")
        report(broker, "d1", one, {"action": action, "state": "succeeded", "version": "0.9"})
        wait_for(
            lambda: metric(server, "received_refused_total") == 1, what="no success with the old version"
        )
        assert state_of(server, "d1") == "downloading"
        for _ in range(2):
            before = len(hints(sub, "d1"))
            report(broker, "d1", one, {"action": action, "state": "succeeded", "version": "1.0"})
            wait_for(lambda: hints(sub, "d1")[before:][-1:] == [None], what="the receipt")
        shown = server.api("GET", "/api/devices/d1", expect=200).json()
        assert shown["action"]["state"] == "succeeded" and shown["version"] == "1.0"
        before = len(hints(sub, "d1"))
        report(broker, "d1", one, {"action": action, "state": "failed"})
        wait_for(lambda: hints(sub, "d1")[before:][-1:] == [None], what="too late, and told so")
    assert metric(server, "received_total") == 5
    assert state_of(server, "d1") == "succeeded"


def test_reports_that_are_refused(pair):
    server, broker = pair
    one, two = server.enrol("d1", "gw"), server.enrol("d2", "gw")
    fw = server.publish("gw", "1.0", b"one")
    deploy(server, fw["id"])
    action = poll(server, one)
    good = {"action": action, "state": "failed"}
    # The broker lets nobody speak for another.
    broker.publish("ota/devices/d1/status", json.dumps(good), who=two, check=None)
    bad = [
        "",
        "nonsense",
        "[]",
        '{"state": "failed"}',
        '{"action": %d}' % action,
        '{"action": "%d", "state": "failed"}' % action,
        '{"action": %d, "state": "failed", "state": "failed"}' % action,
        '{"action": %d, "state": "cancelled"}' % action,
        '{"action": %d, "state": "failed", "progress": 101}' % action,
        '{"action": %d, "state": "failed", "message": "%s"}' % (action, "x" * 600),
        '{"action": %d, "state": "failed"} {}' % action,
        '{"action": %d, "state": "failed", "fill": "%s"}' % (action, "x" * 20000),
        '{"action": 999999, "state": "failed"}',
    ]
    for text in bad:
        report(broker, "d1", one, text)
    # Another's action, on the own topic.
    report(broker, "d2", two, good)
    wait_for(
        lambda: metric(server, "received_refused_total") == len(bad) + 1, what="each is refused and counted"
    )
    assert metric(server, "received_total") == len(bad) + 1
    assert state_of(server, "d1") == "offered"
    # With its certificate as it was, but revoked here: the server itself refuses.
    action = poll(server, two)
    server.api("POST", "/api/devices/d2/revoke", {}, expect=204)
    report(broker, "d2", two, {"action": action, "state": "failed", "message": "still here"})
    wait_for(lambda: metric(server, "received_refused_total") == len(bad) + 2, what="the revoked one too")
    history = server.api("GET", "/api/devices/d2/history", expect=200).body
    assert b"still here" not in history
    report(broker, "d1", one, good)
    wait_for(lambda: state_of(server, "d1") == "failed", what="a good one still counts")


def test_reports_while_the_server_restarts(pair):
    """The broker keeps them."""
    server, broker = pair
    one = server.enrol("d1", "gw")
    fw = server.publish("gw", "1.0", b"one")
    deploy(server, fw["id"])
    action = poll(server, one)
    server.stop()
    report(broker, "d1", one, {"action": action, "state": "failed", "message": "no room"})
    server.start()
    wait_for(lambda: state_of(server, "d1") == "failed", what="the report counts")
    # A retained one would come again at every start: the server wants none of these.
    deploy(server, server.publish("gw", "1.1", b"two")["id"])
    action = poll(server, one)
    report(broker, "d1", one, {"action": action, "state": "failed", "message": "again"}, retain=True)
    wait_for(lambda: state_of(server, "d1") == "failed", what="the report counts")
    server.stop()
    server.start()
    report(broker, "d1", one, "the next")
    wait_for(lambda: metric(server, "received_refused_total") == 1, what="the next one came")
    assert metric(server, "received_total") == 1 and "must not be retained" not in server.logs()


def end_of(file):
    text = run(["openssl", "x509", "-in", file, "-noout", "-enddate", "-dateopt", "iso_8601"], check=0).out
    return datetime.datetime.fromisoformat(text.partition("=")[2].strip())


def test_certificate_is_made(make_server, make_broker):
    """`pqota init` made it; an older installation has none, and the server makes it."""
    server = make_server(start=False)
    make_broker(server)
    cert, key = server.dir / "pki" / "mqtt.pem", server.dir / "pki" / "mqtt.key"
    made = run(
        ["openssl", "x509", "-in", cert, "-noout", "-subject", "-ext", "extendedKeyUsage"], check=0
    ).out
    assert "CN=@pqota" in made and "TLS Web Client Authentication" in made
    assert key.stat().st_mode & 0o777 == 0o600
    cert.unlink()
    key.unlink()
    run([program("pqota", server.build), "check-config", "-c", server.conf], check=0)
    server.start()
    wait_for(lambda: is_up(server), what="connected with the new one")
    assert key.stat().st_mode & 0o777 == 0o600
    left = end_of(cert) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=89) < left < datetime.timedelta(days=91)


@pytest.mark.parametrize("ends_in", [20, -3])
def test_certificate_is_renewed(make_server, make_broker, tmp_path, ends_in):
    """From two thirds of its life on, or after its end: a new certificate for the same key."""
    server = make_server(start=False)
    make_broker(server)
    now = datetime.datetime.now(datetime.timezone.utc)
    cert, key = server.dir / "pki" / "mqtt.pem", server.dir / "pki" / "mqtt.key"
    begin, end = (now + datetime.timedelta(days=d) for d in (-70, ends_in))
    dates = ["-not_before", begin.strftime("%Y%m%d%H%M%SZ"), "-not_after", end.strftime("%Y%m%d%H%M%SZ")]
    old = issue(server, tmp_path, "@pqota", *dates)
    cert.write_bytes(old.cert.read_bytes())
    key.write_bytes(old.key.read_bytes())
    before = key.read_bytes()
    run([program("pqota", server.build), "check-config", "-c", server.conf], check=0)
    server.start()
    wait_for(lambda: is_up(server), what="connected with the new one")
    assert end_of(cert) - now > datetime.timedelta(days=89)
    assert key.read_bytes() == before
    assert sorted((server.dir / "pki").glob("*mqtt*")) == [key, cert], "nothing is left lying about"
    # A good one stays as it is.
    text = cert.read_bytes()
    server.stop()
    server.start()
    wait_for(lambda: is_up(server), what="connected again")
    assert cert.read_bytes() == text


def test_certificate_is_no_device(pair):
    """The devices' authority issued it, and yet it opens nothing over HTTP; no device can bear its name."""
    server, broker = pair
    it = Credential(server.dir / "pki" / "mqtt.pem", server.dir / "pki" / "mqtt.key")
    csr = server.folder / "renew.csr"
    run(["openssl", "req", "-new", "-key", it.key, "-subj", "/CN=@pqota", "-out", csr], check=0)
    for method, path, body in [
        ("GET", "/api/update", None),
        ("POST", "/api/update/1/status", {"state": "failed"}),
        ("POST", "/api/renew", {"csr": csr.read_text()}),
        ("GET", "/api/firmware/latest", None),
        ("GET", "/api/firmware", None),
        ("GET", "/api/devices", None),
        ("POST", "/api/tokens", {"model": "gw"}),
        ("GET", "/api/status", None),
        ("GET", "/metrics", None),
    ]:
        assert server.api(method, path, body, who=it).status == 401, path
    assert server.api("POST", "/api/tokens", {"model": "gw", "device": "@pqota"}).status == 400
    body = {"token": server.token("gw"), "csr": csr.read_text(), "id": "@pqota"}
    assert server.api("POST", "/api/enroll", body, who=ANYONE).status == 400
