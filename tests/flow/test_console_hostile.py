"""What devices and other people wrote is text in every view of the console, whatever it looks like."""

import json
import os
import urllib.parse

import pytest

from browser import HOSTILE, MARKER
from consolesite import as_, page, site  # noqa: F401
from harness import wait_for

SHORT = f"<{MARKER}>&lt;b&gt;"  # where 128 characters are a lot
NAMED = f"'\"><svg onload=alert(3)><{MARKER}>"
FORMULA = f"=cmd|' /C calc'!A0 javascript:alert(4) {HOSTILE}"

# An element that a text became, a script that ran, a dialog that is open.
WENT_WRONG = """
const found = [...document.querySelectorAll(arguments[0])].map((e) => e.outerHTML);
const ours = (src) => src === `${location.origin}/app.js` || src.startsWith(`${location.origin}/chart`);
const loose = [...document.querySelectorAll("script")].filter((e) => !ours(e.src)).map((e) => e.outerHTML);
const leads = /^(href|src|action|formaction|xlink:href)$/i;
const script = /^\\s*(javascript|data|vbscript):/i;
const runs = (a) => /^on/i.test(a.name) || leads.test(a.name) && script.test(a.value);
const odd = [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes].filter(runs)
    .map((a) => `${e.tagName} ${a.name}=${a.value}`));
return [...found, ...loose, ...odd];
"""


@pytest.fixture(scope="module")
def wild(site):  # noqa: F811
    """Whatever a device, an operator and a file can say, says it."""
    tell = f"{HOSTILE}\nand a second line"
    device = site.enrol("wild-1", "wild")
    good = site.publish("wild", "1.0", os.urandom(400), model="wild")
    query = urllib.parse.urlencode({"model": "wild", "notes": HOSTILE, "type": "os"})
    file = site.folder / "wild.bin"
    file.write_bytes(os.urandom(400))
    made = site.curl(f"/api/firmware/wild/2.0/wild.bin?{query}", "-T", file)
    assert made.status == 201, made
    said = site.api("PUT", "/api/devices/wild-1", {"name": NAMED, "description": tell})
    assert said.status in (204, 400), said
    site.api("PUT", "/api/devices/wild-1", {"name": NAMED}, expect=204)
    attributes = {"hw": HOSTILE, "serial": SHORT, "__proto__": SHORT, "constructor": FORMULA[:200]}
    site.api("PUT", "/api/devices/wild-1/attributes", attributes, expect=204)
    phases = [{"name": SHORT, "count": 1, "success_percent": 50, "error_percent": 90}, {"name": NAMED}]
    body = {
        "release": made.json()["id"],
        "target": {"kind": "filter", "value": f"model==wild and name!='{HOSTILE.replace(chr(39), '')}'"},
        "phases": phases,
        "rollback": good["id"],
    }
    reply = site.api("POST", "/api/deployments", body)
    if reply.status == 400:  # no such selector
        body["target"]["value"] = f"model==wild and attribute.x!='{HOSTILE.replace(chr(39), '')}'"
        reply = site.api("POST", "/api/deployments", body)
    assert reply.status == 201, reply
    pk = reply.json()["id"]
    version = urllib.parse.quote(SHORT)
    site.api("GET", f"/api/update?version={version}", who=device)
    offer = wait_for(
        lambda: (r := site.api("GET", "/api/update?version=1.0", who=device)).status == 200 and r.json(),
        what="the update is offered",
    )
    for report in ({"state": "downloading", "message": tell}, {"state": "failed", "message": tell}):
        site.api("POST", f"/api/update/{offer['action']}/status", report, who=device, expect=204)
    site.api("POST", "/api/devices/wild-1/revoke", {"reason": HOSTILE[:128]}, expect=204)
    site.wild = {"deployment": pk, "release": made.json()["id"]}
    return site


def texts(path, server):
    """How often the marker stands in what a view is told."""
    return server.api("GET", path).body.decode().count(MARKER)


def is_harmless(page):  # noqa: F811
    assert page.script(WENT_WRONG, MARKER) == []
    assert page.script("return Object.keys({}.__proto__).concat(Object.keys(Object.prototype))") == []


VIEWS = [
    ("#/fleet", ["/api/failures?hours=24"]),
    ("#/fleet?model=wild", ["/api/devices?model=wild"]),
    ("#/device/wild-1", ["/api/devices/wild-1", "/api/devices/wild-1/history"]),
    ("#/deployments", ["/api/deployments"]),
    (
        "#/deployment/{deployment}",
        ["/api/deployments/{deployment}", "/api/deployments/{deployment}/devices"],
    ),
    ("#/firmware", ["/api/firmware"]),
    ("#/firmware/{release}", ["/api/firmware/{release}"]),
    ("#/changes", ["/api/events?limit=50"]),
    ("#/deploy?release={release}", []),
    ("#/server", []),
    ("#/accounts", []),
]


@pytest.mark.parametrize("view, paths", VIEWS, ids=lambda v: str(v)[:24])
def test_it_stays_text(wild, as_, page, view, paths):  # noqa: F811
    told = sum(texts(path.format(**wild.wild), wild) for path in paths)
    as_("admin", view.format(**wild.wild))
    page.settle()
    if paths:
        assert told, paths  # there is something to get wrong
        page.see(f"<{MARKER}>", "main")
    is_harmless(page)


def addresses():
    """What somebody may be made to open: a link to this very console with something in it."""
    wild = urllib.parse.quote(HOSTILE)
    return [
        f"#/fleet?q={wild}",
        f"#/fleet?model={wild}&version={wild}&tag={wild}&device={wild}",
        f"#/device/{wild}",
        f"#/deployment/{wild}",
        f"#/firmware/{wild}",
        f"#/changes?subject={wild}&kind={wild}",
        f"#/{wild}",
        f"#/deploy?filter={wild}&release={wild}",
        f"#/deploy?device={wild}",
        f"#/{HOSTILE}",
        "#/__proto__",
        "#/constructor",
        "#/toString/x",
        "#/device/%zz",
        "#/device/..%2f..%2fapi",
        "#//evil.example/",
        "#/fleet?after=%00&q=%ff",
        f"#/firmware?state={wild}&after={wild}",
    ]


@pytest.mark.parametrize("address", addresses(), ids=lambda v: v[:30])
def test_an_address_stays_text(wild, as_, page, address):  # noqa: F811
    page.expected = [400, 404]
    as_("admin", address)
    page.settle()
    is_harmless(page)
    assert page.script("return location.origin") == page.url


def test_what_is_typed_stays_text(wild, as_, page):  # noqa: F811
    """Filters, tags, names: into the address, into problems, into the command to copy."""
    page.expected = [400, 404]
    as_("admin", "#/fleet")
    page.see("wild-1", "main")
    page.fill("q", f"name=='{SHORT}'")
    page.press("Apply", "main form")
    wait_for(lambda: "q=" in page.at(), what="it is in the address")
    is_harmless(page)
    page.fill("q", HOSTILE)
    page.press("Apply", "main form")
    page.see("filter, column 1", "main form")
    is_harmless(page)
    page.go("#/deploy")
    page.fill("release", "wild@2.0")
    page.fill("kind", "filter")
    page.fill("target", f"model=='$(touch /tmp/x)`id`;\"{SHORT}'")
    page.see("'\\''", ".beside code")  # a shell reads it as one word
    is_harmless(page)


def test_a_name_that_is_wrong_is_not_told_as_markup(as_, page):  # noqa: F811
    page.expected = [401]
    page.open()
    page.fill("name", HOSTILE[:64])
    page.fill("password", HOSTILE)
    page.press("Sign in", "main")
    page.one(".problem")
    is_harmless(page)
    page.open(f"#sign-in={urllib.parse.quote(HOSTILE)}")
    page.expected = [400, 401]
    page.one(".problem")
    is_harmless(page)


def test_markup_is_refused_by_the_browser_itself(as_, page):  # noqa: F811
    """Trusted Types and the policy, should a view ever forget."""
    as_("admin", "#/fleet")
    wanted = json.dumps(HOSTILE)
    script = "Object.assign(document.createElement('script'), {{{}}})"
    for what in (
        f"document.body.innerHTML = {wanted}",
        f"document.body.insertAdjacentHTML('beforeend', {wanted})",
        f"document.write({wanted})",
        f"document.body.append({script.format('textContent: `window.ran = 1`')})",
        f"document.body.append({script.format('src: `https://evil.example/x.js`')})",
        "eval('window.ran = 1')",
        "setTimeout('window.ran = 1', 0)",
    ):
        # Of itself: what DevTools evaluate is not held to all of it.
        said = page.driver.execute_async_script(
            f"const done = arguments[0]; setTimeout(() => {{ try {{ {what}; done('nothing'); }}"
            " catch (e) { done(String(e)); } });"
        )
        assert "Trusted" in said or "Content Security" in said, (what, said)
    page.script(
        "const a = Object.assign(document.createElement('a'), {href: 'javascript:window.ran = 1'});"
        "document.body.append(a); a.click();"
        "const i = new Image(); i.src = 'https://evil.example/'; document.body.append(i);"
        "const f = document.createElement('iframe'); f.src = '/'; document.body.append(f);"
        "const s = document.createElement('div');"
        "try { s.setAttribute('onclick', 'window.ran = 1'); } catch {} s.click();"
        "fetch('https://evil.example/').catch(() => {});"
    )
    wait_for(lambda: any("Content Security Policy" in m for m in page.complaints()), what="it is told")
    assert page.script("return window.ran") is None
    assert page.script(WENT_WRONG, MARKER)[0].startswith("A href=javascript:")  # a test would see it
    page.answers()
    page.open()
    page.complaints()
