// One release: its files, who vouches for it and until when, and what it would change.

import { api, ApiError, may } from "../api.js";
import { el, replace } from "../dom.js";
import { bytes, number, t, time } from "../i18n.js";
import { live } from "../live.js";
import {
    badge, button, card, confirmed, copyable, details, field, heading, linkButton, problem, stateBadge, table, toast, when,
} from "../ui.js";
import { commandLine } from "./order.js";
import { preview } from "./preview.js";

const KEY_SHOWN = 12;  // letters of a key's id

/**
 * How a draft is published: in one step beside the key, or with a signing request that is carried to it. What is signed
 * is called as it was uploaded; local: how the file is called here, if that is known.
 */
export function signing(release, local = null) {
    const { name, version, models } = release;
    const file = release.artifacts[0]?.filename ?? release.filename;
    const request = `${name}-${version}.sign.json`;
    const words = ["pqota", "firmware", "sign", ...release.artifacts.map((each) => each.filename), "--name", name, "--version", version,
        ...(models.length === 1 && models[0] === name ? [] : models.flatMap((model) => ["--model", model]))];
    const lines = (...all) => copyable([...(local && local !== file ? [["cp", local, file]] : []), ...all]
        .map(commandLine).join("\n"));
    return [
        el("p", null, t("firmware.unsigned", { file: local ?? file })),
        lines([...words, "--sign-with", "targets.key"]),
        el("p", null, t("firmware.or_three")),
        lines(words, ["pqota", "trust", "sign", request, "--key", "targets.key"]),
        el("p", null, t("firmware.then_drop", { request })),
    ];
}

function files(release) {
    return [
        table({
            caption: t("firmware.files"),
            columns: [
                { key: "file", label: t("firmware.file"), cell: (file) => file.filename },
                { key: "size", label: t("firmware.size"), align: "right", cell: (file) => el("span", { title: number(file.size) }, bytes(file.size)) },
                { key: "sha256", label: "SHA-256", cell: (file) => el("code", { class: "hash" }, file.sha256) },
            ],
            rows: release.artifacts,
        }),
        release.artifacts.length === 1 && el("div", null, el("a", { href: `/api/firmware/${release.id}/file`, download: true }, t("firmware.download"))),
    ];
}

function signers(role) {
    return (role?.signed_by || []).map(({ keyid, scheme }) =>
        el("div", { title: keyid }, el("code", null, keyid.slice(0, KEY_SHOWN)), scheme && ` ${scheme}`));
}

function until(role) {
    return role ? el("span", null, time(role.expires, { dateStyle: "medium" }), " · ", when(role.expires)) : "–";
}

function signatures(standing, trust) {
    const roles = new Map((trust?.image.roles || []).map((role) => [role.role, role]));
    return table({
        caption: t("firmware.signatures"),
        columns: [
            { key: "model", label: t("common.model"), cell: (row) => row.model },
            { key: "signed", label: t("firmware.signed"), cell: (row) => (row.signed ? badge(t("firmware.yes"), "ok") : badge(t("firmware.no"), "warn")) },
            { key: "sequence", label: t("firmware.sequence"), align: "right", cell: (row) => number(row.sequence || null) },
            { key: "until", label: t("firmware.until"), cell: (row) => until(row.signed && roles.get(`model-${row.model}`)) },
            { key: "keys", label: t("firmware.keys"), cell: (row) => el("span", null, row.signed ? signers(roles.get(`model-${row.model}`)) : "–") },
        ],
        rows: standing.models,
    });
}

function terms(release) {
    const [first] = release.signed || [];
    return details([
        [t("firmware.models"), release.models.join(", ")],
        [t("firmware.created"), el("span", null, when(release.created), " · ", release.created_by)],
        [t("common.state.published"), release.published ? when(release.published) : "–"],
        first && [t("firmware.counter"), number(first.counter)],
        first?.upgrade_from > 0 && [t("firmware.upgrade_from"), number(first.upgrade_from)],
        first?.unpacked_size > 0 && [t("firmware.unpacked"), bytes(first.unpacked_size)],
        ...(release.signed || []).filter((each) => each.advisory).map((each) => [t("firmware.advisory", { model: each.model }), each.advisory]),
        release.notes && [t("firmware.notes"), el("span", { class: "prose" }, release.notes)],
    ]);
}

/** What would change, were it deployed to those that match. */
function dryRun(id, release, session) {
    const shown = preview();
    const filter = field({ label: t("deploy.value.filter"), name: "filter", placeholder: "model==gw;tag==beta", hint: t("firmware.dry_run_hint") });
    const deploy = linkButton(t("nav.deploy"), "#/deploy");
    const ask = () => {
        const value = filter.input.value.trim();
        deploy.hidden = release()?.state !== "published" || !may(session, "change");
        deploy.setAttribute("href", `#/deploy?release=${id}&filter=${encodeURIComponent(value)}`);
        shown.show({ release: id, target: value ? { kind: "filter", value } : { kind: "all", value: "" } }, release()?.version ?? "");
    };
    filter.input.addEventListener("input", ask);
    return { node: card(t("firmware.dry_run"), filter, shown, el("div", null, deploy)), ask };
}

function actions(release, session, go) {
    const name = `${release.name} ${release.version}`;
    return may(session, "change") ? [
        release.state === "published" && linkButton(t("firmware.deploy"), `#/deploy?release=${release.id}`, { kind: "primary" }),
        button(t("firmware.delete"), { kind: "danger", on: async () => {
            if (await confirmed(t("firmware.ask_delete", { name }), t("firmware.delete"), "danger")) {
                await api.del(`/api/firmware/${release.id}`);
                toast(t("firmware.deleted", { name }));
                go("#/firmware");
            }
        } }),
    ] : [];
}

export function renderRelease({ main, params, session, go, setTitle }) {
    const id = Number(params[0]);
    const head = el("div");
    const fileCard = el("div", { class: "stack" });
    const signed = el("div", { class: "stack" });
    const next = el("div", { class: "stack" });
    let release = null;
    let standing = null;
    let trust = null;
    const dry = dryRun(id, () => release, session);
    const rest = [next, card(t("firmware.about"), fileCard), card(t("firmware.signatures"), signed), dry.node];
    const drawTrust = () => standing && replace(signed, signatures(standing, trust),
        standing.unsigned_allowed && el("p", { class: "note warn" }, t("firmware.unsigned_allowed")));
    const stop = live({
        [`/api/firmware/${id}`]: (body, status) => {
            if (status !== 200) {
                replace(head, heading(t("common.release")), problem(new ApiError(status, body.detail)));
                rest.forEach((each) => {
                    each.hidden = true;
                });
                return;
            }
            release = body;
            setTitle(`${release.name} ${release.version}`);
            replace(head, heading(`${release.name} ${release.version}`, { actions: actions(release, session, go),
                detail: [stateBadge(release.state), (release.signed || []).some((each) => each.security) && badge(t("firmware.security"), "warn")] }));
            replace(fileCard, terms(release), files(release));
            replace(next, release.state === "draft" && card(t("firmware.next"), signing(release)));
            rest.forEach((each) => {
                each.hidden = each === dry.node && release.state === "draft";
            });
            if (!dry.node.hidden) {
                dry.ask();
            }
        },
        [`/api/trust/releases/${id}`]: (body, status) => {
            standing = status === 200 ? body : null;
            drawTrust();
        },
        "/api/trust": (body, status) => {
            trust = status === 200 ? body : null;
            drawTrust();
        },
    });
    replace(main, head, rest);
    return stop;
}
