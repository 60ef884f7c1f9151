"""What the server announces over MQTT, with the real mosquitto."""

import datetime
import json
import re
import shutil
import signal
import socket
import threading
import time

from announced import (
    HINT,
    add_devices,
    deploy,
    hints,
    is_told,
    is_up,
    last_hint,
    metric,
    poll,
    status,
    watch,
)
from harness import ANYONE, program, run, wait_for


def test_release(pair):
    server, broker = pair
    with watch(broker, "ota/update/available") as early:
        fw = server.publish("gw", "1.0", b"first" * 100, model="gw,cam")
        topic, retained, text = early.wait(lambda *m: True)
    assert not retained
    said = json.loads(text)
    assert said == {
        "version": "1.0",
        "name": "gw",
        "model": "cam",
        "models": ["cam", "gw"],
        "release": fw["id"],
        "size": 500,
        "sha256": fw["sha256"],
        "url": f"/api/firmware/{fw['id']}/file",
        "jitter_seconds": 0,
    }
    with watch(broker, "ota/update/available") as late:
        assert late.wait(lambda topic, retained, text: retained and json.loads(text) == said)
    second = server.publish("gw", "1.1", b"second")
    with watch(broker, "ota/update/available") as late:
        late.wait(lambda topic, retained, text: json.loads(text)["release"] == second["id"])
        # What is deleted is not there for whoever comes late.
        server.api("DELETE", f"/api/firmware/{second['id']}", expect=204)
        late.wait(lambda topic, retained, text: json.loads(text)["release"] == fw["id"])
        server.api("DELETE", f"/api/firmware/{fw['id']}", expect=204)
        late.wait(lambda topic, retained, text: text == "")
    wait_for(lambda: is_told(server), what="everything was told")
    assert metric(server, "up") == 1 and metric(server, "refused_total") == 0
    assert metric(server, "published_total") >= 4


def test_how_long_it_takes(pair):
    """From the transaction (its event says when) to the message at a subscriber."""
    server, broker = pair
    taken = []
    with watch(broker, "ota/fleet/events") as sub:
        for i in range(10):
            arrived = []

            def look(count=i + 1):
                while len(sub.messages) < count and len(arrived) == 0:
                    time.sleep(0.001)
                arrived.append(time.time())

            watcher = threading.Thread(target=look, daemon=True)
            watcher.start()
            server.publish("gw", f"1.{i}", b"x" * (i + 1))
            watcher.join(20)
            at = datetime.datetime.fromisoformat(json.loads(sub.messages[i][2])["at"])
            taken.append((arrived[0] - at.timestamp()) * 1000)
    print(f"from the change to the message: {sorted(taken)[5]:.1f} ms, at most {max(taken):.1f} ms")
    assert sorted(taken)[5] < 900, "it waits for a timer"


def test_deployment(pair):
    """Those are told whom it concerns, until it does not any more."""
    server, broker = pair
    one, two = server.enrol("d1", "gw"), server.enrol("d2", "gw")
    server.enrol("d3", "cam")
    for device in ("d1", "d2", "d3"):
        server.api("PUT", f"/api/devices/{device}/tags/lab", expect=204)
    fw = server.publish("gw", "1.0", b"one")
    with watch(broker, "ota/devices/+/update") as sub:
        first = deploy(server, fw["id"], "tag", "lab")
        last_hint(sub, "d1", first)
        last_hint(sub, "d2", first)
        text = next(t for topic, _, t in sub.messages if topic == HINT.format("d1") and t)
        made = server.api("GET", f"/api/deployments/{first}", expect=200).json()
        assert json.loads(text) == {
            "deployment": first,
            "release": fw["id"],
            "name": "gw",
            "version": "1.0",
            "jitter_seconds": 0,
            "at": made["created"],
        }
        action = poll(server, one)
        body = {"state": "succeeded", "version": "1.0"}
        server.api("POST", f"/api/update/{action}/status", body, who=one, expect=204)
        last_hint(sub, "d1", None, "success takes it away")
        poll(server, two)
        server.api("POST", f"/api/deployments/{first}/cancel", expect=200)
        last_hint(sub, "d2", None, "cancelling takes it away")
        third = deploy(server, fw["id"], "device", "d2")
        last_hint(sub, "d2", third)
        server.api("DELETE", "/api/devices/d2/tags/lab", expect=204)
        server.api("POST", "/api/devices/d2/revoke", {}, expect=204)
        last_hint(sub, "d2", None, "revoking takes it away")
        assert not [h for h in hints(sub, "d3") if h]
        # A device that comes later is told too.
        fourth = deploy(server, fw["id"], "model", "gw")
        server.enrol("d4", "gw")
        last_hint(sub, "d4", fourth)
    wait_for(lambda: is_told(server), what="everything was told")
    with watch(broker, "ota/devices/+/update", "ota/fleet/events") as late:
        server.publish("other", "1.0", b"other")
        late.wait(lambda topic, _, text: topic == "ota/fleet/events")
        assert {topic for topic, retained, _ in late.messages if retained} == {HINT.format("d4")}


def test_events(pair):
    """In their order, as GET /api/events has them, also those made while the broker was away."""
    server, broker = pair
    with watch(broker, "ota/fleet/events") as sub:
        for i in range(5):
            server.publish("gw", f"1.{i}", bytes([i]) * 10)
        wait_for(lambda: len(sub.messages) >= 5, what="five events")
        came = [json.loads(text) for _, _, text in sub.messages]
        known = server.api("GET", "/api/events?kind=release.published", expect=200).json()["items"]
        assert came == known[::-1]
        assert not any(retained for _, retained, _ in sub.messages)


def test_events_that_were_forgotten(make_server, make_broker):
    """What retention took away before the broker could be told is counted and said, and the rest is told."""
    server = make_server(start=False)
    broker = make_broker(server, start=False)
    server.start()
    for i in range(4):
        server.publish("gw", f"1.{i}", b"%d" % i)
    server.stop()
    data = server.dir / "data" / "pqota.db"
    run(["sqlite3", data, "DELETE FROM event WHERE subject IN ('gw/1.1', 'gw/1.3')"], check=0)
    broker.start()
    with watch(broker, "ota/fleet/events") as sub:
        server.start()
        wait_for(lambda: is_told(server), what="everything was told")
        assert [json.loads(text)["subject"] for _, _, text in sub.messages] == ["gw/1.0", "gw/1.2"]
    assert metric(server, "events_lost_total") == 2
    assert server.logs().count("events were forgotten") == 2


def test_broker_comes_back(pair):
    """What happened meanwhile is told, once it is back; nobody else notices that it was away."""
    server, broker = pair
    device = server.enrol("d1", "gw")
    broker.stop(signal.SIGKILL)
    wait_for(lambda: not is_up(server), what="the server sees that the broker is gone")
    fw = server.publish("gw", "1.0", b"one")
    deployment = deploy(server, fw["id"])
    for i in range(30):
        server.publish("gw", f"2.{i}", b"%d" % i)
    now = status(server)
    assert now["announcements"] >= 32 and now["events"] >= 32 and now["waiting_since"] is not None
    assert server.curl("/readyz", who=ANYONE).status == 200
    assert server.api("GET", "/api/update?version=0.9", who=device).status == 200
    shown = server.pqota("status").out
    assert re.search(r"mqtt broker\s+down, \d+ announcements and \d+ events wait", shown), shown
    broker.start()
    with watch(broker, "ota/update/available", HINT.format("d1")) as sub:
        sub.wait(lambda topic, _, text: text and json.loads(text)["version"] == "2.29", 90)
        last_hint(sub, "d1", deployment)
    wait_for(lambda: is_told(server), 90, "everything was told")
    assert re.search(r"mqtt broker\s+up", server.pqota("status").out)
    assert server.logs().count("no connection to the broker") == 1, "told once, not at every try"


def test_killed_between_commit_and_message(make_server, make_broker):
    """The server dies with what it committed untold; its next start tells it."""
    server = make_server(start=False)
    broker = make_broker(server, start=False)
    server.start()
    fw = server.publish("gw", "1.0", b"one")
    server.enrol("d1", "gw")
    deployment = deploy(server, fw["id"])
    server.stop(signal.SIGKILL)
    broker.start()
    with watch(broker, "ota/#") as sub:
        server.start()
        last_hint(sub, "d1", deployment)
        sub.wait(lambda topic, _, text: topic == "ota/update/available" and '"1.0"' in text)
        wait_for(lambda: is_told(server), what="everything was told")
        kinds = [json.loads(text)["kind"] for topic, _, text in sub.messages if topic == "ota/fleet/events"]
        assert [k for k in kinds if k != "token.created"] == [
            "release.published",
            "device.enrolled",
            "deployment.created",
        ]


def test_server_and_broker_killed_again_and_again(pair):
    """At least once, whoever dies."""
    server, broker = pair
    for i in range(3):
        if i % 2:
            broker.stop(signal.SIGKILL)
        server.publish("gw", f"1.{i}", b"%d" % i)
        if i % 2 == 0:
            server.stop(signal.SIGKILL)
        (broker if i % 2 else server).start()
        wait_for(lambda: is_told(server), 90, "everything was told")
        with watch(broker, "ota/update/available") as late:
            late.wait(lambda topic, retained, text: json.loads(text)["version"] == f"1.{i}")


def test_broker_loses_its_memory(pair):
    """A broker that was set up anew gets what it is to retain."""
    server, broker = pair
    server.enrol("d1", "gw")
    fw = server.publish("gw", "1.0", b"one")
    deployment = deploy(server, fw["id"])
    wait_for(lambda: is_told(server), what="everything was told")
    broker.stop()
    shutil.rmtree(broker.dir)
    broker.configure()
    broker.start()
    with watch(broker, "ota/update/available", HINT.format("d1")) as sub:
        last_hint(sub, "d1", deployment)
        sub.wait(lambda topic, retained, text: topic == "ota/update/available" and '"1.0"' in text)
    # One that kept it all is told nothing twice.
    wait_for(lambda: is_told(server), what="everything was told")
    broker.stop()
    broker.start()
    wait_for(lambda: is_up(server), what="connected again")
    before = metric(server, "published_total")
    server.publish("gw", "1.1", b"two")
    wait_for(lambda: is_told(server), what="everything was told")
    assert metric(server, "published_total") - before == 2, "one release and its event"


def test_ten_thousand_devices(make_server, make_broker):
    """A deployment is told to each; the broker may die in the middle; requests go on meanwhile."""
    server = make_server(start=False)
    broker = make_broker(server)
    server.start()
    device = server.enrol("d1", "cam")
    server.stop()
    add_devices(server, 10000)
    server.start()
    fw = server.publish("gw", "1.0", b"one")
    with watch(broker, "ota/devices/+/update") as sub:
        deployment = deploy(server, fw["id"])
        wait_for(lambda: len(sub.messages) > 500, 60, "the first were told")
        assert server.curl("/api/update?version=1", who=device).status == 204
        # A single device does not wait for all the others.
        server.publish("cam", "1.0", b"cam")
        other = deploy(server, server.publish("cam", "1.1", b"cam2")["id"], "device", "d1")
        last_hint(sub, "d1", other)
        broker.stop(signal.SIGKILL)
        seen = {topic for topic, _, _ in sub.messages}
    broker.start()
    with watch(broker, "ota/devices/+/update") as sub:
        wait_for(lambda: is_told(server), 120, "everybody was told")

        def told():
            topics = {
                t for t, _, text in sub.messages if text and json.loads(text)["deployment"] == deployment
            }
            return len(seen | topics - {HINT.format("d1")}) >= 10000

        wait_for(told, 60, "everybody was told")
        text = next(text for topic, _, text in sub.messages if topic == HINT.format("m9999"))
        assert json.loads(text)["jitter_seconds"] == 100


def test_no_broker_at_all(make_server):
    """Whatever stands where the broker should be, requests are answered as ever, and it ends at once."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        server = make_server(
            {"mqtt.enabled": "yes", "mqtt.broker": f"localhost:{hole.getsockname()[1]}"}, start=True
        )
        for i in range(5):
            server.publish("gw", f"1.{i}", b"%d" % i)
        assert server.curl("/readyz", who=ANYONE).status == 200
        assert status(server)["broker"] == "down" and metric(server, "up") == 0
        wait_for(lambda: metric(server, "outbox_rows") == 5, what="five wait")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 20


def test_off(make_server, make_broker):
    """Nothing is kept for no broker; enabled later, it is told what happens from then on."""
    server = make_server()
    server.publish("gw", "1.0", b"one")
    assert status(server) == {"broker": "off", "announcements": 0, "events": 0, "waiting_since": None}
    assert "mqtt broker" not in server.pqota("status").out
    server.stop()
    broker = make_broker(server)
    with watch(broker, "ota/#") as sub:
        server.start()
        server.publish("gw", "1.1", b"two")
        sub.wait(lambda topic, _, text: topic == "ota/fleet/events")
        wait_for(lambda: is_told(server), what="everything was told")
        assert not [text for _, _, text in sub.messages if "gw/1.0" in text or '"1.0"' in text]


def test_reload(pair):
    server, broker = pair
    server.set("mqtt.wakes_per_second", "1")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.logs().count("connected to the broker") == 2, what="connected anew")
    assert "need a restart" not in server.logs() and "no connection to the broker" not in server.logs()
    with watch(broker, "ota/update/available") as sub:
        server.enrol("d1", "gw")
        server.enrol("d2", "gw")
        server.publish("gw", "1.0", b"one")
        _, _, text = sub.wait(lambda *m: True)
        assert json.loads(text)["jitter_seconds"] == 2
    server.set("mqtt.broker", "elsewhere:8883")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "need a restart" in server.logs(), what="that needs a restart")


def test_restored_backup(pair, tmp_path):
    """What was on its way when the database was put back is forgotten, and all goes on from what is there."""
    server, broker = pair
    server.publish("gw", "1.0", b"one")
    run([program("pqota", server.build), "backup", "-c", server.conf, tmp_path / "copy"], check=0)
    server.publish("gw", "1.1", b"two")
    wait_for(lambda: is_told(server), what="everything was told")
    run([program("pqota", server.build), "restore", "-c", server.conf, tmp_path / "copy"], check=0)
    wait_for(lambda: "reading again who may do what" in server.logs(), what="the server notices")
    with watch(broker, "ota/update/available", "ota/fleet/events") as sub:
        server.publish("gw", "1.2", b"three")
        sub.wait(lambda topic, retained, text: '"1.2"' in text)
        sub.wait(lambda topic, retained, text: "gw/1.2" in text)
    wait_for(lambda: is_told(server), what="everything was told")
