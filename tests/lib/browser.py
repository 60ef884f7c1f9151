"""Debian's Chromium, driven as a person would, that believes the console's authority and no other."""

import base64
import json
import os
import subprocess

import console
from harness import TREE, wait_for
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

DRIVER = "/usr/bin/chromedriver"
INACCESSIBLE = TREE / "tests" / "lib" / "inaccessible.js"
SCREENS = TREE / "build" / "screens"
SIZES = {"wide": (1400, 900), "phone": (390, 844)}
PICTURE_HEIGHT_MAX = 2600  # pixels of a page that go into its picture

# What the browser says about an answer that is no success; a test tells which it expects.
FAILED_LOAD = "Failed to load resource"

# A text that would become an element, or run, wherever text were taken for markup.
MARKER = "pwned-marker"
HOSTILE = f'"><{MARKER}></{MARKER}><img src=x onerror=alert(1)><script>alert(2)</script>'


def believe(home, *authorities):
    """A certificate store for whoever has that home: the authorities are believed for servers."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"], check=True)
    for i, file in enumerate(authorities):
        argv = ["certutil", "-A", "-d", f"sql:{store}", "-t", "C,,", "-n", f"pqota {i}", "-i", str(file)]
        subprocess.run(argv, check=True)


class Browser:
    """One window. Everything that its pages complain about is kept, and complaints() hands it out."""

    def __init__(self, folder, server, trusted=True):
        self.server, self.url = server, server.console_url
        home = folder / "home"
        believe(home, *([console.authority(server)] if trusted else []))
        options = webdriver.ChromeOptions()
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
            "--lang=en",
            f"--user-data-dir={folder / 'profile'}",
        ):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
        service = Service(DRIVER, env=environment, log_output=str(folder / "chromedriver.log"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(30)
        self.resize("wide")

    def close(self):
        self.driver.quit()

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def script(self, text, *args):
        return self.driver.execute_script(text, *args)

    def fetch(self, method, path, body=None, headers=None):
        """What the page's own fetch is answered: (status, text)."""
        return tuple(
            self.driver.execute_async_script(
                "const [method, path, body, headers, done] = arguments;"
                "fetch(path, {method, body, headers}).then(async (r) => done([r.status, await r.text()]),"
                " (e) => done([0, String(e)]));",
                method,
                path,
                None if body is None else json.dumps(body),
                (
                    {"Content-Type": "application/json", **(headers or {})}
                    if body is not None
                    else headers or {}
                ),
            )
        )

    # --- what it looks like ---

    def resize(self, size, height=None):
        self.size = size
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=SIZES[size][0],
            height=height or SIZES[size][1],
            deviceScaleFactor=1,
            mobile=size == "phone",
        )

    def prefer(self, scheme):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, name, whole=True):
        """The page as a file in build/screens; whole: in a window so high that all of it is seen."""
        if whole:
            height = self.cdp("Page.getLayoutMetrics")["cssContentSize"]["height"]
            self.resize(self.size, min(max(height, SIZES[self.size][1]), PICTURE_HEIGHT_MAX))
        shot = self.cdp("Page.captureScreenshot", format="png")
        self.resize(self.size)
        SCREENS.mkdir(parents=True, exist_ok=True)
        file = SCREENS / f"{name}.png"
        file.write_bytes(base64.b64decode(shot["data"]))
        return file

    def too_wide(self):
        """By how many pixels the page is wider than its window, and what stands out."""
        return self.script(
            "const wide = document.documentElement.clientWidth;"
            "const over = document.scrollingElement.scrollWidth - wide;"
            "const right = (e) => Math.round(e.getBoundingClientRect().right);"
            "const who = [...document.querySelectorAll('body *')].filter((e) => right(e) > wide + 1)"
            "  .filter((e) => e.checkVisibility()).map((e) => `${e.tagName}.${e.className} ${right(e)}`);"
            "return [Math.max(over, 0), who.slice(0, 8)];"
        )

    def inaccessible(self):
        """What somebody who does not see the page, or uses no mouse, would miss."""
        moving = "return document.getAnimations().some((a) => a.playState === 'running')"
        wait_for(lambda: not self.script(moving), what="nothing moves any more")
        return self.script(INACCESSIBLE.read_text())

    # --- going about ---

    def open(self, hash_=""):
        """Loads the page anew."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/{hash_}")

    def go(self, hash_):
        """As a link of the page does."""
        self.script("location.hash = arguments[0]", hash_)

    def at(self):
        return self.script("return location.hash")

    def text(self, css="body"):
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css, seconds=15):
        """The first such element that can be seen."""

        def look():
            try:
                return next((e for e in self.all(css) if e.is_displayed()), None)
            except StaleElementReferenceException:
                return None

        return wait_for(look, seconds, f"{css} is shown")

    def see(self, text, css="body", seconds=15):
        """Waits until that text is there."""

        def look():
            try:
                return text in self.text(css)
            except StaleElementReferenceException:
                return False

        try:
            wait_for(look, seconds, f'"{text}" is shown')
        except AssertionError as e:
            raise AssertionError(f"{e} in:\n{self.text(css)}\n{self.logged}") from None

    def settle(self):
        """Waits until the view is there, and nothing in it is being fetched."""
        self.one("h1")
        busy = "return [...document.querySelectorAll('[aria-busy=true]')].some((e) => e.checkVisibility())"
        wait_for(lambda: not self.script(busy), what=f"{self.at()} is there")

    def heading(self, text, seconds=15):
        self.see(text, "h1", seconds)

    def button(self, label, within="body", seconds=15):
        """The button or link of that name."""
        xpath = (
            './/*[self::button or self::a or @role="tab"]'
            f'[normalize-space(.)="{label}" or @aria-label="{label}"]'
        )

        def look():
            try:
                return next(
                    (
                        e
                        for box in self.all(within)
                        for e in box.find_elements(By.XPATH, xpath)
                        if e.is_displayed()
                    ),
                    None,
                )
            except StaleElementReferenceException:
                return None

        return wait_for(look, seconds, f'a button "{label}" in {within}')

    def press(self, label, within="body", seconds=15):
        wait_for(lambda: self._pressed(label, within, seconds), seconds, f'"{label}" can be pressed')

    def _pressed(self, label, within, seconds):
        try:
            self.button(label, within, seconds).click()
            return True
        except StaleElementReferenceException:
            return False

    def fill(self, name, value, within=""):
        """Writes into the control of that name, in place of what it held."""
        it = self.one(f'{within} [name="{name}"]')
        if it.tag_name == "select":
            it.find_element(By.CSS_SELECTOR, f'option[value="{value}"]').click()
        elif it.get_attribute("type") == "checkbox":
            if it.is_selected() != value:
                it.click()
        else:
            it.clear()
            it.send_keys(str(value))
        return it

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        """What the keyboard's focus is on, in words."""
        return self.script(
            "const e = document.activeElement; return [e.tagName.toLowerCase(), e.getAttribute('name') || '',"
            " (e.getAttribute('aria-label') || e.textContent || '').trim()]"
        )

    # --- signing in ---

    def sign_in(self, name, password):
        self.open()
        self.fill("name", name)
        self.fill("password", password)
        self.one("main form button[type=submit]").click()
        self.one(".shell")

    def take_session(self, place):
        """As if it had signed in: the cookie of a console.Console. Spares a password's hash."""
        name, _, value = place.cookie.partition("=")
        self.cdp(
            "Network.setCookie",
            name=name,
            value=value,
            url=self.url,
            path="/",
            secure=True,
            httpOnly=True,
            sameSite="Strict",
        )

    def forget(self):
        """Nobody is signed in here, and nothing was chosen."""
        self.driver.get("about:blank")
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Storage.clearDataForOrigin", origin=self.url, storageTypes="local_storage")

    # --- what it says ---

    def answers(self):
        """Every answer since the last time: DevTools' own records."""
        rows = [json.loads(row["message"])["message"] for row in self.driver.get_log("performance")]
        return [row["params"]["response"] for row in rows if row["method"] == "Network.responseReceived"]

    @property
    def logged(self):
        return [row for row in self.driver.get_log("browser") if row["level"] in ("SEVERE", "WARNING")]

    def complaints(self, *expected):
        """Faults of scripts, breaches of the policy and failed requests since the last time; but for
        requests that were answered with one of the expected statuses."""
        return [
            row["message"]
            for row in self.logged
            if not (
                row["source"] == "network"
                and FAILED_LOAD in row["message"]
                and any(f"status of {status}" in row["message"] for status in expected)
            )
            and not ("lost" in expected and row["source"] == "network")
        ]
