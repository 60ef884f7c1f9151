"""An MQTT client over post-quantum mutual TLS, with paho-mqtt 2 and Python's own ssl module.

    mqtt_client.py watch            prints each announcement of an update
    mqtt_client.py publish VERSION  announces {"version": VERSION}, at QoS 1

    --broker HOST:PORT   localhost:8883 unless given; the broker's certificate must be for HOST
    --ca FILE            the roots that the broker's certificate ends in
    --cert FILE --key FILE   who we are
    --count N            watch: end after N announcements

Which key exchanges the ssl module offers is for OpenSSL's configuration to say (openssl-pqc.cnf, which this
program starts itself again with). It looks at its own first message, and goes on only if that offers ML-KEM
alone: a broker can then choose nothing else.
"""

import argparse
import json
import os
import pathlib
import ssl
import struct
import sys
import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "ota/update/available"
CONFIGURATION = pathlib.Path(__file__).resolve().with_name("openssl-pqc.cnf")
SECONDS = 20

# RFC 10024 and the registry of TLS groups.
ML_KEM = {0x0200, 0x0201, 0x0202, 0x11EB, 0x11EC, 0x11ED}


def pin_groups() -> None:
    """OpenSSL reads its configuration once, when a program starts: so start again with it."""
    if os.environ.get("OPENSSL_CONF") != str(CONFIGURATION):
        os.environ["OPENSSL_CONF"] = str(CONFIGURATION)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def offered_groups(context: ssl.SSLContext) -> set[int]:
    """What a ClientHello of this context offers (RFC 8446 sections 4.1.2 and 4.2.7)."""
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = out.read()[5 + 4 + 2 + 32 :]  # after record and message headers, version and random
    hello = hello[1 + hello[0] :]  # session id
    hello = hello[2 + struct.unpack_from(">H", hello)[0] :]  # ciphers
    hello = hello[1 + hello[0] :]  # compression
    hello = hello[2:]
    while len(hello) >= 4:
        kind, size = struct.unpack_from(">HH", hello)
        if kind == 10:
            return {group for (group,) in struct.iter_unpack(">H", hello[6 : 4 + size])}
        hello = hello[4 + size :]
    return set()


def tls_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Host names are checked: that is this kind of context's default."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca)
    context.load_cert_chain(cert, key)
    offered = offered_groups(context)
    if not offered or not offered <= ML_KEM:
        names = ", ".join(f"0x{group:04x}" for group in sorted(offered - ML_KEM)) or "nothing"
        raise SystemExit(
            f"this ssl module would also agree to classical key exchange ({names}); see {__file__}"
        )
    return context


class Client:
    """One connection to the broker."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.seen = 0
        self.failure: str | None = None
        self.connected = False
        self.over = threading.Event()
        host, port = args.broker
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.mqtt.tls_set_context(tls_context(args.ca, args.cert, args.key))
        self.mqtt.on_connect = self.on_connect
        self.mqtt.on_disconnect = self.on_disconnect
        self.mqtt.on_publish = self.on_publish
        self.mqtt.on_subscribe = self.on_subscribe
        self.mqtt.on_message = self.on_message
        self.mqtt.connect(host, port)

    def on_disconnect(
        self, client: mqtt.Client, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        """A broker refuses a certificate after the handshake: it just hangs up."""
        if not self.connected:
            self.end("the broker hung up before it answered: does it accept this certificate?")
        elif reason.is_failure:
            print(f"the connection was lost ({reason}); trying again", file=sys.stderr, flush=True)

    def on_connect(self, client: mqtt.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self.end(f"the broker refuses: {reason}")
            return
        self.connected = True
        sock: Any = client.socket()
        print(f"connected over {sock.version()} with {sock.cipher()[0]}", file=sys.stderr, flush=True)
        if self.args.verb == "watch":
            client.subscribe(TOPIC, qos=1)

    def on_subscribe(self, client: mqtt.Client, data: Any, mid: int, reasons: Any, properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self.end(f"the broker lets us not read {TOPIC}: {reasons[0]}")
        else:
            print(f"watching {TOPIC}", file=sys.stderr, flush=True)

    def on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            update = json.loads(message.payload)
            print(f"version {update['version']} is available", flush=True)
        except (ValueError, KeyError, TypeError):
            print(f"what came on {message.topic} is no announcement", file=sys.stderr, flush=True)
            return
        self.seen += 1
        if self.seen == self.args.count:
            self.end(None)

    def end(self, failure: str | None) -> None:
        self.failure = failure
        self.over.set()
        self.mqtt.disconnect()

    def watch(self) -> None:
        """A broker that went away is tried again by itself."""
        self.mqtt.loop_start()
        self.over.wait()
        self.mqtt.loop_stop()
        if self.failure is not None:
            raise SystemExit(self.failure)

    def publish(self, version: str) -> None:
        """QoS 1: done when the broker has it, which also says whether we may."""
        self.mqtt.publish(TOPIC, json.dumps({"version": version}), qos=1)
        self.mqtt.loop_start()
        if not self.over.wait(SECONDS):
            self.end("the broker did not acknowledge it")
        self.mqtt.loop_stop()
        if self.failure is not None:
            raise SystemExit(f"not published: {self.failure}")
        print(f"announced version {version}", file=sys.stderr)

    def on_publish(self, client: mqtt.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self.end(str(reason) if reason.is_failure else None)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description="MQTT over post-quantum mutual TLS")
    parser.add_argument("--broker", type=address, default="localhost:8883", metavar="HOST:PORT")
    for name in ("ca", "cert", "key"):
        parser.add_argument("--" + name, required=True, metavar="FILE")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("watch").add_argument("--count", type=int, default=0, metavar="N")
    verbs.add_parser("publish").add_argument("version")
    args = parser.parse_args()
    try:
        client = Client(args)
        if args.verb == "watch":
            client.watch()
        else:
            client.publish(args.version)
    except OSError as error:
        raise SystemExit("{}:{}: {}".format(*args.broker, error)) from None


if __name__ == "__main__":
    pin_groups()
    main()
