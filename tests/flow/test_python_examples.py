"""The Python examples against the real things: pqota, curl, gunicorn behind nginx, mosquitto."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import paho.mqtt.client as paho
import pytest

import mosquitto
from harness import GROUPS, RELEASE, TREE, Credential, Server, environment, free_port, run, wait_for
from pqc_python import LIBRARY, Pki, in_thread, installed, listener, package, reply

EXAMPLES = TREE / "python" / "examples"


@pytest.fixture(scope="module")
def ota(tmp_path_factory):
    """A server with a device and a release of its model, another device, and a viewer for the application."""
    server = Server(tmp_path_factory.mktemp("ota"), build=RELEASE)
    server.start()
    server.dev = server.enrol("gw-1", "gateway")
    server.other = server.enrol("cam-1", "camera")
    server.publish("gateway", "1.0", b"first")
    viewer = server.folder / "viewer"
    server.pqota("operator", "add", "app", "--role", "viewer", "-o", viewer)
    key = next(viewer.glob("*.key"))
    server.viewer = Credential(key.with_suffix(".pem"), key)
    yield server
    server.stop()


def settings(ota, **more):
    """The environment that the example is started with."""
    return environment(
        PYTHONPATH=f"{installed()}:{EXAMPLES}",
        PQC_TLS_LIBRARY=str(LIBRARY),
        PQOTA_URL=ota.url,
        PQOTA_CA=str(ota.roots),
        PQOTA_CERT=str(ota.viewer.cert),
        PQOTA_KEY=str(ota.viewer.key),
        CACHE_SECONDS="0.3",
        **more,
    )


@contextlib.contextmanager
def running(argv, env, log, ready):
    """A program, until the test is done with it; it must end well when it is asked to."""
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [str(a) for a in argv], env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        try:

            def is_ready():
                assert process.poll() is None, log.read_text()
                return ready()

            wait_for(is_ready, 20, f"{argv[0]} is ready")
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in (0, -signal.SIGTERM), log.read_text()
        finally:
            process.kill()
            process.wait()


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def curl(ota, url, who=None, *args):
    argv = ["curl", "-sS", "-i", "--max-time", "20", "--cacert", ota.roots, "--curves", GROUPS]
    argv += ["--cert", who.cert, "--key", who.key] if who else []
    return reply(run([*argv, *args, url]))


@pytest.fixture(scope="module")
def in_process(ota):
    """The application with TLS in process."""
    port = free_port()
    pki = ota.dir / "pki"
    names = {"TLS_CERT": "server.pem", "TLS_KEY": "server.key", "TLS_CLIENT_CA": "device-ca.pem"}
    env = settings(ota, LISTEN=str(port), **{k: str(pki / v) for k, v in names.items()})
    argv = [sys.executable, "-X", "dev", EXAMPLES / "flask_app.py"]
    with running(argv, env, ota.folder / "flask.log", lambda: listens(port)):
        yield f"https://localhost:{port}"


@pytest.fixture(scope="module")
def behind_nginx(ota):
    """The same application under gunicorn, with nginx in front as the example's nginx.conf has it."""
    folder = ota.folder / "nginx"
    folder.mkdir()
    port, sock = free_port(), folder / "app.sock"
    conf = (EXAMPLES / "nginx.conf").read_text()
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "unix:/run/ota-app/app.sock": f"unix:{sock}",
        "server_name ota-server": "server_name localhost",
        "/etc/ota/mlkem768_dilithium3_server.crt": str(ota.dir / "pki" / "server.pem"),
        "/etc/ota/mlkem768_dilithium3_server.key": str(ota.dir / "pki" / "server.key"),
        "/etc/ota/device-ca.pem": str(ota.dir / "pki" / "device-ca.pem"),
    }.items():
        assert conf.count(old) >= 1, old
        conf = conf.replace(old, new)
    (folder / "app.conf").write_text(conf)
    temp = "".join(
        f"{n}_temp_path {folder}/{n};\n" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off;\n{user}pid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temp}include {folder}/app.conf;\n}}\n"
    )
    gunicorn = [
        sys.executable,
        "-m",
        "gunicorn",
        "--bind",
        f"unix:{sock}",
        "--threads",
        "8",
        "flask_app:app",
    ]
    nginx = ["nginx", "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
    env = settings(ota, BEHIND_NGINX="1")
    with running(gunicorn, env, folder / "gunicorn.log", sock.exists):
        with running(nginx, environment(), folder / "output.log", lambda: listens(port)):
            yield f"https://localhost:{port}"


@pytest.fixture(params=["in_process", "behind_nginx"])
def url(request):
    return request.getfixturevalue(request.param)


def test_a_device_learns_of_its_newest_firmware(ota, url):
    answer = curl(ota, url + "/api/firmware/latest", ota.dev)
    assert answer.status == 200, answer
    told = answer.json()
    real = ota.curl("/api/firmware/latest?model=gateway").json()
    assert {k: told[k] for k in ("name", "version", "size", "sha256")} == {
        k: real[k] for k in ("name", "version", "size", "sha256")
    }
    file = run(
        [*"curl -sS --cacert".split(), ota.roots, "--cert", ota.dev.cert, "--key", ota.dev.key, told["url"]]
    )
    assert file.out == "first"
    assert curl(ota, url + "/api/firmware/latest?model=gateway", ota.dev).status == 200
    answer = curl(ota, url + "/api/firmware/latest?model=camera", ota.dev)
    assert answer.status == 403 and "another model" in answer.json()["detail"]
    answer = curl(ota, url + "/api/firmware/latest", ota.other)
    assert answer.status == 404 and "no firmware for camera" in answer.json()["detail"]


def test_a_new_release_is_seen_soon(ota, url):
    version = f"2.{len(url)}.{int(time.time() * 1000)}"
    ota.publish("gateway", version, os.urandom(100))
    wait_for(
        lambda: curl(ota, url + "/api/firmware/latest", ota.dev).json()["version"] == version,
        what="the cache has run out",
    )


def test_who_is_let_in(ota, url, request):
    path = url + "/api/firmware/latest"
    headers = [
        "-H",
        "X-Client-Verify: SUCCESS",
        "-H",
        "X-Client-Name: gw-1",
        "-H",
        "SSL_CLIENT_VERIFY: SUCCESS",
    ]
    headers += ["-H", "X_Client_Verify: SUCCESS", "-H", "X_Client_Name: gw-1"]
    nobody = curl(ota, path, None, *headers)
    assert nobody.curl != 0 or nobody.status == 400, nobody  # TLS refuses, or nginx after it
    answer = curl(ota, path, ota.other, *headers)
    assert answer.status == 404 and "camera" in answer.json()["detail"]  # by its certificate
    operator = curl(ota, path, ota.admin, *headers)
    assert operator.curl != 0 or operator.status == 400, operator
    classical = run(
        [
            *"curl -sS --curves X25519 --cacert".split(),
            ota.roots,
            "--cert",
            ota.dev.cert,
            "--key",
            ota.dev.key,
            path,
        ]
    )
    assert classical.code == 35


def test_a_revoked_device_is_refused(ota, url):
    name = f"gone-{len(url)}-{os.urandom(2).hex()}"
    device = ota.enrol(name, "gateway")
    assert curl(ota, url + "/api/firmware/latest", device).status == 200
    ota.api("POST", f"/api/devices/{name}/revoke", {"reason": "lost"})
    answer = wait_for(
        lambda: (a := curl(ota, url + "/api/firmware/latest", device)).status == 403 and a,
        what="it is refused",
    )
    assert "revoked" in answer.json()["detail"]


def test_a_replaced_certificate_is_refused(ota, url):
    """Once the device has used its new certificate, who holds the old one is nobody."""
    name = f"new-{len(url)}-{os.urandom(2).hex()}"
    folder = ota.enrol(name, "gateway").cert.parent
    kept = folder.rename(folder.with_name(name + "-old"))
    old = Credential(kept / "cert.pem", kept / "key.pem")
    assert curl(ota, url + "/api/firmware/latest", old).status == 200
    new = ota.enrol(name, "gateway")  # with a new key
    assert ota.curl("/api/update", who=new).status in (200, 204)
    answer = wait_for(
        lambda: (a := curl(ota, url + "/api/firmware/latest", old)).status == 403 and a,
        what="the old one is refused",
    )
    assert "certificate" in answer.json()["detail"]
    assert curl(ota, url + "/api/firmware/latest", new).status == 200


def test_the_applications_connection_is_kept(ota, in_process):
    """http.client over post-quantum TLS: many requests, one connection."""
    pqc = package()
    context = pqc.ClientContext(ota.dev.cert, ota.dev.key, ota.roots)
    conn = pqc.PQCHTTPSConnection("localhost", int(in_process.rpartition(":")[2]), context=context)
    conn.request("GET", "/api/firmware/latest")
    sock = conn.sock
    assert json.load(conn.getresponse())["name"] == "gateway"
    for _ in range(200):
        conn.request("GET", "/api/firmware/latest")
        assert conn.getresponse().read() and conn.sock is sock
    conn.close()


def test_the_update_server_may_go_and_come_back(ota, tmp_path):
    """Last of what uses the shared server's address: one of its own."""
    own = Server(tmp_path, build=RELEASE)
    own.start()
    try:
        own.dev = own.enrol("gw-9", "gateway")
        own.publish("gateway", "1.0", b"x")
        own.viewer = own.admin
        port = free_port()
        pki = own.dir / "pki"
        names = {"TLS_CERT": "server.pem", "TLS_KEY": "server.key", "TLS_CLIENT_CA": "device-ca.pem"}
        env = settings(own, LISTEN=str(port), **{k: str(pki / v) for k, v in names.items()})
        argv = [sys.executable, EXAMPLES / "flask_app.py"]
        with running(argv, env, tmp_path / "flask.log", lambda: listens(port)):
            url = f"https://localhost:{port}/api/firmware/latest"
            assert curl(own, url, own.dev).status == 200
            own.stop()
            wait_for(lambda: curl(own, url, own.dev).status == 502, what="it tells that the server is away")
            assert "cannot be reached" in curl(own, url, own.dev).json()["detail"]
            own.start()
            wait_for(lambda: curl(own, url, own.dev).status == 200, what="it found the server again")
    finally:
        own.stop()


def test_a_missing_setting_is_named(ota):
    env = settings(ota)
    del env["PQOTA_CA"]
    done = run([sys.executable, EXAMPLES / "flask_app.py"], env=env)
    assert done.code == 1 and "PQOTA_CA is not set" in done.err


# --- MQTT ---


@pytest.fixture(scope="module")
def broker(ota, tmp_path_factory):
    """Whose access list lets one more identity announce: the server's own may be connected once only."""
    it = mosquitto.Mosquitto(ota, tmp_path_factory.mktemp("broker"))
    with open(it.dir / "access.acl", "a") as acl:
        acl.write("\nuser announcer\ntopic write ota/update/available\n")
    it.announcer = ota.enrol("announcer", "tool")
    it.start()
    yield it
    it.stop()


def mqtt(broker, who, *verb, host="localhost", ca=None, env=None):
    files = ["--ca", ca or broker.server.roots, "--cert", who.cert, "--key", who.key]
    argv = [sys.executable, EXAMPLES / "mqtt_client.py", "--broker", f"{host}:{broker.port}", *files, *verb]
    return [str(a) for a in argv], environment(**(env or {}))


def test_mqtt_both_ways(ota, broker, tmp_path):
    """A device watches; who may announces; the ACL is pqota's own."""
    argv, env = mqtt(broker, ota.dev, "watch", "--count", "2")
    log = tmp_path / "log"
    with open(log, "wb") as out:
        watcher = subprocess.Popen(argv, env=env, stdout=out, stderr=out)
        try:
            wait_for(lambda: "watching ota/update/available" in log.read_text(), what="it watches")
            argv, env = mqtt(broker, broker.announcer, "publish", "9.1")
            done = run(argv, env=env, check=0)
            assert "announced version 9.1" in done.err and "connected over TLSv1.3" in done.err
            broker.publish("ota/update/available", '{"version": "9.2"}')  # and from a client in C
            assert watcher.wait(20) == 0, log.read_text()
        finally:
            watcher.kill()
            watcher.wait()
    assert re.findall(r"version (\S+) is available", log.read_text()) == ["9.1", "9.2"]
    with broker.subscribe("ota/update/available", who=ota.dev) as other:
        argv, env = mqtt(broker, broker.announcer, "publish", "9.3")
        run(argv, env=env, check=0)
        assert json.loads(other.wait(lambda t, r, text: "9.3" in text)[2]) == {"version": "9.3"}


def test_mqtt_who_may_not(ota, broker, tmp_path):
    argv, env = mqtt(broker, ota.dev, "publish", "6.6.6")
    done = run(argv, env=env)
    assert done.code == 1 and "not published" in done.err, repr(done)
    argv, env = mqtt(broker, broker.announcer, "publish", "1", host="127.0.0.2")
    done = run(argv, env=env)
    assert done.code == 1 and "announced" not in done.err, repr(done)
    argv, env = mqtt(broker, ota.dev, "publish", "1", ca=ota.dir / "pki" / "device-ca.pem")
    done = run(argv, env=env)
    assert done.code == 1 and "certificate verify failed" in done.err, repr(done)
    pki = Pki(tmp_path)
    for verb in (["publish", "1"], ["watch"]):
        argv, env = mqtt(broker, Credential(pki.stranger_cert, pki.stranger_key), *verb)
        done = run(argv, env=env)
        assert done.code == 1 and "does it accept this certificate?" in done.err, repr(done)


def test_mqtt_checks_the_brokers_name(ota, broker):
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]

        def relay():
            client, _ = other.accept()
            with client, socket.create_connection(("127.0.0.1", broker.port)) as real:
                with in_thread(lambda: pump(client, real)):
                    pump(real, client)

        with in_thread(relay):
            argv, env = mqtt(broker, ota.dev, "watch")
            argv[argv.index("--broker") + 1] = f"127.0.0.2:{port}"
            done = run(argv, env=env)
    assert done.code == 1 and "IP address mismatch" in done.err, repr(done)


def pump(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)


def test_mqtt_offers_post_quantum_key_exchange_only(ota, broker, tmp_path):
    """A broker that knows X25519 alone is no broker for it; and without the pin it does not even begin."""
    files = ["-cert", ota.dir / "pki" / "server.pem", "-key", ota.dir / "pki" / "server.key"]
    with listener() as sock:
        port = sock.getsockname()[1]
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *files, "-groups", "X25519", "-www"]
    classical = subprocess.Popen(
        [str(a) for a in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: listens(port), what="s_server listens")
        argv, env = mqtt(broker, ota.dev, "watch")
        argv[argv.index("--broker") + 1] = f"localhost:{port}"
        done = run(argv, env=env)
        assert done.code == 1 and "handshake failure" in done.err, repr(done)
    finally:
        classical.kill()
        classical.wait()
    code = (
        "import sys, ssl; sys.path.insert(0, sys.argv[1]); import mqtt_client\n"
        "mqtt_client.tls_context(*sys.argv[2:])"
    )
    files = [EXAMPLES, ota.roots, ota.dev.cert, ota.dev.key]
    done = run([sys.executable, "-c", code, *files], env=environment())
    assert done.code == 1 and re.search(r"classical key exchange \(.*0x001d", done.err), repr(done)
    done = run(
        [sys.executable, "-c", code, *files],
        env=environment(OPENSSL_CONF=str(EXAMPLES / "openssl-pqc.cnf")),
    )
    assert done.code == 0, repr(done)


def test_paho_over_our_own_context(ota, broker):
    """pqc_tls.ClientContext in the place of an ssl.SSLContext: pinned by itself, and it tells the group."""
    seen = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.tls_set_context(package().ClientContext(ota.dev.cert, ota.dev.key, ota.roots))
    client.on_connect = lambda c, *rest: c.subscribe("ota/update/available", qos=1)
    client.on_subscribe = lambda *rest: seen.append("subscribed")
    client.on_message = lambda c, data, message: seen.append(json.loads(message.payload))
    client.connect("localhost", broker.port)
    client.loop_start()
    try:
        wait_for(lambda: "subscribed" in seen, what="it is subscribed")
        sock = client.socket()
        assert (sock.group, sock.signature) == ("X25519MLKEM768", "mldsa65")
        notes = "x" * 40_000  # more than a record
        broker.publish("ota/update/available", json.dumps({"version": "7.7", "notes": notes}))
        wait_for(lambda: {"version": "7.7", "notes": notes} in seen, what="the message came")
    finally:
        client.disconnect()
        client.loop_stop()
