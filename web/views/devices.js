// The list of devices: filters as the API has them, kept in the address, and pages.

import { api, may, query as withQuery } from "../api.js";
import { announce, el, replace } from "../dom.js";
import { plural, t } from "../i18n.js";
import { live } from "../live.js";
import { badge, button, card, field, form, link, linkButton, loading, pager, problem, stateBadge, table, when } from "../ui.js";

const PAGE = 25;
const FIELDS = ["device", "model", "version", "tag", "revoked", "q"];
const TRANSPORTS = { pq: "ok", classical: "warn", plain: "bad", proxy: "quiet" };

/** How a device last came. */
export function transportBadge(transport) {
    return transport ? badge(t(`fleet.transport.${transport}`), TRANSPORTS[transport]) : "–";
}

/** A device's tags. */
export function tagList(tags) {
    return el("span", { class: "row tight" }, tags.map((tag) => el("span", { class: "tag" }, tag)));
}

/** How a device does: revoked, or what it is doing. */
export function deviceState(device) {
    if (device.revoked) {
        return badge(t("fleet.revoked"), "bad");
    }
    return device.action ? el("span", { class: "row tight fixed" }, stateBadge(device.action.state),
        el("span", { class: "muted" }, device.action.release.version)) : "–";
}

function value(text) {
    return `"${text.replace(/["\\*]/g, "\\$&")}"`;
}

/** What the list shows, as one filter expression; empty: all devices. */
function expression(values) {
    const parts = [
        values.device && `id==${value(values.device).slice(0, -1)}*"`,
        values.model && `model==${value(values.model)}`,
        values.version && `version==${value(values.version)}`,
        values.tag && `tag==${value(values.tag)}`,
    ].filter(Boolean);
    if (values.q) {
        parts.push(parts.length ? `(${values.q})` : values.q);
    }
    return parts.join(" and ");
}

function columns() {
    return [
        { key: "id", label: t("common.device"), cell: (device) => el("span", null, link(device.id, "device", device.id),
            device.name && el("span", { class: "under" }, device.name)) },
        { key: "model", label: t("common.model"), cell: (device) => device.model },
        { key: "version", label: t("common.version"), cell: (device) => device.version ?? t("common.unknown") },
        { key: "state", label: t("fleet.update"), cell: deviceState },
        { key: "tags", label: t("common.tags"), cell: (device) => tagList(device.tags) },
        { key: "transport", label: t("fleet.transport"), cell: (device) => transportBadge(device.transport) },
        { key: "seen", label: t("fleet.last_seen"), cell: (device) => when(device.last_seen) },
    ];
}

class DeviceList {
    constructor({ query, session, remember }) {
        this.values = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) || ""]));
        this.session = session;
        this.remember = remember;
        this.after = query.get("after") || "";
        this.close = () => {};
        this.fields = this.makeFields();
        this.known = el("datalist", { id: "known-models" });
        this.links = el("div", { class: "actions" });
        this.place = el("div", { class: "stack" }, loading());
        this.node = card(t("fleet.devices"), this.makeForm(), this.place);
        this.load();
    }

    makeFields() {
        const text = (name, label, more) => field({ label, name, value: this.values[name], maxlength: 128,
            autocomplete: "off", spellcheck: "false", ...more });
        return {
            device: text("device", t("fleet.id_begins"), { maxlength: 64 }),
            model: text("model", t("common.model"), { list: "known-models" }),
            version: text("version", t("common.version")),
            tag: text("tag", t("fleet.tag")),
            revoked: field({ label: t("fleet.revoked"), name: "revoked", type: "select", value: this.values.revoked,
                options: [["", t("fleet.revoked.any")], ...["false", "true"].map((each) => [each, t(`fleet.revoked.${each}`)])] }),
            q: text("q", t("fleet.filter"), { maxlength: 4096, placeholder: "tag==berlin and last_seen>-1d",
                hint: t("fleet.filter_hint") }),
        };
    }

    makeForm() {
        this.fields.q.classList.add("grow");
        return form({
            label: t("fleet.filter_devices"),
            children: [el("div", { class: "fields" }, FIELDS.map((name) => this.fields[name])), this.known],
            action: t("fleet.apply"),
            kind: "",
            extra: [button(t("fleet.clear"), { kind: "plain", on: () => this.clear() }), this.links],
            onSubmit: (values) => {
                this.values = Object.fromEntries([...values].map(([name, each]) => [name, each.trim()]));
                return this.turn("");
            },
        });
    }

    /** Models to choose from, of the fleet's versions. */
    models(versions) {
        const all = [...new Set(versions.map((each) => each.model))].sort();
        if (all.length !== this.known.childElementCount) {
            replace(this.known, all.map((model) => el("option", { value: model })));
        }
    }

    clear() {
        for (const name of FIELDS) {
            this.fields[name].input.value = "";
            this.values[name] = "";
        }
        return this.turn("");
    }

    /** To a page of the present filter; the address says which. */
    turn(after) {
        this.after = after;
        this.remember(withQuery("#/fleet", { ...this.values, after }));
        return this.load();
    }

    showLinks() {
        const filter = expression(this.values);
        replace(this.links, may(this.session, "change") && this.values.revoked !== "true"
            && linkButton(t("fleet.deploy"), withQuery("#/deploy", { filter }), { icon: "deployments" }));
    }

    async load() {
        const { device, model, version, tag, revoked, q } = this.values;
        const path = withQuery("/api/devices", { q: device, model, version, tag, revoked, filter: q, limit: PAGE,
            after: this.after });
        let late = false;
        this.close();
        this.close = () => {
            late = true;
        };
        this.list = null;
        this.fields.q.fail(null);
        this.showLinks();
        if (q) {  // what is searched for in all rows is not searched for each second
            const shown = await api.get(path).then((body) => () => this.show(body, 200), (error) => () => this.fail(error));
            if (!late) {
                shown();
            }
        } else {
            this.close = live({ [path]: (body, status) => this.show(body, status) });
        }
    }

    fail(error) {
        if (error.status === 400) {
            this.fields.q.fail(error.detail);
            this.fields.q.input.focus();
            replace(this.place);
        } else {
            replace(this.place, problem(error));
        }
    }

    show(body, status) {
        if (status !== 200) {
            this.list = null;
            replace(this.place, el("div", { class: "problem", role: "alert" }, body.detail));
            return;
        }
        const pages = pager({ next: body.next, has: Boolean(this.after), onNext: (next) => this.turn(next),
            onFirst: () => this.turn("") });
        if (this.list) {
            this.list.update(body.items);
            replace(this.pages, pages);
            return;
        }
        this.list = table({ caption: t("fleet.devices"), columns: columns(), rows: body.items, empty: t("fleet.no_devices"),
            onRow: (device) => {
                location.hash = `#/device/${encodeURIComponent(device.id)}`;
            } });
        this.pages = el("div", null, pages);
        replace(this.place, this.list, this.values.q && el("p", { class: "muted" }, t("fleet.as_found")), this.pages);
        announce(plural("fleet.shown", body.items.length));
    }
}

/** @returns {{node: Node, models: (versions: object[]) => void, close: () => void}} */
export function deviceList(context) {
    const list = new DeviceList(context);
    return { node: list.node, models: (versions) => list.models(versions), close: () => list.close() };
}
