// The page: who is signed in, which view is shown, and what stands around it.

import { api, ApiError, may, onSignedOut } from "./api.js";
import { redrawCharts } from "./charts.js";
import { clear, el, replace } from "./dom.js";
import { chooseLanguage, chosenLanguage, t, useLanguage } from "./i18n.js";
import { away, onLiveRetry, onLiveState } from "./live.js";
import { badge, button, dialog, field, icon, problem, toast } from "./ui.js";
import { navigation, views } from "./views/index.js";

const THEME = "pqota.theme";
const LIVE_TONES = { live: "ok", connecting: "quiet", paused: "quiet", slow: "quiet", lost: "bad" };

const app = document.getElementById("app");
const liveBadge = el("span", { class: "live", role: "status" });
const tabs = new BroadcastChannel("pqota.session");  // this browser's others: one session is for all of them
let session = { name: null };
let choosing = false;  // who came by a link is asked for a password
let link = null;  // the token of a sign-in link, until it is used
let leave = null;  // what the present view wants done when it goes
let drawn = 0;  // counts navigations, so that a view that is late is noticed
let shell = null;
let shown = "";

function theme() {
    const stored = localStorage.getItem(THEME);
    return ["dark", "light"].includes(stored) ? stored : "auto";
}

function useTheme() {
    document.documentElement.dataset.theme = theme();
    redrawCharts();
}

/** Theme and language, wherever one can choose them. */
function preferences() {
    const themes = field({ label: t("common.theme"), name: "theme", type: "select", value: theme(),
        options: ["auto", "light", "dark"].map((each) => [each, t(`common.theme.${each}`)]) });
    themes.input.addEventListener("change", () => {
        localStorage.setItem(THEME, themes.input.value);
        useTheme();
    });
    const languages = field({ label: t("common.language"), name: "language", type: "select", value: chosenLanguage(),
        options: [["auto", t("common.theme.auto")], ["en", "English"], ["ko", "한국어"]] });
    languages.input.addEventListener("change", () => {
        chooseLanguage(languages.input.value);
        shell = null;
        navigate();
    });
    return el("div", { class: "preferences" }, themes, languages);
}

function connection() {
    const { group, signature, cipher, post_quantum: quantum } = session.connection;
    const said = quantum ? t("common.post_quantum") : t("common.classical");
    return el("div", { class: "connection", title: t("common.connection_detail", { signature, cipher }) },
        badge(said, quantum ? "ok" : "bad"), el("span", { class: "connection-group" }, group));
}

async function changePassword() {
    const old = field({ label: t("common.password_old"), name: "old", type: "password", required: true,
        autocomplete: "current-password" });
    const next = field({ label: t("common.password_new"), name: "new", type: "password", required: true, minlength: 12,
        autocomplete: "new-password", hint: t("common.password_hint") });
    const done = await dialog({
        title: t("common.password_change"),
        body: [session.by_link ? null : old, next],
        actions: [{ label: t("common.cancel") }, { label: t("common.password_change"), run: async (values) => {
            await api.put("/console/password", Object.fromEntries(values));
            session.by_link = false;
            return true;
        } }],
    });
    if (done) {
        toast(t("common.password_changed"));
    }
}

async function signOut(path) {
    await api.del(path);
    tabs.postMessage(null);
    ended();
}

function userMenu() {
    const menu = el("div", { id: "user-menu", popover: "auto", class: "menu" },
        el("p", { class: "menu-who" }, el("strong", null, session.name), badge(t(`common.role.${session.role}`), "info")),
        preferences(),
        button(t("common.password_change"), { on: () => {
            menu.hidePopover();
            return changePassword();
        } }),
        button(t("common.sign_out"), { on: () => signOut("/console/session") }),
        button(t("common.sign_out_everywhere"), { kind: "plain", on: () => signOut("/console/sessions") }),
        el("p", { class: "muted" }, `pqota ${session.version}`));
    return [el("button", { type: "button", class: "button plain user", popovertarget: "user-menu",
        "aria-haspopup": "dialog" }, icon("user"), el("span", null, session.name)), menu];
}

function makeShell() {
    const links = navigation.filter(({ right }) => !right || may(session, right)).map(({ route, under }) => el("li", null,
        el("a", { href: `#/${route}`, data: { routes: [route, ...under].join(" ") } }, icon(route),
            el("span", null, t(`nav.${route}`)))));
    return {
        node: el("div", { class: "shell" },
            el("a", { class: "skip", href: "#/", on: { click: (event) => {
                event.preventDefault();
                focusView(shell.place.firstChild);
            } } }, t("common.skip")),
            el("div", { class: "side" },
                el("div", { class: "brand" }, icon("shield"), el("span", null, "pqota")),
                el("nav", { "aria-label": t("nav.label") }, el("ul", null, links)),
                el("div", { class: "foot" }, liveBadge, connection(), userMenu())),
            el("div", { class: "place" })),
        links: links.map((each) => each.firstChild),
        get place() {
            return this.node.lastChild;
        },
    };
}

function focusView(main) {
    (main.querySelector("h1") || main).focus({ preventScroll: true });
}

function parse(hash) {
    const [path, query] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
    const parts = path.split("/").map((part) => {
        try {
            return decodeURIComponent(part);
        } catch {
            return part;
        }
    });
    return { route: parts[0] || "fleet", params: parts.slice(1), query: new URLSearchParams(query || "") };
}

function end() {
    drawn += 1;
    leave?.();
    leave = null;
    document.querySelectorAll("dialog[open]").forEach((each) => each.close());  // they asked about what is shown no more
}

/** A view's module; it comes from the server like everything else. */
async function load(route) {
    try {
        return await views[route]();
    } catch (error) {
        throw error instanceof TypeError ? new ApiError(0, t("common.unreachable")) : error;
    }
}

/** Shows a route's view in main. */
async function show(route, main, more) {
    const mine = drawn;
    const context = {
        main,
        params: [],
        query: new URLSearchParams(),
        session,
        go: (hash) => {
            location.hash = hash;
        },
        remember: (hash) => {
            shown = hash;
            history.pushState(null, "", hash);
        },
        setTitle: (text) => {
            if (mine === drawn) {
                document.title = `${text} · pqota`;
            }
        },
        ...more,
    };
    try {
        const { default: view } = await load(route);
        if (mine !== drawn) {
            return;
        }
        context.setTitle(t(view.title));
        const cleanup = await view.render(context);
        if (mine !== drawn) {
            cleanup?.();
            return;
        }
        leave = cleanup || null;
    } catch (error) {
        replace(main, el("h1", { tabindex: "-1" }, t(`nav.${route}`)), problem(error), button(t("common.again"), { on: navigate }));
        if (mine === drawn && error.status === 0) {
            leave = away(navigate);
        }
    }
    if (mine === drawn && drawn > 1 && !main.contains(document.activeElement)) {
        focusView(main);
    }
}

function showSignIn() {
    shell = null;
    const main = el("main", { id: "main", tabindex: "-1", class: "alone" });
    const token = link;
    link = null;
    replace(app, main, el("footer", { class: "alone-foot" }, connection(), preferences()));
    return show("signin", main, { link: token, choosing, entered, done: (next) => {
        session = next;
        choosing = false;
        navigate();
    } });
}

/** Somebody has signed in here. */
function entered(next) {
    session = next;
    choosing = next.by_link;
    tabs.postMessage(null);
}

/** Shows what the address says. */
function navigate() {
    end();
    shown = location.hash;
    if (!session.name || link || choosing) {
        return showSignIn();
    }
    if (!shell) {
        shell = makeShell();
        replace(app, shell.node);
    }
    const { route, params, query } = parse(location.hash);
    const main = el("main", { id: "main", tabindex: "-1" });
    for (const each of shell.links) {
        if (each.dataset.routes.split(" ").includes(route)) {
            each.setAttribute("aria-current", "page");
            each.scrollIntoView({ inline: "center", block: "nearest" });  // a narrow page shows some of them
        } else {
            each.removeAttribute("aria-current");
        }
    }
    replace(shell.place, main);
    scrollTo(0, 0);
    if (!Object.hasOwn(views, route) || route === "signin") {
        replace(main, el("h1", { tabindex: "-1" }, t("common.no_such_page")), el("p", null,
            el("a", { href: "#/fleet" }, t("nav.fleet"))));
        return focusView(main);
    }
    return show(route, main, { params, query });
}

/** The server no longer knows who asks: somebody else may be signed in by now. */
async function ended() {
    const { name } = session;
    if (!await check() && name && name === session.name) {
        session = { ...session, name: null, role: null };
        choosing = false;
        navigate();
    }
}

/** Asks who is signed in, for another tab may have changed that; what the server answers, null when nobody does. */
async function check() {
    const next = await api.get("/console/session").catch(() => null);
    if (next && (next.name !== session.name || next.role !== session.role)) {
        session = next;
        choosing = false;
        shell = null;
        navigate();
    }
    return next;
}

/** A sign-in link leaves the address, and the history, at once. */
function takeLink() {
    const found = /^#sign-in=(.+)$/.exec(location.hash);
    if (found) {
        [, link] = found;
        history.replaceState(null, "", "#/fleet");
    }
}

async function start() {
    useLanguage();
    useTheme();
    takeLink();
    try {
        session = await api.get("/console/session");
    } catch (error) {
        replace(clear(app), el("main", { class: "alone" }, el("h1", null, "pqota"), problem(error),
            button(t("common.again"), { on: start })));
        return;
    }
    navigate();
}

onSignedOut(ended);
onLiveRetry(check);
tabs.onmessage = check;
document.addEventListener("visibilitychange", () => document.hidden || check());
onLiveState((state) => {
    replace(liveBadge, state in LIVE_TONES && badge(t(`common.live.${state}`), LIVE_TONES[state]));
});
addEventListener("hashchange", () => {
    takeLink();
    if (link || location.hash !== shown) {
        navigate();
    }
});
addEventListener("popstate", () => {
    if (location.hash !== shown && !link) {
        navigate();
    }
});
start();
