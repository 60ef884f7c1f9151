// What changes on the server, as it changes: one event stream for all that the current view shows.

import { api, endSession } from "./api.js";

const HIDDEN_MS = 10_000;
const SILENT_MS = 40_000;  // the server says something every 15 seconds
const RETRY_MS = [1000, 2000, 5000, 10_000];
const SLOW_MS = 10_000;
const STREAMS = 4;  // of all tabs: a browser has six connections to a server, and none would be left for all else

const subscribers = new Map();  // topic -> Set of functions
let source = null;
let open = "";  // the topics that the stream is for
let place = null;  // gives up this tab's place among STREAMS
let turn = 0;  // counts what connect() began
let tries = 0;
let timer = 0;
let hiddenTimer = 0;
let silence = 0;
let planned = false;
let state = "off";
let onState = () => {};
let whoIsIn = () => null;

/** Asked before a stream that was refused is asked for again: what GET /console/session answers, or null. */
export function onLiveRetry(fn) {
    whoIsIn = fn;
}

/** Told "off", "connecting", "live", "lost", "paused", or "slow" (asked for now and then) as that changes. */
export function onLiveState(fn) {
    onState = fn;
    fn(state);
}

function setState(next) {
    if (next !== state) {
        state = next;
        onState(state);
    }
}

function close() {
    clearTimeout(timer);
    clearTimeout(silence);
    source?.close();
    source = null;
    open = "";
}

/** A connection that says nothing any more is none: a computer that was moved or slept is not told. */
function heard() {
    clearTimeout(silence);
    silence = setTimeout(retry, SILENT_MS);
}

function tell(topic, body, status) {
    for (const fn of [...(subscribers.get(topic) || [])]) {
        fn(body, status);
    }
}

function update(event) {
    const { topic, status, body } = JSON.parse(event.data);
    tell(topic, body, status);
}

/** Where there is no stream: how things are now, and after a while again. */
async function look() {
    const mine = turn;
    let there = true;
    await Promise.all([...subscribers.keys()].map(async (topic) => {
        const [body, status] = await api.get(topic).then((found) => [found, 200], (error) => [error, error.status]);
        there &&= status !== 0;
        if (mine === turn && status !== 0) {
            tell(topic, body, status);
        }
    }));
    if (mine === turn) {
        setState(there ? "slow" : "lost");
        timer = setTimeout(connect, SLOW_MS);
    }
}

/** How long to wait before asking again for the n-th time, not all browsers at once. */
function waitOf(n) {
    return RETRY_MS[Math.min(n, RETRY_MS.length - 1)] * (0.75 + Math.random() / 2);
}

/** The server did not answer what nobody follows: says so, and asks until it does; back() then. Answers what ends it. */
export function away(back) {
    let asked = 0;
    let next = 0;
    let ended = false;
    const ask = async () => {
        const session = document.hidden ? null : await whoIsIn();
        if (session && !ended) {
            back();
        } else if (!ended) {
            later();
        }
    };
    const later = () => {
        next = setTimeout(ask, waitOf(asked));
        asked += 1;
    };
    setState("lost");
    later();
    return () => {
        ended = true;
        clearTimeout(next);
        if (!subscribers.size) {
            setState("off");
        }
    };
}

/** The stream ended for good (its own retries are over): asks first whether there still is a session. */
function retry() {
    const refused = source?.readyState === EventSource.CLOSED;
    close();
    if (!refused) {
        setState("lost");
    }
    const wait = waitOf(tries);
    tries += 1;
    timer = setTimeout(async () => {
        const mine = turn;
        const session = await whoIsIn();  // null: still away, as connect() finds out
        if (mine === turn && session && refused) {
            look();
        } else if (mine === turn) {
            connect();
        }
    }, wait);
}

/** A place of the n-th and those after it: what gives it up; null when other tabs have them all. */
function takePlace(n = 1) {
    return new Promise((resolve) => {
        navigator.locks.request(`pqota.live.${n}`, { ifAvailable: true }, (lock) => {
            if (lock) {
                return new Promise(resolve);
            }
            resolve(n < STREAMS ? takePlace(n + 1) : null);
            return undefined;
        });
    });
}

function pause() {
    close();
    turn += 1;
    place?.();
    place = null;
    setState("paused");
}

async function connect() {
    const topics = [...subscribers.keys()].sort();
    const wanted = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");
    if (wanted === open && source) {
        return;
    }
    close();
    turn += 1;
    if (!wanted) {
        place?.();
        place = null;
        setState("off");
        return;
    }
    if (document.hidden) {
        pause();
        return;
    }
    if (!place) {
        const mine = turn;
        const taken = await takePlace();
        if (mine !== turn) {
            taken?.();
            return;
        }
        place = taken;
        if (!place) {
            look();
            return;
        }
    }
    open = wanted;
    if (state !== "lost" && state !== "slow") {
        setState("connecting");
    }
    source = new EventSource(`/console/live?${wanted}`);
    heard();
    source.addEventListener("open", () => {
        tries = 0;
        setState("live");
    });
    source.addEventListener("update", update);
    ["open", "update", "here"].forEach((each) => source.addEventListener(each, heard));
    source.addEventListener("end", (event) => {
        if (JSON.parse(event.data).reason === "signed-out") {
            close();
            endSession();
        } else {
            retry();
        }
    });
    source.addEventListener("error", retry);
}

/** Once for all that one turn of the event loop changes. */
function plan() {
    if (!planned) {
        planned = true;
        queueMicrotask(() => {
            planned = false;
            connect();
        });
    }
}

/**
 * Follows topics: paths of GET requests with their queries. Each function is called with what such a GET answers
 * (body, status), at the begin and whenever that changes.
 * @param {Object<string, (body: any, status: number) => void>} topics
 * @returns {() => void} ends it
 */
export function live(topics) {
    const mine = Object.entries(topics);
    for (const [topic, fn] of mine) {
        if (!subscribers.has(topic)) {
            subscribers.set(topic, new Set());
        } else {
            open = "";  // so that the new one hears the present state too
        }
        subscribers.get(topic).add(fn);
    }
    plan();
    return () => {
        for (const [topic, fn] of mine) {
            const rest = subscribers.get(topic);
            rest?.delete(fn);
            if (rest && !rest.size) {
                subscribers.delete(topic);
            }
        }
        plan();
    };
}

document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
        hiddenTimer = setTimeout(() => subscribers.size && pause(), HIDDEN_MS);
    } else if (state === "paused") {
        setState("connecting");
        connect();
    }
});

// A page that the browser keeps for its back button would keep its connection too, and there are six of them.
addEventListener("pagehide", pause);
addEventListener("pageshow", (event) => {
    if (event.persisted) {
        connect();
    }
});
