#!/usr/bin/env python3
"""`make demo`: a server, a broker, three devices of two models, an update, and one device that turns back.

Everything is real: the programs, the sockets, the certificates, and the firmware, which is U-Boot and OpenSBI
as Debian ships them. Only the boards are not: each device is a folder with two slots.
"""

import datetime
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests" / "lib"))

from harness import RELEASE, Agent, Server, environment, program, wait_for  # noqa: E402
from console import Console, link  # noqa: E402
from mosquitto import Mosquitto  # noqa: E402

PLACE = TREE / "build" / "demo"
PASSPHRASE = PLACE / "passphrase"  # of the vendor's keys
POLL_SECONDS = 3600  # so what comes sooner was pushed

# Two builds of the same program stand for two versions.
GATEWAY = (
    "gateway",
    "U-Boot for RISC-V",
    [
        ("2025.01-machine", "/usr/lib/u-boot/qemu-riscv64/u-boot.bin"),
        ("2025.01-supervisor", "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"),
    ],
)
SENSOR = (
    "sensor",
    "OpenSBI for RISC-V",
    [
        ("1.6-jump", "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"),
        ("1.6-dynamic", "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"),
    ],
)
DEVICES = [("gateway-1", GATEWAY, True), ("gateway-2", GATEWAY, False), ("sensor-1", SENSOR, True)]

COLOUR = sys.stdout.isatty() and os.environ.get("NO_COLOR") is None
BEGAN = time.monotonic()


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def title(text):
    print(f"\n{paint('1', text)}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


def at():
    return f"{time.monotonic() - BEGAN:5.1f} s"


def make_server():
    title("1. A server of your own")
    server = Server(
        PLACE, {"devices.poll_seconds": POLL_SECONDS, "trust.insecure_unsigned": "no"}, build=RELEASE
    )
    say("pqota init made four authorities (server, devices, operators, browsers), certificates, the first")
    say(f"operator's credential, a database and a configuration in {server.dir.relative_to(TREE)}")
    PASSPHRASE.write_text("correct horse battery\n")
    server.pqota("trust", "init", server.dir, "--passphrase-file", PASSPHRASE)
    say("pqota trust init made the vendor's keys, three root holders and one who signs releases, each an")
    say("ML-DSA-87 and an Ed25519 key, encrypted with scrypt; the server can do without all of them")
    broker = Mosquitto(server, PLACE)
    server.set("mqtt.enabled", "yes")
    server.set("mqtt.broker", broker.broker)
    broker.start()
    server.start()
    done = subprocess.run(
        [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{server.port}",
            "-servername",
            "localhost",
            "-CAfile",
            str(server.roots),
            "-cert",
            str(server.admin.cert),
            "-key",
            str(server.admin.key),
        ],
        input="Q\n",
        capture_output=True,
        text=True,
        env=environment(),
    )
    group = re.search(r"Negotiated TLS1.3 group: (\S+)", done.stdout)
    signature = re.search(r"Peer signature type: (\S+)", done.stdout)
    sizes = re.search(r"read (\d+) bytes and written (\d+) bytes", done.stdout)
    say(
        f"it serves {server.url}; OpenSSL's own client, asked what it got: TLS 1.3, key exchange "
        f"{group[1] if group else '?'},"
    )
    say(
        f"signature {signature[1] if signature else '?'} from the server; a full mutual handshake took "
        f"{sizes[1]} bytes down and {sizes[2]} up"
    )
    wait_for(
        lambda: server.api("GET", "/api/status").json()["mqtt"]["broker"] == "up", 20, "the broker is up"
    )
    say(f"pqota mosquitto-conf set up a broker: mosquitto on {broker.broker}, with the same algorithms")
    return server, broker


def publish(server, model, step):
    name, what, versions = model
    version, path = versions[step]
    began = time.monotonic()
    server.pqota(
        "firmware",
        "publish",
        path,
        "--name",
        name,
        "--version",
        version,
        "--model",
        name,
        "--notes",
        f"{what}, {pathlib.Path(path).parent.name}",
        "--sign-with",
        server.dir / "trust" / "offline" / "targets.key",
        "--passphrase-file",
        PASSPHRASE,
    )
    size = pathlib.Path(path).stat().st_size
    say(
        f"{name} {version}: {what}, {size / 1024:.0f} KiB, "
        f"signed and published in {(time.monotonic() - began) * 1000:.0f} ms"
    )


def show_refusal(server):
    """What an upload is that nobody signed."""
    path = GATEWAY[2][1][1]
    server.curl("/api/firmware/gateway/0-backdoor/u-boot.bin", "-T", path)
    done = server.pqota("deploy", "gateway@0-backdoor", "--model", "gateway", check=None)
    assert done.code != 0, done
    say("an upload that nobody signed is a draft, which cannot be deployed:")
    say(paint("2", done.err.strip()))


def make_device(server, broker, name, model, healthy):
    model_name, _, versions = model
    agent = Agent(
        server,
        PLACE / "devices",
        name,
        model_name,
        build=RELEASE,
        settings={
            "agent.broker": broker.broker,
            "agent.poll_seconds": POLL_SECONDS,
            "agent.model": model_name,
            "trust.image_root": str(server.dir / "trust" / "device" / "image.root.json"),
            "trust.director_root": str(server.dir / "trust" / "device" / "director.root.json"),
            "installer.health_command": str(PLACE / "devices" / name / "self-test"),
            "installer.health_seconds": "10",
            "installer.confirm_seconds": "20",
        },
    )
    # What the factory put into slot a.
    factory = agent.slots / "a"
    factory.mkdir(parents=True)
    shutil.copy(versions[0][1], factory / "firmware.bin")
    (factory / "version").write_text(versions[0][0] + "\n")
    (agent.slots / "current").symlink_to("a")
    test = agent.dir / "self-test"
    test.write_text(
        "#!/bin/sh\n# What the device asks itself after a switch.\n"
        + (
            f"test -s '{agent.slots}/current/firmware.bin'\n"
            if healthy
            else f"grep -qx '{versions[0][0]}' '{agent.slots}/current/version' || "
            "{ echo 'watchdog: the radio does not answer'; exit 1; }\n"
        )
    )
    test.chmod(test.stat().st_mode | stat.S_IXUSR)
    began = time.monotonic()
    agent.enrol()
    say(
        f"{name}: made its key, enrolled with a one-time token in "
        f"{(time.monotonic() - began) * 1000:.0f} ms, "
        f"runs {versions[0][0]}"
    )
    return agent


def start(agents):
    for agent in agents:
        agent.start()
    for agent in agents:
        wait_for(
            lambda: "connected to the broker" in (agent.dir / "agent.log").read_text()
            and agent.server.api("GET", f"/api/devices/{agent.device}").json()["last_seen"],
            20,
            f"{agent.device} is connected to the broker",
        )
    say(f"the devices run, and are to ask every {POLL_SECONDS} s; they listen to the broker meanwhile")


def deploy(server, model):
    done = server.pqota("deploy", f"{model[0]}@{model[2][1][0]}", "--model", model[0], "--json")
    return done.json()["id"]


def tell_pushed(server, deployments):
    def moment(text):
        return datetime.datetime.fromisoformat(text)

    title("5. How the devices knew")
    for deployment in deployments:
        begun = moment(server.api("GET", f"/api/deployments/{deployment}").json()["created"])
        for action in server.api("GET", f"/api/deployments/{deployment}/actions").json()["items"]:
            after = moment(action["created"]) - begun
            say(
                f"pushed: {action['device']} asked {after.total_seconds() * 1000:.0f} ms after the deployment"
            )
            assert after.total_seconds() < 60, action


def follow(server, want):
    """Prints what happens to the devices until every action is closed."""
    seen = set()

    def look():
        events = server.api("GET", "/api/events?limit=200").json()["items"]
        for e in reversed(events):
            if e["id"] not in seen and e["kind"].startswith("action."):
                seen.add(e["id"])
                say(
                    f"{paint('2', at())}  {e['subject']}: {e['kind'].partition('.')[2]}"
                    f"{' - ' + e['detail'] if e['detail'] else ''}"
                )
        closed = [e for e in events if e["kind"] in ("action.succeeded", "action.failed")]
        return len(closed) >= want

    wait_for(look, 90, "every device has reported")


def table(server):
    title("6. Who vouched for it (pqota trust show)")
    for line in server.pqota("trust", "show").out.splitlines():
        say(line)
    title("7. Where the fleet stands")
    done = server.pqota("device", "list")
    for line in done.out.splitlines():
        say(line)
    title("8. What gateway-2 told on its way (pqota device history gateway-2)")
    for line in server.pqota("device", "history", "gateway-2").out.splitlines():
        say(line)


def visit(server):
    """As a browser does, without one."""
    title("9. The same in a browser")
    visitor = Console(server)
    now = visitor.sign_in(token=link(server)).json()
    page = visitor.get("/").body
    assert b"<title>pqota" in page and now["role"] == "admin", now
    how = now["connection"]
    say(f"the console is at {server.console_url}; its key exchange is {how['group']}, its certificate")
    say(f"{how['signature']}, since browsers know no other yet; pqota console prints a link to sign in once")


def check(server):
    """The demo is a test too: it fails if the story did not come out."""
    for name, model, healthy in DEVICES:
        item = server.api("GET", f"/api/devices/{name}").json()
        versions = [v for v, _ in model[2]]
        assert item["version"] == versions[1 if healthy else 0], item
        current = PLACE / "devices" / name / "slots" / "current"
        image = pathlib.Path(model[2][1 if healthy else 0][1])
        assert (current / "firmware.bin").read_bytes() == image.read_bytes(), f"{name} runs other bytes"


def tell_next(server, broker):
    title("Try next (this server and its devices stay up until Ctrl-C)")
    say("in a browser on this machine, within 15 minutes (it will ask whether to believe the certificate;")
    say(f"it need not ask once {(server.dir / 'pki' / 'console-ca.pem').relative_to(TREE)} is imported):")
    say(paint("1", server.pqota("console").out.strip()))
    pqota = os.path.relpath(program("pqota", RELEASE), TREE)
    enter = "" if os.environ.get("PQOTA_IN_ROOT") != "1" else "tools/debian13 "
    profile = server.profile.relative_to(TREE)
    for args in [
        "status",
        "device list",
        "device history gateway-2",
        "firmware list",
        "events --limit 10",
        "token new --model gateway",
        "trust show",
    ]:
        say(f"{enter}env PQOTA_PROFILE={profile} {pqota} {args}")
    say(f"{enter}curl --cacert {server.roots.relative_to(TREE)} {server.url}/healthz")
    cert, key = (p.relative_to(TREE) for p in (server.admin.cert, server.admin.key))
    say(
        f"{enter}mosquitto_sub -h localhost -p {broker.operator_port} -V 5 -q 1 -v -t 'ota/#' "
        f"--cafile {server.roots.relative_to(TREE)} --cert {cert} --key {key}"
    )


def main():
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("PQOTA_DEMO") != "batch"
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    print(paint("1", "pqota: post-quantum updates, from publisher to device"))
    server, broker, agents = None, None, []
    try:
        server, broker = make_server()
        title("2. Firmware, as it left the factory")
        for model in (GATEWAY, SENSOR):
            publish(server, model, 0)
        show_refusal(server)
        title("3. Three devices of two models")
        agents = [make_device(server, broker, *row) for row in DEVICES]
        start(agents)
        title("4. New firmware for everybody")
        for model in (GATEWAY, SENSOR):
            publish(server, model, 1)
        deployments = [deploy(server, model) for model in (GATEWAY, SENSOR)]
        say("deployed; the broker tells the devices, each demands the director's and vendor's signatures")
        say("(TUF, ML-DSA and Ed25519), fetches over mutual TLS, checks size and hash, writes the other")
        say("slot, switches, and tests itself (gateway-2 will not like what it finds)")
        follow(server, len(DEVICES))
        wait_for(
            lambda: server.api("GET", "/api/devices/gateway-2").json()["version"] == GATEWAY[2][0][0],
            30,
            "gateway-2 says that it is back",
        )
        tell_pushed(server, deployments)
        table(server)
        visit(server)
        check(server)
        print(
            f"\n  {at().strip()} in all. gateway-2 failed its self-test and went back by itself, and said so."
        )
        if interactive:
            tell_next(server, broker)
            try:
                server.process.wait()
            except KeyboardInterrupt:
                print()
        else:
            print("demo: ok")
    finally:
        for agent in agents:
            agent.stop()
        if server:
            server.stop()
        if broker:
            broker.stop()


if __name__ == "__main__":
    try:
        main()
    except AssertionError as e:
        sys.exit(f"demo: {e}")
