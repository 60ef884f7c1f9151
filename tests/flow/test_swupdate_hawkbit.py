"""Debian's own swupdate, unchanged, takes updates from the server by hawkBit's protocol: signed .swu files,
over the listener without TLS, as SWUpdate's users have it behind a proxy or on a closed network."""

import datetime
import re

import harness
import pytest
from harness import free_port, wait_for
from swupdate import Device, Update, history, signer, why

GATEWAY = "GatewayTokenOfTheTests0"
NEVER = ("--window", "0 0 0 1 1 ? 2099", "--window-duration", "01:00:00", "--window-zone", "+00:00")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """A server with hawkBit's protocol on a listener without TLS."""
    listen = f"127.0.0.1:{free_port()}"
    settings = {
        "plain.enabled": "yes",
        "plain.listen": listen,
        "ddi.enabled": "yes",
        "ddi.model": "board",
        "ddi.poll_seconds": "1",
        "ddi.gateway_token": "yes",
    }
    server = harness.Server(tmp_path_factory.mktemp("fleet"), settings).start()
    server.plain = f"http://{listen}"
    server.pqota("setting", "set", "authentication.gatewaytoken.key", GATEWAY)
    yield server
    server.close()


@pytest.fixture
def make_device(fleet, tmp_path):
    """Makes devices that end with the test. Each that is added has a model of its own, with its own name."""
    made = []

    def make(name, token=None, **kw):
        if token is None:
            token = ("-k", fleet.pqota("device", "add", name, "--model", name).out.strip())
        device = Device(tmp_path, fleet.plain, name, token, **kw)
        made.append(device)
        return device

    yield make
    for device in made:
        device.stop()


def in_order(words, wanted):
    rest = iter(words)
    return all(w in rest for w in wanted)


def test_an_update_to_the_end(fleet, make_device, tmp_path):
    device = make_device("swu-1")
    device.tells(serial="4711", hall="north side")
    device.start()
    shown = lambda: fleet.api("GET", "/api/devices/swu-1", expect=200).json()  # noqa: E731
    wait_for(lambda: shown()["attributes"], what="the device has told what it is")
    assert shown()["attributes"] == {"serial": "4711", "hall": "north side"}
    update = Update(fleet, device, tmp_path).deploy()

    device.wait_said("All Chunks Installed")
    assert device.target.read_bytes() == update.payload
    assert update.state() == "installing"
    assert "installing, 100 %" in why(fleet, device)
    device.wait_said("pending testing, ignoring available update action")

    device.reboot()
    update.wait("succeeded")
    told = history(fleet, device)
    steps = ["offered", "retrieved", "downloading", "installing", "retrieved", "succeeded"]
    assert in_order([state for state, _ in told], steps), told
    assert told[-1] == ("succeeded", "Update Installed.")
    said = device.reported()
    assert "All Chunks Installed." in said and len(said) > 20
    missing = [line for line in said if not any(line in text.splitlines() for _, text in told)]
    assert not missing, (missing, told)
    assert re.search(r"\bsucceeded\b.*it has succeeded, at", why(fleet, device))
    assert shown()["version"] == "2.0"

    # Nothing is offered again, and what is installed stays to be seen.
    polls = device.says("No pending action to process")
    device.wait_said("No pending action to process", times=polls + 2)
    assert device.says("Update action available") and update.state() == "succeeded"
    assert "installedBase" in device.logs()


def test_a_device_that_registers_itself_and_tells_its_version(fleet, make_device, tmp_path):
    device = make_device("swu-2", token=("-g", GATEWAY))
    device.tells(version="1.0")
    device.start()
    listed = lambda: fleet.curl("/api/devices/swu-2")  # noqa: E731
    wait_for(lambda: listed().status == 200 and listed().json()["version"] == "1.0", what="it is known")
    assert listed().json()["model"] == "board"
    update = Update(fleet, device, tmp_path, model="board").deploy()
    device.wait_said("pending testing, ignoring available update action")
    device.tells(version="2.0")
    device.reboot()
    update.wait("succeeded")
    wait_for(lambda: listed().json()["version"] == "2.0", what="it says that it runs 2.0")


def test_what_was_installed_does_not_work(fleet, make_device, tmp_path):
    device = make_device("swu-3").start()
    update = Update(fleet, device, tmp_path).deploy()
    device.wait_said("pending testing, ignoring available update action")
    device.reboot(works=False)
    update.wait("failed")
    assert history(fleet, device)[-1] == ("failed", "Update Failed.")
    assert "Update Failed." in why(fleet, device)


def test_a_signature_that_is_wrong(fleet, make_device, tmp_path):
    device = make_device("swu-4").start()
    update = Update(fleet, device, tmp_path, by=signer("somebody else")).deploy()
    update.wait("failed")
    assert not device.target.exists()
    told = history(fleet, device)
    assert "ignature" in "".join(text for _, text in told), told
    assert "failed" in why(fleet, device)


def test_outside_its_window_nothing_is_installed(fleet, make_device, tmp_path):
    """swupdate calls what it must not install yet a success, at every poll."""
    device = make_device("swu-5").start()
    shown = lambda: fleet.api("GET", "/api/devices/swu-5", expect=200).json()  # noqa: E731
    opens = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)
    window = opens.strftime("%-S %-M %-H %-d %-m ? %Y")
    update = Update(fleet, device, tmp_path).deploy(
        "--window", window, "--window-duration", "1h", "--window-zone", "+00:00"
    )
    device.wait_said("Skipped Update", times=2)
    assert update.state() == "offered" and shown()["version"] is None
    opened = "not to be installed yet: the maintenance window is closed; it opens at"
    assert f"{opened} {opens:%Y-%m-%d %H:%M:%S} UTC" in why(fleet, device)
    skipped = [text for state, text in history(fleet, device) if state == "warning"]
    assert skipped == ["Update Server: the device has skipped the update, which it must not install yet."]
    device.wait_said("pending testing, ignoring available update action")
    assert device.target.read_bytes() == update.payload
    device.reboot()
    update.wait("succeeded")


def test_cancelled_while_the_device_waits(fleet, make_device, tmp_path):
    device = make_device("swu-6").start()
    update = Update(fleet, device, tmp_path).deploy(*NEVER)
    update.wait("offered")
    update.cancel()
    update.wait("cancelled")
    assert not device.target.exists()
    told = history(fleet, device)
    assert "cancelling" in dict(told), told
    assert device.says("cancelAction/[0-9]+/feedback")
    assert "cancelled" in why(fleet, device)

    after = Update(fleet, device, tmp_path, version="3.0").deploy()
    device.wait_said("pending testing, ignoring available update action")
    device.reboot()
    after.wait("succeeded")


def test_cancelled_while_the_device_downloads(fleet, make_device, tmp_path):
    device = make_device("swu-7", more=("-n", "200k")).start()
    update = Update(fleet, device, tmp_path, size=6_000_000).deploy()
    device.wait_said("Downloaded +[1-9]")
    update.cancel()
    update.wait("cancelled")
    assert not device.target.exists()
    assert "cancelled" in why(fleet, device)
