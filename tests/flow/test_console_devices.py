"""Devices in the console: their clocks, those that are revoked and come back, and what the fleet counts."""

import json
import os
import re
import sqlite3
import time

import pytest
from console import streams
from consolesite import as_, page, site  # noqa: F401
from harness import wait_for


def lost_device(site, name, **more):
    """A device that is revoked; answers who it was."""
    who = site.enrol(name, "lost")
    site.api("POST", f"/api/devices/{name}/revoke", more, expect=204)
    return who


def commands(page):
    return [e.text for e in wait_for(lambda: page.all("dialog code"), what="what to copy")]


# --- clocks ---


def test_a_clock_that_is_not_known_is_said_and_can_be_set(site, as_, page):
    as_("operator", "#/device/fleet-0000002")
    page.see("unknown: counts as UTC", ".details")
    page.one("main summary").click()
    page.fill("utc_offset", "+09:00", "main")
    page.press("Save", "main")
    page.see("UTC+09:00", ".details")
    site.api("PUT", "/api/devices/fleet-0000002", {"name": "Seoul, roof"}, expect=204)
    page.see("Seoul, roof", ".heading")
    page.fill("utc_offset", "-03:30", "main")
    page.press("Save", "main")
    page.see("UTC−03:30", ".details")
    device = site.api("GET", "/api/devices/fleet-0000002").json()
    assert device["utc_offset_minutes"] == -210 and device["name"] == "Seoul, roof"  # others' word stays
    page.fill("utc_offset", "", "main")
    page.press("Save", "main")
    page.see("unknown: counts as UTC", ".details")
    as_("viewer", "#/device/fleet-0000002")
    page.see("unknown: counts as UTC", ".details")
    assert not page.all("main form")


def test_a_new_deployment_says_whose_clock_is_not_known(site, as_, page):
    as_("operator", "#/deploy?filter=id%3D%3Dfleet-000000*&release=1")
    page.one(".preview .stats")
    page.script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.fill("days", "*")
    page.see("Devices whose clock is not known count as UTC.", "main form")
    page.see("The offset from UTC of 9 of the devices was never set", ".preview")
    page.fill("zone", "+09:00")
    wait_for(lambda: "never set" not in page.text(".preview"), what="by one clock for all")


# --- devices that are revoked ---


def test_revoked_devices_are_listed_and_come_back(site, as_, page):
    lost_device(site, "lost-1")
    as_("admin", "#/fleet")
    page.press("1 revoked", ".stats")
    wait_for(lambda: page.at() == "#/fleet?revoked=true", what="an address to share")
    page.see("lost-1", "table")
    assert "fleet-0000001" not in page.text("table")
    assert page.one("[name=revoked]").get_attribute("value") == "true"
    assert "Deploy to these" not in page.text("main")
    page.press("lost-1", "table")
    page.see("An enrolment token that names it lets it in again.", ".note")
    assert [b.text for b in page.all(".heading .actions button")] == ["Readmit"]
    page.press("Readmit", ".heading")
    page.see("Readmit lost-1?", "dialog")
    page.press("Readmit", "dialog")
    page.see("Token for lost-1", "dialog")
    token, command = commands(page)
    assert command == f"pqota-agent enroll --config agent.conf --token {token}"
    page.press("I have it", "dialog")
    site.enrol("lost-1", "lost", token=token)
    page.see("Readmitted", ".timeline")
    wait_for(lambda: not page.all(".note"), what="it is a device as any other")
    page.see("Deploy to this device", ".heading")


def test_who_may_not_readmit_is_told_who_may(site, as_, page):
    lost_device(site, "lost-2")
    as_("operator", "#/device/lost-2")
    page.see("An admin can let it in again", ".note")
    assert not page.all(".heading .actions button")


def test_a_device_that_comes_by_token(site, as_, page):
    old = site.api("POST", "/api/devices", {"id": "hawk-1", "model": "hawk"}, expect=201).json()["token"]
    as_("operator", "#/device/hawk-1")
    page.press("New token", ".heading")
    page.see("Another token for hawk-1?", "dialog")
    page.press("New token", "dialog")
    (line,) = commands(page)
    head, _, token = line.rpartition(" ")
    assert head == "Authorization: TargetToken" and token != old
    assert site.api("GET", "/api/devices/hawk-1/token").json()["token"] == token
    page.press("I have it", "dialog")
    page.see("Given another token", ".timeline")
    assert "Release" not in page.text(".heading")
    made = site.api("POST", "/api/tokens", {"model": "hawk", "device": "hawk-1"}, expect=201).json()
    site.enrol("hawk-1", "hawk", token=made["token"])
    page.press("Release", ".heading")
    page.see("Release hawk-1?", "dialog")
    page.press("Release", "dialog")
    page.see("Released from its certificate", ".timeline")


# --- what it lived through ---


def deployed(site, version, model, **more):
    release = site.publish(model, version, os.urandom(500))["id"]
    body = {"release": release, "target": {"kind": "model", "value": model}, **more}
    return site.api("POST", "/api/deployments", body, expect=201).json()["id"]


def ended(site, who, state, message):
    """What is offered to the device now ends that way."""
    action = wait_for(lambda: site.curl("/api/update?version=0", who=who).body, what="an offer")
    where = f"/api/update/{json.loads(action)['action']}/status"
    site.api("POST", where, {"state": state, "message": message}, who=who, expect=204)


def test_a_history_says_what_each_line_is_about(site, as_, page):
    who = site.enrol("past-1", "past")
    first = deployed(site, "1", "past")
    ended(site, who, "failed", "no power")
    second = deployed(site, "2", "past")
    ended(site, who, "failed", "no room")
    as_("viewer", "#/device/past-1")
    page.see("no room", ".timeline")
    lines = page.text(".timeline").split("\n")
    about = {line for line in lines if "Deployment " in line}
    assert about == {f"past 1 · Deployment {first}", f"past 2 · Deployment {second}"}
    entries = [e.text for e in page.all(".timeline li")]
    assert [("past 1" in e, "past 2" in e) for e in entries if "no power" in e] == [(True, False)]
    page.see("No running deployment has anything left to do for it.", ".why-now")
    page.see("The device had its part in the deployment already. Tried 1 of 1 times. no room", "main")
    page.press("past 2", ".timeline")
    page.heading("past 2")


def test_the_reasons_are_in_the_page_s_language(site, as_, page):
    site.enrol("warum-1", "warum")
    held = {"start_at": "2100-01-01T00:00:00Z"}
    deployed(site, "1", "warum", **held)
    as_("operator")
    page.script("localStorage.setItem('pqota.language', 'ko')")
    page.open("#/device/warum-1")
    page.see("배포가 아직 시작되지 않았습니다.", ".why-now")
    page.see("2100", ".why-now")
    assert not re.search("[a-z]{3,} [a-z]{3,}", page.text(".why-now"))
    page.open("#/deploy?filter=id%3D%3Dwarum-1&release=1")
    page.see("기기 1대: 모델에 맞지 않는 릴리스", ".preview")


# --- what is read out ---


def test_times_that_pass_are_not_read_out(site, as_, page):
    who = site.enrol("said-1", "said")
    site.curl("/api/update?version=1", who=who)
    as_("viewer", "#/device/said-1")
    page.see("What its last request was answered", "main")
    assert page.all("main time.ago") and page.all("main .why-now[aria-live]")
    assert not page.all("main [aria-live] time.ago")


# --- what the fleet counts ---


def test_deployments_that_wait_for_somebody_are_not_forgotten(site, as_, page):
    running = deployed(site, "1", "waits")
    asked = deployed(site, "2", "waits", approval=True)
    site.api("POST", f"/api/deployments/{running}/pause", expect=200)
    as_("viewer", "#/fleet")
    page.press("1 paused", ".stats")
    page.heading("Deployments")
    page.see(f"Deployment {running}", "table")
    assert f"Deployment {asked}" not in page.text("table")
    page.go("#/fleet")
    page.press("1 waits for approval", ".stats")
    page.see(f"Deployment {asked}", "table")
    for each in (running, asked):
        site.api("POST", f"/api/deployments/{each}/cancel", expect=200)
    page.go("#/fleet")
    page.one('.stats a[href="#/deployments?state=running"]').click()
    page.heading("Deployments")
    assert page.at() == "#/deployments?state=running"


KINDS = 55


@pytest.fixture
def scattered(site):
    """Devices of more versions than the server names."""
    site.stop()
    with sqlite3.connect(site.dir / "data" / "pqota.db") as db:
        db.executemany(
            "INSERT INTO device (id, model, version, created_at) VALUES (?, 'scattered', ?, 1)",
            [(f"scattered-{i}", f"0.{i}") for i in range(KINDS)],
        )
    site.start()


def test_others_are_all_others(site, as_, page, scattered):
    as_("viewer", "#/fleet")
    page.see("Others", ".bars")
    status = site.api("GET", "/api/status").json()
    named = sum(each["devices"] for each in status["versions"][:10])
    assert len(status["versions"]) < KINDS
    shown = page.one(".bars li:last-child .right").text
    assert int(shown) == status["devices"]["total"] - status["devices"]["revoked"] - named


def test_versions_over_time_come_back_with_the_connection(site, as_, page):
    page.expected = ["lost"]
    as_("viewer", "#/fleet")
    page.see("Live", ".foot")
    page.settle()
    site.stop()
    page.see("Connection lost", ".foot")
    page.fill("hours", "24")
    page.see("The server does not answer", ".chart-holder")
    site.start()
    page.see("Live", ".foot", seconds=20)
    wait_for(lambda: "does not answer" not in page.text(".chart-holder"), what="it is asked for anew")
    assert streams(site) == 1


DRAWN = """
const chart = globalThis.Chart?.getChart(document.querySelector(".chart-holder canvas"));
const told = chart?.data.datasets[0].data.map(({ x }) => x);
return chart && [told, chart.getDatasetMeta(0).data.map(({ x }) => x), chart.scales.x.ticks.length];"""


@pytest.fixture
def known_before(site):
    """What ran is known of the last hours."""
    site.stop()
    with sqlite3.connect(site.dir / "data" / "pqota.db") as db:
        at = int(time.time() * 1000) - 3 * 3600 * 1000
        db.execute("INSERT OR IGNORE INTO fleet_series VALUES (9999, 'fleet', '0', 5, 5)")
        db.execute("INSERT OR IGNORE INTO fleet_sample VALUES (9999, ?, 5)", (at,))
    site.start()


def test_versions_over_time_are_drawn_to_scale(site, as_, page, known_before):
    as_("viewer", "#/fleet")
    page.fill("hours", "24")
    times, drawn, ticks = wait_for(lambda: page.script(DRAWN), what="a chart")
    whole = (drawn[-1] - drawn[0]) / (times[-1] - times[0])
    far = [abs((x - drawn[0]) - (at - times[0]) * whole) for x, at in zip(drawn, times)]
    assert len(drawn) > 3 and max(far) < 2, (drawn, times)  # the last of them is now: not a whole step later
    assert ticks > 1


A_MINUTE = "const now = Date.now; Date.now = () => now() + (window.later || 0);"


def test_versions_over_time_go_on_though_nothing_changes(site, as_, page):
    """No device reports: what is shown still is of now."""
    script = page.cdp("Page.addScriptToEvaluateOnNewDocument", source=A_MINUTE)
    try:
        as_("viewer", "#/fleet")
        page.see("Live", ".foot")
        page.settle()
        page.answers()
        page.script("later = 61_000")
        asked = []

        def again():
            asked.extend(a["url"] for a in page.answers() if "/api/fleet/history" in a["url"])
            return asked

        wait_for(again, 30, "it is asked for once more")
    finally:
        page.cdp("Page.removeScriptToEvaluateOnNewDocument", **script)
