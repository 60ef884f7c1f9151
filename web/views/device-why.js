// Why one device gets an update, or does not: of the server the word and its numbers, here the sentences.

import { el, replace } from "../dom.js";
import { has, number, percent, t, time } from "../i18n.js";
import { card, link, loading, share, stateBadge, when } from "../ui.js";

const GETS = ["newer", "back", "supersedes"];

export function releaseLink({ id, name, version }) {
    return link(`${name} ${version}`, "firmware", id);
}

export function deploymentLink(n) {
    return link(t("common.deployment_n", { n }), "deployment", n);
}

/** A word of a newer server has no sentence yet. */
function reasonWords({ reason, text }) {
    return has(`why.reason.${reason}`) ? t(`why.reason.${reason}`) : text;
}

function windowOpens({ at, reason }) {
    return at ? t("why.opens", { at: time(at) }) : reason === "window" && t("why.never");
}

/** What the word is measured by in one deployment, in sentences. */
function numbers(line) {
    const { reason, at, first, attempts, attempts_most: most } = line;
    return [
        line.gets && GETS.includes(reason) && t("why.gets", { version: line.release.version }),
        reason === "phase" && t("why.phase", { n: line.phase, of: line.phases }),
        reason === "phase" && !line.message && line.waits_for_phase > 0 && t("why.phase_opens", {
            n: line.waits_for_phase + 1, before: line.waits_for_phase, percent: percent(line.success_percent / 100),
            share: share(line.succeeded, line.of) }),
        reason === "preparing" && t("why.prepared", { percent: percent(line.prepared_percent / 100) }),
        ["retry", "done"].includes(reason) && attempts > 0 && t("why.tried", { n: number(attempts), of: number(most) }),
        reason === "retry" && at && t("why.again", { at: time(at) }),
        reason === "scheduled" && at && t("why.starts", { at: time(at) }),
        ["window", "under_way"].includes(reason) && windowOpens(line),
        first > 0 && t("why.first", { n: first }),
        line.message,
    ].filter(Boolean);
}

function sentences(line) {
    return [reasonWords(line), ...numbers(line)].join(" ");
}

function whyElse({ last_poll: last, deployments }) {
    return [
        last && el("p", { class: "muted" }, t("device.last_answer"), " ", when(last.since), ": ", reasonWords(last)),
        deployments.length > 0 && el("ul", { class: "failures" }, deployments.map((each) => el("li", null,
            el("div", { class: "row between" }, el("span", null,
                deploymentLink(each.deployment), " · ", releaseLink(each.release)),
            stateBadge(each.device_state || each.state)),
            el("p", { class: "words" }, sentences(each))))),
    ];
}

/** The reasons. Only what counts now is read out when it changes: times pass all the while. */
export function whyBox(refused) {
    const now = el("p", { class: "why-now", "aria-live": "polite" });
    const others = el("div", { class: "stack" }, loading());
    let shown = null;
    const show = (body, status) => {
        const counts = status === 200 ? body.now : null;
        const line = counts && body.deployments.find((each) => each.deployment === counts.deployment);
        const words = counts && (line?.reason === counts.reason ? sentences(line) : reasonWords(counts));
        const key = counts && `${counts.deployment} ${words}`;
        if (key !== shown) {
            shown = key;
            replace(now, counts && [counts.deployment !== null && [deploymentLink(counts.deployment), " · "], words]);
        }
        replace(others, counts ? whyElse(body) : refused(body));
    };
    return { node: card(t("device.why"), now, others), show };
}
