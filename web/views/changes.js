// What happened: who did what, when, and from where.

import { query as withQuery } from "../api.js";
import { el, replace } from "../dom.js";
import { t, time } from "../i18n.js";
import { live } from "../live.js";
import { badge, button, card, field, form, heading, link, loading, pager, table } from "../ui.js";

const PAGE = 50;
const KINDS = "account.created account.disabled account.enabled account.password account.removed account.role "
    + "action.cancel action.failed action.succeeded deployment.approved deployment.cancelled deployment.created "
    + "deployment.denied deployment.finished deployment.paused deployment.phase deployment.resumed deployment.short "
    + "deployment.started device.added device.attributes device.deleted device.described device.enrolled "
    + "device.readmitted device.registered device.released device.renewed device.revoked device.tagged device.token "
    + "device.untagged link.created module.created module.deleted module.file module.file_deleted "
    + "operator.registered operator.revoked release.deleted release.published release.uploaded session.closed "
    + "session.opened setting.changed setting.reset token.created token.revoked trust.updated";
const TONES = { failed: "bad", revoked: "bad", denied: "bad", paused: "warn", cancelled: "warn", deleted: "warn", removed: "warn",
    succeeded: "ok", approved: "ok", finished: "ok", published: "ok" };

function kindBadge(kind) {
    return badge(kind, TONES[kind.split(".").at(-1)] || "quiet");
}

function subject({ kind, subject: what }) {
    const [, type, name] = /^(deployment|account)\/(.*)$/.exec(what) || [];
    if (type === "deployment") {
        return link(what, type, name);
    }
    return /^(device|action)\./.test(kind) ? link(what, "device", what) : what;
}

function columns() {
    return [
        { key: "at", label: t("common.time"), cell: (event) => el("time", { datetime: event.at }, time(event.at)),
            sorted: "descending" },
        { key: "kind", label: t("changes.kind"), cell: (event) => kindBadge(event.kind) },
        { key: "subject", label: t("changes.subject"), cell: subject },
        { key: "detail", label: t("changes.detail"), cell: (event) => el("span", { class: "words" }, event.detail) },
        { key: "who", label: t("changes.who"), cell: (event) => el("span", { class: "nowrap" }, event.who) },
        { key: "address", label: t("changes.address"), cell: (event) => event.address || "–" },
    ];
}

export default {
    route: "changes",
    title: "nav.changes",
    render({ main, query, remember }) {
        const values = { kind: query.get("kind") || "", subject: query.get("subject") || "" };
        const place = el("div", { class: "stack" }, loading());
        let close = () => {};
        const pages = el("div");
        let list = null;
        const load = (after) => {
            close();
            list = null;
            close = live({ [withQuery("/api/events", { ...values, limit: PAGE, after })]: (body, status) => {
                if (status !== 200) {
                    list = null;
                    replace(place, el("div", { class: "problem", role: "alert" }, body.detail));
                    return;
                }
                if (!list) {
                    list = table({ caption: t("nav.changes"), columns: columns(), rows: [], empty: t("changes.none") });
                    replace(place, list, pages);
                }
                list.update(body.items);
                replace(pages, pager({ next: body.next, has: Boolean(after), onNext: turn, onFirst: () => turn("") }));
            } });
        };
        const turn = (after) => {
            remember(withQuery("#/changes", { ...values, after }));
            load(after);
        };
        const kind = field({ label: t("changes.kind"), name: "kind", value: values.kind, list: "kinds", autocomplete: "off",
            maxlength: 64 });
        const about = field({ label: t("changes.subject"), name: "subject", value: values.subject, autocomplete: "off",
            maxlength: 200, placeholder: "deployment/3" });
        const set = (next) => {
            Object.assign(values, next);
            turn("");
        };
        replace(main, heading(t("nav.changes"), { detail: t("changes.what") }), card(null, form({
            label: t("changes.filter"),
            children: [el("div", { class: "fields narrow" }, kind, about),
                el("datalist", { id: "kinds" }, KINDS.split(" ").map((each) => el("option", { value: each })))],
            action: t("fleet.apply"),
            kind: "",
            extra: [button(t("fleet.clear"), { kind: "plain", on: () => {
                kind.input.value = "";
                about.input.value = "";
                set({ kind: "", subject: "" });
            } })],
            onSubmit: (given) => set({ kind: given.get("kind").trim(), subject: given.get("subject").trim() }),
        }), place));
        load(query.get("after") || "");
        return () => close();
    },
};
