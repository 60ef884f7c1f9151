// One deployment: how it stands, why, and what may be done about it.

import { api, ApiError, may, query } from "../api.js";
import { el, replace } from "../dom.js";
import { duration, number, percent, plural, t, time } from "../i18n.js";
import { followed } from "../lists.js";
import { live } from "../live.js";
import {
    button, card, confirmed, details, field, heading, link, problem, share, stat, stateBadge, stats, table, when,
} from "../ui.js";
import { targetWords } from "./order.js";
import { bar, concerned, fallsShort, flow, note, pace, phaseName } from "./phases.js";

const PAGE = 50;
const TICK_MS = 5000;
const DAY_S = 86_400;
const USUAL_PRIORITY = 500;
const OVER = ["finished", "cancelled", "denied"];
const BEGUN = ["waiting", "offered", "downloading", "downloaded", "installing", "rebooting", "cancelling"];
const MEMBER_STATES = ["failed", "retrying", "active", "waiting", "succeeded", "already", "cancelled"];

/** A part of the page that is drawn anew only when its key changes, so that nobody loses what is focused there. */
function slot(node) {
    let shown;
    return {
        node,
        draw(key, make) {
            if (key !== shown) {
                shown = key;
                replace(node, make());
            }
        },
    };
}

function approval(d) {
    return (d.start_at && Date.parse(d.start_at) > Date.now() && t("deployment.ask.approve_later", { at: time(d.start_at) }))
        || t(d.window ? "deployment.ask.approve_window" : "deployment.ask.approve");
}

/** What the state and the role allow: [name, right, question that is asked before, kind]. */
function actionsOf(d, session, latest) {
    const own = d.created_by === session.name;
    const next = d.phases[d.phase];
    return [
        d.state === "approval" && !own && ["approve", "approve", () => approval(d), "primary"],
        d.state === "approval" && ["deny", "approve", () => t("deployment.ask.deny"), "danger"],
        d.state === "paused" && ["resume", "change", null, "primary"],
        ["running", "scheduled"].includes(d.state) && ["pause", "approve", null, ""],
        d.state === "running" && d.prepared && next && ["next", "change", () => t("deployment.ask.next", {
            name: phaseName(d, d.phase),
            devices: plural("deploy.count", latest().phases[d.phase].devices.waiting),
        }), ""],
        !OVER.includes(d.state) && ["cancel", "change", () => t("deployment.ask.cancel"), "danger"],
    ].filter((action) => action && may(session, action[1]));
}

function actionButtons(d, session, latest, done) {
    return actionsOf(d, session, latest).map(([name, , question, kind]) => {
        const label = t(`deployment.do.${name}`);
        return button(label, { kind, on: async () => {
            const asked = question && [el("p", null, el("strong", null, t("deployment.ask.which", {
                id: d.id, release: `${d.release.name} ${d.release.version}`, target: targetWords(d.target),
            }))), el("p", null, question())];
            if (!asked || await confirmed(asked, label, kind || "primary")) {
                const phase = name === "next" ? d.phase + 1 : null;  // that is the one that was asked about
                done(await api.post(query(`/api/deployments/${d.id}/${name}`, { phase })));
            }
        } });
    });
}

function notice(d, session) {
    const through = d.state === "running" && d.prepared && d.dynamic && d.phase === d.phases.length
        && d.devices.waiting + d.devices.active === 0;
    const words = d.why
        || (d.state === "approval" && t(d.created_by === session.name ? "deployment.own" : "deployment.needs_approval", { who: d.created_by }))
        || (d.state === "scheduled" && t("deployment.begins", { at: time(d.start_at) }))
        || (!d.prepared && t("deployment.preparing", { percent: number(d.prepared_percent) }))
        || (through && t("deployment.all_through"));
    return words && el("p", { class: `note ${["paused", "approval"].includes(d.state) ? "warn" : ""}` }, words);
}

/** About how long, and when that is, no more exact than it is; else why it cannot be told. */
function left(d, seconds, now) {
    if (d.prepared && ["running", "paused"].includes(d.state) && d.devices.waiting + d.devices.active === 0) {
        return ["–", t("deployment.nothing_left")];
    }
    if (fallsShort(d)) {
        return ["–", t("deployment.cannot_reach", {
            phase: phaseName(d, d.phase - 1), share: percent(d.phases[d.phase - 1].success_percent / 100),
        })];
    }
    if (seconds === null) {
        return ["–", t("deployment.cannot_tell")];
    }
    const step = [60, 3600, 86_400].findLast((each) => seconds > 2 * each) || 10;
    const at = new Date(now + 1000 * seconds).toISOString();
    const style = seconds < DAY_S / 2 ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    return [t("deployment.about", { time: duration(Math.ceil(seconds / step) * step) }), t("deployment.ends_about", { at: time(at, style) })];
}

function summary(d, samples, now) {
    const { perMinute, seconds } = pace(samples, d, now);
    const { succeeded, failed } = d.devices;
    return stats(
        stat(t("common.state.succeeded"), number(succeeded), share(succeeded, concerned(d.devices))),
        stat(t("common.state.failed"), number(failed), null, failed ? "bad" : ""),
        d.retrying > 0 && stat(t("common.state.retrying"), number(d.retrying), null, "warn"),
        stat(t("deployment.rate"), perMinute === null ? "–" : number(perMinute, perMinute < 10 ? 1 : 0), t("deployment.per_minute")),
        OVER.includes(d.state)
            ? stat(t("deployment.closed"), when(d.closed), time(d.closed))
            : stat(t("deployment.left"), ...left(d, seconds, now)),
    );
}

/** What the devices that have begun are at. */
function underWay(d) {
    const counts = BEGUN.filter((state) => d.actions[state])
        .map((state) => t(`deployment.doing.${state}`, { n: number(d.actions[state]) }));
    return counts.length > 0 && el("p", { class: "muted" }, t("deployment.doing", { what: counts.join(", ") }));
}

function windowWords({ schedule, seconds, zone }) {
    return t("deployment.window_words", {
        schedule, duration: duration(seconds), zone: zone === "device" ? t("deployment.zone_device") : `UTC${zone}`,
    });
}

function policy(d) {
    const row = (key, value) => value && [t(`deployment.${key}`), value];
    const by = (at, who) => at && [who, " · ", when(at)];
    return details([
        row("devices", targetWords(d.target)),
        row("joining", t(d.dynamic ? "deployment.dynamic" : "deployment.static")),
        row("downgrade", d.allow_downgrade && t("deployment.allowed")),
        row("mode", d.mode !== "forced" && t(`deploy.mode.${d.mode}`)),
        row("force_at", d.force_at && time(d.force_at)),
        row("consent", d.consent && t("deployment.consent_words")),
        row("start_at", d.start_at && time(d.start_at)),
        row("speed", d.per_minute && t("deployment.speed_words", { n: number(d.per_minute) })),
        row("window", d.window && windowWords(d.window)),
        row("deadline", d.deadline_seconds && duration(d.deadline_seconds)),
        row("retries", d.retries > 0 && t("deployment.retries_words", { n: number(d.retries), time: duration(d.retry_seconds) })),
        row("on_errors", d.rollback ? link(t("deployment.rollback_words", { id: d.rollback }), "firmware", d.rollback)
            : t("deployment.pauses")),
        row("priority", d.priority !== USUAL_PRIORITY && number(d.priority)),
        row("rolls_back", d.rolls_back && link(t("common.deployment_n", { n: d.rolls_back }), "deployment", d.rolls_back)),
        row("made_by", by(d.created, d.created_by)),
        row("approved_by", by(d.approved, d.approved_by)),
    ].map((each) => each && [each[0], Array.isArray(each[1]) ? el("span", null, each[1]) : each[1]]));
}

/** What the device said, else what the server knows. */
function words(member) {
    const said = member.action?.message || member.why;
    return said ? el("span", { class: "said", title: said }, said) : el("span", { class: "muted" }, "–");
}

function memberState({ state, retry, action }) {
    return state === "active" && action ? action.state : state === "waiting" && retry ? "retrying" : state;
}

/** The devices of one state, a page at a time, as they change. */
function members(id) {
    const path = `/api/deployments/${id}/devices`;
    const rows = table({
        caption: t("deployment.devices"),
        columns: [
            { key: "device", label: t("common.device"), cell: (m) => link(m.device, "device", m.device) },
            { key: "state", label: t("common.state"), cell: (m) => stateBadge(memberState(m)) },
            { key: "said", label: t("deployment.said"), cell: words },
            { key: "phase", label: t("deployment.phase_column"), align: "right", cell: (m) => number(m.phase) },
            { key: "version", label: t("deployment.runs"), cell: (m) => m.version ?? "–" },
            { key: "attempts", label: t("deployment.attempts"), align: "right", cell: (m) => number(m.attempts) },
            { key: "retry", label: t("deployment.retry"), cell: (m) => (m.retry ? when(m.retry) : "–") },
            { key: "updated", label: t("deployment.updated"), cell: (m) => (m.action ? when(m.action.updated) : "–") },
        ],
        rows: [],
    });
    const pages = el("div");
    const choice = field({ label: t("deployment.show"), name: "state", type: "select", value: "failed",
        options: MEMBER_STATES.map((state) => [state, t(`common.state.${state}`)]) });
    const phase = field({ label: t("deployment.phase_column"), name: "phase", type: "select", value: "",
        options: [["", t("deployments.any")]] });
    phase.hidden = true;
    const { turn, stop } = followed({ rows, pages, path: (after) =>
        query(path, { state: choice.input.value, phase: phase.input.value, limit: PAGE, after }) });
    for (const each of [choice, phase]) {
        each.input.addEventListener("change", () => turn());
    }
    turn();
    return {
        node: card(t("deployment.devices"), el("div", { class: "fields narrow" }, choice, phase), rows, pages),
        stop,
        knows(d) {
            if (phase.hidden && d.phases.length > 1) {
                phase.hidden = false;
                phase.input.append(...d.phases.map((_, i) => el("option", { value: i + 1 }, phaseName(d, i))));
            }
        },
    };
}

function render({ main, params, session, setTitle }) {
    const id = Number(params[0]);
    const samples = [];
    let now = null;
    const name = t("common.deployment_n", { n: id });
    setTitle(name);
    const state = slot(el("span"));
    const actions = slot(el("div", { class: "actions" }));
    const detail = slot(el("span"));
    const why = slot(el("div", { "aria-live": "polite" }));
    const figures = el("div");
    const phases = el("div");
    const terms = slot(el("div"));
    const devices = members(id);
    const rest = el("div", { class: "stack", hidden: true }, card(t("deployment.phases"), phases),
        card(t("deployment.policy"), terms.node), devices.node);
    const page = [
        heading(name, { actions: actions.node, detail: el("span", { class: "deployment-line" }, state.node, detail.node) }),
        why.node, figures, rest,
    ];
    const pulse = () => now && replace(figures, summary(now, samples, Date.now()), bar(now.devices),
        underWay(now));
    const draw = (d) => {
        now = d;
        note(samples, d, Date.now());
        state.draw(d.state, () => stateBadge(d.state));
        actions.draw(`${d.state} ${d.phase} ${Boolean(d.prepared)}`, () => actionButtons(d, session, () => now || d, draw));
        detail.draw("", () => [link(`${d.release.name} ${d.release.version}`, "firmware", d.release.id), " → ", targetWords(d.target)]);
        why.draw(`${d.state} ${d.why} ${d.prepared_percent} ${d.devices.waiting + d.devices.active}`, () => notice(d, session));
        terms.draw(`${d.approved} ${d.closed}`, () => policy(d));
        pulse();
        replace(phases, flow(d));
        devices.knows(d);
    };
    const stop = live({ [`/api/deployments/${id}`]: (d, status) => {
        if (status === 200) {
            draw(d);
        } else {
            now = null;  // until it is answered again
            replace(figures, problem(new ApiError(status, d.detail)));
        }
        rest.hidden = !now;
    } });
    const timer = setInterval(pulse, TICK_MS);
    replace(main, page);
    return () => {
        clearInterval(timer);
        stop();
        devices.stop();
    };
}

export default { route: "deployment", title: "nav.deployments", render };
