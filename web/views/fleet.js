// How many devices there are, what they run, what failed, and which they are.

import { api, may } from "../api.js";
import { stackedArea } from "../charts.js";
import { el, replace } from "../dom.js";
import { number, percent, plural, t } from "../i18n.js";
import { live } from "../live.js";
import { card, copyable, empty, field, heading, link, linkButton, loading, problem, progress, stat, stats, when }
    from "../ui.js";
import { deviceList } from "./devices.js";

const HISTORY_MS = 60_000;
const VERSIONS = 10;
const OTHERS = "other";  // what the server sums the rarest versions as

function versionName(version) {
    return version ?? t("common.unknown");
}

/** Devices under way, and deployments that wait for somebody. */
function underWay({ actions, deployments_paused: paused, deployments_approval: approval }) {
    const open = Object.values(actions.open).reduce((sum, n) => sum + n, 0);
    const waiting = [["paused", paused], ["approval", approval]].filter(([, n]) => n);
    return [plural("fleet.open_n", open), waiting.map(([state, n]) => [" · ",
        el("a", { href: `#/deployments?state=${state}` }, plural(`fleet.deployments.${state}`, n))])];
}

function tiles(status) {
    const { devices, actions } = status;
    const { pq, classical, plain, proxy } = devices.transport;
    const known = pq + classical + plain;  // how a proxy was reached, it alone knows
    const ways = Object.entries(devices.transport).filter(([, n]) => n).map(([way, n]) =>
        `${t(`fleet.transport.${way}`)} ${number(n)}`).join(" · ");
    const running = status.deployments_running;
    const { failed, succeeded } = actions.last_day;
    const quantum = proxy && !known ? t("fleet.by_proxy") : percent(known ? pq / known : null);
    return stats(
        stat(t("fleet.devices"), number(devices.total), devices.revoked
            ? el("a", { href: "#/fleet?revoked=true" }, plural("fleet.revoked_n", devices.revoked)) : null),
        stat(t("fleet.seen"), number(devices.seen_last_day),
            devices.total ? percent(devices.seen_last_day / devices.total) : null),
        stat(t("fleet.quantum"), quantum, ways, classical || plain ? "warn" : ""),
        stat(t("fleet.running"), el("a", { href: "#/deployments?state=running" }, number(running)), underWay(status)),
        stat(t("fleet.failures"), el("a", { href: "#/changes?kind=action.failed" }, number(failed)),
            plural("fleet.succeeded_n", succeeded), failed ? "bad" : ""),
    );
}

/** What runs now: the most frequent versions as bars, each a link to its devices. */
function versionBars(status) {
    const most = Math.max(1, ...status.versions.map((each) => each.devices));
    const { total, revoked } = status.devices;
    const shown = status.versions.slice(0, VERSIONS);
    const rest = total - revoked - shown.reduce((sum, each) => sum + each.devices, 0);  // the server names some only
    return status.versions.length === 0 ? empty(t("fleet.no_versions"))
        : el("ul", { class: "bars" }, shown.map(({ model, version, devices }) => {
            const query = version === null ? { q: `model=="${model}" and version==""` } : { model, version };
            return el("li", null, el("a", { href: `#/fleet?${new URLSearchParams(query)}` },
                el("span", { class: "muted" }, model), " ", versionName(version)),
            el("span", { class: "right" }, number(devices)),
            progress({ value: devices, max: most, label: `${model} ${versionName(version)}` }));
        }), rest > 0 && el("li", null, el("span", { class: "muted" }, t("fleet.other_versions")),
            el("span", { class: "right" }, number(rest))));
}

function failures(body, status) {
    if (status !== 200) {
        return empty(status === 404 ? t("fleet.no_failure_list") : body.detail);
    }
    return body.items.length === 0 ? empty(t("fleet.no_failures"))
        : el("ul", { class: "failures" }, body.items.map((each) => el("li", null,
            el("div", { class: "row between" }, link(each.device, "device", each.device), when(each.at)),
            el("div", { class: "muted" }, link(t("common.deployment_n", { n: each.deployment }), "deployment",
                each.deployment), ` · ${each.release.name} ${each.release.version}`),
            el("p", { class: "words" }, each.message || t("fleet.no_words")))));
}

/** What comes next on a server that has no devices yet. */
function firstDevice(session) {
    return card(t("fleet.first"), may(session, "change") && [el("p", null, t("fleet.first_here")),
        el("div", null, linkButton(t("access.new"), "#/access", { icon: "plus" }))],
    el("p", null, t("fleet.first_token")), copyable("pqota token new --model gateway"),
        el("p", null, t("fleet.first_enroll")), copyable("pqota-agent enroll --config agent.conf --token TOKEN"),
        el("p", { class: "muted" }, t("fleet.first_then"), " ", link(t("nav.firmware"), "firmware")));
}

/** Versions over time, asked for anew at most once a minute. */
class History {
    constructor() {
        this.hours = field({ label: t("fleet.span"), name: "hours", type: "select", value: "168",
            options: [["24", t("fleet.span.day")], ["168", t("fleet.span.week")], ["720", t("fleet.span.month")]] });
        this.model = field({ label: t("common.model"), name: "model", type: "select", options: [["", t("fleet.all_models")]] });
        this.holder = el("div", { class: "chart-holder" }, loading());
        this.node = card(t("fleet.over_time"), el("div", { class: "fields narrow" }, this.hours, this.model), this.holder);
        this.hours.input.addEventListener("change", () => this.load());
        this.model.input.addEventListener("change", () => this.load());
        this.asked = 0;
        this.turn = 0;  // counts requests: a late answer is none, nor is one after the view has gone
    }

    /** The models to choose from; it comes every ten seconds also when nothing changes. */
    status(status) {
        const models = [...new Set(status.versions.map((each) => each.model))].sort();
        const known = [...this.model.input.options].slice(1).map((option) => option.value);
        if (models.join("\n") !== known.join("\n")) {
            const chosen = this.model.input.value;
            replace(this.model.input, el("option", { value: "" }, t("fleet.all_models")),
                models.map((model) => el("option", { value: model, selected: model === chosen }, model)));
        }
        if (Date.now() - this.asked > HISTORY_MS) {
            this.load();
        }
    }

    async load() {
        this.asked = Date.now();
        this.turn += 1;
        const mine = this.turn;
        const model = this.model.input.value;
        const query = new URLSearchParams({ hours: this.hours.input.value, ...(model && { model }) });
        const shown = await api.get(`/api/fleet/history?${query}`).then((history) => () => this.show(history),
            (error) => () => this.fail(error));
        if (mine === this.turn) {
            shown();
        }
    }

    fail(error) {
        this.drop(error.status === 404 ? empty(t("fleet.no_history")) : problem(error));
        if (error.status === 0) {
            this.asked = 0;  // what comes next shows that it answers again
        }
    }

    show({ times, series }) {
        const first = times.findIndex((_, i) => series.some((each) => each.devices[i] !== null));
        if (first < 0 || times.length - first < 2) {
            this.drop(empty(t("fleet.no_history")));
            return;
        }
        const models = new Set(series.map((each) => each.model)).size;
        const options = {
            label: t("fleet.over_time"),
            times: times.slice(first),
            format: (n) => number(n),
            series: series.map(({ model, version, devices }) => ({
                label: version === OTHERS ? t("fleet.other_versions")
                    : models > 1 ? `${model} ${versionName(version)}` : versionName(version),
                values: devices.slice(first),
                tone: version === null || version === OTHERS ? "quiet" : undefined,
            })),
        };
        if (this.chart) {
            this.chart.update(options);
        } else {
            this.chart = stackedArea(replace(this.holder), options);
        }
    }

    drop(node = null) {
        this.chart?.destroy();
        this.chart = null;
        replace(this.holder, node);
    }
}

export default {
    route: "fleet",
    title: "nav.fleet",
    render({ main, query, session, remember }) {
        const numbers = el("div", null, loading());
        const first = el("div");
        let none = false;
        const bars = el("div", null, loading());
        const failed = el("div", { class: "scrolls" }, loading());
        const history = new History();
        const devices = deviceList({ query, session, remember });
        replace(main, heading(t("nav.fleet")), numbers, first,
            el("div", { class: "columns wide-first" }, history.node, card(t("fleet.now"), bars)),
            el("div", { class: "columns wide-last" }, devices.node, card(t("fleet.failed_lately"), failed)));
        const close = live({
            "/api/status": (body, status) => {
                if (status !== 200) {
                    replace(numbers, el("div", { class: "problem" }, body.detail));
                    return;
                }
                replace(numbers, tiles(body));
                if (none !== (body.devices.total === 0)) {
                    none = !none;
                    replace(first, none && firstDevice(session));
                }
                replace(bars, versionBars(body));
                history.status(body);
                devices.models(body.versions);
            },
            "/api/failures?hours=24&limit=8": (body, status) => replace(failed, failures(body, status)),
        });
        return () => {
            close();
            devices.close();
            history.turn += 1;
            history.drop();
        };
    },
};
