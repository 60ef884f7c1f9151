// A deployment's phases as a flow, and how fast it goes.

import { el } from "../dom.js";
import { number, percent, plural, t } from "../i18n.js";
import { badge, when } from "../ui.js";

const LIVE_MS = 600_000;  // how far back samples tell the present pace
const STALLED_MS = 30_000;  // it stands still when nothing came for so long, and for as long as
const MISSED = 3;  // so many devices took on average
const SETTLED_MS = 15_000;
const COUNTS = ["waiting", "active", "succeeded", "already", "failed", "cancelled"];

/** Devices that thresholds are shares of: who had nothing to do, or was let go, is none. */
function counted(c) {
    return c.waiting + c.active + c.succeeded + c.failed;
}

/** Devices that were to get it. */
export function concerned(c) {
    return counted(c) + c.cancelled;
}

/** What the i-th phase is called. */
export function phaseName(d, i) {
    return d.phases[i].name || t("deployment.phase", { n: i + 1 });
}

/** Whether the present phase cannot succeed any more, so that the next one does not open by itself. */
export function fallsShort(d) {
    if (d.state !== "running" || !d.prepared || d.phase === d.phases.length) {
        return false;
    }
    const { devices, success_percent: share } = d.phases[d.phase - 1];
    const all = counted(devices);
    return (all - devices.failed) * 100 < share * all;
}

function errorShare(phase, all) {
    const shares = [phase.error_percent / 100, all ? phase.error_count / all : 0].filter((x) => x > 0);
    return shares.length ? Math.min(...shares, 1) : null;
}

function takes({ filter, percent: part, count }, alone) {
    if (part) {
        return percent(part / 100);
    }
    if (count) {
        const devices = plural("deploy.count", count);
        return filter ? t("deployment.takes_of", { devices, filter }) : devices;
    }
    return filter || t(alone ? "deployment.everyone" : "deployment.rest");
}

function stopsAt(phase) {
    const words = [phase.error_percent && percent(phase.error_percent / 100),
        phase.error_count && plural("deploy.count", phase.error_count)].filter(Boolean);
    return words.length ? t("deployment.stops_at", { what: words.join(t("deployment.or")) }) : null;
}

function standing(d, phase) {
    const c = phase.devices;
    const all = counted(c);
    const errors = errorShare(phase, all);
    if (["cancelled", "denied"].includes(d.state)) {
        return ["ended", "quiet"];
    }
    if (!phase.opened || ["approval", "scheduled"].includes(d.state)) {
        return ["closed", "quiet"];
    }
    if (d.state === "paused" && c.failed > 0 && errors !== null && c.failed >= errors * all) {
        return ["broken", "bad"];
    }
    const passed = c.succeeded * 100 >= phase.success_percent * all;
    if (c.waiting + c.active === 0) {
        return all === 0 ? ["empty", "quiet"] : passed || phase === d.phases.at(-1) ? ["done", "ok"] : ["short", "warn"];
    }
    return d.state === "paused" ? ["paused", "warn"] : ["open", "info"];
}

function sized(node, name, share) {
    node.style.setProperty(name, `${100 * share}%`);
    return node;
}

/**
 * Devices as a bar: those that succeeded from the left, those that failed from the right, with thresholds as marks.
 * @param {Object} c the counts
 * @param {{all?: number, success?: number|null, errors?: number|null}} options how many there are; marks: shares
 */
export function bar(c, { all = concerned(c), success = null, errors = null } = {}) {
    const label = t("deployment.bar", { good: number(c.succeeded), bad: number(c.failed), all: number(all) });
    return el("div", { class: "flow-bar", role: "img", "aria-label": label },
        ["succeeded", "active", "failed"].map((state) =>
            sized(el("span", { class: state }), "--share", c[state] / (all || 1))),
        success !== null && sized(el("i", { class: "goes-on" }), "--at", success),
        errors !== null && sized(el("i", { class: "stops" }), "--at", 1 - errors));
}

function card(d, phase, i) {
    const c = phase.devices;
    const all = counted(c);
    const last = i === d.phases.length - 1;
    const [word, tone] = standing(d, phase);
    return el("li", { class: `phase ${tone}`, "aria-current": i + 1 === d.phase ? "step" : null },
        el("header", null, el("h3", null, phaseName(d, i)),
            badge(t(`deployment.phase.${word}`), tone)),
        el("p", { class: "muted" }, t("deployment.takes", { what: takes(phase, d.phases.length === 1) }),
            word !== "closed" && phase.opened && [" · ", t("deployment.opened"), " ", when(phase.opened)]),
        bar(c, { all, success: last ? null : phase.success_percent / 100, errors: errorShare(phase, all) }),
        el("p", { class: "marks" },
            el("span", { class: "goes-on" }, !last && t("deployment.goes_on_at", { share: percent(phase.success_percent / 100) })),
            el("span", { class: "stops" }, stopsAt(phase))),
        el("dl", { class: "counts" }, COUNTS.map((state) => el("div", { class: c[state] ? state : "none" },
            el("dt", null, t(`common.state.${state}`)), el("dd", null, number(c[state]))))));
}

/** All phases, one after the other. */
export function flow(d) {
    return el("ol", { class: "flow" }, d.phases.map((phase, i) => card(d, phase, i)));
}

function done(d) {
    return d.devices.succeeded + d.devices.failed;
}

function began(d) {
    return Math.max(...[d.phases[0]?.opened, d.start_at, d.approved].filter(Boolean).map((at) => Date.parse(at)));
}

/** Whether what is left depends on more than devices' pace. */
function cannotTell(d) {
    return d.state !== "running" || !d.prepared || d.why || d.window || d.consent || ["soft", "time_forced"].includes(d.mode);
}

/**
 * @param {{at: number, done: number}[]} samples from note(), oldest first
 * @returns {{perMinute: number|null, seconds: number|null}} devices a minute, and about how long it still takes;
 *     null: cannot be told
 */
export function pace(samples, d, now) {
    const first = samples.find((sample) => now - sample.at <= LIVE_MS) || samples.at(-1);
    const moved = done(d) - first.done;
    const span = now - first.at;
    const spent = (d.closed ? Date.parse(d.closed) : now) - began(d);
    const whole = done(d) > 1 ? done(d) * 60_000 / Math.max(spent, 1000) : 0;
    const stalled = span > Math.min(Math.max(STALLED_MS, MISSED * 60_000 / whole), LIVE_MS);
    let perMinute = whole || null;
    if (d.state === "running") {
        perMinute = (moved > 1 && span >= SETTLED_MS) || stalled ? moved * 60_000 / span : perMinute;
    } else if (!d.closed) {
        perMinute = null;
    }
    const left = d.devices.waiting + d.devices.active;
    return { perMinute, seconds: perMinute && left && !cannotTell(d) ? left * 60 / perMinute : null };
}

/** Keeps a sample for pace(), for as long as that looks back. */
export function note(samples, d, now) {
    samples.push({ at: now, done: done(d) });
    while (samples.length > 1 && now - samples[0].at > LIVE_MS) {
        samples.shift();
    }
}
