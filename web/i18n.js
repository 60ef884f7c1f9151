// Words, numbers and times in the reader's language.

import en from "./strings/en.js";
import ko from "./strings/ko.js";

const TABLES = { en, ko };
const STORED = "pqota.language";
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

let language = "en";
let table = en;

/** What was chosen: "auto", "en" or "ko". */
export function chosenLanguage() {
    const stored = localStorage.getItem(STORED);
    return stored in TABLES ? stored : "auto";
}

/** Chooses a language, for the next visit too. What is on the page stays until it is drawn again. */
export function chooseLanguage(choice) {
    localStorage.setItem(STORED, choice);
    useLanguage();
}

/** Takes the chosen language, or the browser's first one that there are words for. */
export function useLanguage() {
    const wanted = [chosenLanguage(), ...navigator.languages].map((tag) => tag.slice(0, 2).toLowerCase());
    language = wanted.find((tag) => tag in TABLES) || "en";
    table = TABLES[language];
    document.documentElement.lang = language;
}

/** Whether there is a text of that key. */
export function has(key) {
    return Object.hasOwn(table, key);
}

/** The text of a key, with {name} replaced. An unknown key is shown as it is. */
export function t(key, values = {}) {
    const text = has(key) ? table[key] : key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text of KEY.one or KEY.other as the language wants it for n; {n} is the number. */
export function plural(key, n, values = {}) {
    const form = new Intl.PluralRules(language).select(n) === "one" ? "one" : "other";
    return t(`${key}.${form}`, { n: number(n), ...values });
}

/** 1234567 -> 1,234,567; null -> a dash. */
export function number(n, digits = 0) {
    return n === null || n === undefined
        ? "–" : new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(n);
}

/** Bytes in KiB, MiB, ... */
export function bytes(n) {
    if (n === null || n === undefined) {
        return "–";
    }
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    const step = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
    const value = n / 1024 ** step;
    return `${number(value, step && value < 100 ? 1 : 0)} ${units[step]}`;
}

/** 0.423 -> 42 %; what is a little below all or above none is never shown as all or none. */
export function percent(x) {
    if (x === null || x === undefined || Number.isNaN(x)) {
        return "–";
    }
    const digits = (x > 0.99 && x < 1) || (x > 0 && x < 0.01) ? 1 : 0;
    const shown = x < 1 ? Math.min(x, 0.999) : x;
    return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits })
        .format(digits && x < 0.5 ? Math.max(x, 0.001) : shown);
}

/** An RFC 3339 time in the reader's zone; null -> a dash. */
export function time(iso, options = { dateStyle: "medium", timeStyle: "medium" }) {
    return iso ? new Intl.DateTimeFormat(language, options).format(new Date(iso)) : "–";
}

/** How long ago, or in how long. */
export function ago(iso) {
    if (!iso) {
        return t("common.never");
    }
    const seconds = (new Date(iso) - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= Math.max(each, 10)) || ["second", Infinity];
    return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

/** A length of time in its two greatest units: 2 h 5 min. */
export function duration(seconds) {
    if (seconds === null || seconds === undefined) {
        return "–";
    }
    let rest = Math.max(0, Math.round(seconds));
    const parts = [];
    for (const [unit, size] of UNITS) {
        const n = Math.floor(rest / size);
        rest -= n * size;
        if (n || (unit === "second" && !parts.length)) {
            parts.push(new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(n));
        }
    }
    return parts.slice(0, 2).join(" ");
}

/** The algorithm of a key, as its standard writes it. */
export function algorithm(name) {
    const dsa = /^mldsa(\d+)$/.exec(name);
    return dsa ? `ML-DSA-${dsa[1]}` : { p256: "ECDSA P-256" }[name] || name;
}
