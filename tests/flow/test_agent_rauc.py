"""rauc install for real: Debian's rauc, its service on a bus of its own, slots that are plain files."""

import os
import pathlib
import signal
import subprocess

import pytest

from harness import environment, have, run, wait_for

needs = [name for name in ("rauc", "dbus-daemon", "mksquashfs") if not have(name)]
loop = pathlib.Path("/dev/loop-control").exists() and os.geteuid() == 0
missing = ", ".join(needs) or "root and loop devices"
pytestmark = pytest.mark.skipif(bool(needs) or not loop, reason=f"needs {missing}: rauc mounts its bundle")

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
"""

# The boot loader: a folder that knows the primary slot and each slot's state. RAUC calls it, and so do we.
BOOTLOADER = """#!/bin/sh
cd {boot} || exit 1
case $1 in
    get-primary) cat primary ;;
    set-primary) echo "$2" > primary; echo good > "state.$2" ;;
    get-state) cat "state.$2" ;;
    set-state) echo "$3" > "state.$2"; echo "$2 $3" >> log ;;
    get-current) cat current ;;
esac
"""

SYSTEM = """[system]
compatible=pqota-test
bootloader=custom
mountprefix={dir}/mnt
data-directory={dir}/data
bundle-formats=plain

[handlers]
bootloader-custom-backend={dir}/bootloader

[keyring]
path={dir}/cert.pem

[slot.rootfs.0]
device={dir}/slot.A
type=raw
bootname=A

[slot.rootfs.1]
device={dir}/slot.B
type=raw
bootname=B
"""

SIZE = 1 << 20


class Board:
    """A device under RAUC: two slots, a boot loader, a bus and the service, which a reboot starts anew."""

    def __init__(self, folder):
        self.dir, self.boot = folder, folder / "boot"
        for name in ("boot", "mnt", "data"):
            (folder / name).mkdir(parents=True)
        first = {"primary": "A\n", "current": "A\n", "state.A": "good\n", "state.B": "bad\n", "log": ""}
        for name, text in first.items():
            (self.boot / name).write_text(text)
        self.boot_id = self.write("boot-id", "boot-0\n")
        self.fill("A", "1.0")
        (folder / "slot.B").write_bytes(bytes(SIZE))
        self.key, self.cert = folder / "key.pem", folder / "cert.pem"
        self.certificate(self.key, self.cert)
        self.write("system.conf", SYSTEM.format(dir=folder))
        self.write("bootloader", BOOTLOADER.format(boot=self.boot), 0o755)
        self.write("bus.conf", BUS.format(path=folder / "bus"))
        self.env = environment(
            DBUS_STARTER_BUS_TYPE="session", DBUS_SESSION_BUS_ADDRESS=f"unix:path={folder / 'bus'}"
        )
        self.log = open(folder / "rauc.log", "ab")
        bus = f"--config-file={folder / 'bus.conf'}"
        self.bus = self.start("dbus-daemon", bus, "--nofork", "--nopidfile")
        wait_for((folder / "bus").exists, 10, "the bus is there")
        self.service = None
        self.power_on()
        # The agent gives its installer a clean environment; where the bus is comes by a script.
        bus = f"DBUS_STARTER_BUS_TYPE=session DBUS_SESSION_BUS_ADDRESS=unix:path={folder / 'bus'}"
        self.rauc = self.write("rauc", f'#!/bin/sh\nexec env {bus} /usr/bin/rauc "$@"\n', 0o755)
        ask = f'#!/bin/sh\nhead -n 1 "{folder}/slot.$(cat {self.boot}/current)"\n'
        self.version = self.write("version-of", ask, 0o755)
        self.reboot = self.write("reboot", f"#!/bin/sh\necho asked > {self.boot}/reboot\n", 0o755)

    @staticmethod
    def certificate(key, cert):
        # RAUC signs with CMS, which it knows with classical keys only.
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        run(["openssl", "req", "-x509", *curve, "-nodes", "-keyout", key, "-out", cert, "-subj",
             "/CN=bundles", "-days", "30"], check=0)

    def write(self, name, text, mode=0o644):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def fill(self, slot, version):
        (self.dir / f"slot.{slot}").write_bytes(self.image(version))

    @staticmethod
    def image(version):
        return f"{version}\n".encode().ljust(SIZE, b"\0")

    def start(self, *argv):
        none = subprocess.DEVNULL
        return subprocess.Popen(argv, env=self.env, stdout=self.log, stderr=self.log, stdin=none)

    def power_on(self):
        """What a reboot does: the boot loader takes the primary slot if it is good, else the other."""
        primary = (self.boot / "primary").read_text().strip()
        if (self.boot / f"state.{primary}").read_text().strip() != "good":
            primary = "B" if primary == "A" else "A"
        (self.boot / "current").write_text(primary + "\n")
        (self.boot / "reboot").unlink(missing_ok=True)
        number = int(self.boot_id.read_text().split("-")[1]) + 1
        self.boot_id.write_text(f"boot-{number}\n")
        self.stop_service()
        self.service = self.start(
            "rauc", f"--conf={self.dir / 'system.conf'}", f"--override-boot-slot={primary}", "service"
        )
        wait_for(lambda: run(["rauc", "status"], env=self.env).code == 0, 10, "the service answers")
        return primary

    def stop_service(self):
        if self.service:
            self.service.terminate()
            self.service.wait(10)

    def bundle(self, version, key=None, cert=None, hook=None):
        content = self.dir / f"content-{version}-{os.urandom(3).hex()}"
        content.mkdir()
        (content / "rootfs.img").write_bytes(self.image(version))
        manifest = f"[update]\ncompatible=pqota-test\nversion={version}\n[bundle]\nformat=plain\n"
        if hook:
            (content / "hook").write_text(hook)
            (content / "hook").chmod(0o755)
            manifest += "[hooks]\nfilename=hook\n[image.rootfs]\nfilename=rootfs.img\nhooks=pre-install\n"
        else:
            manifest += "[image.rootfs]\nfilename=rootfs.img\n"
        (content / "manifest.raucm").write_text(manifest)
        out = content.with_suffix(".raucb")
        cert = cert or self.cert
        run(["rauc", "bundle", f"--cert={cert}", f"--key={key or self.key}", f"--keyring={cert}", content,
             out], check=0, env=self.env)
        return out.read_bytes()

    def settings(self, **more):
        return {
            "installer.command": f"{self.rauc} install",
            "installer.version_command": self.version,
            "installer.good_command": f"{self.rauc} status mark-good",
            "installer.bad_command": f"{self.rauc} status mark-bad",
            "installer.reboot_command": self.reboot,
            "agent.boot_id_file": self.boot_id,
            **more,
        }

    def close(self):
        self.stop_service()
        self.bus.terminate()
        self.bus.wait(10)
        self.log.close()


@pytest.fixture
def board(tmp_path):
    made = Board(tmp_path / "board")
    yield made
    made.close()


def publish(server, board, device, version, data):
    server.publish("gw", version, data, filename="update.raucb")
    target = {"kind": "device", "value": device}
    server.api("POST", "/api/deployments", {"name": "gw", "version": version, "target": target}, expect=201)


def action(server, device):
    return server.api("GET", f"/api/devices/{device}", expect=200).json()["action"]


def said(server, device):
    return [h["text"] for h in server.api("GET", f"/api/devices/{device}/history").json()["items"]]


def test_installed_rebooted_and_marked_good(server, make_agent, board):
    agent = make_agent(server, "g-1", "gw", installer="rauc", settings=board.settings())
    agent.enrol()
    publish(server, board, "g-1", "2.0", board.bundle("2.0"))
    done = agent.once()
    assert done.code == 5, done  # it goes on after a reboot
    assert (board.boot / "reboot").exists() and action(server, "g-1")["state"] == "rebooting"
    assert (board.dir / "slot.B").read_bytes() == board.image("2.0")
    assert (board.dir / "slot.A").read_bytes() == board.image("1.0")
    # nothing is claimed before it runs
    assert server.api("GET", "/api/devices/g-1").json()["version"] == "1.0"
    (board.boot / "log").write_text("")
    assert board.power_on() == "B"
    done = agent.once()
    assert done.code == 0, done
    assert action(server, "g-1")["state"] == "succeeded"
    assert server.api("GET", "/api/devices/g-1").json()["version"] == "2.0"
    assert (board.boot / "log").read_text() == "B good\n"


def test_a_version_that_is_not_healthy_goes_back(server, make_agent, board):
    health = board.write("health", "#!/bin/sh\necho 'no carrier on eth0'\nexit 1\n", 0o755)
    agent = make_agent(server, "g-2", "gw", installer="rauc", settings=board.settings(
        **{"installer.health_command": health}))
    agent.enrol()
    publish(server, board, "g-2", "2.0", board.bundle("2.0"))
    assert agent.once().code == 5
    board.power_on()
    agent.start()
    wait_for((board.boot / "reboot").exists, 30, "it asks for the way back")
    agent.stop(signal.SIGKILL)  # the power is gone
    assert (board.boot / "state.B").read_text() == "bad\n"
    assert board.power_on() == "A"
    done = agent.once()
    assert done.code == 3, done
    assert action(server, "g-2")["state"] == "failed"
    assert server.api("GET", "/api/devices/g-2").json()["version"] == "1.0"
    assert any("runs 1.0" in text for text in said(server, "g-2")), said(server, "g-2")


def test_a_bundle_that_the_vendor_did_not_sign_is_refused_by_rauc(server, make_agent, board, tmp_path):
    """Whoever owns the server cannot make the device install what RAUC's keyring does not know."""
    key, cert = tmp_path / "evil.key", tmp_path / "evil.pem"
    board.certificate(key, cert)
    agent = make_agent(server, "g-3", "gw", installer="rauc", settings=board.settings())
    agent.enrol()
    publish(server, board, "g-3", "6.6.6", board.bundle("6.6.6", key, cert))
    done = agent.once()
    assert done.code == 3, done
    assert (board.dir / "slot.B").read_bytes() == bytes(SIZE)
    assert action(server, "g-3")["state"] == "failed"
    texts = said(server, "g-3")
    assert any("rauc failed" in text and "signature" in text for text in texts), texts


def test_an_agent_that_is_killed_while_the_service_installs_waits_for_it(server, make_agent, board):
    """The service goes on without its client. The next try must not fail for that."""
    gate = board.dir / "gate"
    hook = f"#!/bin/sh\ntouch {board.dir}/begun\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n"
    agent = make_agent(server, "g-4", "gw", installer="rauc", settings=board.settings())
    agent.enrol()
    publish(server, board, "g-4", "2.0", board.bundle("2.0", hook=hook))
    agent.start()
    wait_for((board.dir / "begun").exists, 30, "the installation begins")
    agent.stop(signal.SIGKILL)
    agent.start()
    log = agent.dir / "agent.log"
    wait_for(lambda: "at work already" in log.read_text(), 30, "the agent finds the service at work")
    gate.touch()
    wait_for(lambda: action(server, "g-4")["state"] in ("rebooting", "failed"), 30, "it goes on")
    agent.stop()
    assert action(server, "g-4")["state"] == "rebooting", log.read_text()
    assert board.power_on() == "B"
    assert agent.once().code == 0 and action(server, "g-4")["state"] == "succeeded"
