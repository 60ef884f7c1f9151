// A new deployment: one form, whom it would concern, and the command that does the same.

import { api, may } from "../api.js";
import { el, replace } from "../dom.js";
import { t } from "../i18n.js";
import { button, card, confirmed, copyable, field, form, heading, link, problem, toast, unique } from "../ui.js";
import { orderBody, orderCommand, orderQuestion, SPAN } from "./order.js";
import { preview } from "./preview.js";

const NAME = "[A-Za-z0-9][A-Za-z0-9._+~\\-]{0,127}";
const KINDS = ["model", "filter", "tag", "device", "all"];
const PHASES_MAX = 32;
const RELEASES = "/api/firmware?state=published&limit=500";
const CANARY = { name: "canary", takes: "percent", amount: 5, success: 95, errors: "5%" };
const REST = { name: "rest", takes: "rest", errors: "10%" };
const EXAMPLES = [
    "model==gw and attribute.hw==rev-C and version!=1.4.0", "tag==canary;last_seen>-1d", "id=in=(gateway-1,test-*)",
];

function fields(...children) {
    return el("div", { class: "fields" }, ...children);
}

function show(node, shown) {
    node.hidden = !shown;
    node.input.disabled = !shown;
}

function select(label, name, value, keys, prefix) {
    return field({ label, name, type: "select", value, options: keys.map((key) => [key, t(`${prefix}.${key}`)]) });
}

/** One phase to be edited; its read() answers what order.js takes. */
function phaseEditor(phase, remove) {
    const last = phase.takes === "rest";
    const name = field({ label: t("common.name"), name: "phase_name", value: phase.name, maxlength: 128, pattern: "[^,]*",
        title: t("deploy.no_commas") });
    const takes = select(t("deploy.takes"), "phase_takes", phase.takes, last ? ["rest"] : ["percent", "count", "filter"],
        "deploy.takes");
    const amount = field({ label: t("deploy.amount"), name: "phase_amount", type: "number", min: 1, value: phase.amount, required: true });
    const success = field({ label: t("deploy.success"), name: "phase_success", type: "number", min: 0, max: 100, value: phase.success,
        required: true });
    const errors = field({ label: t("deploy.errors"), name: "phase_errors", value: phase.errors, pattern: "[1-9][0-9]{0,8}|[1-9][0-9]?%|100%",
        placeholder: t("deploy.never"), title: t("deploy.errors_hint") });
    takes.input.addEventListener("change", () => {
        amount.input.type = takes.input.value === "filter" ? "text" : "number";
        amount.input.value = "";
    });
    show(takes, !last);
    show(amount, !last);
    show(success, !last);
    const legend = el("legend");
    const node = el("fieldset", { class: "phase-edit" }, legend,
        fields(name, takes, amount, success, errors,
            !last && button(t("deploy.remove"), { kind: "plain", icon: "close", on: remove })));
    node.legend = (n) => replace(legend, t("deployment.phase", { n }), last && [" · ", t("deployment.rest")]);
    node.read = () => ({ name: name.input.value, takes: takes.input.value, amount: amount.input.value,
        success: success.input.value, errors: errors.input.value });
    return node;
}

function phasesEditor(changed) {
    const list = el("div", { class: "stack" });
    const add = (phase) => {
        const editor = phaseEditor(phase, () => {
            editor.remove();
            changed();
        });
        list.insertBefore(editor, phase.takes === "rest" ? null : list.lastChild);
        return editor;
    };
    add(REST);
    add(CANARY);
    const more = button(t("deploy.add_phase"), { icon: "plus", on: () => {
        if (list.children.length < PHASES_MAX) {
            add({ ...CANARY, name: "", amount: "" }).querySelector("input").focus();
            changed();
        }
    } });
    const node = el("div", { class: "stack" }, el("p", { class: "muted" }, t("deploy.phases_hint")), list, el("div", null, more));
    node.read = () => [...list.children].map((editor) => editor.read());
    node.number = () => [...list.children].forEach((editor, i) => editor.legend(i + 1));
    return node;
}

function folded(title, ...children) {
    return el("details", { class: "folded" }, el("summary", null, title), el("div", { class: "stack" }, ...children));
}

/** When, and how fast; toggle(values) shows what belongs to the choice. */
function timing() {
    const start = field({ label: t("deployment.start_at"), name: "start_at", type: "datetime-local", hint: t("deploy.start_hint") });
    const days = select(t("deployment.window"), "days", "", ["", "*", "MON-FRI", "SAT,SUN", "cron"], "deploy.days");
    const at = field({ label: t("deploy.opens"), name: "at", type: "time", value: "02:00", required: true });
    const cron = field({ label: t("deploy.cron"), name: "cron", value: "0 0 2 * * ?", required: true });
    const open = field({ label: t("deploy.open_for"), name: "open_for", value: "2h", pattern: SPAN, required: true, title: t("deploy.span") });
    const zone = field({ label: t("deploy.zone"), name: "zone", placeholder: t("deployment.zone_device"),
        pattern: "[+\\-][0-9]{2}:[0-9]{2}|Z", title: "+09:00", hint: t("deploy.zone_hint") });
    const speed = field({ label: t("deploy.per_minute"), name: "per_minute", type: "number", min: 1, max: 1000000 });
    const deadline = field({ label: t("deployment.deadline"), name: "deadline", pattern: SPAN, placeholder: t("deploy.none"),
        hint: t("deploy.deadline_hint") });
    const node = folded(t("deploy.when"), fields(start, speed, deadline), fields(days, at, cron, open, zone));
    node.toggle = (values) => {
        show(at, values.days !== "" && values.days !== "cron");
        show(cron, values.days === "cron");
        show(open, values.days !== "");
        show(zone, values.days !== "");
    };
    return node;
}

function advanced(releases) {
    const check = (key) => field({ label: t(`deploy.${key}`), name: key, type: "checkbox", hint: t(`deploy.${key}_hint`) });
    const dynamic = field({ label: t("deployment.dynamic"), name: "dynamic", type: "checkbox", value: true });
    const mode = select(t("deployment.mode"), "mode", "forced", ["forced", "soft", "download_only", "time_forced"], "deploy.mode");
    const force = field({ label: t("deployment.force_at"), name: "force_at", type: "datetime-local", required: true });
    const rollback = field({ label: t("deploy.rollback"), name: "rollback", type: "select",
        options: [["", t("deployment.pauses")], ...releases.map((r) => [r.id, t("deploy.back_to", { release: `${r.name} ${r.version}` })])] });
    const node = folded(t("deploy.advanced"), fields(mode, force, rollback),
        fields(field({ label: t("deployment.retries"), name: "retries", type: "number", min: 0, max: 100 }),
            field({ label: t("deploy.retry_after"), name: "retry_after", pattern: SPAN, placeholder: "1h" }),
            field({ label: t("deployment.priority"), name: "priority", type: "number", min: 0, max: 1000, placeholder: "500" })),
        dynamic, check("allow_downgrade"));
    node.toggle = (values) => {
        show(force, values.mode === "time_forced");
        show(dynamic, values.kind !== "device");
    };
    return node;
}

/** What and whom: the release, the kind of target, the target. */
function targeting(releases, first) {
    const known = unique("releases");
    const models = unique("models");
    const modelList = el("datalist", { id: models });
    const release = field({ label: t("common.release"), name: "release", value: first.release, required: true, list: known,
        autocomplete: "off", placeholder: "gateway@1.1", pattern: `[1-9][0-9]*|${NAME}@${NAME}`, hint: t("deploy.release_hint") });
    const kind = select(t("deploy.whom"), "kind", first.kind, KINDS, "deploy.kind");
    const target = field({ label: " ", name: "target", value: first.target, required: true, autocomplete: "off" });
    const devices = el("a", { href: "#/fleet" }, t("deploy.show_devices"));
    const help = el("details", { class: "folded small" }, el("summary", null, t("deploy.filter_help")),
        el("p", null, t("deploy.filter_fields")), el("ul", null, EXAMPLES.map((each) => el("li", null, el("code", null, each)))));
    const chosen = (text) => releases.find((r) => text === `${r.name}@${r.version}` || text === String(r.id));
    release.classList.add("grow");
    target.classList.add("grow");
    const node = el("div", { class: "stack" }, release, fields(kind, target), devices, help, modelList,
        el("datalist", { id: known }, releases.map((r) => el("option", { value: `${r.name}@${r.version}` }, r.models.join(", ")))));
    const suggest = () => {
        const found = chosen(release.input.value.trim());
        replace(modelList, (found?.models || []).map((model) => el("option", { value: model })));
        if (found && kind.input.value === "model" && !target.input.value) {
            target.input.value = found.models[0];
        }
    };
    kind.input.addEventListener("change", () => {
        target.input.value = "";
        suggest();
    });
    release.input.addEventListener("input", suggest);
    node.toggle = (values) => {
        show(target, values.kind !== "all");
        target.querySelector("label").textContent = t(`deploy.value.${values.kind}`);
        target.input.setAttribute("list", values.kind === "model" ? models : "");
        help.hidden = values.kind !== "filter";
        devices.hidden = !(["filter", "model", "tag"].includes(values.kind) && values.target);
        devices.setAttribute("href", values.kind === "filter" ? `#/fleet?q=${encodeURIComponent(values.target)}`
            : `#/fleet?${values.kind}=${encodeURIComponent(values.target)}`);
    };
    node.version = (text) => chosen(text)?.version || text.split("@")[1] || text;
    suggest();
    return node;
}

function read(node) {
    return Object.fromEntries([...node.elements].filter((each) => each.name && !each.name.startsWith("phase_"))
        .map((each) => [each.name, each.type === "checkbox" ? each.checked : each.value]));
}

/** What the address asks for: ?release=, and ?filter=, ?model=, ?tag= or ?device=. */
async function asked(query) {
    const kind = KINDS.find((each) => query.get(each)) || "model";
    let release = query.get("release") || "";
    if (/^\d+$/.test(release)) {
        const found = await api.get(`/api/firmware/${release}`);
        release = `${found.name}@${found.version}`;
    }
    return { kind, target: query.get(kind) || "", release };
}

async function render({ main, query, session, go }) {
    if (!may(session, "change")) {
        replace(main, heading(t("nav.deploy")), el("p", { class: "note" }, t("common.forbidden", { role: t(`common.role.${session.role}`) })));
        return;
    }
    const [{ items }, first] = await Promise.all([api.get(RELEASES), asked(query).catch((error) => ({ error }))]);
    const shown = preview();
    const command = el("div");
    let order = "";
    let node = null;
    const changed = () => {
        const values = read(node);
        [what, when, more].forEach((part) => part.toggle(values));
        phaseCard.hidden = values.kind === "device";
        phases.querySelectorAll("input, select").forEach((each) => {
            each.disabled = values.kind === "device" || each.closest("[hidden]:not(.card)") !== null;
        });
        phases.number();
        const body = node.checkValidity() ? orderBody(values, phases.read()) : null;
        const next = JSON.stringify(body);
        if (next !== order) {
            order = next;
            shown.show(body, what.version(values.release.trim()));
            replace(command, body ? copyable(orderCommand(body)) : el("p", { class: "muted" }, t("deploy.incomplete")));
        }
    };
    const what = targeting(items, first.error ? { kind: "model", target: "", release: "" } : first);
    const when = timing();
    const more = advanced(items);
    const phases = phasesEditor(() => changed());
    const phaseCard = card(t("deploy.phases"), phases);
    const checks = ["approval", "consent"].map((key) => field({ label: t(`deploy.${key}`), name: key, type: "checkbox",
        hint: t(`deploy.${key}_hint`) }));
    node = form({
        label: t("nav.deploy"),
        action: t("deploy.submit"),
        children: [first.error && problem(first.error),
            items.length === 0 && el("p", { class: "note warn" }, t("deploy.no_releases"), " ", link(t("nav.firmware"), "firmware")),
            card(t("deploy.what"), what), phaseCard,
            card(t("deploy.terms"), checks, when, more)],
        onSubmit: async () => {
            changed();  // whatever filled the form in: the preview is of what is ordered
            const body = orderBody(read(node), phases.read());
            const found = await shown.found();
            if (!node.isConnected || !await confirmed(orderQuestion(body, found), t("deploy.submit"))) {
                return;
            }
            const made = await api.post("/api/deployments", body);
            toast(t("deploy.made", { id: made.id }));
            go(`#/deployment/${made.id}`);
        },
    });
    node.addEventListener("input", changed);
    node.addEventListener("change", changed);
    node.addEventListener("invalid", (event) => {
        event.target.closest("details")?.setAttribute("open", "");
    }, true);
    replace(main, heading(t("nav.deploy")), el("div", { class: "columns wide-first order" }, node,
        el("div", { class: "stack beside" }, card(t("deploy.preview"), shown), card(t("deploy.command"), command))));
    changed();
}

export default { route: "deploy", title: "nav.deploy", render };
