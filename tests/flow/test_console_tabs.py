"""The console in many tabs, where nothing can be streamed, and left in the middle of a question."""

import os

from consolesite import as_, page, site  # noqa: F401
from harness import wait_for
from selenium.webdriver.common.keys import Keys

TABS = 7  # one more than a browser has connections to a server


def test_a_seventh_tab_opens(as_, page):
    as_("viewer", "#/changes")
    page.see("Live", ".foot")
    first = page.driver.current_window_handle
    try:
        for _ in range(TABS - 1):
            page.driver.switch_to.new_window("tab")
            page.driver.get(f"{page.url}/#/changes")
            page.see("session.opened", "table")
        page.see("Every 10 s", ".foot")
    finally:
        for tab in page.driver.window_handles:
            page.driver.switch_to.window(tab)
            if tab != first:
                page.driver.close()
        page.driver.switch_to.window(first)


def test_what_cannot_be_streamed_is_said(as_, page):
    page.expected = [404, 400]
    as_("viewer", "#/device/")
    page.see("there is nothing at this path", "main")
    page.go("#/fleet?device=" + "%EA%B0%80" * 128)  # longer than a topic may be
    page.see("60", ".stats")


def test_leaving_ends_a_question(site, as_, page):
    release = site.publish("asked", "1", os.urandom(500))["id"]
    body = {"release": release, "target": {"kind": "all"}}
    pk = site.api("POST", "/api/deployments", body, expect=201).json()["id"]
    as_("operator", "#/deployments")
    page.see("asked 1", "table")
    page.go(f"#/deployment/{pk}")
    page.press("Abort")
    page.one("dialog[open]")
    page.driver.back()
    page.heading("Deployments")
    wait_for(lambda: not page.all("dialog"), what="the question is gone")
    assert site.api("GET", f"/api/deployments/{pk}").json()["state"] != "cancelled"
    site.api("POST", f"/api/deployments/{pk}/cancel")


def test_the_focus_outlives_updates(site, as_, page):
    as_("viewer", "#/changes")
    page.see("session.opened", "table")
    for name in ("a", "b"):
        site.api("PUT", f"/api/devices/fleet-0000009/tags/{name}", expect=204)
    page.see("device.tagged", "table")
    page.script("document.querySelector('tbody a[href*=fleet-0000009]').focus()")
    site.api("PUT", "/api/devices/fleet-0000008/tags/c", expect=204)
    page.see("fleet-0000008", "table")
    assert page.focused()[2] == "fleet-0000009"
    page.keys(Keys.ENTER)
    page.heading("fleet-0000009")


def test_a_link_that_is_over_leaves_who_is_signed_in(as_, page):
    page.expected = [401]
    as_("viewer", "#/fleet")
    page.open("#sign-in=" + "0" * 64)
    page.see("the link was used already", "main")
    page.press("Go on as viewer")
    page.heading("Fleet")


def test_a_file_dropped_beside_the_place_is_not_opened(as_, page):
    as_("operator", "#/firmware")
    page.see("Drop", "main")
    taken = page.script(
        "const event = new DragEvent('drop', { bubbles: true, cancelable: true });"
        "document.body.dispatchEvent(event); return event.defaultPrevented;"
    )
    page.go("#/fleet")
    page.heading("Fleet")
    left = page.script(
        "const event = new DragEvent('drop', { bubbles: true, cancelable: true });"
        "document.body.dispatchEvent(event); return event.defaultPrevented;"
    )
    assert (taken, left) == (True, False)
