// All deployments, newest first.

import { ApiError, may, query } from "../api.js";
import { el, replace } from "../dom.js";
import { t } from "../i18n.js";
import { live } from "../live.js";
import { card, field, heading, link, linkButton, pager, problem, share, stateBadge, table, when } from "../ui.js";
import { targetWords } from "./order.js";
import { bar, concerned } from "./phases.js";

const PAGE = 50;
const STATES = ["approval", "scheduled", "running", "paused", "finished", "cancelled", "denied"];

function progressCell(d) {
    return el("div", { class: "progress-cell" }, bar(d.devices),
        el("span", { class: "muted" }, share(d.devices.succeeded, concerned(d.devices))));
}

const COLUMNS = () => [
    { key: "id", label: t("nav.deployment"), cell: (d) => link(t("common.deployment_n", { n: d.id }), "deployment", d.id) },
    { key: "state", label: t("common.state"), cell: (d) => stateBadge(d.state) },
    { key: "release", label: t("common.release"), cell: (d) => `${d.release.name} ${d.release.version}` },
    { key: "target", label: t("deployments.target"), cell: (d) => el("span", { class: "said" }, targetWords(d.target)) },
    { key: "progress", label: t("deployments.progress"), cell: progressCell },
    { key: "created", label: t("deployments.created"), cell: (d) => el("span", null, when(d.created), " · ", d.created_by) },
];

function render({ main, session, query: given, go }) {
    const state = STATES.includes(given.get("state")) ? given.get("state") : "";
    const after = given.get("after");
    const at = (values) => query("#/deployments", { state, ...values });
    const rows = table({ caption: t("nav.deployments"), columns: COLUMNS(), rows: [], empty: t("deployments.none"),
        onRow: (d) => go(`#/deployment/${d.id}`) });
    const choice = field({ label: t("common.state"), name: "state", type: "select", value: state,
        options: [["", t("deployments.any")], ...STATES.map((each) => [each, t(`common.state.${each}`)])] });
    choice.input.addEventListener("change", () => go(at({ state: choice.input.value })));
    const pages = el("div");
    replace(main,
        heading(t("nav.deployments"), {
            actions: may(session, "change") ? [linkButton(t("deployments.new"), "#/deploy", { kind: "primary", icon: "plus" })] : [],
        }),
        card(null, choice, rows, pages));
    return live({ [query("/api/deployments", { state, limit: PAGE, after })]: (page, status) => {
        if (status !== 200) {
            replace(pages, problem(new ApiError(status, page.detail)));
            return;
        }
        rows.update(page.items);
        replace(pages, pager({ next: page.next, has: Boolean(after), onFirst: () => go(at({})),
            onNext: (next) => go(at({ after: next })) }));
    } });
}

export default { route: "deployments", title: "nav.deployments", render };
