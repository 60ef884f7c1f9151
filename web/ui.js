// The parts that views are made of.

import { ApiError } from "./api.js";
import { announce, el, replace, svg } from "./dom.js";
import { ago, has, number, percent, t, time } from "./i18n.js";

const ICONS = {
    fleet: "M4 5h16v6H4zM4 13h16v6H4zM7 8h.01M7 16h.01",
    deployments: "M12 3v11M7.5 9.5L12 14l4.5-4.5M4 17v3h16v-3",
    firmware: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
    server: "M3 12h4l3-7 4 14 3-7h4",
    changes: "M12 7v5l3 2M12 3a9 9 0 1 0 9 9M21 4v5h-5",
    access: "M8 15a4.5 4.5 0 1 0 0-.01zM11.2 11.8L20 3M16 7l3 3M13.5 9.5l2 2",
    accounts: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20c0-3.5 2.7-6 6-6s6 2.5 6 6M16 4.5a3.5 3.5 0 0 1 0 6M18 14.5c1.8.9 3 2.9 3 5.5",
    user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 3.6-7 8-7s8 3 8 7",
    shield: "M12 3l7 3v5.5c0 4.5-2.9 7.6-7 9.5-4.1-1.9-7-5-7-9.5V6zM9 12l2.2 2.2L15.5 10",
    copy: "M9 9h11v11H9zM5 15H4V4h11v1",
    check: "M5 12.5l4.5 4.5L19 7.5",
    close: "M6 6l12 12M18 6L6 18",
    plus: "M12 5v14M5 12h14",
};

const TONES = {
    running: "info", active: "info", offered: "info", downloading: "info", downloaded: "info", installing: "info",
    rebooting: "info", cancelling: "warn", approval: "warn", scheduled: "quiet", paused: "warn", finished: "ok",
    succeeded: "ok", already: "ok", published: "ok", signed: "info", draft: "quiet", waiting: "quiet", retrying: "warn",
    failed: "bad", denied: "bad", cancelled: "quiet",
};

const AGO_MS = 5000;

let counter = 0;

/** An id that nothing else on the page has. */
export function unique(prefix = "id") {
    counter += 1;
    return `${prefix}-${counter}`;
}

/** A line drawing of 24 units, for decoration only. */
export function icon(name) {
    return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

/**
 * A button. A disabled one says why in its title.
 * @param {{kind?: "primary"|"danger"|"plain", on?: (event: Event) => any, disabled?: boolean, title?: string,
 *     icon?: string, type?: string}} options while on() is at work the button waits; what it throws is shown
 */
export function button(label, { kind = "", on, disabled = false, title, icon: drawing, type = "button" } = {}) {
    const node = el("button", { type, class: `button ${kind}`, disabled, title }, drawing && icon(drawing),
        el("span", null, label));
    if (on) {
        node.addEventListener("click", async (event) => {
            if (node.hasAttribute("aria-busy")) {
                return;
            }
            node.setAttribute("aria-busy", "true");
            try {
                await on(event);
            } catch (error) {
                failed(error);
            } finally {
                node.removeAttribute("aria-busy");
            }
        });
    }
    return node;
}

/** A link that looks like a button. */
export function linkButton(label, hash, { kind = "", icon: drawing } = {}) {
    return el("a", { class: `button ${kind}`, href: hash }, drawing && icon(drawing), el("span", null, label));
}

/** A link to a place of this page, each part of the path encoded: link("gw-1", "device", id). */
export function link(label, ...path) {
    return el("a", { href: `#/${path.map(encodeURIComponent).join("/")}` }, label);
}

/** @param {"ok"|"warn"|"bad"|"info"|"quiet"} tone */
export function badge(text, tone = "quiet") {
    return el("span", { class: `badge ${tone}` }, text);
}

/** The state of a deployment, an action, a deployment's device or a release, in words. */
export function stateBadge(state) {
    return badge(has(`common.state.${state}`) ? t(`common.state.${state}`) : state, TONES[state] || "quiet");
}

/** A part of the page with a heading (null: none). */
export function card(title, ...children) {
    const id = unique("card");
    return el("section", { class: "card", "aria-labelledby": title && id },
        title && el("h2", { id }, title), ...children);
}

/** A view's heading: its name, what may be done, and beneath it a line. */
export function heading(title, { actions = [], detail = null } = {}) {
    return el("header", { class: "heading" }, el("div", { class: "heading-row" },
        el("h1", { tabindex: "-1" }, title), el("div", { class: "actions" }, actions)),
    detail && el("div", { class: "heading-detail" }, detail));
}

/** One number with its name. value and detail: text or node. */
export function stat(label, value, detail = null, tone = "") {
    return el("div", { class: `stat ${tone}` }, el("dt", null, label), el("dd", { class: "stat-value" }, value),
        detail && el("dd", { class: "stat-detail" }, detail));
}

/** A row of stat(). */
export function stats(...children) {
    return el("dl", { class: "stats" }, ...children);
}

/** Names and values: rows of [label, text or node]; null and false are left out. */
export function details(rows) {
    return el("dl", { class: "details" }, rows.filter(Boolean).map(([label, value]) => el("div", null,
        el("dt", null, label), el("dd", null, value === null || value === "" ? "–" : value))));
}

/** A time as how long ago it is, which is kept true; the time itself in the title. */
export function when(iso) {
    return iso ? el("time", { class: "ago", datetime: iso, title: time(iso) }, ago(iso))
        : el("span", { class: "muted" }, ago(null));
}

setInterval(() => {
    for (const each of document.querySelectorAll("time.ago")) {
        const words = ago(each.dateTime);
        if (each.textContent !== words) {
            each.textContent = words;
        }
    }
}, AGO_MS);

function tableRow(columns, row, onRow) {
    const open = onRow && ((event) => {
        if (!event.target.closest("a, button, input, select, summary") && !String(getSelection())) {
            onRow(row);
        }
    });
    return el("tr", { class: onRow ? "opens" : null, on: open ? { click: open } : {} },
        columns.map((column, i) => el(i === 0 ? "th" : "td",
            { scope: i === 0 ? "row" : null, class: column.align || null }, column.cell(row))));
}

/**
 * A table that scrolls in its own box. The node has update(rows), which keeps the focus; rows say all that cells show.
 * @param {{columns: {key: string, label: string, cell: (row: any) => Node|string, align?: "right",
 *     sorted?: "ascending"|"descending"}[], rows: any[], empty?: string, caption: string, onRow?: (row: any) => void}}
 *     options caption is read out, not shown; onRow is for the mouse: put a link into the first cell as well
 */
export function table({ columns, rows, empty: nothing = t("common.nothing"), caption, onRow }) {
    const body = el("tbody");
    const box = el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": caption },
        el("table", null, el("caption", { class: "hidden-text" }, caption),
            el("thead", null, el("tr", null, columns.map((column) => el("th",
                { scope: "col", class: column.align || null, "aria-sort": column.sorted }, column.label)))), body));
    const node = el("div", { class: "table" }, box);
    const none = empty(nothing);
    let shown = "";
    node.update = (next) => {
        const key = JSON.stringify(next);
        if (key === shown) {
            return;  // what somebody has selected there stays
        }
        shown = key;
        replace(body, next.map((row) => tableRow(columns, row, onRow)));
        if (next.length) {
            none.remove();
        } else {
            node.append(none);
        }
    };
    node.update(rows);
    return node;
}

/**
 * Forward through a list, and back to its begin.
 * @param {{next: string|null, onNext: (next: string) => void, onFirst: () => void, has: boolean}} options
 *     next: the API's next; has: whether this is not the first page
 */
export function pager({ next, onNext, onFirst, has: later = false }) {
    return !next && !later ? el("nav", { hidden: true }) : el("nav", { class: "pager", "aria-label": t("common.pages") },
        button(t("common.first_page"), { on: onFirst, disabled: !later }),
        button(t("common.next_page"), { on: () => onNext(next), disabled: !next }));
}

function control({ type, options, value, id, hint, attributes }) {
    const common = { id, "aria-describedby": hint, ...attributes };
    if (type === "select") {
        return el("select", common, options.map((option) => {
            const [key, label] = Array.isArray(option) ? option : [option, option];
            return el("option", { value: key, selected: String(key) === String(value ?? "") }, label);
        }));
    }
    if (type === "textarea") {
        return el("textarea", { rows: 3, ...common }, value);
    }
    return el("input", { type, ...common, ...(type === "checkbox" ? { checked: Boolean(value) } : { value }) });
}

/**
 * A labelled control. The node has input (the control itself) and fail(text|null), which shows what is wrong with it.
 * @param {{label: string, name: string, type?: string, value?: any, hint?: string, error?: string,
 *     options?: (string|[string, string])[]}} options any other property becomes an attribute of the control;
 *     options: values, or [value, label], of type "select"
 */
export function field({ label, name, type = "text", value, hint, error, options, ...attributes }) {
    const id = unique("field");
    const below = `${id}-hint`;
    const input = control({ type, options, value, id, hint: below, attributes: { name, ...attributes } });
    const text = el("span", { class: "hint" });
    const named = el("label", { for: id }, label);
    const node = el("div", { class: `field ${type === "checkbox" ? "check" : ""}` },
        type === "checkbox" ? [input, named] : [named, input], el("div", { id: below, class: "below" }, text));
    node.input = input;
    node.fail = (said) => {
        node.classList.toggle("failed", Boolean(said));
        text.textContent = said || hint || "";
        if (said) {
            input.setAttribute("aria-invalid", "true");
        } else {
            input.removeAttribute("aria-invalid");
        }
    };
    node.fail(error);
    return node;
}

/**
 * A form. While onSubmit is at work its button waits; what it throws is shown above the button.
 * @param {{children: any[], action: string, kind?: string, extra?: Node[], label?: string,
 *     onSubmit: (values: FormData, form: HTMLFormElement) => any}} options extra: more beside the button
 */
export function form({ children, action, kind = "primary", extra = [], label, onSubmit }) {
    const problems = el("div", { "aria-live": "assertive" });
    const send = button(action, { kind, type: "submit" });
    const node = el("form", { class: "form", "aria-label": label }, children, problems,
        el("div", { class: "actions" }, send, extra));
    node.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (send.hasAttribute("aria-busy")) {
            return;
        }
        replace(problems);
        send.setAttribute("aria-busy", "true");
        try {
            await onSubmit(new FormData(node), node);
        } catch (error) {
            replace(problems, problem(error));
        } finally {
            send.removeAttribute("aria-busy");
        }
    });
    return node;
}

/** What run answers; until then nothing but its own button can be pressed, and that waits. */
async function alone(run, own, buttons) {
    const others = buttons.filter((each) => each !== own);
    const able = (yes) => others.forEach((each) => {
        each.disabled = !yes;
    });
    able(false);
    own.setAttribute("aria-busy", "true");
    try {
        return await run();
    } finally {
        own.removeAttribute("aria-busy");
        able(true);
    }
}

/**
 * A question in front of the page. Escape and the first action that has neither value nor run answer null.
 * @param {{title: string, body: any, actions: {label: string, kind?: string, value?: any,
 *     run?: (values: FormData) => any}[], stays?: boolean}} options body: text, node or array of them, fields among
 *     them; run: does it, with what the fields hold; what it throws is shown and the dialog stays, false keeps it too;
 *     what it returns otherwise (or value) is the answer, even if the view was left meanwhile, for it was done.
 *     The last action is what the Enter key does. stays: actions alone close it, neither Escape nor leaving the view
 * @returns {Promise<any>}
 */
export function dialog({ title, body, actions, stays = false }) {
    const id = unique("dialog");
    const problems = el("div", { "aria-live": "assertive" });
    const content = el("form", { class: "form" }, el("h2", { id }, title),
        el("div", { class: "dialog-body" }, typeof body === "string" ? el("p", null, body) : body), problems);
    const node = el("dialog", { "aria-labelledby": id }, content);
    return new Promise((resolve) => {
        let working = false;
        let kept = stays;
        const end = (answer) => {
            kept = false;
            node.close();
            node.remove();
            resolve(answer ?? null);
        };
        const choose = async ({ value, run }, own) => {
            if (working) {
                return;
            }
            working = true;
            replace(problems);
            try {
                const result = run ? await alone(() => run(new FormData(content)), own, buttons) : value;
                if (!run || result !== false || !node.open) {
                    end(result);
                }
            } catch (error) {
                if (node.open) {
                    replace(problems, problem(error));
                } else {
                    failed(error);
                    end(null);
                }
            } finally {
                working = false;
            }
        };
        const main = actions.at(-1);
        const buttons = actions.map((action) => button(action.label, action === main
            ? { kind: action.kind || "primary", type: "submit" }
            : { kind: action.kind, on: (event) => choose(action, event.currentTarget) }));
        content.append(el("div", { class: "actions end" }, buttons));
        content.addEventListener("submit", (event) => {
            event.preventDefault();
            choose(main, buttons.at(-1));
        });
        const hold = (event) => (working || kept) && event.preventDefault();
        node.addEventListener("cancel", hold);
        node.addEventListener("keydown", (event) => event.key === "Escape" && hold(event));
        node.addEventListener("close", () => {
            if (kept) {
                node.showModal();
            } else if (working) {
                node.remove();
            } else {
                end(null);
            }
        });
        document.body.append(node);
        node.showModal();
    });
}

/** Asks whether to do it. label: what the button says; kind "danger" for what cannot be taken back. */
export async function confirmed(text, label, kind = "primary") {
    const answer = await dialog({
        title: label,
        body: text,
        actions: [{ label: t("common.cancel"), value: null }, { label, kind, value: true }],
    });
    return answer === true;
}

/** A word that goes by itself. */
export function toast(text, tone = "ok") {
    const node = el("div", { class: `toast ${tone}` }, el("span", null, text),
        el("button", { type: "button", class: "button plain", "aria-label": t("common.close"),
            on: { click: () => node.remove() } }, icon("close")));
    const place = document.querySelector("dialog[open]") || document.getElementById("toasts");
    place.append(node);
    setTimeout(() => node.remove(), tone === "bad" ? 12_000 : 5000);
}

/** What went wrong, in the server's words; anything else is a fault of this page. */
function wordsOf(error) {
    if (error instanceof ApiError) {
        return error.detail;
    }
    console.error(error);
    return t("common.page_fault", { what: String(error) });
}

/** Shows what an action threw. */
export function failed(error) {
    if (error.status !== 401) {
        toast(wordsOf(error), "bad");
    }
}

/** How far something is. max null: it is not known. @param {{value: number, max?: number, label: string}} options */
export function progress({ value, max = 1, label, tone = "" }) {
    return el("progress", { class: tone || null, value: max === null ? null : value, max: max || 1, "aria-label": label });
}

/** A share in words and as a bar: "12 of 40 (30 %)". */
export function share(part, whole) {
    return t("common.share", { part: number(part), whole: number(whole), percent: percent(whole ? part / whole : null) });
}

/** What stands where there is nothing to show. */
export function empty(text) {
    return el("p", { class: "empty" }, text);
}

/** What stands where something is being fetched. */
export function loading() {
    return el("p", { class: "empty", "aria-busy": "true" }, t("common.loading"));
}

/** What went wrong, in the server's words. */
export function problem(error) {
    return el("div", { class: "problem", role: "alert" }, el("p", null, wordsOf(error)));
}

/** A text to take along, such as a command. */
export function copyable(text, label = t("common.copy")) {
    return el("div", { class: "copyable" }, el("pre", { tabindex: "0" }, el("code", null, text)),
        button(label, { icon: "copy", on: async () => {
            await navigator.clipboard.writeText(text);
            announce(t("common.copied"));
            toast(t("common.copied"));
        } }));
}

/**
 * One of several parts at a time.
 * @param {{label: string, items: {id: string, label: string, render: () => Node}[], selected?: string,
 *     onSelect?: (id: string) => void}} options render is called whenever its tab is chosen
 */
export function tabs({ label, items, selected = items[0].id, onSelect }) {
    const base = unique("tabs");
    const panel = el("div", { role: "tabpanel", id: `${base}-panel`, tabindex: "0" });
    const choose = (item, focus) => {
        buttons.forEach((each, i) => {
            const on = items[i] === item;
            each.setAttribute("aria-selected", String(on));
            each.tabIndex = on ? 0 : -1;
            if (on && focus) {
                each.focus();
            }
        });
        panel.setAttribute("aria-labelledby", `${base}-${item.id}`);
        replace(panel, item.render());
        onSelect?.(item.id);
    };
    const buttons = items.map((item) => el("button", { type: "button", role: "tab", id: `${base}-${item.id}`,
        "aria-controls": panel.id, on: { click: () => choose(item, false) } }, item.label));
    const move = (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) {
            event.preventDefault();
            const at = buttons.indexOf(document.activeElement);
            choose(items[(at + step + items.length) % items.length], true);
        }
    };
    const node = el("div", { class: "tabs" }, el("div", { role: "tablist", "aria-label": label, on: { keydown: move } },
        buttons), panel);
    choose(items.find((item) => item.id === selected) || items[0], false);
    return node;
}
