"""The real agent renews its certificate with the real server, and takes new server roots over."""

import datetime
import shutil

import pytest

from certificates import admit
from harness import Credential, run, wait_for
from relay import Relay, on_json

DAY = datetime.timedelta(days=1)
EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
)


def serial(cert):
    out = run(["openssl", "x509", "-in", cert, "-noout", "-serial"], check=0).out
    return out.strip().split("=")[1].lower()


def days(delta):
    return (datetime.datetime.now(datetime.timezone.utc) + delta * DAY).strftime("%Y%m%d%H%M%SZ")


def age(server, agent, begun, end):
    """Puts a certificate of the device authority, valid from `begun` to `end` days from now, into the agent's
    state, as time would have."""
    agent.once(check=0)  # one that was never used would be given out again instead of a new one
    folder = agent.dir / "aged"
    folder.mkdir(exist_ok=True)
    (folder / "ext").write_text(EXTENSIONS)
    pki, csr, cert = server.dir / "pki", folder / "csr.pem", folder / "cert.pem"
    run(["openssl", "req", "-new", "-key", agent.state / "device.key", "-subj", f"/CN={agent.device}", "-out",
         csr], check=0)
    run(["openssl", "x509", "-req", "-in", csr, "-CA", pki / "device-ca.pem", "-CAkey", pki / "device-ca.key",
         "-extfile", folder / "ext", "-out", cert, "-not_before", days(begun), "-not_after", days(end)],
        check=0)
    shutil.copy(agent.state / "device.crt", folder / "enrolled.pem")
    shutil.copy(cert, agent.state / "device.crt")
    if server.via:
        admit(server, agent.device, cert)
    key = folder / "key.pem"
    shutil.copy(agent.state / "device.key", key)
    return Credential(cert, key), Credential(folder / "enrolled.pem", key)


def certificates(server, device):
    return server.api("GET", f"/api/devices/{device}", expect=200).json()["certificates"]


def listed(server, device, cert):
    number = serial(cert).lstrip("0")
    return next(c for c in certificates(server, device) if c["serial"].lower().lstrip("0") == number)


def test_an_aging_certificate_is_renewed_and_the_old_one_is_out(server, make_agent):
    agent = make_agent(server, "n-1", "n")
    agent.enrol()
    aged, enrolled = age(server, agent, -300, 65)
    before = serial(aged.cert)
    done = agent.once()
    assert done.code == 0 and "the certificate was renewed" in done.err, done
    now = agent.state / "device.crt"
    assert serial(now) not in (before, serial(enrolled.cert))
    assert not (agent.state / "device.crt.new").exists()
    assert not (agent.state / "server-roots.pem.new").exists()
    # What it was enrolled with is superseded by the first use of the new one.
    wait_for(lambda: server.curl("/api/update", who=enrolled).status == 401, what="the old one is refused")
    first, second = listed(server, "n-1", enrolled.cert), listed(server, "n-1", now)
    assert first["reason"] == "superseded" and second["first_used"] and not second["revoked"], (first, second)
    kept = serial(now)
    assert agent.once().code == 0 and serial(now) == kept
    assert "renewed from" in agent.run("status", "--config", agent.conf, check=0).out


def test_an_expired_certificate_is_renewed_on_the_next_start(server, make_agent):
    """The device lay in a drawer. It is offered an update with the same start."""
    agent = make_agent(server, "n-2", "n", settings={"installer.health_command": "/bin/true"})
    agent.enrol()
    expired, _ = age(server, agent, -380, -15)
    assert server.curl("/api/update", who=expired).status == 401
    server.publish("n", "1.0", b"payload")
    target = {"kind": "device", "value": "n-2"}
    server.api("POST", "/api/deployments", {"name": "n", "version": "1.0", "target": target}, expect=201)
    done = agent.once()
    assert done.code == 0 and "renewed" in done.err, done
    assert (agent.slots / "current" / "firmware.bin").read_bytes() == b"payload"


def test_a_certificate_that_expired_too_long_ago_says_what_to_do(server, make_agent):
    agent = make_agent(server, "n-3", "n")
    agent.enrol()
    age(server, agent, -500, -100)
    done = agent.once()
    assert done.code == 4 and "enrol the device anew" in done.err, done


def test_the_daemon_renews_by_itself_while_it_polls(make_server, make_agent):
    server = make_server({"devices.poll_seconds": 10})
    agent = make_agent(server, "n-4", "n")
    agent.enrol()
    aged, _ = age(server, agent, -300, 65)
    agent.start()
    now = agent.state / "device.crt"
    wait_for(lambda: serial(now) != serial(aged.cert), 20, "the new certificate is in use")
    agent.stop()
    log = (agent.dir / "agent.log").read_text()
    assert log.count("the certificate was renewed") == 1, log


@pytest.mark.parametrize("moment", ["reply", "probe"])
def test_a_line_that_fails_in_the_middle_of_a_renewal_costs_nothing(server, make_agent, moment):
    """The reply is lost, or the first use of the new certificate fails: the next try gets through, and no
    more than one certificate was issued."""
    agent = make_agent(server, "n-5", "n")
    agent.enrol()
    aged, _ = age(server, agent, -300, 65)

    def answer(method, path, status, headers, body):
        lost = path == "/api/renew" if moment == "reply" else path.startswith("/api/firmware/latest")
        return (502, {"Content-Type": "text/plain"}, b"lost") if lost else (status, headers, body)

    relay = Relay(server, aged, answer=answer)
    text = agent.conf.read_text()
    agent.conf.write_text(text.replace(server.url, relay.url))
    done = agent.once()
    assert done.code == 0, done
    assert serial(agent.state / "device.crt") == serial(aged.cert)
    assert (agent.state / "device.crt.new").exists() == (moment == "probe")
    agent.conf.write_text(text)
    done = agent.once()
    assert done.code == 0 and "renewed" in done.err, done
    assert serial(agent.state / "device.crt") != serial(aged.cert)
    assert len(certificates(server, "n-5")) == 2  # enrolled, renewed
    relay.close()


def test_a_certificate_for_another_key_is_not_taken(server, make_agent):
    agent = make_agent(server, "n-6", "n")
    agent.enrol()
    aged, _ = age(server, agent, -300, 65)
    other = server.enrol("n-6b", "n")
    swap = {"certificate": other.cert.read_text()}
    relay = Relay(server, aged, answer=on_json(lambda doc, path: {**doc, **swap} if "renew" in path else doc))
    agent.conf.write_text(agent.conf.read_text().replace(server.url, relay.url))
    done = agent.once()
    assert "another key" in done.err and serial(agent.state / "device.crt") == serial(aged.cert), done
    assert not (agent.state / "device.crt.new").exists()
    relay.close()


# --- the server's roots roll over ---------------------------------------------------------------------


def next_authority(server):
    """A second server authority, and a certificate of it for the same names."""
    pki = server.dir / "pki"
    run(["openssl", "req", "-x509", "-newkey", "ML-DSA-65", "-nodes", "-keyout", pki / "next-ca.key", "-out",
         pki / "next-ca.pem", "-subj", "/CN=pqota server CA next", "-days", "3650", "-addext",
         "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        check=0)
    ext = pki / "next.ext"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
    ext.write_text(EXTENSIONS.replace("clientAuth", "serverAuth") + names)
    run(["openssl", "req", "-newkey", "ML-DSA-65", "-nodes", "-keyout", pki / "next.key", "-subj",
         "/CN=localhost", "-out", pki / "next.csr"], check=0)
    run(["openssl", "x509", "-req", "-in", pki / "next.csr", "-CA", pki / "next-ca.pem", "-CAkey",
         pki / "next-ca.key", "-extfile", ext, "-days", "300", "-out", pki / "next.pem"], check=0)
    return pki


def test_new_server_roots_come_by_a_bundle_and_are_taken_over(make_server, make_agent):
    server = make_server()
    known, late = make_agent(server, "r-1", "r"), make_agent(server, "r-2", "r")
    known.enrol()
    late.enrol()
    pki = next_authority(server)
    # 1. The bundle: old and new. Devices get it with their next renewal.
    bundle = pki / "server-roots.pem"
    bundle.write_text((pki / "server-ca.pem").read_text() + (pki / "next-ca.pem").read_text())
    server.set("pki.server_roots", "pki/server-roots.pem")
    server.stop()
    server.start()
    age(server, known, -300, 65)
    done = known.once()
    assert done.code == 0 and "renewed" in done.err, done
    assert (known.state / "server-roots.pem").read_text().count("BEGIN CERTIFICATE") == 2
    # 2. The server shows a certificate of the new authority.
    server.set("tls.certificate", "pki/next.pem")
    server.set("tls.key", "pki/next.key")
    server.roots = bundle
    server.reload()
    assert known.once().code == 0
    done = late.once()
    assert done.code == 4 and "local issuer" in done.err, done
    # 3. The old root leaves the bundle; the next renewal takes that over too.
    bundle.write_text((pki / "next-ca.pem").read_text())
    server.reload()
    age(server, known, -300, 65)
    done = known.once()
    assert done.code == 0 and "renewed" in done.err, done
    assert (known.state / "server-roots.pem").read_text() == (pki / "next-ca.pem").read_text()
    assert known.once().code == 0


@pytest.mark.parametrize("roots", ["none", "garbage", "foreign"])
def test_roots_that_would_lock_the_device_out_are_not_taken_over(server, make_agent, roots):
    """The certificate is renewed, the roots stay."""
    agent = make_agent(server, "r-3", "r")
    agent.enrol()
    aged, _ = age(server, agent, -300, 65)
    before = (agent.state / "server-roots.pem").read_bytes()
    garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    foreign = (server.dir / "pki" / "operator-ca.pem").read_text()
    sent = {"none": None, "garbage": garbage, "foreign": foreign}[roots]

    def change(doc, path):
        if path != "/api/renew":
            return doc
        doc = dict(doc)
        doc.pop("roots")
        return {**doc, "roots": sent} if sent else doc

    relay = Relay(server, aged, answer=on_json(change))
    text = agent.conf.read_text()
    agent.conf.write_text(text.replace(server.url, relay.url))
    done = agent.once()
    relay.close()
    assert done.code == 0 and "the certificate was renewed" in done.err, done
    assert (agent.state / "server-roots.pem").read_bytes() == before
    agent.conf.write_text(text)
    assert agent.once().code == 0
    assert not (agent.state / "server-roots.pem.new").exists()
