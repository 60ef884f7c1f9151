// What lets devices and operators in: enrolment tokens, and the certificates of operators.

import { api, may, query } from "../api.js";
import { el, replace } from "../dom.js";
import { algorithm, t } from "../i18n.js";
import { followed } from "../lists.js";
import { badge, button, card, confirmed, dialog, field, heading, link, table, toast, when } from "../ui.js";
import { tellToken } from "./tokens.js";

const PAGE = 25;
const DAY_S = 86400;
const NAME = "[A-Za-z0-9][A-Za-z0-9._+~\\-]*";
const DEVICE = "[A-Za-z0-9][A-Za-z0-9._:\\-]*";

/** A small button of a row, whose name says which row. */
function act(label, what, on) {
    const node = button(label, { on, kind: "small danger" });
    node.setAttribute("aria-label", `${label}: ${what}`);
    return node;
}

/** A card with a list that follows the server, until stop(). */
function listCard({ title, what, path, columns, nothing }) {
    const rows = table({ caption: title, columns, rows: [], empty: nothing });
    const pages = el("div");
    const { turn, stop } = followed({ rows, pages, path: (after) => query(path, { limit: PAGE, after }) });
    turn();
    return { node: card(title, el("p", { class: "muted" }, what), rows, pages), stop };
}

// --- tokens ---

function tokenState(token) {
    return token.revoked ? "revoked" : token.used >= token.count ? "used"
        : new Date(token.expires) < Date.now() ? "expired" : "good";
}

function tokenBadge(token) {
    const state = tokenState(token);
    return badge(t(`access.token.${state}`), state === "good" ? "ok" : "quiet");
}

async function makeToken() {
    const fields = [
        field({ label: t("common.model"), name: "model", required: true, maxlength: 128, pattern: NAME, autocomplete: "off" }),
        field({ label: t("access.count"), name: "count", type: "number", min: 1, max: 100000, value: 1, required: true }),
        field({ label: t("access.days"), name: "days", type: "number", min: 1, max: 365, value: 7, required: true }),
        field({ label: t("access.device"), name: "device", maxlength: 64, pattern: DEVICE, autocomplete: "off",
            hint: t("access.device_hint") }),
        field({ label: t("access.note"), name: "note", maxlength: 128, autocomplete: "off" }),
    ];
    const made = await dialog({ title: t("access.new"), body: fields, actions: [{ label: t("common.cancel") },
        { label: t("access.new"), run: (values) => {
            const { model, count, days, device, note } = Object.fromEntries(values);
            return api.post("/api/tokens", { model, count: Number(count), expires_in: days * DAY_S,
                ...(device && { device }), ...(note && { note }) });
        } }] });
    if (made) {
        await tellToken(made);
    }
}

async function revokeToken({ id, model, device }) {
    const what = device || model;
    if (await confirmed(t("access.revoke_token_what", { id, what }), t("access.revoke"), "danger")) {
        await api.del(`/api/tokens/${id}`);
        toast(t("accounts.done"));
    }
}

function tokenColumns(session) {
    return [
        { key: "model", label: t("common.model"), cell: (token) => el("span", null, el("strong", null, token.model),
            token.note && el("span", { class: "under" }, token.note)) },
        { key: "device", label: t("access.for"), cell: (token) => (token.device ? link(token.device, "device", token.device)
            : t("access.any_device")) },
        { key: "used", label: t("access.used"), cell: (token) => t("access.used_of", token) },
        { key: "state", label: t("common.state"), cell: tokenBadge },
        { key: "expires", label: t("access.expires"), cell: (token) => when(token.expires) },
        { key: "by", label: t("accounts.created_by"), cell: (token) => el("span", null,
            token.created_by, " · ", when(token.created)) },
        ...(may(session, "change") ? [{ key: "do", label: t("accounts.do"), cell: (token) => (tokenState(token) === "good"
            ? act(t("access.revoke"), `${token.model} ${token.id}`, () => revokeToken(token)) : "") }] : []),
    ];
}

// --- operators ---

async function revokeOperator({ name }) {
    if (await confirmed(t("access.revoke_operator_what", { name }), t("access.revoke"), "danger")) {
        await api.post(`/api/operators/${encodeURIComponent(name)}/revoke`);
        toast(t("accounts.done"));
    }
}

function certificates(operator) {
    return operator.certificates.map((each) => el("div", null, algorithm(each.algorithm), " · ", t("device.ends"), " ",
        when(each.not_after)));
}

function operatorColumns(session) {
    return [
        { key: "name", label: t("common.name"), cell: (operator) => el("strong", null, operator.name) },
        { key: "role", label: t("common.role"), cell: (operator) => t(`common.role.${operator.role}`) },
        { key: "state", label: t("common.state"), cell: (operator) => (operator.revoked ? badge(t("fleet.revoked"), "bad")
            : badge(t("accounts.enabled"), "ok")) },
        { key: "certificates", label: t("device.certificates"), cell: certificates },
        { key: "created", label: t("device.registered"), cell: (operator) => when(operator.created) },
        ...(may(session, "admin") ? [{ key: "do", label: t("accounts.do"), cell: (operator) => (operator.revoked ? ""
            : act(t("access.revoke"), operator.name, () => revokeOperator(operator))) }] : []),
    ];
}

function render({ main, session }) {
    const tokens = listCard({ title: t("access.tokens"), what: t("access.tokens_what"), path: "/api/tokens",
        columns: tokenColumns(session), nothing: t("access.no_tokens") });
    const operators = listCard({ title: t("access.operators"), what: t("access.operators_what"), path: "/api/operators",
        columns: operatorColumns(session), nothing: t("access.no_operators") });
    replace(main, heading(t("nav.access"), { detail: t("access.what"), actions: may(session, "change")
        ? [button(t("access.new"), { kind: "primary", icon: "plus", on: makeToken })] : [] }), tokens.node, operators.node);
    return () => {
        tokens.stop();
        operators.stop();
    };
}

export default { route: "access", title: "nav.access", render };
