// What a deployment would change, before there is one.

import { api } from "../api.js";
import { el, replace } from "../dom.js";
import { has, number, plural, t } from "../i18n.js";
import { link, loading, problem, stat, stats, table } from "../ui.js";

const WAIT_MS = 400;
const NOT_THERE = 405;  // a server that has no previews

function section(title, ...children) {
    return el("section", null, el("h3", null, title), ...children);
}

function list(items) {
    return el("ul", null, items.map((item) => el("li", null, item)));
}

function changes(preview, version) {
    return table({
        caption: t("deploy.changes"),
        columns: [
            { key: "model", label: t("common.model"), cell: (row) => row.model },
            { key: "from", label: t("deploy.from"), cell: (row) => row.version ?? t("common.unknown") },
            { key: "to", label: t("deploy.to"), cell: () => version },
            { key: "devices", label: t("deploy.devices"), align: "right", cell: (row) => number(row.devices) },
        ],
        rows: preview.changes,
    });
}

function excludedWords({ code, reason }) {
    return has(`deploy.excluded.${code}`) ? t(`deploy.excluded.${code}`) : reason;
}

function drawn(preview, version) {
    const { devices, complete, already, excluded, phases, sample, warnings } = preview;
    const counted = (n) => (complete ? number(n) : t("deploy.at_least", { n: number(n) }));
    return [
        warnings.length > 0 && el("div", { class: "note warn" }, list(warnings)),
        stats(stat(t("deploy.gets"), counted(devices)), stat(t("deploy.already"), counted(already))),
        preview.changes.length > 0 && section(t("deploy.changes"), changes(preview, version)),
        phases.length > 1 && section(t("deploy.phases"), list(phases.map((phase, i) => t("deploy.phase_takes", {
            name: phase.name || t("deployment.phase", { n: i + 1 }), devices: plural("deploy.count", phase.devices),
        })))),
        excluded.length > 0 && section(t("deploy.excluded"), list(excluded.map((each) => t("deploy.because", {
            devices: plural("deploy.count", each.devices), reason: excludedWords(each),
        })))),
        sample.length > 0 && section(t("deploy.sample"), el("p", { class: "sample" }, sample.map((device) =>
            [link(device.id, "device", device.id), " "]))),
    ];
}

/**
 * A place for a preview. Its show(body, version) asks for one when nothing has changed for a moment; body null: what
 * is still missing is said. found() answers that of the last body, without waiting for another change: null when there
 * is none, {error} when it was refused.
 * @returns {HTMLElement & {show: (body: Object|null, version: string) => void, found: () => Promise<Object|null>}}
 */
export function preview() {
    const node = el("div", { class: "preview", "aria-live": "polite" });
    let timer = 0;
    let asked = 0;
    let incomplete = false;
    let begin = null;  // what the timer waits to do
    let answer = Promise.resolve(null);
    const ask = async (body, version) => {
        asked += 1;
        const mine = asked;
        let result, found;
        node.setAttribute("aria-busy", "true");
        try {
            found = await api.post("/api/deployments/preview", body);
            result = drawn(found, version);
        } catch (error) {
            found = { error };
            result = error.status === NOT_THERE ? el("p", { class: "muted" }, t("deploy.no_preview")) : problem(error);
        }
        if (mine === asked) {
            node.removeAttribute("aria-busy");
            replace(node, result);
        }
        return found;
    };
    node.found = () => {
        begin?.();
        return answer;
    };
    node.show = (body, version) => {
        clearTimeout(timer);
        if (body) {
            if (incomplete) {
                replace(node, loading());
                incomplete = false;
            }
            begin = () => {
                clearTimeout(timer);
                begin = null;
                answer = ask(body, version);
            };
            timer = setTimeout(begin, WAIT_MS);
        } else {
            asked += 1;
            begin = null;
            answer = Promise.resolve(null);
            incomplete = true;
            node.removeAttribute("aria-busy");
            replace(node, el("p", { class: "muted" }, t("deploy.incomplete")));
        }
    };
    node.show(null);
    return node;
}
