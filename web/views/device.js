// One device: what it is, why it gets what it gets, and what it lived through.

import { api, may } from "../api.js";
import { el, replace } from "../dom.js";
import { algorithm, has, t, time } from "../i18n.js";
import { live } from "../live.js";
import { badge, card, details, empty, field, form, heading, icon, loading, pager, stateBadge, toast, when }
    from "../ui.js";
import { deviceActions, revokedNote } from "./device-actions.js";
import { deploymentLink, releaseLink, whyBox } from "./device-why.js";
import { clock, deviceWords } from "./device-words.js";
import { deviceState, transportBadge } from "./devices.js";

const PAGE = 50;
const TONES = { succeeded: "ok", failed: "bad", cancelled: "quiet" };

function refused(body) {
    return el("div", { class: "problem", role: "alert" }, body.detail);
}

/** Its name, how it came, and when. */
function state(device) {
    return [
        device.name && el("span", null, device.name),
        device.revoked ? badge(t("fleet.revoked"), "bad") : transportBadge(device.transport),
        el("span", null, t("fleet.last_seen"), ": ", when(device.last_seen)),
    ];
}

function overview(device) {
    return details([
        [t("common.model"), device.model],
        [t("common.version"), device.version ?? t("common.unknown")],
        [t("fleet.update"), deviceState(device)],
        [t("device.interface"), t(`device.interface.${device.interface}`)],
        [t("device.registered"), when(device.created)],
        [t("device.clock"), clock(device)],
        device.revoked && [t("fleet.revoked"), when(device.revoked)],
    ]);
}

function attributes(device) {
    const rows = Object.entries(device.attributes);
    return rows.length ? details(rows) : empty(t("device.no_attributes"));
}

function certificate(each) {
    const days = (new Date(each.not_after) - Date.now()) / 86400000;
    const state = each.revoked ? badge(t("fleet.revoked"), "bad") : days < 0 ? badge(t("device.expired"), "bad")
        : days < 30 ? badge(t("device.ends_soon"), "warn") : badge(t("device.valid"), "ok");
    return el("li", null, el("div", { class: "row between" }, el("span", { class: "row tight" }, state,
        each.algorithm && el("strong", null, algorithm(each.algorithm))), el("span", null, t("device.ends"), " ", when(each.not_after))),
    details([
        [t("device.valid_from_to"), `${time(each.not_before, { dateStyle: "medium" })} – ${
            time(each.not_after, { dateStyle: "medium" })}`],
        each.revoked && [t("fleet.revoked"), [when(each.revoked), each.reason && ` · ${each.reason}`]],
        [t("device.serial"), el("span", { class: "mono" }, each.serial)],
    ]));
}

function entry(each) {
    const what = each.state ? stateBadge(each.state)
        : el("strong", null, has(`device.kind.${each.kind}`) ? t(`device.kind.${each.kind}`) : each.kind);
    return el("li", { class: TONES[each.state] || null },
        el("div", { class: "row between" }, el("span", { class: "row tight" }, what,
            each.progress > 0 && el("span", null, `${each.progress} %`),
            each.release && el("span", null, releaseLink(each.release), " · ", deploymentLink(each.deployment))),
        el("time", { datetime: each.at }, time(each.at))),
        each.text && el("p", { class: "words" }, each.text));
}

/** Tags, each with a button that takes it away; the field for another stays while others change. */
function tagEditor(id, session) {
    const list = el("div", { class: "row tight" });
    const path = (tag) => `/api/devices/${encodeURIComponent(id)}/tags/${encodeURIComponent(tag)}`;
    const writer = may(session, "change");
    const show = (tags) => replace(list, tags.length ? tags.map((tag) => el("span", { class: "tag" }, tag,
        writer && el("button", { type: "button", "aria-label": t("device.untag", { tag }), title: t("device.untag", { tag }),
            on: { click: () => api.del(path(tag)).then(() => show(tags.filter((each) => each !== tag)),
                (error) => toast(error.detail, "bad")) } }, icon("close"))))
        : el("span", { class: "muted" }, t("device.no_tags")));
    const input = writer && field({ label: t("device.new_tag"), name: "tag", required: true, maxlength: 128,
        pattern: "[A-Za-z0-9][A-Za-z0-9._+~\\-]*", autocomplete: "off", hint: t("device.tag_hint") });
    const add = writer && form({ label: t("device.add_tag"), children: [input], action: t("device.add_tag"), kind: "",
        onSubmit: async (values, node) => {
            await api.put(path(values.get("tag")));
            node.reset();
            input.input.focus();
        } });
    return { node: card(t("common.tags"), list, add), show };
}

class DeviceView {
    constructor({ main, params, session, setTitle }) {
        [this.id] = params;
        this.path = `/api/devices/${encodeURIComponent(this.id)}`;
        this.state = el("div", { class: "row" });
        this.session = session;
        this.actions = deviceActions(session);
        this.problem = el("div");
        this.overview = el("div", null, loading());
        this.why = whyBox(refused);
        this.words = deviceWords(this.id, session);
        this.attributes = el("div");
        this.certificates = el("ul", { class: "failures" });
        this.timeline = el("div", { class: "stack" }, loading());
        this.tags = tagEditor(this.id, session);
        setTitle(this.id);
        this.body = el("div", { class: "columns wide-first" },
            el("div", { class: "stack" }, this.why.node, card(t("device.history"), this.timeline)),
            el("div", { class: "stack" }, card(t("device.overview"), this.overview, this.words.node), this.tags.node,
                card(t("device.attributes"), this.attributes), card(t("device.certificates"), this.certificates)));
        replace(main, heading(this.id, { actions: this.actions.node, detail: this.state }), this.problem, this.body);
        this.close = live({
            [this.path]: (body, status) => this.show(body, status),
            [`${this.path}/why`]: (body, status) => this.why.show(body, status),
        });
        this.closeHistory = () => {};
        this.page("");
    }

    show(device, status) {
        const there = status === 200;
        this.body.hidden = !there;
        this.actions.node.hidden = !there;
        replace(this.problem, there ? revokedNote(device, this.session) : refused(device));
        if (!there) {
            return;
        }
        this.actions.show(device);
        this.words.show(device);
        replace(this.state, state(device));
        replace(this.overview, overview(device));
        replace(this.attributes, attributes(device));
        replace(this.certificates, device.certificates.length ? device.certificates.map(certificate)
            : el("li", null, empty(t("device.no_certificates"))));
        this.tags.show(device.tags);
    }

    page(after) {
        this.closeHistory();
        const path = `${this.path}/history?limit=${PAGE}${after && `&after=${encodeURIComponent(after)}`}`;
        this.closeHistory = live({ [path]: (body, status) => replace(this.timeline, status !== 200 ? refused(body) : [
            body.items.length ? el("ol", { class: "timeline" }, body.items.map(entry)) : empty(t("device.no_history")),
            pager({ next: body.next, has: Boolean(after), onNext: (next) => this.page(next), onFirst: () => this.page("") }),
        ]) });
    }
}

export default {
    route: "device",
    title: "nav.device",
    render(context) {
        const view = new DeviceView(context);
        return () => {
            view.close();
            view.closeHistory();
        };
    },
};
