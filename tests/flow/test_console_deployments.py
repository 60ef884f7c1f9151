"""A deployment's page as it goes wrong: stopped, taken up again, aborted."""

import itertools
import os

import pytest

from consolesite import as_, page, site  # noqa: F401
from harness import wait_for

NUMBERS = itertools.count(1)
CANARY = [{"name": "canary", "count": 2, "error_count": 1, "success_percent": 90}, {"name": "rest"}]


class Rollout:
    """A deployment to four devices of a model of their own, which do as they are told."""

    def __init__(self, site, **more):
        self.site, self.model = site, f"model{next(NUMBERS)}"
        self.devices = [site.enrol(f"{self.model}-{i}", self.model) for i in range(1, 5)]
        self.release = site.publish(self.model, "2", os.urandom(500))["id"]
        body = {"release": self.release, "target": {"kind": "model", "value": self.model}, **more}
        self.pk = site.api("POST", "/api/deployments", body, expect=201).json()["id"]
        self.where = f"/api/deployments/{self.pk}"
        wait_for(lambda: self.shown()["prepared"], what="its devices are known")

    def name(self, i):
        return f"{self.model}-{i}"

    def shown(self):
        return self.site.api("GET", self.where, expect=200).json()

    def steer(self, what):
        self.site.api("POST", f"{self.where}/{what}", expect=200)

    def poll(self, i, version="1"):
        return self.site.api("GET", f"/api/update?version={version}", who=self.devices[i - 1])

    def ends(self, i, state, **more):
        """Device i, from 1, takes what it is offered, which ends so."""
        self.is_at(i, state, self.poll(i).json()["action"], **more)

    def is_at(self, i, state, action, **more):
        body = {"state": state, **more}
        who = self.devices[i - 1]
        self.site.api("POST", f"/api/update/{action}/status", body, who=who, expect=204)


@pytest.fixture
def rollout(site):
    made = []

    def begin(**more):
        made.append(Rollout(site, **more))
        return made[-1]

    yield begin
    for each in made:
        if not each.shown()["closed"]:
            each.steer("cancel")


def badges(page):
    return page.script("return [...document.querySelectorAll('.flow .badge')].map((e) => e.textContent)")


def shares(page, within):
    """How much of the first bar is of which state, in percent."""
    return page.script(
        "const [bar] = document.querySelector(arguments[0]).querySelectorAll('.flow-bar');"
        "return Object.fromEntries([...bar.querySelectorAll('span')]"
        ".map((e) => [e.className, parseFloat(e.style.getPropertyValue('--share'))]))",
        within,
    )


def test_what_was_aborted_is_not_drawn_as_complete(rollout, as_, page):
    it = rollout()
    it.ends(1, "succeeded", version="2")
    it.steer("cancel")
    as_("viewer", f"#/deployment/{it.pk}")
    page.see("1 of 4 (25%)", ".stats")
    assert shares(page, "main")["succeeded"] == 25
    page.go("#/deployments")
    page.see("1 of 4 (25%)", ".progress-cell")
    assert shares(page, ".progress-cell")["succeeded"] == 25


def test_phases_follow_what_was_done_with_the_deployment(rollout, as_, page):
    it = rollout(phases=CANARY)
    as_("operator", f"#/deployment/{it.pk}")
    page.see("Not open yet", ".flow")
    it.ends(1, "failed", message="no room")
    page.see("Stopped: too many failed", ".flow")
    assert badges(page) == ["Stopped: too many failed", "Not open yet"]
    page.see("stopped when 1 device of phase 1 of 2 had failed (limit 1 device)", ".note")
    page.press("Resume", ".heading")
    wait_for(lambda: badges(page) == ["Open", "Not open yet"], what="the phase goes on")
    page.press("Abort", ".heading")
    page.press("Abort", "dialog")
    wait_for(lambda: badges(page) == ["Ended", "Ended"], what="both have ended")


def listed(page):
    """The devices in the list, in its order."""
    return page.script("return [...document.querySelectorAll('table tbody a')].map((e) => e.textContent)")


def test_a_first_try_that_failed_is_not_hidden(rollout, as_, page):
    it = rollout(retries=1, phases=CANARY)
    as_("viewer", f"#/deployment/{it.pk}")
    page.see("Failed\n0", ".stats")
    assert "Waits to try again" not in page.text(".stats")
    it.ends(1, "failed", message="no room")
    page.see("Waits to try again\n1", ".stats")
    page.fill("state", "retrying")
    page.see("no room", "table")
    assert listed(page) == [it.name(1)]
    assert "Waits to try again" in page.text("table tbody")


def test_who_holds_a_phase_up_is_found(rollout, as_, page):
    it = rollout(phases=CANARY)
    it.ends(2, "succeeded", version="2")
    as_("viewer", f"#/deployment/{it.pk}")
    page.fill("state", "waiting")
    wait_for(lambda: listed(page) == [it.name(i) for i in (1, 3, 4)], what="all that wait")
    assert "never" not in page.text("table tbody"), "they poll"
    page.fill("phase", 1)
    wait_for(lambda: listed(page) == [it.name(1)], what="who waits in the canary")
    page.fill("state", "succeeded")
    wait_for(lambda: listed(page) == [it.name(2)], what="who has it in the canary")
    page.fill("phase", 2)
    page.see("Nothing here.", "main")


def test_what_is_under_way_is_said(rollout, as_, page):
    it = rollout()
    as_("viewer", f"#/deployment/{it.pk}")
    page.see("Waiting\n4", ".counts")
    assert "Under way:" not in page.text("main")
    it.poll(1)
    it.is_at(2, "downloading", it.poll(2).json()["action"])
    page.see("Under way: 1 offered, 1 downloading", "main")


def test_who_has_nothing_to_do_is_not_said_to_have_had_it(site, rollout, as_, page):
    it = rollout()
    site.publish(it.model, "3", os.urandom(500))
    it.poll(1, version="3")
    as_("viewer", f"#/deployment/{it.pk}")
    page.see("Nothing to do\n1", ".counts")
    page.fill("state", "already")
    wait_for(lambda: listed(page) == [it.name(1)], what="who runs something newer")
    assert "Nothing to do" in page.text("table tbody")


def test_how_long_it_takes_says_why_it_cannot_be_told(rollout, as_, page):
    it = rollout(phases=[{"name": "canary", "count": 2, "success_percent": 90}, {"name": "rest"}])
    as_("viewer", f"#/deployment/{it.pk}")
    page.see("cannot be told now", ".stats")
    it.ends(1, "failed")
    page.see("canary can no longer reach 90%; open the next phase, or abort", ".stats")
    it.ends(2, "succeeded", version="2")
    it.steer("next")
    page.see("about", ".stats")
    for i in (3, 4):
        it.ends(i, "succeeded", version="2")
    page.see("nothing left to do", ".stats")
