// What may be done with one device: deploy to it, enrol it anew, its token, revoke it, let it in again.

import { api, may } from "../api.js";
import { el, replace } from "../dom.js";
import { t } from "../i18n.js";
import { button, confirmed, copyable, dialog, field, linkButton, toast } from "../ui.js";
import { tellToken } from "./tokens.js";

function path(id, verb) {
    return `/api/devices/${encodeURIComponent(id)}/${verb}`;
}

async function revoke({ id }) {
    const done = await dialog({
        title: t("device.revoke_title", { id }),
        body: [el("p", null, t("device.revoke_what")), field({ label: t("device.reason"), name: "reason", maxlength: 128 })],
        actions: [{ label: t("common.cancel") }, { label: t("device.revoke"), kind: "danger", run: async (values) => {
            const reason = values.get("reason").trim();
            await api.post(path(id, "revoke"), reason ? { reason } : {});
            return true;
        } }],
    });
    if (done) {
        toast(t("device.is_revoked", { id }));
    }
}

/** An enrolment token for this device alone: it gets a new certificate, and if it was revoked, that is over. */
async function enrol({ id, model, revoked }) {
    const label = t(revoked ? "device.readmit" : "device.enrol_anew");
    const made = await dialog({
        title: t(revoked ? "device.readmit_title" : "device.enrol_anew_title", { id }),
        body: el("p", null, t(revoked ? "device.readmit_what" : "device.enrol_anew_what")),
        actions: [{ label: t("common.cancel") },
            { label, run: () => api.post("/api/tokens", { model, device: id }) }],
    });
    if (made) {
        await tellToken(made);
    }
}

/** The token by which a device of hawkBit's protocol comes. */
async function giveToken({ id }) {
    const made = await dialog({
        title: t("device.new_token_title", { id }),
        body: el("p", null, t("device.new_token_what")),
        actions: [{ label: t("common.cancel") },
            { label: t("device.new_token"), kind: "danger", run: () => api.put(path(id, "token"), {}) }],
    });
    if (made) {
        await dialog({
            title: t("device.token_of", { id }),
            body: [el("p", null, t("device.token_header")), copyable(`Authorization: TargetToken ${made.token}`)],
            actions: [{ label: t("accounts.noted") }],
            stays: true,
        });
    }
}

async function release({ id }) {
    if (await confirmed(t("device.release_what", { id }), t("device.release"), "danger")) {
        await api.post(path(id, "release"));
        toast(t("device.is_released", { id }));
    }
}

function actions(device, session) {
    const { id, revoked } = device;
    const change = may(session, "change");
    const admin = may(session, "admin");
    if (revoked) {
        return [admin && button(t("device.readmit"), { on: () => enrol(device) })];
    }
    const ddi = device.interface === "ddi";
    const certified = device.certificates.length > 0;
    return [
        change && linkButton(t("device.deploy"), `#/deploy?device=${encodeURIComponent(id)}`, { icon: "deployments" }),
        change && !ddi && button(t("device.enrol_anew"), { on: () => enrol(device) }),
        change && ddi && button(t("device.new_token"), { on: () => giveToken(device) }),
        change && ddi && certified && button(t("device.release"), { on: () => release(device) }),
        admin && button(t("device.revoke"), { kind: "danger", on: () => revoke(device) }),
    ];
}

/** Buttons for all that the session may; show(device) puts those there that fit the device as it is now. */
export function deviceActions(session) {
    const node = el("div", { class: "actions" });
    let shown = "";
    const show = (device) => {
        const key = JSON.stringify([device.revoked, device.interface, device.model, device.certificates.length > 0]);
        if (key !== shown) {
            shown = key;
            replace(node, actions(device, session));
        }
    };
    return { node, show };
}

/** Why a revoked device does nothing any more, and how it comes back. */
export function revokedNote(device, session) {
    return device.revoked && el("p", { class: "note warn" }, t("device.revoked_note"), " ",
        t(may(session, "admin") ? "device.revoked_admin" : "device.revoked_others"),
        device.interface === "ddi" && [" ", t("device.revoked_ddi")]);
}
