// The server's REST interface.

import { t } from "./i18n.js";

/** What went wrong, in the server's words. status 0: nobody answered. */
export class ApiError extends Error {
    constructor(status, detail, retryAfter = null) {
        super(detail);
        this.name = "ApiError";
        this.status = status;
        this.detail = detail;
        this.retryAfter = retryAfter;
    }
}

const RIGHTS = {
    approve: ["approver", "operator", "admin"],
    change: ["operator", "admin"],
    admin: ["admin"],
};

let signedOut = () => {};

/** What to do when the server no longer knows who asks. */
export function onSignedOut(fn) {
    signedOut = fn;
}

/** The session has ended: shows the sign-in view. */
export function endSession() {
    signedOut();
}

/** Whether the session's role may "approve" (approve, deny, pause), "change", or what only an "admin" may. */
export function may(session, right) {
    return RIGHTS[right].includes(session.role);
}

function failure(status, text, retryAfter) {
    let detail = "";
    try {
        detail = JSON.parse(text).detail;
    } catch {
        // Not from pqota itself: its body says nothing to people.
    }
    return new ApiError(status, detail || t("common.status", { status }), Number(retryAfter) || null);
}

async function call(method, path, body) {
    const options = { method, credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
    if (body !== undefined) {
        options.headers["Content-Type"] = "application/json";
        options.body = JSON.stringify(body);
    }
    let answer, text;
    try {
        answer = await fetch(path, options);
        text = await answer.text();
    } catch {
        throw new ApiError(0, t("common.unreachable"));
    }
    if (!answer.ok) {
        if (answer.status === 401 && path !== "/console/session") {
            signedOut();
        }
        throw failure(answer.status, text, answer.headers.get("Retry-After"));
    }
    return text ? JSON.parse(text) : null;
}

/** Each answers the JSON body, or null when there is none, and throws an ApiError. */
export const api = {
    get: (path) => call("GET", path),
    post: (path, body = {}) => call("POST", path, body),
    put: (path, body) => call("PUT", path, body),
    del: (path) => call("DELETE", path),
};

/** A path with a query: empty values are left out. */
export function query(path, values) {
    const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const text = new URLSearchParams(given).toString();
    return text ? `${path}?${text}` : path;
}

/**
 * PUTs a file without holding it in memory.
 * @param {(sent: number, total: number) => void} onProgress in bytes
 * @param {AbortSignal} [signal] ends it; the promise then fails with status 0
 */
export function upload(path, file, onProgress, signal) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("PUT", path);
        request.setRequestHeader("Accept", "application/json");
        request.setRequestHeader("Content-Type", "application/octet-stream");
        request.upload.onprogress = (event) => onProgress(event.loaded, file.size);
        request.onload = () => {
            if (request.status < 300) {
                resolve(request.responseText ? JSON.parse(request.responseText) : null);
                return;
            }
            if (request.status === 401) {
                signedOut();
            }
            reject(failure(request.status, request.responseText, request.getResponseHeader("Retry-After")));
        };
        request.onerror = () => reject(new ApiError(0, t("common.unreachable")));
        request.onabort = () => reject(new ApiError(0, t("common.aborted")));
        signal?.addEventListener("abort", () => request.abort());
        request.send(file);
    });
}
