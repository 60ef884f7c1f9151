// What firmware's trust and this server stand on: metadata, certificates, crypto, load, disks.

import { ApiError } from "../api.js";
import { lineChart } from "../charts.js";
import { el, replace } from "../dom.js";
import { algorithm, bytes, duration, number, percent, plural, t, time } from "../i18n.js";
import { live } from "../live.js";
import {
    badge, button, card, details, empty, heading, link, loading, problem, progress, stat, stats, table, when,
} from "../ui.js";

const DAY = 86_400_000;
const GIB = 2 ** 30;
const ROLES_SHOWN = 12;
const COUNTED = 10_000;  // the server counts certificates no further
const TOPICS = { about: "/api/server", status: "/api/status", trust: "/api/trust", history: "/api/server/history" };

/** Part of the page that is drawn anew only when what it shows has changed, so that nobody loses the focus there. */
function part(make, first = loading()) {
    const node = el("div", { class: "stack", hidden: !first }, first);
    let shown = "";
    return {
        node,
        draw(...given) {
            const next = JSON.stringify(given);
            if (next !== shown) {
                shown = next;
                replace(node, make(...given));
                node.hidden = !node.childElementCount;
            }
        },
        /** What it would show was refused; what it showed before stays. */
        lack() {
            if (!shown) {
                replace(node, empty(t("server.lacking")));
            }
        },
    };
}

/** "ok", "warn" or "bad" for an end: bad once less than `bad` milliseconds are left, warn below `warn`. */
function endTone(expires, now, warn, bad = 0) {
    const left = new Date(expires) - now;
    return left <= bad ? "bad" : left < warn ? "warn" : "ok";
}

function endCell(expires, tone, now) {
    const left = (new Date(expires) - now) / 1000;
    const rough = left - left % (left > 172_800 ? 86_400 : 60);
    const words = left <= 0 ? t("server.ended") : t(tone === "ok" ? "server.left" : "server.soon", { time: duration(rough) });
    return el("span", { class: "ends", title: time(expires) }, badge(words, tone), " ",
        el("span", { class: "muted" }, time(expires, { dateStyle: "medium" })));
}

/* --- update metadata --- */

/** When the server itself begins to warn: those that it signs by itself it renews before. */
function roleTone(role, now) {
    const life = new Date(role.expires) - new Date(role.since);
    return endTone(role.expires, now, life / (["snapshot", "timestamp"].includes(role.role) ? 4 : 3));
}

function signers(role) {
    return role.signed_by === null ? "–" : el("span", { class: "row keys" }, role.signed_by.map(({ keyid, scheme }) =>
        el("span", { class: "tag", title: keyid }, `${scheme || t("common.unknown")} ${keyid.slice(0, 8)}`)));
}

function roleTable(name, roles, now) {
    const sorted = [...roles].sort((a, b) => Number(a.role.startsWith("model-")) - Number(b.role.startsWith("model-"))
        || a.expires.localeCompare(b.expires));
    const shown = table({
        caption: t(`server.repository.${name}`),
        empty: t("server.no_metadata"),
        columns: [
            { key: "role", label: t("common.role"), cell: (r) => el("span", { class: "mono" }, r.role) },
            { key: "version", label: t("common.version"), cell: (r) => r.version, align: "right" },
            { key: "expires", label: t("server.valid"), cell: (r) => endCell(r.expires, roleTone(r, now), now) },
            { key: "wanted", label: t("server.wanted"), cell: (r) => t("server.families", r) },
            { key: "signed", label: t("server.signed_by"), cell: signers },
        ],
        rows: sorted.slice(0, ROLES_SHOWN),
    });
    const more = sorted.length > ROLES_SHOWN && el("div", { class: "row" },
        button(t("server.all_roles", { n: number(sorted.length) }), { on: () => {
            shown.update(sorted);
            more.remove();
        } }));
    return [el("h3", null, t(`server.repository.${name}`)), shown, more];
}

function drafts(list) {
    return list.length > 0 && el("div", { class: "note" }, el("p", null, plural("server.drafts", list.length)),
        el("p", { class: "row" }, list.slice(0, ROLES_SHOWN).map((d) => link(`${d.name} ${d.version}`, "firmware", d.id))));
}

function trustPart(trust, minute) {
    const now = minute * 60_000;
    return [drafts(trust.drafts), ["image", "director"].map((name) => roleTable(name, trust[name].roles, now))];
}

/* --- certificates and crypto --- */

function certificateTone({ what, expires }, now) {
    const leaf = ["tls", "console", "classical"].includes(what);
    return expires ? endTone(expires, now, (leaf ? 30 : 180) * DAY, 7 * DAY) : "bad";
}

function counted(n) {
    return n >= COUNTED ? t("server.at_least", { n: number(n) }) : number(n);
}

function certificatePart(certificates, renewals, minute) {
    const now = minute * 60_000;
    return [table({
        caption: t("server.certificates"),
        columns: [
            { key: "what", label: t("server.use"),
                cell: (c) => el("span", { title: c.file }, t(`server.certificate.${c.what}`)) },
            { key: "subject", label: t("server.subject"), cell: (c) => c.subject || t("server.unreadable") },
            { key: "algorithm", label: t("server.algorithm"), cell: (c) => algorithm(c.algorithm) || "–" },
            { key: "expires", label: t("server.valid"),
                cell: (c) => (c.expires ? endCell(c.expires, certificateTone(c, now), now) : "–") },
        ],
        rows: certificates,
    }), el("h3", null, t("server.device_certificates")), details([
        [t("server.due"), counted(renewals.due_30_days)],
        [t("server.expired"), renewals.expired ? badge(counted(renewals.expired), "warn") : number(0)],
    ])];
}

function cryptoPart({ crypto, listeners }, connection) {
    const many = (list) => el("span", { class: "row" }, list.map((name) => el("span", { class: "tag" }, name)));
    const quantum = connection.post_quantum;
    return [el("h3", null, t("server.this_connection")), details([
        [t("server.kex"), el("span", { class: "row" }, connection.group,
            badge(t(quantum ? "common.post_quantum" : "common.classical"), quantum ? "ok" : "bad"))],
        [t("server.signature"), connection.signature],
        [t("server.cipher"), connection.cipher],
    ]), el("h3", null, t("server.for_devices")), crypto.policy === null ? el("p", null, t("server.tls_off")) : details([
        [t("server.policy"), crypto.policy],
        [t("server.kex"), many(crypto.groups)],
        [t("server.signature"), many(crypto.signatures)],
        [t("server.cipher"), many(crypto.ciphers)],
    ]), details([
        ["OpenSSL", crypto.openssl],
        ["ML-KEM, ML-DSA", crypto.lattice === "openssl" ? "OpenSSL" : `pqlattice, ${crypto.lattice}`],
        [t("server.listeners"), listeners.map(({ name, address }) => el("div", null, `${name} `,
            el("span", { class: "mono" }, address)))],
    ])];
}

/* --- health --- */

function brokerTone({ broker, waiting_since: since }, now) {
    if (broker !== "up") {
        return broker === "down" ? "bad" : "quiet";
    }
    return since && now - new Date(since) > 60_000 ? "warn" : "ok";
}

function commitTone({ last_failure: failure }, now) {
    const age = failure ? now - new Date(failure) : Infinity;
    return age > DAY ? "ok" : age > 300_000 ? "warn" : "bad";
}

/** Below the bad bound the server calls itself not ready; backups and migrations want the database's size again. */
function diskTone({ disk_free_bytes: free, db_bytes: size }) {
    return free < GIB / 16 ? "bad" : free < Math.max(GIB, 2 * size) ? "warn" : "ok";
}

const logTone = (store) => (store.wal_bytes > GIB / 4 ? "warn" : "ok");
const queueTone = ({ waiting, limit }) => (waiting >= 0.9 * limit ? "bad" : waiting >= limit / 2 ? "warn" : "ok");

function healthPart(store, mqtt, minute) {
    const now = minute * 60_000;
    const waiting = mqtt.announcements + mqtt.events;
    const said = (name, tone, ...more) => [t(`server.${name}`),
        el("span", { class: "row" }, badge(t(`server.${name}.${tone}`), tone), ...more)];
    return details([
        said("commits", commitTone(store, now), store.last_failure && when(store.last_failure)),
        [t("server.group"), number(store.commits ? store.jobs / store.commits : 0, 1)],
        [t("server.database"), bytes(store.db_bytes)],
        said("log", logTone(store), bytes(store.wal_bytes)),
        said("disk", diskTone(store), bytes(store.disk_free_bytes)),
        said("broker", brokerTone(mqtt, now), waiting > 0 && plural("server.announcements", waiting)),
    ]);
}

function queuePart(queues) {
    return table({
        caption: t("server.queues"),
        columns: [
            { key: "name", label: t("server.work"), cell: ([name]) => t(`server.queue.${name}`) },
            { key: "waiting", label: t("server.waiting"), cell: ([, q]) => number(q.waiting), align: "right" },
            { key: "limit", label: t("server.limit"), cell: ([, q]) => number(q.limit), align: "right" },
            { key: "full", label: t("server.full"), cell: ([name, q]) =>
                progress({ value: q.waiting, max: q.limit, label: t(`server.queue.${name}`), tone: queueTone(q) }) },
        ],
        rows: Object.entries(queues),
    });
}

/* --- at the top: what needs somebody, and the numbers of now --- */

/** Of each topic that is there. */
const WORRIES = {
    *trust(trust, now) {
        for (const name of ["image", "director"]) {
            for (const role of trust[name].roles) {
                const tone = roleTone(role, now);
                yield [tone, t(`server.worry.role.${tone}`, { role: role.role, repository: t(`server.repository.${name}`) })];
            }
        }
        yield [trust.unsigned_allowed ? "warn" : "ok", t("server.unsigned")];
    },
    *about({ certificates, queues }, now) {
        for (const c of certificates) {
            const what = t(`server.certificate.${c.what}`);
            yield [certificateTone(c, now), c.expires ? t("server.worry.certificate", { what, at: time(c.expires) })
                : t("server.worry.file", { what })];
        }
        for (const [name, q] of Object.entries(queues)) {
            yield [queueTone(q), t("server.worry.queue",
                { name: t(`server.queue.${name}`), share: percent(q.waiting / q.limit) })];
        }
    },
    *status({ store, mqtt }, now) {
        const health = { commits: commitTone(store, now), log: logTone(store), disk: diskTone(store),
            broker: brokerTone(mqtt, now) };
        for (const [name, tone] of Object.entries(health)) {
            yield [tone, `${t(`server.${name}`)}: ${t(`server.${name}.${tone}`)}`];
        }
    },
};

function worries(had, now) {
    return Object.entries(WORRIES).flatMap(([name, of]) => (had[name] ? [...of(had[name], now)] : []))
        .filter(([tone]) => ["warn", "bad"].includes(tone));
}

function worryPart(list, complete) {
    return list.length === 0 ? complete && el("p", { class: "row" }, badge(t("server.fine"), "ok"))
        : list.slice(0, ROLES_SHOWN).map(([tone, text]) => el("p", { class: tone === "bad" ? "problem" : "note warn" }, text));
}

function numbersPart({ version, started, now, connections, sessions, limits, memory_bytes: memory }, last) {
    const crowded = connections >= 0.8 * limits.connections;
    const ms = (n) => ((n ?? null) === null ? "–" : t("server.ms", { n: number(n, 1) }));
    return stats(
        stat(t("server.uptime"), duration((new Date(now) - new Date(started)) / 1000), `pqota ${version}`),
        stat(t("server.requests"), number(last.requests_per_second, 1), t("server.a_second")),
        stat(t("server.errors"), number(last.errors_per_second, 2), t("server.a_second"),
            last.errors_per_second > 0 ? "bad" : ""),
        stat(t("server.p99"), ms(last.p99_ms), `${t("server.p50")} ${ms(last.p50_ms)}`),
        stat(t("server.connections"), number(connections), t("server.of_limit", { n: number(limits.connections) }),
            crowded ? "warn" : ""),
        stat(t("server.memory"), bytes(memory), t("server.sessions", { n: number(sessions) })),
    );
}

/* --- charts --- */

const CHARTS = () => [
    ["throughput", [["requests_per_second", t("server.requests")], ["errors_per_second", t("server.errors"), "bad"]],
        (n) => number(n, 2)],
    ["latency", [["p50_ms", t("server.p50")], ["p99_ms", t("server.p99")]], (n) => t("server.ms", { n: number(n, 1) })],
    ["traffic", [["bytes_out_per_second", t("server.sent")]], (n) => t("server.per_second", { n: bytes(Math.round(n)) })],
    ["visitors", [["connections", t("server.connections")], ["handshakes_per_second", t("server.handshakes")]],
        (n) => number(n, 1)],
];

function charts() {
    const kept = CHARTS().map(([name, series, format]) =>
        ({ name, series, format, holder: el("div", null, loading()) }));
    const say = (text) => kept.filter(({ chart }) => !chart).forEach(({ holder }) => replace(holder, empty(text)));
    return {
        nodes: kept.map(({ name, holder }) => card(t(`server.chart.${name}`), holder)),
        lack: () => say(t("server.lacking")),
        draw(history) {
            if (!history.times.length) {
                say(t("server.not_yet"));
            }
            for (const each of history.times.length ? kept : []) {
                const options = { label: t(`server.chart.${each.name}`), times: history.times, format: each.format,
                    series: each.series.map(([key, label, tone]) => ({ label, tone, values: history[key] })) };
                if (each.chart) {
                    each.chart.update(options);
                } else {
                    each.chart = lineChart(each.holder, options);
                }
            }
        },
        destroy: () => kept.forEach(({ chart }) => chart?.destroy()),
    };
}

const lastOf = (history) => Object.fromEntries(Object.entries(history)
    .map(([key, list]) => [key, Array.isArray(list) ? list.at(-1) ?? null : list]));

function problemPart(refused) {
    return refused.map(([name, { status, detail }]) =>
        problem(new ApiError(status, `${t(`server.topic.${name}`)}: ${detail}`)));
}

/** The parts below the worries: each with the topic that it cannot do without, and what of it all it shows. */
const PARTS = {
    numbers: [numbersPart, "about", ({ about, history = {} }) => [about, lastOf(history)]],
    trust: [trustPart, "trust", ({ trust }, minute) => [trust, minute]],
    certificates: [certificatePart, "about", ({ about }, minute) => [about.certificates, about.renewals, minute]],
    health: [healthPart, "status", ({ status }, minute) => [status.store, status.mqtt, minute]],
    queues: [queuePart, "about", ({ about }) => [about.queues]],
    crypto: [cryptoPart, "about", ({ about }, minute, connection) =>
        [{ crypto: about.crypto, listeners: about.listeners }, connection]],
};

/** What draws all that is known, and says what was refused. had, refused: by topic. */
function drawing({ problems, worrying, parts }, connection) {
    return (had, refused) => {
        const some = Object.keys(refused).length > 0;
        problems.draw(Object.entries(refused));
        if (!had.about && !refused.about) {
            return;
        }
        // The server's clock decides what is near its end.
        const minute = Math.floor((refused.about ? Date.now() : Date.parse(had.about.now)) / 60_000);
        const list = worries(had, minute * 60_000);
        const complete = !some && Object.keys(WORRIES).every((name) => had[name]);
        if (list.length || complete || some) {
            worrying.draw(list, complete);
        }
        for (const [name, [, topic, given]] of Object.entries(PARTS)) {
            if (had[topic]) {
                parts[name].draw(...given(had, minute, connection));
            } else if (refused[topic]) {
                parts[name].lack();
            }
        }
    };
}

function render({ main, session }) {
    const drawn = charts();
    const problems = part(problemPart, null);
    const worrying = part(worryPart);
    const parts = Object.fromEntries(Object.entries(PARTS).map(([name, [make]]) => [name, part(make)]));
    replace(main,
        heading(t("server.heading")), problems.node, worrying.node, parts.numbers.node,
        card(t("server.metadata"), parts.trust.node),
        el("div", { class: "columns" }, drawn.nodes),
        card(t("server.certificates"), parts.certificates.node),
        el("div", { class: "columns" }, card(t("server.health"), parts.health.node,
            el("h3", null, t("server.queues")), parts.queues.node), card(t("server.crypto"), parts.crypto.node)),
        el("p", { class: "row muted" }, t("server.machines"), el("a", { href: "/metrics" }, t("server.metrics")),
            el("a", { href: "/openapi.json" }, t("server.openapi"))));
    const had = {};
    const refused = {};
    const draw = drawing({ problems, worrying, parts }, session.connection);
    const stop = live(Object.fromEntries(Object.entries(TOPICS).map(([name, topic]) => [topic, (body, status) => {
        if (status === 200) {
            had[name] = body;
            delete refused[name];
        } else {
            refused[name] = { status, detail: body.detail };
        }
        if (name === "history" && had.history) {
            drawn.draw(had.history);
        } else if (name === "history") {
            drawn.lack();
        }
        draw(had, refused);
    }])));
    return () => {
        stop();
        drawn.destroy();
    };
}

export default { route: "server", title: "nav.server", render };
