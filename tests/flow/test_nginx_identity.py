"""Whom the server believes to be whom when a proxy says so, and whom it does not."""

import re
import shutil
import signal
import sqlite3

import pytest

from certificates import issue, serial_of
from harness import ANYONE, run, wait_for
from proxied import FIELD, NOBODY, by_socket, every_listener, told_of

FORWARDED = ["X-Forwarded-Host: evil.test", "X-Forwarded-Proto: gopher", "X-Real-IP: 192.0.2.66",
             "X-Forwarded-For: 192.0.2.66", "Forwarded: for=192.0.2.66;host=evil.test"]  # fmt: skip


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A server that believes whoever comes by its Unix socket."""
    import harness

    server = harness.Server(tmp_path_factory.mktemp("behind"), {"unix.proxy": "yes"}, via="").start()
    yield server
    server.close()


def status(server, cert, path="/api/devices"):
    return by_socket(server, path, f"{FIELD}: {told_of(cert)}")


def test_who_is_told_of_is_who_it_is(behind):
    device = behind.enrol("told-1", "m1")
    assert status(behind, behind.admin.cert).status == 200
    assert status(behind, device.cert, "/api/update").status == 204
    assert status(behind, device.cert).status == 403
    assert by_socket(behind, "/healthz", f"{FIELD}: {NOBODY}").status == 200
    assert by_socket(behind, "/api/update", f"{FIELD}: {NOBODY}").status == 401
    spelled = told_of(device.cert).replace("serial=", "serial=000")
    assert by_socket(behind, "/api/update", f"{FIELD.lower()}: {spelled}").status == 204


def test_nobody_reaches_what_is_local_through_a_proxy(behind):
    assert by_socket(behind, "/metrics").status == 200
    assert by_socket(behind, "/metrics", f"{FIELD}: {NOBODY}").status == 401
    device = behind.enrol("local-1", "m1")
    assert status(behind, device.cert, "/metrics").status == 403
    assert status(behind, behind.admin.cert, "/metrics").status == 200
    # a proxy that was set up without the header would make everybody local
    for field in ["X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "Via: 1.1 other"]:
        reply = by_socket(behind, "/metrics", field)
        assert reply.status == 400 and "nginx-conf" in reply.json()["detail"], reply


def test_what_no_proxy_of_ours_sends_is_refused(behind):
    good = told_of(behind.admin.cert)
    for fields in [
        [good, good],
        [NOBODY, good],
        ["admin"],
        [good.replace("SUCCESS", "NONE")],
        [good.replace("; ", ";")],
        [re.sub("sha1=.{40}", "sha1=", good)],
        [re.sub("serial=[0-9A-F]+", "serial=" + "F" * 65, good)],
    ]:
        reply = by_socket(behind, "/api/devices", *(f"{FIELD}: {f}" for f in fields))
        assert reply.status == 400, (fields, reply)
    failed = good.replace("SUCCESS", "FAILED:certificate has expired")
    reply = by_socket(behind, "/api/devices", f"{FIELD}: {failed}")
    assert reply.status == 401 and "expired" in reply.json()["detail"]


def test_certificates_that_the_database_does_not_know(behind, tmp_path):
    """A serial that was never issued, one of another issuer, our authorities' own, names that are forged."""
    device = behind.enrol("known-1", "m1")
    good = told_of(device.cert)
    serial, other = serial_of(device.cert), serial_of(behind.admin.cert)
    for forged in [
        good.replace(serial, "1234ABCD"),
        good.replace(serial, other),
        told_of(behind.admin.cert).replace(other, serial),
        good.replace("CN=pqota", "CN=Pqota"),
        re.sub("issuer=.*", "issuer=CN=nobody", good),
        re.sub("issuer=.*", "issuer=" + re.search("issuer=(.*)", told_of(behind.admin.cert))[1], good),
    ]:
        reply = by_socket(behind, "/api/update", f"{FIELD}: {forged}")
        assert reply.status == 401, (forged, reply)
    for ca in ("device-ca", "operator-ca"):
        stranger = issue(behind, tmp_path, f"stranger-{ca}", "-days", "2", ca=ca)
        reply = status(behind, stranger.cert)
        assert reply.status == 401 and "not known" in reply.json()["detail"], reply


def test_another_certificate_of_a_known_serial(behind, tmp_path):
    """Who stole an authority's key can choose the serial, and gets nothing by it."""
    device = behind.enrol("twin-1", "m1")
    for cert, ca, path in [
        (behind.admin.cert, "operator-ca", "/api/devices"),
        (device.cert, "device-ca", "/api/update"),
    ]:
        serial = serial_of(cert)
        twin = issue(behind, tmp_path, f"twin-{ca}", "-days", "2", "-set_serial", "0x" + serial, ca=ca)
        assert serial_of(twin.cert) == serial
        reply = status(behind, twin.cert, path)
        assert reply.status == 401 and "not the one" in reply.json()["detail"], reply
        assert status(behind, cert, path).status in (200, 204)
    for whose in ("operators'", "devices'"):
        assert f"has the {whose} authority been stolen?" in behind.logs()


def test_revocation_and_roles_count_at_every_request(behind, tmp_path):
    device = behind.enrol("gone-1", "m1")
    viewer = issue(behind, tmp_path, "vic", "-days", "2", ca="operator-ca")
    body = {"name": "vic", "role": "viewer", "certificate": viewer.cert.read_text()}
    behind.api("POST", "/api/operators", body, expect=201)
    assert status(behind, device.cert, "/api/update").status == 204
    assert status(behind, viewer.cert).status == 200
    denied = by_socket(behind, "/api/devices/gone-1/revoke", f"{FIELD}: {told_of(viewer.cert)}",
                       method="POST", args=("-H", "Content-Type: application/json", "-d", "{}"))  # fmt: skip
    assert denied.status == 403
    behind.api("POST", "/api/devices/gone-1/revoke", {}, expect=204)
    behind.api("POST", "/api/operators/vic/revoke", expect=204)
    for cert in (device.cert, viewer.cert):
        reply = status(behind, cert)
        assert reply.status == 401 and "revoked" in reply.json()["detail"]


def test_what_was_registered_before_its_sha1_was_kept(make_server):
    server = make_server({"unix.proxy": "yes"}, via="")
    device = server.enrol("old-1", "m1")
    assert server.curl("/api/update", who=device).status == 204
    server.stop()
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        assert db.execute("UPDATE certificate SET sha1 = NULL").rowcount >= 2
    db.close()
    server.start()
    assert status(server, device.cert, "/api/update").status == 204
    reply = status(server, server.admin.cert)
    assert reply.status == 401 and "register the certificate again" in reply.json()["detail"]
    body = {"name": "admin", "role": "admin", "certificate": server.admin.cert.read_text()}
    server.api("POST", "/api/operators", body, expect=201)
    assert status(server, server.admin.cert).status == 200
    server.api("POST", "/api/operators", body, expect=409)


def test_roots_of_one_name_during_a_roll_over(make_server, tmp_path):
    """The new device authority has the old one's name: the key that issued decides."""
    server = make_server({"unix.proxy": "yes"}, start=False, via="")
    pki = server.dir / "pki"
    name = run(["openssl", "x509", "-in", pki / "device-ca.pem", "-noout", "-subject", "-nameopt", "RFC2253"],
               check=0).out.strip().removeprefix("subject=")  # fmt: skip
    server.start()
    old = server.enrol("roll-1", "m1")
    run(
        ["openssl", "req", "-x509", "-newkey", "ML-DSA-65", "-nodes", "-keyout", pki / "next.key", "-out",
         pki / "next.pem", "-subj", "/" + name, "-days", "3650", "-addext",
         "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        check=0,
    )  # fmt: skip
    bundle = pki / "device-roots.pem"
    bundle.write_text((pki / "device-ca.pem").read_text() + (pki / "next.pem").read_text())
    server.set("pki.device_roots", "pki/device-roots.pem")
    server.set("pki.device_ca", "pki/next.pem")
    server.set("pki.device_ca_key", "pki/next.key")
    server.reload()
    new = server.enrol("roll-2", "m1")
    assert told_of(new.cert).split("issuer=")[1] == told_of(old.cert).split("issuer=")[1]
    assert status(server, old.cert, "/api/update").status == 204
    assert status(server, new.cert, "/api/update").status == 204
    shutil.copy(pki / "next.pem", bundle)
    server.reload()
    assert status(server, old.cert, "/api/update").status == 401
    assert status(server, new.cert, "/api/update").status == 204


def test_a_reload_that_fails_leaves_the_roots_as_they_were(make_server):
    """One root for devices and operators is refused; until that is put right, the old roots count."""
    server = make_server({"unix.proxy": "yes"}, via="")
    shutil.copy(server.dir / "pki" / "device-ca.pem", server.dir / "pki" / "operator-ca.pem")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays in force" in server.logs(), what="the reload failed")
    assert server.curl("/api/devices").status == 200
    assert status(server, server.admin.cert).status == 200


def test_the_header_means_nothing_from_anyone_else(make_server, tmp_path):
    """Every other listener, with the truth about the admin in it."""
    plain, classical, settings = every_listener(tmp_path)
    server = make_server({**settings, "plain.insecure_proxy_addresses": "192.0.2.0/24"}, via="")
    device = server.enrol("forger", "m1")
    forged = [f"{FIELD}: {told_of(server.admin.cert)}", *FORWARDED]
    argv = [word for field in forged for word in ("-H", field)]
    old_tls = ["--cacert", settings["classical.certificate"], "--tls-max", "1.2", "--curves", "P-256"]
    local = {"url": "http://localhost", "who": ANYONE}
    paths = {
        "tls, nobody": (401, [], {"who": ANYONE}),
        "tls, a device": (403, [], {"who": device}),
        "plain": (401, [], {"who": ANYONE, "url": f"http://127.0.0.1:{plain}"}),
        "classical": (401, old_tls, {"who": ANYONE, "url": f"https://localhost:{classical}"}),
        "the socket without a proxy": (401, ["--unix-socket", server.unix], local),
    }
    for name, (expect, more, how) in paths.items():
        reply = server.curl("/api/devices", *more, *argv, **how)
        assert reply.status == expect, (name, reply)
    assert "192.0.2.66" not in server.logs() and "evil.test" not in server.logs()
    # links are made of what the client really asked for, and the device's own requests go on as its own
    server.publish("gw", "1.0", b"x" * 100, model="m1")
    reply = server.curl("/api/firmware/latest", *argv, who=device)
    assert reply.status == 200 and reply.json()["url"].startswith(server.url + "/"), reply
    plain_reply = server.curl("/pki/device-roots.pem", *argv, who=ANYONE, url=f"http://127.0.0.1:{plain}")
    assert plain_reply.status == 200


def test_a_listed_address_may_speak_for_devices_and_for_no_operator(make_server, tmp_path):
    plain, _, settings = every_listener(tmp_path)
    server = make_server({**settings, "plain.insecure_proxy_addresses": "192.0.2.1, 127.0.0.0/8"}, via="")
    device = server.enrol("listed-1", "m1")

    def ask(path, value, *more):
        return server.curl(
            path, "-H", f"{FIELD}: {value}", *more, who=ANYONE, url=f"http://127.0.0.1:{plain}"
        )

    assert ask("/api/update", told_of(device.cert)).status == 204
    reply = ask("/api/devices", told_of(server.admin.cert))
    assert reply.status == 403 and "TCP" in reply.json()["detail"], reply
    server.publish("gw", "1.0", b"x" * 100, model="m1")
    reply = ask("/api/firmware/latest", told_of(device.cert), "-H", "X-Forwarded-Host: updates.test", "-H",
                "X-Forwarded-Proto: https", "-H", "X-Forwarded-Port: 8443")  # fmt: skip
    assert reply.json()["url"].startswith("https://updates.test:8443/"), reply
    ask("/api/update/99/status", told_of(device.cert), "-H", "X-Real-IP: 2001:db8::99", "-X", "POST", "-H",
        "Content-Type: application/json", "-d", '{"state":"failed"}')  # fmt: skip
    wait_for(lambda: "peer=2001:db8::99" in server.logs(), what="the log has the address")
    # what was set wrong is said with file and line
    server.set("plain.insecure_proxy_addresses", "127.0.0.1/33")
    done = server.pqota("check-config", "-c", server.conf, check=None)
    assert done.code != 0 and "insecure_proxy_addresses" in done.err, done
