"""What lets devices and operators in, in the console: enrolment tokens and operators' certificates."""

from browser import Browser
from certificates import operator
from console import signed_in
from consolesite import as_, page, site  # noqa: F401
from harness import Agent, wait_for


def row(page, words):
    """The table's row that has these words, in words."""
    rows = page.script("return [...document.querySelectorAll('tbody tr')].map((row) => row.innerText)")
    return next((row for row in rows if words in row), "")


def test_a_device_enrols_by_a_token_that_the_console_made(site, as_, page, tmp_path):
    as_("operator", "#/access")
    page.press("New enrolment token", ".heading")
    page.fill("model", "gate", "dialog")
    page.fill("count", 2, "dialog")
    page.fill("note", "for the north gate", "dialog")
    page.press("New enrolment token", "dialog")
    page.see("Token for the model gate", "dialog")
    token, command = (e.text for e in page.all("dialog code"))
    assert command == f"pqota-agent enroll --config agent.conf --token {token}"
    page.press("I have it", "dialog")
    assert token not in page.script("return document.documentElement.outerHTML")  # it was shown this once
    page.see("for the north gate", "table")
    assert "0 of 2" in row(page, "north gate") and "Good" in row(page, "north gate")
    Agent(site, tmp_path, "gate-1", "gate").enrol(token)
    wait_for(lambda: "1 of 2" in row(page, "north gate"), what="the use is counted")
    pk = site.api("GET", "/api/tokens").json()["items"][0]["id"]
    page.press(f"Revoke: gate {pk}", "table")
    page.see(f"Revoke token {pk} for gate?", "dialog")
    page.press("Revoke", "dialog")
    wait_for(lambda: "Revoked" in row(page, "north gate"), what="it is revoked")
    assert site.api("GET", "/api/tokens").json()["items"][0]["revoked"]


def test_a_token_that_cannot_be_is_refused_in_the_form(site, as_, page):
    page.expected = [400]
    as_("operator", "#/access")
    page.press("New enrolment token", ".heading")
    page.fill("model", "gate", "dialog")
    page.fill("device", "gate-9", "dialog")
    page.fill("count", 3, "dialog")
    page.press("New enrolment token", "dialog")
    page.see('a token for one device has "count" 1', "dialog")


def test_an_operator_is_shut_out(site, as_, page, tmp_path):
    rita = operator(site, tmp_path, "rita", "operator")
    site.api("GET", "/api/tokens", who=rita, expect=200)
    as_("operator", "#/access")
    page.see("rita", "section:last-of-type table")
    assert not page.all('[aria-label="Revoke: rita"]')
    as_("admin", "#/access")
    page.press("Revoke: rita")
    page.see("Revoke the operator rita?", "dialog")
    page.press("Revoke", "dialog")
    wait_for(lambda: "Revoked" in row(page, "rita"), what="she is revoked")
    assert site.curl("/api/tokens", who=rita).status in (401, 403)


def test_who_only_reads_makes_nothing(site, as_, page):
    as_("viewer", "#/access")
    page.see("Enrolment tokens", "main")
    page.see("Operators' certificates", "main")
    page.see("Live", ".foot")
    assert not page.all("main button")


def test_an_empty_fleet_leads_there(make_server, tmp_path):
    server = make_server(via="")
    (tmp_path / "browser").mkdir()
    page = Browser(tmp_path / "browser", server)
    try:
        page.take_session(signed_in(server))
        page.open("#/fleet")
        page.see("The first device", "main")
        page.press("New enrolment token", "main")
        page.heading("Access")
        assert page.complaints() == []
    finally:
        page.close()
