// A deployment as it is ordered: what the form holds, as the request's body, in words, and as the command that does the
// same.

import { el } from "../dom.js";
import { plural, t, time } from "../i18n.js";

/** A length of time as the command takes it. */
export const SPAN = "[1-9][0-9]{0,8}(s|m|min|h|d|w)?";

const SECONDS = { s: 1, m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 };

/** "4h" -> 14400; "" -> undefined. */
function seconds(text) {
    const [, n, unit] = /^(\d+)(\D*)$/.exec(text) || [];
    return n && Number(n) * SECONDS[unit || "s"];
}

/** One word for a POSIX shell. */
export function shell(text) {
    return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Words as a line for a shell; options (words that begin with "--") on lines of their own when it gets long. */
export function commandLine(words) {
    const quoted = words.map(shell);
    const line = quoted.join(" ");
    return line.length <= 92 ? line
        : quoted.reduce((all, word) => `${all}${/^--[a-z]/.test(word) ? " \\\n    " : " "}${word}`);
}

/** 14400 -> "4h". */
function span(n) {
    const [unit, size] = [["d", 86_400], ["h", 3600], ["m", 60]].find(([, each]) => n % each === 0) || ["s", 1];
    return n && `${n / size}${unit}`;
}

/** What a maintenance window opens at: a Quartz expression, from "02:00" and "*", "MON-FRI", "SAT,SUN". */
function schedule(values) {
    if (values.days === "cron") {
        return values.cron.trim();
    }
    const [hour, minute] = values.at.split(":").map(Number);
    return `0 ${minute} ${hour} ${values.days === "*" ? "* * ?" : `? * ${values.days}`}`;
}

/** "NAME@VERSION" or an id, as the request names it. */
function releaseName(text) {
    const at = text.indexOf("@");
    return at < 0 ? { release: Number(text) } : { name: text.slice(0, at), version: text.slice(at + 1) };
}

function moment(local) {
    return new Date(local).toISOString().replace(".000Z", "Z");
}

/** A phase of the form: {name, takes: "percent"|"count"|"filter"|"rest", amount, success, errors: "", "3" or "5%"}. */
function phaseBody(phase) {
    const body = { name: phase.name.trim() || undefined };
    if (phase.takes !== "rest") {
        body[phase.takes] = phase.takes === "filter" ? phase.amount.trim() : Number(phase.amount);
        body.success_percent = Number(phase.success);
    }
    if (phase.errors) {
        body[phase.errors.endsWith("%") ? "error_percent" : "error_count"] = parseInt(phase.errors, 10);
    }
    return body;
}

/** A filter has to come last: it may have commas of its own. A name has none. */
function phaseText(phase) {
    const { name, filter, percent, count, success_percent: success, error_percent: share, error_count: errors } = phase;
    const parts = [name && `name=${name}`, count && `count=${count}`, percent && `percent=${percent}`,
        success !== undefined && `success=${success}`, share && `errors=${share}%`, errors && `errors=${errors}`,
        filter && `filter=${filter}`];
    return parts.filter(Boolean).join(",");
}

/**
 * The body of POST /api/deployments.
 * @param {Object} values what the form's controls hold, by name; checkboxes as booleans
 * @param {Object[]} phases see phaseBody(); one device has none
 */
export function orderBody(values, phases) {
    const body = {
        ...releaseName(values.release.trim()),
        target: { kind: values.kind, value: values.kind === "all" ? "" : values.target.trim() },
        phases: values.kind === "device" ? undefined : phases.map(phaseBody),
        dynamic: values.kind === "device" || values.dynamic ? undefined : false,
        start_at: values.start_at ? moment(values.start_at) : undefined,
        deadline_seconds: seconds(values.deadline),
        retry_seconds: seconds(values.retry_after),
        window: values.days ? {
            schedule: schedule(values), seconds: seconds(values.open_for), zone: values.zone.trim() || "device",
        } : undefined,
        mode: values.mode === "forced" ? undefined : values.mode,
        force_at: values.mode === "time_forced" ? moment(values.force_at) : undefined,
    };
    for (const key of ["retries", "per_minute", "priority", "rollback"]) {
        body[key] = values[key] === "" ? undefined : Number(values[key]);
    }
    for (const key of ["consent", "approval", "allow_downgrade"]) {
        body[key] = values[key] || undefined;
    }
    return JSON.parse(JSON.stringify(body));
}

/** Whom a deployment is for, in words. */
export function targetWords({ kind, value }) {
    return t(`deployment.target.${kind}`, { value });
}

/** What is asked before it is made. found: its preview, or {error}. */
export function orderQuestion(body, found) {
    const release = body.name ? `${body.name} ${body.version}` : t("deploy.release_n", { id: body.release });
    const counted = found.error ? `${t("deploy.ask_unknown")} ${found.error.detail}`
        : t(found.complete ? "deploy.ask_devices" : "deploy.ask_devices_more",
            { devices: plural("deploy.count", found.devices) });
    const begins = (body.approval && t("deploy.ask_approval"))
        || (body.start_at && t("deployment.begins", { at: time(body.start_at) }))
        || (body.window && t("deploy.ask_window")) || t("deploy.ask_now");
    return [
        el("p", null, el("strong", null, `${release} → ${targetWords(body.target)}`)),
        el("p", null, counted, " ", begins),
        found.warnings?.length > 0 && el("ul", { class: "note warn" }, found.warnings.map((each) => el("li", null, each))),
    ];
}

/** The command that does what that body does. */
export function orderCommand(body) {
    const words = ["pqota", "deploy", body.name ? `${body.name}@${body.version}` : String(body.release)];
    const add = (option, value) => {
        if (value !== undefined && value !== false) {
            words.push(`--${option}`, ...(value === true ? [] : [String(value)]));
        }
    };
    add(body.target.kind, body.target.kind === "all" || body.target.value);
    (body.phases || []).forEach((phase) => add("phase", phaseText(phase) || undefined));
    add("static", body.dynamic === false);
    add("start-at", body.start_at);
    add("window", body.window?.schedule);
    add("window-duration", span(body.window?.seconds));
    add("window-zone", body.window && body.window.zone !== "device" ? body.window.zone : undefined);
    add("per-minute", body.per_minute);
    add("deadline", span(body.deadline_seconds));
    add("retries", body.retries);
    add("retry-after", span(body.retry_seconds));
    add("mode", body.mode?.replace("_", "-"));
    add("force-at", body.force_at);
    add("consent", body.consent);
    add("approval", body.approval);
    add("allow-downgrade", body.allow_downgrade);
    add("priority", body.priority);
    add("rollback", body.rollback);
    return commandLine(words);
}
