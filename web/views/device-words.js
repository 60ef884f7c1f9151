// What people say of a device: its name, and its clock, by which maintenance windows go.

import { api, may } from "../api.js";
import { el } from "../dom.js";
import { t } from "../i18n.js";
import { field, form, toast } from "../ui.js";

const ZONE = "[+\\-][0-9]{2}:[0-9]{2}|Z";

/** -210 -> −03:30, with the sign that is set in type; null -> the empty text. */
function zone(minutes, minus) {
    return minutes === null ? "" : `${minutes < 0 ? minus : "+"}${
        new Date(Math.abs(minutes) * 60000).toISOString().slice(11, 16)}`;
}

/** A device's clock in words. */
export function clock(device) {
    const offset = device.utc_offset_minutes;
    return offset === null ? t("device.clock_unknown") : `UTC${zone(offset, "−")}`;
}

/** A form for both, if the session may; show(device) follows what others change, but for what is being written. */
export function deviceWords(id, session) {
    if (!may(session, "change")) {
        return { node: null, show: () => {} };
    }
    const fields = {
        name: field({ label: t("common.name"), name: "name", maxlength: 128, autocomplete: "off" }),
        utc_offset: field({ label: t("device.clock"), name: "utc_offset", pattern: ZONE, placeholder: "+09:00",
            title: "+09:00", autocomplete: "off", hint: t("device.clock_hint") }),
    };
    const known = { name: "", utc_offset: "" };
    const node = el("details", { class: "folded" }, el("summary", null, t("device.words")), form({
        label: t("device.words"),
        children: el("div", { class: "fields" }, Object.values(fields)),
        action: t("device.save"),
        kind: "",
        onSubmit: async (values) => {
            const changed = [...values].map(([name, text]) => [name, text.trim()]).filter(([name, text]) => text !== known[name]);
            if (changed.length) {
                await api.put(`/api/devices/${encodeURIComponent(id)}`,
                    Object.fromEntries(changed.map(([name, text]) => [name, text || null])));
                Object.assign(known, Object.fromEntries(changed));
            }
            toast(t("accounts.done"));
        },
    }));
    const show = (device) => {
        const next = { name: device.name ?? "", utc_offset: zone(device.utc_offset_minutes, "-") };
        for (const [name, { input }] of Object.entries(fields)) {
            if (input.value === known[name]) {
                input.value = next[name];
            }
            known[name] = next[name];
        }
    };
    return { node, show };
}
