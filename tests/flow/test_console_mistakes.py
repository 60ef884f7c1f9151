"""The console where somebody is quick, or another one is: nothing happens that was not asked for."""

import os

from console import account, link, signed_in
from consolesite import as_, page, site  # noqa: F401
from harness import wait_for
from selenium.webdriver.common.keys import Keys


def deployments(site):
    return site.api("GET", "/api/deployments").json()["items"]


def deployed(site, name, **more):
    release = site.publish(name, "1", os.urandom(500), model="fleet")["id"]
    body = {"release": release, "target": {"kind": "model", "value": "fleet"}, **more}
    return site.api("POST", "/api/deployments", body, expect=201).json()["id"]


def signed_in_as(page, name):
    """In a window of any width: a narrow one does not show the name."""
    wait_for(lambda: page.script("return document.querySelector('.user')?.textContent") == name, what=name)


def test_enter_in_a_field_deploys_nothing_unasked(site, as_, page):
    before = deployments(site)
    as_("operator", "#/deploy")
    page.fill("release", "fleet@2.0").send_keys(Keys.ENTER)
    page.see("fleet 2.0 → devices of the model fleet", "dialog")
    page.see("60 devices would get it. The first of them begin at once.", "dialog")
    page.press("Cancel", "dialog")
    assert deployments(site) == before
    page.fill("approval", True)
    page.fill("target", "nobody")
    page.expected = [404]
    page.press("Deploy", "main form")
    page.see("How many devices that concerns is not known: no device", "dialog")
    page.see("None begins before another person approves it.", "dialog")
    page.keys(Keys.ESCAPE)
    wait_for(lambda: not page.all("dialog"), what="the question is gone")
    assert deployments(site) == before


def test_another_phase_than_the_one_that_was_asked_about(site, as_, page):
    phases = [{"name": "one", "count": 1}, {"name": "two", "count": 1}, {"name": "three"}]
    pk = deployed(site, "phased", phases=phases)
    where = f"/api/deployments/{pk}"
    wait_for(lambda: site.api("GET", where).json()["prepared"], what="its devices are in their phases")
    as_("operator", f"#/deployment/{pk}")
    page.press("Open the next phase", ".heading")
    page.see("The phase two opens now", "dialog")
    page.see(f"Deployment {pk}: phased 1 → devices of the model fleet", "dialog")
    site.api("POST", f"{where}/next", expect=200)
    page.expected = [409]
    page.press("Open the next phase", "dialog")
    page.see("the phase that opens next is 3 by now, not 2")
    assert site.api("GET", where).json()["phase"] == 2
    site.api("POST", f"{where}/cancel", expect=200)


def test_an_approval_says_when_devices_begin(site, as_, page):
    pk = deployed(site, "later", approval=True, start_at="2100-01-01T00:00:00Z")
    as_("operator", f"#/deployment/{pk}")
    page.press("Approve", ".heading")
    page.see("Devices begin at ", "dialog")
    page.see("2100", "dialog")
    page.press("Approve", "dialog")
    page.see("Scheduled", ".heading")
    assert page.focused()[0] == "button", "the keyboard goes on where it was"
    site.api("POST", f"/api/deployments/{pk}/cancel", expect=200)


def test_the_focus_stays_where_an_action_was(site, as_, page):
    pk = deployed(site, "focused")
    as_("operator", f"#/deployment/{pk}")
    for label, state in (("Pause", "Paused"), ("Resume", "Running")):
        page.button(label, ".heading").send_keys(Keys.ENTER)
        page.see(state, ".heading")
        assert page.script("return document.activeElement.closest('.heading') !== null")
    site.api("POST", f"/api/deployments/{pk}/cancel", expect=200)


def test_a_language_is_chosen_before_a_password(site, page):
    page.open(f"#sign-in={link(site, '--account', 'nari', '--role', 'viewer')}")
    page.heading("Choose a password")
    page.fill("language", "ko")
    page.heading("비밀번호 정하기")
    page.fill("language", "en")
    page.heading("Choose a password")
    page.fill("new", "a password of nari")
    page.fill("again", "a password of nari")
    page.press("Set password")
    page.heading("Fleet")
    page.one(".user").click()
    page.press("Change password", "#user-menu")
    page.fill("old", "a password of nari", "dialog")
    page.fill("new", "another password of nari", "dialog")
    page.press("Change password", "dialog")
    page.see("The password is changed.")


def test_a_view_that_is_opened_while_the_server_is_away(site, as_, page):
    page.expected = ["lost"]
    as_("admin", "#/fleet")
    page.see("Live", ".foot")
    site.stop()
    try:
        page.go("#/server")
        page.see("The server does not answer", "main")
        page.see("Connection lost", ".foot")
    finally:
        site.start()
    page.heading("Trust and server", seconds=20)
    page.see("Live", ".foot")
    site.stop()
    try:
        page.go("#/accounts")  # which has no stream
        page.see("The server does not answer", "main")
        page.see("Connection lost", ".foot")
    finally:
        site.start()
    page.see("operator", "table", seconds=20)
    wait_for(lambda: "lost" not in page.text(".foot"), what="it is said no more")


def test_another_person_signs_in_in_another_tab(site, as_, page):
    account(site, "dana", "viewer")
    as_("admin", "#/accounts")
    signed_in_as(page, "admin")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        token = link(site, "--account", "dana")
        page.driver.get(f"{page.url}/#sign-in={token}")
        page.heading("Choose a password")
        page.press("Later")
        signed_in_as(page, "dana")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    signed_in_as(page, "dana")
    assert "New account" not in page.text("main")


def test_a_tab_that_slept_while_another_person_came(site, as_, page):
    emil = signed_in(site, "operator", "emil")
    as_("viewer", "#/fleet")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")  # the first one is hidden now
    try:
        page.take_session(emil)  # no tab of the page has told the others
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    signed_in_as(page, "emil")
    page.one(".user").click()
    page.see("Operator", ".menu-who")
