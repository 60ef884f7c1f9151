"""The broker as `pqota mosquitto-conf` sets it up: who gets in, and who may read and write what."""

import contextlib
import os
import re
import socket
import stat
import subprocess
import threading

import pytest
from certificates import issue, new_key
from harness import Credential, Server, environment, free_port, program, run, wait_for
from mosquitto import Client, Mosquitto

STATUS = "ota/devices/dev-1/status"


@pytest.fixture(scope="module")
def server(unstarted):
    return unstarted


def test_round_trip(broker):
    """Mutual post-quantum TLS, both ways, and messages up to the limit."""
    with Client(broker, broker.server_credential(), "ota/#", name="srv") as c:
        c.wait("up")
        c.say("pub 7 1 ota/update/available {}")
        c.wait("published 7 taken")
        c.wait("message ota/update/available fresh 2 {}")
        c.say("big 8 ota/fleet/events 65536")
        c.wait("published 8 taken")
        c.wait("message ota/fleet/events fresh 65536 xxx")
        c.say("big 9 ota/fleet/events 65537")
        assert "too-large" in c.wait("not-published 9")
        c.say("pub 11 0 elsewhere y")
        assert "Not authorized" in c.wait("published 11 the broker")
        c.say("pub 10 0 ota/+/x y")
        assert "invalid" in c.wait("not-published 10")
    with Client(broker, broker.server_credential(), "ota/#", name="srv") as c:
        c.wait("message ota/update/available retained 2 {}")


def test_a_hundred_messages(broker):
    """More than may be under way at once: the rest is refused for now and may be given again."""
    with Client(broker, broker.server_credential(), "ota/fleet/events") as c:
        c.wait("up")
        for n in range(100):
            c.say(f"pub {n} 0 ota/fleet/events {n}")
        wait_for(
            lambda: sum(line.startswith(("published", "not-published")) for line in c.lines) == 100,
            what="all are answered",
        )
        taken = [line.split()[1] for line in c.lines if line.startswith("published")]
        refused = [line for line in c.lines if line.startswith("not-published")]
        assert len(taken) >= 64 and all("busy" in line for line in refused)
        wait_for(
            lambda: [line.split()[-1] for line in c.lines if line.startswith("message")] == taken,
            what="all came in their order",
        )


def test_wrong_host(broker):
    """The certificate names localhost and 127.0.0.1, not ::1's or another name."""
    server = broker.server
    other = issue_server(server, broker.folder, "elsewhere.example")
    broker.stop()
    broker.configure("--certificate", other.cert, "--key", other.key)
    broker.start()
    with Client(broker, broker.server_credential(), name="a") as c:
        assert "is not for localhost" in c.wait("down unauthenticated")


def issue_server(server, folder, host, ca="server-ca"):
    """A certificate for a broker on another machine, made with openssl as the documentation says."""
    key, csr = new_key(folder, "broker")
    cert, ext = folder / "broker.pem", folder / "broker.ext"
    ext.write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage=serverAuth\nsubjectAltName=DNS:{host}\n"
    )
    pki = server.dir / "pki"
    argv = ["openssl", "x509", "-req", "-in", csr, "-CA", pki / f"{ca}.pem", "-CAkey", pki / f"{ca}.key"]
    run([*argv, "-extfile", ext, "-days", "30", "-out", cert], check=0)
    return Credential(cert, key)


def test_broker_of_another_authority(broker, tmp_path):
    """Its certificate must end in the roots that the client was given."""
    with Client(broker, broker.server_credential(), ca=broker.server.dir / "pki" / "device-ca.pem") as c:
        assert "certificate of the broker" in c.wait("down unauthenticated")


def test_classical_broker(broker):
    """A broker that offers no post-quantum key exchange is refused."""
    cnf = broker.dir / "openssl.cnf"
    cnf.write_text(re.sub("Groups = .*", "Groups = X25519", cnf.read_text()))
    broker.stop()
    broker.start()
    with Client(broker, broker.server_credential()) as c:
        assert "handshake failure" in c.wait("down crypto")


def test_no_certificate(broker):
    """Without a client certificate nobody gets in, nor with an operator's or the server's own."""
    pki = broker.server.dir / "pki"
    with Client(broker, Credential()) as c:
        assert re.search("certificate required|does it accept our certificate", c.wait("down"))
    for who in (broker.server.admin, Credential(pki / "server.pem", pki / "server.key")):
        assert broker.publish("ota/x", "y", who=who, check=None).code != 0
    assert "u'admin'" not in broker.logs() and "New client connected" not in broker.logs()


def test_unreachable(server, tmp_path, devices):
    """It tries again, in growing pauses, and says why; it can be stopped at any time."""
    broker = Mosquitto(server, tmp_path)
    with Client(broker, devices["dev-1"]) as c:
        assert re.search("refused|nothing accepts", c.wait("down io", count=2))
        c.say("pub 1 0 ota/x y")
        assert "busy" in c.wait("not-published 1")
        broker.start()
        c.wait("up")
        broker.stop()
    with Client(broker, devices["dev-1"], host="no-such-host.invalid:1") as c:
        assert "has no address" in c.wait("down")


def test_not_tls(server, tmp_path, devices):
    """What answers and is no broker."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer():
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 400 no\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    while peer.recv(65536):
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        broker = Mosquitto(server, tmp_path)
        with Client(broker, devices["dev-1"], host=f"localhost:{port}") as c:
            assert "wrong version number" in c.wait("down crypto")
        thread.join()


@pytest.mark.parametrize("how", [15, 9])
def test_broker_restarts(broker, how):
    """Connected again by itself; subscriptions hold; what is given then arrives."""
    with Client(broker, broker.server_credential(), "ota/#", session=3600) as c:
        c.wait("up")
        broker.stop(how)
        c.wait("down")
        broker.start()
        c.wait("up", count=2)
        c.say("pub 2 0 ota/fleet/events again")
        c.wait("message ota/fleet/events fresh 5 again")
        c.wait("published 2 taken")


def test_session(broker, devices):
    """What came while the client was away is delivered when it comes back, if it asked for a session."""
    who = broker.server_credential()
    with Client(broker, who, "ota/devices/+/status", session=600) as c:
        c.wait("up")
    broker.publish(STATUS, "while away", who=devices["dev-1"])
    with Client(broker, who, "ota/devices/+/status", session=600) as c:
        c.wait(f"message {STATUS} fresh 10 while away")
    with Client(broker, who, "ota/devices/+/status", session=0) as c:
        c.wait("up")
    broker.publish(STATUS, "again", who=devices["dev-1"])
    with Client(broker, who, "ota/devices/+/status", session=0) as c:
        c.wait("up")
        broker.publish(STATUS, "third", who=devices["dev-1"])
        assert c.wait(f"message {STATUS}").endswith(" third")


def test_new_connection(broker, devices):
    """Asked for, as after a renewal: goodbye, and in again."""
    with Client(broker, devices["dev-1"], "ota/update/available") as c:
        c.wait("up")
        c.say("reconnect")
        c.wait("down io: a new connection")
        c.wait("up", count=2, seconds=5)
    assert "Protocol error" not in broker.logs()


# --- who may do what ---


def refused(broker, topic, who, port=None):
    return "Not authorized" in broker.publish(topic, "x", who=who, port=port, check=None).err


def test_what_a_device_may_write(broker, devices):
    dev = devices["dev-1"]
    with Client(broker, broker.server_credential(), "ota/#", "anything/#") as everything:
        everything.wait("up")
        assert not refused(broker, STATUS, dev)
        everything.wait(f"message {STATUS} fresh 1 x")
        for topic in (
            "ota/devices/dev-2/status",
            "ota/devices/dev-1/update",
            "ota/devices/dev-1/status/more",
            "ota/devices/dev-1",
            "ota/update/available",
            "ota/fleet/events",
            "anything/else",
        ):
            assert refused(broker, topic, dev), topic
        everything.say("pub 1 0 ota/fleet/events end")
        everything.wait("message ota/fleet/events fresh 3 end")
        assert [x.split()[1] for x in everything.lines if x.startswith("message")] == [
            STATUS,
            "ota/fleet/events",
        ]


def test_what_a_device_may_read(broker, devices):
    """Subscribing to everything shows a device its own and what is for all."""
    for topic in ("ota/update/available", "ota/devices/dev-1/update", "ota/devices/dev-2/update"):
        broker.publish(topic, f"retained {topic}", retain=True)
    with broker.subscribe("ota/#", "#", "ota/devices/+/update", who=devices["dev-1"]) as sub:
        for topic in ("ota/devices/dev-2/update", "ota/devices/dev-2/status", STATUS, "ota/fleet/events"):
            broker.publish(topic, "secret")
        broker.publish("ota/devices/dev-1/update", "end")
        sub.wait(lambda topic, _, text: text == "end")
        assert {m[0] for m in sub.messages} == {"ota/update/available", "ota/devices/dev-1/update"}
        assert not [m for m in sub.messages if "secret" in m[2] or "dev-2" in m[2]]


def test_a_device_cannot_take_anothers_client_id(broker, devices):
    """It would end the other's connection, or get what waits for it."""
    with Client(broker, devices["dev-1"], "ota/devices/dev-1/update", name="one") as one:
        one.wait("up")
        with Client(broker, devices["dev-2"], "ota/update/available", name="dev-1") as two:
            two.wait("up")
            broker.publish("ota/devices/dev-1/update", "still here")
            one.wait("message ota/devices/dev-1/update")
            assert not [line for line in one.lines if line.startswith("down")]


def test_operators_read(broker, devices, tmp_path):
    """Those that are named read what is announced, and write nothing; a device is no operator."""
    port = broker.operator_port
    eve = issue(broker.server, tmp_path, "eve", "-days", "1", ca="operator-ca")
    mallory = issue(broker.server, tmp_path, "mallory", "-days", "1", ca="operator-ca")
    broker.stop()
    broker.configure("--operator", "admin", "--operator", "eve")
    broker.start()
    topics = ("ota/update/available", "ota/fleet/events", "ota/devices/dev-1/update")
    with (
        broker.subscribe("ota/#", who=broker.server.admin, port=port) as sub,
        broker.subscribe("ota/#", who=mallory, port=port) as unnamed,
    ):
        for topic in topics:
            broker.publish(topic, "seen")
            sub.wait(lambda got, _, text: (got, text) == (topic, "seen"))
            assert refused(broker, topic, eve, port=port)
        for topic in (STATUS, "ota/devices/eve/status", "ota/devices/CN=eve/status"):
            assert refused(broker, topic, eve, port=port)
        assert {m[0] for m in sub.messages} == set(topics) and len(sub.messages) == 3
        assert {m[0] for m in unnamed.messages} <= {"ota/update/available"}
    assert broker.publish(STATUS, "x", who=devices["dev-1"], port=port, check=None).code != 0


def test_an_operator_called_as_a_device(broker, devices, tmp_path):
    """Neither reads what is the device's, nor speaks for it, nor ends its connection."""
    same = issue(broker.server, tmp_path, "dev-1", "-days", "1", ca="operator-ca")
    server_name = issue(broker.server, tmp_path, "@pqota", "-days", "1", ca="operator-ca")
    with Client(broker, devices["dev-1"], "ota/devices/dev-1/update") as device:
        device.wait("up")
        for who in (same, server_name):
            assert refused(broker, STATUS, who, port=broker.operator_port)
            assert refused(broker, "ota/update/available", who, port=broker.operator_port)
        with broker.subscribe("ota/#", who=same, port=broker.operator_port) as sub:
            broker.publish("ota/devices/dev-1/update", "for the device")
            device.wait("message ota/devices/dev-1/update")
            assert sub.messages == []
        assert not [line for line in device.lines if line.startswith("down")]


def test_revoked_device(server, tmp_path):
    """With a revocation list, and with a newer one after SIGHUP."""
    server.start()
    try:
        dev, other = server.enrol("dev-9", "m1"), server.enrol("dev-8", "m1")
        crl = tmp_path / "device.crl"
        topic = "ota/devices/dev-9/status"

        def fetch(revoked):
            (tmp_path / "new").write_bytes(server.curl("/pki/device.crl").body)
            os.replace(tmp_path / "new", crl)
            shown = run(["openssl", "crl", "-in", crl, "-noout", "-text"], check=0).out
            return shown.count("Serial Number:") == revoked

        assert fetch(0)
        broker = Mosquitto(server, tmp_path, "--crl", crl).start()
        try:
            assert not refused(broker, topic, dev)
            server.api("POST", "/api/devices/dev-9/revoke", {"reason": "stolen"}, expect=204)
            wait_for(lambda: fetch(1), what="the list has the device")
            broker.reload()
            wait_for(  # the device may hear of it before the log does
                lambda: broker.publish(topic, "x", who=dev, check=None).code != 0
                and "certificate verify failed" in broker.logs(),
                what="the revoked device is refused",
            )
            assert not refused(broker, "ota/devices/dev-8/status", other)
        finally:
            broker.stop()
    finally:
        server.stop()


# --- algorithms ---


@pytest.mark.parametrize(
    "groups, gets_in", [("X25519", False), ("MLKEM768", True), ("X25519MLKEM768", True)]
)
def test_groups(broker, devices, tmp_path, groups, gets_in):
    """The broker's groups are pinned: a client with classical key exchange alone is refused."""
    cnf = tmp_path / "client.cnf"
    cnf.write_text(
        f"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nGroups = {groups}\n"
    )
    done = broker.publish(STATUS, "x", who=devices["dev-1"], check=None, env={"OPENSSL_CONF": str(cnf)})
    assert (done.code == 0) == gets_in, repr(done)
    shown = run(
        [
            "openssl",
            "s_client",
            "-connect",
            broker.broker,
            "-groups",
            groups,
            "-CAfile",
            broker.server.roots,
        ]
        + ["-cert", devices["dev-1"].cert, "-key", devices["dev-1"].key, "-verify_return_error"],
        input="",
    )
    assert (f"group: {groups}" in shown.out) == gets_in, repr(shown)
    if gets_in:
        assert "TLSv1.3" in shown.out and "mldsa65" in shown.out.lower()


def test_cnsa2(tmp_path):
    """Another policy's groups are the broker's too."""
    server = Server(tmp_path, init_args=["--policy", "cnsa2"])
    broker = Mosquitto(server, tmp_path).start()
    try:
        text = (broker.dir / "openssl.cnf").read_text()
        assert "Groups = MLKEM1024\n" in text and "SignatureAlgorithms = mldsa87\n" in text
        for group, gets_in in (("X25519MLKEM768", False), ("MLKEM1024", True)):
            shown = run(["openssl", "s_client", "-connect", broker.broker, "-groups", group], input="")
            assert (f"group: {group}" in shown.out) == gets_in, repr(shown)
    finally:
        broker.stop()


def test_old_tls_and_no_ecdsa(broker):
    for args in (["-tls1_2"], ["-sigalgs", "ecdsa_secp256r1_sha256"]):
        shown = run(["openssl", "s_client", "-connect", broker.broker, *args], input="")
        assert "Cipher is (NONE)" in shown.out, repr(shown)


# --- the verb ---


def conf(server, folder, *args, check=None):
    return run([program("pqota"), "mosquitto-conf", "-c", server.conf, "--dir", folder, *args], check=check)


def test_folder(server, tmp_path):
    """A ready folder: nothing overwritten unasked, the key for the account alone."""
    user = ["--user", "root"] if os.geteuid() == 0 else []
    told = conf(server, tmp_path / "a/b", *user, check=0)
    assert "systemctl restart mosquitto" in told.out and f"{tmp_path}/a/b/mosquitto.conf" in told.out
    made = {str(p.relative_to(tmp_path / "a/b")): p for p in (tmp_path / "a/b").rglob("*") if p.is_file()}
    assert set(made) == {
        "mosquitto.conf",
        "conf.d/pqota.conf",
        "access.acl",
        "openssl.cnf",
        "mosquitto.service.conf",
        "device-roots.pem",
        "operator-roots.pem",
        "broker.pem",
        "broker.key",
    }
    for name in ("broker.key", "access.acl"):
        assert stat.S_IMODE(made[name].stat().st_mode) == 0o600
    before = {name: p.stat().st_mtime_ns for name, p in made.items()}
    again = conf(server, tmp_path / "a/b", *user)
    assert again.code == 1 and "--force" in again.err
    assert before == {name: p.stat().st_mtime_ns for name, p in made.items()}
    conf(server, tmp_path / "a/b", *user, "--force", "--operator-port", "0", check=0)
    assert made["conf.d/pqota.conf"].read_text().count("\nlistener ") == 1


def test_debian_service(server, tmp_path):
    """Linked into a folder beside Debian's own settings, it starts as well."""
    port = free_port()
    user = ["--user", "root"] if os.geteuid() == 0 else []
    conf(server, tmp_path / "pqota", *user, "--port", port, "--operator-port", "0", check=0)
    os.makedirs(tmp_path / "conf.d")
    os.symlink(tmp_path / "pqota/conf.d/pqota.conf", tmp_path / "conf.d/pqota.conf")
    debian = (tmp_path / "debian.conf").open("w+")
    with open("/etc/mosquitto/mosquitto.conf", encoding="ascii") as original:
        text = re.sub(r"(?m)^(log_dest file|persistence_location|pid_file) .*$", "", original.read())
    debian.write(text.replace("/etc/mosquitto/conf.d", str(tmp_path / "conf.d")) + "\nuser root\n")
    debian.close()
    with open(tmp_path / "log", "wb") as log:
        it = subprocess.Popen(
            ["mosquitto", "-v", "-c", debian.name],
            stderr=log,
            stdout=log,
            cwd=tmp_path,
            env=environment(OPENSSL_CONF=str(tmp_path / "pqota/openssl.cnf")),
        )
        try:
            wait_for(lambda: " running\n" in (tmp_path / "log").read_text(), what="mosquitto runs")
            shown = run(["openssl", "s_client", "-connect", f"localhost:{port}"], input="")
            assert "X25519MLKEM768" in shown.out
        finally:
            it.terminate()
            it.wait(10)


@pytest.mark.parametrize(
    "args, said",
    [
        (["--port", "0"], "--port is a number from 1"),
        (["--port", "8884"], "ports of their own"),
        (["--listen", "x y"], "--listen is an address"),
        (["--certificate", "/x"], "together"),
        (["more"], "too much"),
        (["--certificate", "/nowhere.pem", "--key", "/nowhere.key"], "/nowhere.pem"),
        (["--crl", "/nowhere.crl"], "/nowhere.crl"),
        (["--user", "nobody-of-that-name"], "no account"),
    ],
)
def test_errors(server, tmp_path, args, said):
    if args[0] == "--user" and os.geteuid() != 0:
        pytest.skip("the account matters to root alone")
    done = conf(server, tmp_path / "x", *args)
    assert done.code in (1, 2, 3) and said in done.err, repr(done)
    assert not (tmp_path / "x" / "mosquitto.conf").exists()
    assert "say where to write" in run([program("pqota"), "mosquitto-conf"]).err
