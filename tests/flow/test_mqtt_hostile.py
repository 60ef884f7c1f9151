"""Those who do not keep to the rules of MQTT: a broker against the client, a device against the others."""

import contextlib
import socket
import ssl
import subprocess
import threading

import pytest
from mosquitto import Client, Mosquitto


@pytest.fixture(scope="module")
def server(unstarted):
    return unstarted


@contextlib.contextmanager
def hostile(server, speak):
    """A broker that lets the client in and grants its subscription, then calls speak(connection)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(server.dir / "pki/server.pem", server.dir / "pki/server.key")

    def answer(listener):
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as peer, contextlib.suppress(OSError):
            peer.recv(65536)  # CONNECT
            peer.sendall(bytes.fromhex("2003000000"))  # CONNACK
            packet = peer.recv(65536)  # SUBSCRIBE
            peer.sendall(bytes.fromhex("9004") + packet[2:4] + bytes.fromhex("0001"))  # SUBACK
            speak(peer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        yield f"localhost:{listener.getsockname()[1]}"
        thread.join()


def test_hostile_broker_huge_message(server, tmp_path, devices):
    """One that announces a message of 256 MiB is left before it has sent much of it."""
    sent = 0

    def speak(peer):
        nonlocal sent
        peer.sendall(bytes.fromhex("30ffffff7f"))  # PUBLISH, the longest there is
        while sent < 1 << 28:
            sent += peer.send(bytes(65536))

    with hostile(server, speak) as host:
        with Client(Mosquitto(server, tmp_path), devices["dev-1"], "ota/x", host=host) as c:
            c.wait("up")
            assert "over the limit of 65536" in c.wait("down too-large")
    assert sent < 64 << 20


def test_hostile_broker_topic_aliases(server, tmp_path, devices):
    """libmosquitto would keep 65535 long names."""

    def speak(peer):
        # PUBLISH, QoS 0, topic "ota/x", property 0x23 (topic alias) 1, payload "y"
        peer.sendall(bytes.fromhex("300c") + b"\0\5ota/x" + bytes.fromhex("03230001") + b"y")
        peer.recv(1)

    with hostile(server, speak) as host:
        with Client(Mosquitto(server, tmp_path), devices["dev-1"], "ota/x", host=host) as c:
            c.wait("up")
            assert "topic aliases" in c.wait("down invalid")
            assert not [line for line in c.lines if line.startswith("message")]


def flood(first):
    """Messages without end, cut so that there is always the begin of a next one to be read."""
    rest = b"\0\5ota/x" + (bytes.fromhex("000100") if first & 6 else b"\0")
    one = bytes([first, len(rest)]) + rest
    return one[:5], one[5:] + one * 1000 + one[:5]


def test_hostile_broker_never_ends(server, tmp_path, devices):
    """The client can be stopped all the same."""

    def speak(peer):
        begin, more = flood(0x30)  # PUBLISH, QoS 0
        peer.sendall(begin)
        while True:
            peer.sendall(more)

    with hostile(server, speak) as host:
        with Client(Mosquitto(server, tmp_path), devices["dev-1"], "ota/x", host=host) as c:
            c.wait("message", count=5000)
            c.say("stop")
            c.wait("stopped", seconds=10)


def test_hostile_broker_takes_no_receipts(server, tmp_path, devices):
    """It is not listened to any more; the receipts would pile up."""
    stalled = threading.Event()

    def speak(peer):
        begin, more = flood(0x32)  # PUBLISH, QoS 1
        peer.settimeout(2)
        try:
            peer.sendall(begin)
            for _ in range(5000):  # 60 MB
                peer.sendall(more)
        except TimeoutError:
            stalled.set()

    with hostile(server, speak) as host:
        with Client(Mosquitto(server, tmp_path), devices["dev-1"], "ota/x", host=host) as c:
            c.wait("down", seconds=60)
    assert stalled.is_set()


def leave_a_will(broker, who, topic):
    """Connects with a last will, and is cut off."""
    argv = ["stdbuf", "-oL", "mosquitto_sub", *broker._arguments(who), "-d", "-t", "x"]
    argv += ["--will-topic", topic, "--will-payload", "will", "--will-qos", "1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert any(b"received SUBACK" in line for line in process.stdout)
        process.kill()


def test_what_a_device_may_not_by_other_ways(broker, devices):
    """A share of others' subscriptions, a last will, the broker's own topics."""
    dev = devices["dev-1"]
    broker.publish("ota/devices/dev-2/update", "retained secret", retain=True)
    with (
        broker.subscribe(
            "$share/g/ota/#", "$share/g/ota/devices/+/update", "$SYS/#", "$CONTROL/#", "+/+/+/+", who=dev
        ) as sub,
        Client(broker, broker.server_credential(), "ota/#") as everything,
    ):
        everything.wait("up")
        for topic in ("ota/devices/dev-2/update", "ota/devices/dev-2/status", "ota/fleet/events"):
            everything.say(f"pub 1 0 {topic} secret")
        everything.say("pub 2 0 ota/devices/dev-1/update end")
        sub.wait(lambda topic, _, text: text == "end")
        assert {m[0] for m in sub.messages} == {"ota/devices/dev-1/update"}
        for topic in (
            "$CONTROL/dynamic-security/v1",
            "$SYS/broker/uptime",
            "$share/g/ota/update/available",
        ):
            broker.publish(topic, "x", who=dev, check=None)
        for n in (2, 1):  # its own counts
            leave_a_will(broker, dev, f"ota/devices/dev-{n}/status")
        everything.wait("message ota/devices/dev-1/status fresh 4 will")
        came = [line.split()[1] for line in everything.lines if line.endswith((" will", " x"))]
        assert came == ["ota/devices/dev-1/status"]
