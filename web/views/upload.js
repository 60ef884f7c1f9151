// A file on its way to the server. It goes on while other views are looked at.

import { api, upload } from "../api.js";
import { el, replace } from "../dom.js";
import { bytes, duration, percent, t, time } from "../i18n.js";
import { live } from "../live.js";
import { button, confirmed, copyable, dialog, field, form, link, problem, progress, toast } from "../ui.js";
import { shell } from "./order.js";
import { signing } from "./release.js";

const SIGNED_MAX = 16 << 20;  // bytes: what the server takes of signed files
const RATE_MS = 10_000;
const NAME = "[A-Za-z0-9][A-Za-z0-9._+~\\-]{0,127}";
const HASH = /^[0-9a-f]{64}/;

let job = null;  // the upload that is under way or was the last, until nobody needs to know of it any more
let changed = null;  // told of its progress: the view that shows it

const isOver = () => Boolean(job?.made || job?.error);

/** Nobody is told what somebody else uploaded, nor what was over when they signed out. */
function takeOver(session) {
    if (job && job.session !== session && (isOver() || job.session.name !== session.name)) {
        const { abort } = job;
        job = null;
        abort();
    } else if (job) {
        job.session = session;
    }
}

async function run(path, file, release, session) {
    const ended = new AbortController();
    const mine = { file, release, session, sent: 0, samples: [{ at: Date.now(), sent: 0 }], abort: () => ended.abort() };
    const guard = (event) => event.preventDefault();  // the browser asks before it closes the page
    job = mine;
    changed?.();
    addEventListener("beforeunload", guard);
    try {
        mine.made = await upload(path, file, (sent) => {
            const now = Date.now();
            mine.sent = sent;
            mine.samples.push({ at: now, sent });
            while (now - mine.samples[0].at > RATE_MS) {
                mine.samples.shift();
            }
            changed?.();
        }, ended.signal);
        toast(t("firmware.uploaded", { name: release }));
    } catch (error) {
        mine.error = error;
        if (!changed && job === mine) {
            toast(error.detail ?? String(error), "bad");
        }
    } finally {
        removeEventListener("beforeunload", guard);
        changed?.();
    }
}

function pace({ samples, sent, file }) {
    const span = (samples.at(-1).at - samples[0].at) / 1000;
    const rate = span >= 1 ? (sent - samples[0].sent) / span : 0;
    return [t("firmware.sent", { sent: bytes(sent), size: bytes(file.size), percent: percent(sent / file.size) }),
        rate > 0 && sent < file.size && t("firmware.pace", { rate: bytes(rate), left: duration((file.size - sent) / rate) }),
        sent >= file.size && t("firmware.checking")].filter(Boolean).join(" · ");
}

function underWay() {
    const bar = progress({ value: 0, max: job.file.size, label: t("firmware.uploading", { name: job.release }) });
    const words = el("p", { class: "muted" });
    const { abort } = job;
    const node = el("div", { class: "stack" }, el("p", null, t("firmware.uploading", { name: job.release })), bar, words,
        el("div", null, button(t("firmware.stop"), { kind: "danger", on: abort })));
    node.step = () => {
        bar.value = job.sent;
        words.textContent = pace(job);
    };
    return node;
}

/** The hash that the server computed, to be compared with the one of the file here. */
function arrived({ made, file }) {
    const { sha256 } = made.artifacts[0];
    const mine = field({ label: t("firmware.compare"), name: "compare", autocomplete: "off", spellcheck: "false" });
    const verdict = el("p", { "aria-live": "polite" });
    mine.input.addEventListener("input", () => {
        const [given] = HASH.exec(mine.input.value.trim().toLowerCase()) || [];
        verdict.className = given ? `note ${given === sha256 ? "" : "warn"}` : "";
        verdict.textContent = given ? t(given === sha256 ? "firmware.same" : "firmware.differs") : "";
    });
    return [
        el("p", null, link(`${made.name} ${made.version}`, "firmware", made.id), " · ", t(`common.state.${made.state}`)),
        el("p", null, t("firmware.hash_here", { command: `sha256sum ${shell(file.name)}` })), copyable(sha256), mine, verdict,
        made.state === "draft" ? signing(made, file.name) : el("p", null, el("a", { href: `#/deploy?release=${made.id}` }, t("nav.deploy"))),
    ];
}

/** How the upload ended. */
function outcome(over, close) {
    return el("div", { class: "stack" }, over.made ? arrived(over) : problem(over.error),
        el("div", null, button(t("common.close"), { on: close })));
}

/** Name and version as the file's name suggests them: gateway-1.1.bin. */
function guess(filename) {
    const [, name, version] = /^(.+?)[-_]v?(\d[\w+~]*(?:\.\d[\w+~]*)*)(?:[.-][a-z][\w.-]*)?$/i.exec(filename) || [];
    return { name: name || filename.replace(/\..*$/, ""), version: version || "" };
}

function about(file, session, back) {
    const filename = file.name.replace(/[^\w.+~-]+-*/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 128) || "firmware";
    const { name, version } = guess(filename);
    const input = (key, options) => field({ label: t(`firmware.${key}`), name: key, autocomplete: "off", ...options });
    const named = { required: true, pattern: NAME, title: t("firmware.name_hint") };
    return form({
        action: t("firmware.upload"),
        extra: [button(t("common.cancel"), { on: back })],
        children: [
            el("p", null, el("strong", null, filename), ` · ${bytes(file.size)}`),
            el("div", { class: "fields" }, input("name", { value: name, ...named }), input("version", { value: version, ...named }),
                input("models", { hint: t("firmware.models_hint"), pattern: `\\s*${NAME}(\\s*,\\s*${NAME}){0,15}\\s*` })),
            input("notes", { maxlength: 4096 }),
            el("details", { class: "folded" }, el("summary", null, t("firmware.more")), el("div", { class: "fields" },
                input("type", { placeholder: "os", pattern: NAME }),
                input("expected", { pattern: "\\s*[0-9A-Fa-f]{64}\\s*", hint: t("firmware.expected_hint") }))),
        ],
        onSubmit: (values) => {
            const text = (key) => values.get(key).trim();
            const given = { model: text("models").replace(/\s/g, ""), notes: text("notes"), type: text("type"), sha256: text("expected") };
            const asked = Object.entries(given).filter(([, value]) => value).map((pair) => pair.map(encodeURIComponent).join("="));
            const path = ["/api/firmware", ...[text("name"), text("version"), filename].map(encodeURIComponent)].join("/");
            run(asked.length ? `${path}?${asked.join("&")}` : path, file, `${text("name")} ${text("version")}`, session);
        },
    });
}

/** What `pqota trust sign` made, or null: then it is any other file. */
async function signedFile(file) {
    if (!file.name.endsWith(".json") || file.size > SIGNED_MAX) {
        return null;
    }
    try {
        const found = JSON.parse(await file.text());
        return found && typeof found === "object" && "pqota-trust" in found ? found : null;
    } catch {
        return null;  // firmware may be called anything
    }
}

async function acceptSigned(found) {
    const roles = (found.documents || []).map(({ repository, role }) => `${repository}: ${role}`);
    if (!await confirmed([el("p", null, t("firmware.ask_signed")), el("ul", null, roles.map((role) => el("li", null, role)))],
        t("firmware.accept"))) {
        return false;
    }
    const { documents, published } = await api.post("/api/trust", found);
    if (published.some(({ id }) => id === job?.made?.id)) {
        job = null;
    }
    await dialog({
        title: t("firmware.in_force"),
        body: [el("ul", null, documents.map((each) => el("li", null, t("firmware.document", { ...each, until: time(each.expires) })))),
            published.map((each) => el("p", null, t("firmware.now_published", { name: `${each.name} ${each.version}` })))],
        actions: [{ label: t("common.close"), value: true }],
    });
    return true;
}

/** Tells when what was uploaded is deleted, or no longer in the state that it arrived in. */
function watch({ id, state }, passed) {
    return live({ [`/api/firmware/${id}`]: (body, status) => {
        if (status === 404 || (status === 200 && body.state !== state)) {
            passed();
        }
    } });
}

/** Where files are dropped or chosen, and what becomes of them. stop() when it is shown no more. */
export function dropPlace(session) {
    takeOver(session);
    const place = el("div", { class: "stack" });
    const show = (...children) => replace(place, ...children);
    const chosen = async (file) => {
        try {
            const found = file && await signedFile(file);
            if (found) {
                if (await acceptSigned(found)) {
                    start();
                }
            } else if (file) {
                show(about(file, session, start));
                place.querySelector("input").focus();
            }
        } catch (error) {
            show(zone(), problem(error));
        }
    };
    const zone = () => {
        const input = el("input", { type: "file", class: "hidden-text", on: { change: () => {
            chosen(input.files[0]);
            input.value = "";
        } } });
        const over = (on) => (event) => {
            event.preventDefault();
            node.classList.toggle("over", on);
        };
        const node = el("label", { class: "drop", on: { dragover: over(true), dragleave: over(false), drop: (event) => {
            over(false)(event);
            chosen(event.dataTransfer.files[0]);
        } } }, input, el("strong", null, t("firmware.drop")), el("span", { class: "muted" }, t("firmware.drop_hint")));
        return node;
    };
    let told = null;
    let unwatch = () => {};
    const forget = () => {
        job = null;
        unwatch();
        told?.remove();
    };
    const start = () => {
        const running = job && !isOver() ? underWay() : null;
        running?.step();
        unwatch();
        unwatch = job?.made ? watch(job.made, forget) : () => {};
        told = isOver() ? outcome(job, forget) : null;
        show(running || zone(), told);
        return running;
    };
    let bar = null;
    const follow = () => {
        if (bar && !isOver()) {
            bar.step();
        } else {
            bar = start();
        }
    };
    changed = follow;
    follow();
    const beside = (event) => event.preventDefault();  // a file dropped there would be opened in place of the page
    document.addEventListener("dragover", beside);
    document.addEventListener("drop", beside);
    return { node: place, stop: () => {
        document.removeEventListener("dragover", beside);
        document.removeEventListener("drop", beside);
        changed = null;
        unwatch();
        if (job?.error) {
            job = null;  // it was seen
        }
    } };
}
