// Releases, newest first, and where new ones are dropped.

import { ApiError, may, query } from "../api.js";
import { el, replace } from "../dom.js";
import { bytes, t } from "../i18n.js";
import { live } from "../live.js";
import { card, field, heading, link, pager, problem, stateBadge, table, when } from "../ui.js";
import { renderRelease } from "./release.js";
import { dropPlace } from "./upload.js";

const PAGE = 50;
const STATES = ["draft", "signed", "published"];

const COLUMNS = () => [
    { key: "name", label: t("common.release"), cell: (r) => link(`${r.name} ${r.version}`, "firmware", r.id) },
    { key: "state", label: t("common.state"), cell: (r) => stateBadge(r.state) },
    { key: "models", label: t("firmware.models"), cell: (r) => r.models.join(", ") },
    { key: "size", label: t("firmware.size"), align: "right", cell: (r) => bytes(r.artifacts.reduce((sum, file) => sum + file.size, 0)) },
    { key: "created", label: t("firmware.created"), cell: (r) => el("span", null, when(r.created), " · ", r.created_by) },
    { key: "notes", label: t("firmware.notes"), cell: (r) => el("span", { class: "said" }, r.notes || "–") },
];

function render(context) {
    const { main, params, query: given, session, go } = context;
    if (params[0]) {
        return renderRelease(context);
    }
    const state = STATES.includes(given.get("state")) ? given.get("state") : "";
    const after = given.get("after");
    const rows = table({ caption: t("nav.firmware"), columns: COLUMNS(), rows: [], empty: t("firmware.none"),
        onRow: (r) => go(`#/firmware/${r.id}`) });
    const choice = field({ label: t("common.state"), name: "state", type: "select", value: state,
        options: [["", t("deployments.any")], ...STATES.map((each) => [each, t(`common.state.${each}`)])] });
    choice.input.addEventListener("change", () => go(query("#/firmware", { state: choice.input.value })));
    const pages = el("div");
    const drop = may(session, "change") ? dropPlace(session) : null;
    replace(main, heading(t("nav.firmware")), drop && card(t("firmware.upload"), drop.node), card(t("firmware.releases"), choice, rows, pages));
    const stop = live({ [query("/api/firmware", { state, limit: PAGE, after })]: (page, status) => {
        if (status !== 200) {
            replace(pages, problem(new ApiError(status, page.detail)));
            return;
        }
        rows.update(page.items);
        replace(pages, pager({ next: page.next, has: Boolean(after), onFirst: () => go(query("#/firmware", { state })),
            onNext: (next) => go(query("#/firmware", { state, after: next })) }));
    } });
    return () => {
        stop();
        drop?.stop();
    };
}

export default { route: "firmware", title: "nav.firmware", render };
