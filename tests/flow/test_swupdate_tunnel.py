"""Debian's own swupdate behind `pqota-agent tunnel`: plain HTTP on the device, post-quantum mutual TLS to the
server, and nothing that the vendor did not sign."""

import filecmp
import random
import re

import hawkbit
import pytest
from harness import run, wait_for
from swupdate import Device, Meter, Update, history, make_swu, sha256, why
from tunnel import Tunnel
from vendor import Vendor


@pytest.fixture
def make_swupdate(tmp_path):
    """Makes devices whose swupdate speaks to a tunnel; all end with the test."""
    made = []

    def make(agent, meter=None, settings=None):
        if meter is not None:
            agent.conf.write_text(
                agent.conf.read_text().replace(agent.server.url, f"https://localhost:{meter.port}")
            )
        tunnel = Tunnel(agent, settings).start()
        made.append(tunnel)
        device = Device(tmp_path / "swupdate", tunnel.url, agent.device)
        made.append(device)
        device.tunnel = tunnel
        return device

    yield make
    for it in reversed(made):
        it.stop()


@pytest.fixture
def vendor(make_server):
    settings = {"trust.insecure_unsigned": "no", "ddi.enabled": "yes", "ddi.poll_seconds": "1"}
    return Vendor(make_server(settings, start=False)).start()


def trusting(make_agent, server, vendor):
    roots = {f"trust.{r}_root": vendor.dir / "device" / f"{r}.root.json" for r in ("image", "director")}
    return make_agent(server, "swu-1", "board", settings=roots)


def test_an_update_that_the_vendor_signed(vendor, make_agent, make_swupdate, tmp_path):
    server = vendor.server
    agent = trusting(make_agent, server, vendor)
    agent.enrol()
    device = make_swupdate(agent)
    device.start()
    keys = ("--sign-with", vendor.key("targets"), "--passphrase-file", vendor.passphrase)
    update = Update(server, device, tmp_path, model="board", how=keys).deploy()
    device.wait_said("pending testing, ignoring available update action")
    assert device.target.read_bytes() == update.payload
    device.reboot()
    update.wait("succeeded")
    assert "hash=right" in device.tunnel.logs()
    shown = lambda: server.api("GET", "/api/devices/swu-1", expect=200).json()  # noqa: E731
    wait_for(lambda: shown()["transport"] == "pq", what="the server has seen how it comes")
    assert history(server, device)[-1] == ("succeeded", "Update Installed.")

    # What is cancelled before it is installed is cancelled through the tunnel too.
    later = Update(server, device, tmp_path, "3.0", model="board", how=keys)
    later.deploy("--window", "0 0 0 1 1 ? 2099", "--window-duration", "1h", "--window-zone", "+00:00")
    later.wait("offered")
    later.cancel()
    later.wait("cancelled")
    assert device.target.read_bytes() == update.payload


# --- deltas ---

# The .swu is the same for all devices, and the address of the file is not: it has the device's id. So its
# beginning is a line on each device, put in by a function that is signed with the rest.
DELTA = """
 embedded-script = "
function this_device(image)
    local f = io.open('{folder}/here')
    image.properties.url = f:read('l') .. image.properties.url
    f:close()
    return true, image
end
";
 images: ({{
    filename = "rootfs.header"; sha256 = "{hash}"; type = "delta"; device = "{target}"; hook = "this_device";
    properties: {{
        url = "/softwaremodules/{module}/artifacts/rootfs.zck";
        chain = "raw"; source = "{source}"; zckloglevel = "error";
    }};
 }});
"""


def write_images(old, new, size=64 << 20):
    """Blocks of which a quarter is noise; in the second one four places are others."""
    rand = random.Random(20261123)
    common = [rand.randbytes(1024) for _ in range(64)]
    image = bytearray()
    while len(image) < size:
        image += rand.randbytes(1024) + common[len(image) // 4096 % 64] * 3
    old.write_bytes(image)
    for at in range(1_000_000, size, size // 4):
        image[at : at + 300_000] = rand.randbytes(300_000)
    new.write_bytes(image)


def make_zck(image):
    """The whole as zchunk has it, and the part of it that names the chunks."""
    zck = image.with_suffix(".zck")
    run(["zck", "-u", "--chunk-hash-type", "sha256", "-o", zck, image], check=0)
    size = int(re.search(r"Header size: (\d+)", run(["zck_read_header", "-v", zck], check=0).out)[1])
    whole = zck.read_bytes()
    return whole, whole[:size]


def test_a_delta_downloads_only_what_changed(tmp_path, make_agent, make_swupdate):
    old, new = tmp_path / "old.img", tmp_path / "new.img"
    write_images(old, new)
    whole, header = make_zck(new)
    settings = {"trust.insecure_unsigned": "no", "ddi.model": "board", "ddi.poll_seconds": "1"}
    made = []
    server = hawkbit.start(tmp_path, settings, lambda server: made.append(Vendor(server).start()))
    vendor, hawk, meter = made[0], server.hawkbit, Meter(server.port)
    try:
        agent = trusting(make_agent, server, vendor)
        agent.enrol()
        device = make_swupdate(agent, meter, {"ranges": "vouched"})
        (device.dir / "here").write_text(device.tunnel.url + device.tunnel.base + "\n")
        with open(device.target, "wb") as target:
            target.truncate(new.stat().st_size)

        module = hawk.module(("rootfs.zck", whole), version="2.0")
        text = DELTA.format(
            folder=device.dir, hash=sha256(header), target=device.target, module=module, source=old
        )
        swu = make_swu(tmp_path / "rootfs.swu", "2.0", {"rootfs.header": header}, text)
        hawk.upload(module, "rootfs.swu", swu.read_bytes())
        before = meter.received
        release = hawk.set_of(module, version="2.0", name="rootfs")
        assert "draft" in hawk.assign(release, device, expect=409)["message"]
        (tmp_path / "rootfs.zck").write_bytes(whole)
        what = ("rootfs.swu", "rootfs.zck", "--name", "rootfs", "--version", "2.0", "--model", "board")
        keys = ("--sign-with", vendor.key("targets"), "--passphrase-file", vendor.passphrase)
        one = server.pqota("firmware", "sign", what[0], *what[2:], *keys, cwd=tmp_path, check=None)
        assert one.code == 1 and "rootfs.zck" in one.err, one
        server.pqota("firmware", "sign", *what, *keys, cwd=tmp_path)
        action = hawk.assign(release, device)
        device.start()
        device.wait_said("pending testing, ignoring available update action", 60)
        came = meter.received - before
        assert filecmp.cmp(device.target, new, shallow=False)
        asked = re.findall(
            r"(?m)^\[TRACE\] : SWUPDATE running :  \[trigger_download\] : Range request : ([0-9,-]+)",
            device.logs(),
        )
        assert len(asked) == 1 and asked[0].count(",") >= 3, asked
        print(
            f"\n{came} bytes came, {100 * came / len(whole):.1f} % of the {len(whole)} bytes compressed, "
            f"{100 * came / new.stat().st_size:.1f} % of the image of {new.stat().st_size >> 20} MiB"
        )
        assert came < 0.2 * len(whole)
        assert device.tunnel.logs().count("file=rootfs.swu") and "insecure" not in device.tunnel.logs()
        device.reboot()
        wait_for(lambda: hawk.action(device, action)["status"] == "finished", what="the update is over")
    finally:
        device.stop()
        meter.close()
        server.close()
