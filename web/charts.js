// Charts over time, each with its numbers as a table.

import { el, replace } from "./dom.js";
import { number, t, time } from "./i18n.js";

const COLOURS = 10;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MARKED_BY_DAYS_MS = 36 * HOUR_MS;
const MARKS = 8;
const STEPS_MS = [1000, 2000, 5000, 10_000, 30_000, ...[1, 2, 5, 10, 30].map((n) => n * MINUTE_MS),
    ...[1, 2, 3, 6].map((n) => n * HOUR_MS)];
const drawn = new Set();
let library = null;

/** A colour of style.css as the canvas wants it. */
function colour(name, alpha = 1) {
    const probe = el("span", { class: `probe ${name}` });
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return alpha === 1 ? value : value.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
}

function colourClass(series, index) {
    return series.tone ? `chart-${series.tone}` : `chart-${(index % COLOURS) + 1}`;
}

function axisTime(ms, step) {
    return time(ms, step < MINUTE_MS ? { timeStyle: "medium" } : step < DAY_MS ? { hour: "2-digit", minute: "2-digit" }
        : { month: "short", day: "numeric" });
}

/** How far apart the axis has its marks. */
function markStep(span) {
    return span > MARKED_BY_DAYS_MS ? DAY_MS : STEPS_MS.find((step) => span / step <= MARKS) ?? DAY_MS;
}

/** Where that is by the reader's clock: at whole steps of a day that begins at midnight. */
function marks(first, last, step) {
    const found = [];
    const day = new Date(first);
    day.setHours(0, 0, 0, 0);
    while (day <= last) {
        const begin = day.getTime();
        day.setDate(day.getDate() + 1);
        const skipped = Math.max(0, Math.ceil((first - begin) / step)) * step;
        for (let at = begin + skipped; at <= last && at < day; at += step) {
            found.push({ value: at });
        }
    }
    return found;
}

function datasets(options, stacked) {
    const at = options.times.map(Date.parse);
    return options.series.map((series, i) => {
        const line = colour(colourClass(series, i));
        return {
            label: series.label,
            data: series.values.map((y, row) => ({ x: at[row], y })),
            borderColor: line,
            backgroundColor: colour(colourClass(series, i), stacked ? 0.55 : 0.12),
            borderWidth: stacked ? 1 : 2,
            borderDash: series.dashed ? [5, 4] : [],
            fill: stacked ? (i === 0 ? "origin" : "-1") : false,
            pointRadius: 0,
            pointHitRadius: 8,
            tension: 0,  // a curve would draw more than there is
            spanGaps: false,
        };
    });
}

function configuration(options, stacked) {
    const format = options.format || ((n) => number(n, 2));
    const text = colour("chart-text");
    const grid = colour("chart-grid");
    const [first, last] = [options.times[0], options.times.at(-1)].map((iso) => Date.parse(iso));
    const step = markStep(last - first);
    return {
        type: "line",
        data: { datasets: datasets(options, stacked) },
        options: {
            animation: false,
            responsive: true,
            maintainAspectRatio: false,
            interaction: { mode: "index", intersect: false },
            scales: {
                x: {
                    type: "linear",
                    min: first,
                    max: last,
                    grid: { display: false, borderColor: grid },
                    afterBuildTicks: (axis) => {
                        axis.ticks = marks(first, last, step);
                    },
                    ticks: {
                        color: text,
                        maxRotation: 0,
                        autoSkipPadding: 24,
                        callback: (value) => axisTime(value, step),
                    },
                },
                y: {
                    stacked,
                    min: options.min ?? 0,
                    max: options.max,
                    suggestedMax: options.suggestedMax,
                    grid: { color: grid, drawBorder: false },
                    ticks: { color: text, maxTicksLimit: 6, callback: (value) => format(value) },
                },
            },
            plugins: {
                legend: { display: false },
                tooltip: {
                    itemSort: stacked ? (a, b) => b.datasetIndex - a.datasetIndex : undefined,
                    callbacks: {
                        title: (items) => (items.length ? time(items[0].parsed.x) : ""),
                        label: (item) => `${item.dataset.label}: ${format(item.parsed.y)}`,
                    },
                },
            },
        },
    };
}

function legend(options) {
    return el("ul", { class: "legend" }, options.series.map((series, i) => el("li", null,
        el("span", { class: `swatch ${colourClass(series, i)}` }), series.label)));
}

function numbers(options) {
    const format = options.format || ((n) => number(n, 2));
    return el("div", { class: "table-box" }, el("table", null,
        el("caption", { class: "hidden-text" }, options.label),
        el("thead", null, el("tr", null, el("th", { scope: "col" }, t("common.time")),
            options.series.map((series) => el("th", { scope: "col", class: "right" }, series.label)))),
        el("tbody", null, options.times.map((at, row) => el("tr", null,
            el("th", { scope: "row" }, time(at, { dateStyle: "short", timeStyle: "short" })),
            options.series.map((series) => el("td", { class: "right" },
                series.values[row] === null ? "–" : format(series.values[row]))))).reverse())));
}

function summary(options) {
    const format = options.format || ((n) => number(n, 2));
    const now = options.series.map((series) => `${series.label}: ${format(series.values.at(-1) ?? null)}`);
    return `${options.label}. ${now.join(", ")}`;
}

/** One chart in its holder. */
class Drawing {
    constructor(holder, options, stacked) {
        this.stacked = stacked;
        this.options = options;
        this.canvas = el("canvas", { role: "img" });
        this.legend = el("div");
        this.table = el("details", { class: "chart-table", on: { toggle: () => this.tell() } },
            el("summary", null, t("common.as_table")), el("div"));
        replace(holder, el("div", { class: "chart" }, this.canvas), this.legend, this.table);
        this.label();
        drawn.add(this);
        library ??= import("./chart.js");  // it leaves globalThis.Chart
        library.then(() => this.draw(), () => {
            library = null;  // the table tells the same; the next chart asks again
        });
    }

    /** The table is made when somebody wants to see it. */
    tell() {
        replace(this.table.lastChild, this.table.open ? numbers(this.options) : null);
    }

    draw() {
        if (drawn.has(this) && globalThis.Chart) {
            this.chart?.destroy();
            this.chart = new globalThis.Chart(this.canvas, configuration(this.options, this.stacked));
        }
    }

    label() {
        this.canvas.setAttribute("aria-label", summary(this.options));
        replace(this.legend, this.options.series.length > 1 ? legend(this.options) : null);
        this.tell();
    }

    /** Other numbers: the same options, whole or in part. */
    update(options) {
        this.options = { ...this.options, ...options };
        if (this.chart) {
            const next = configuration(this.options, this.stacked);
            this.chart.data = next.data;
            this.chart.options = next.options;
            this.chart.update("none");
        }
        this.label();
    }

    destroy() {
        drawn.delete(this);
        this.chart?.destroy();
    }
}

/**
 * Lines over time.
 * @param {HTMLElement} holder what is in it is replaced
 * @param {{label: string, times: string[], series: {label: string, values: (number|null)[], tone?: string,
 *     dashed?: boolean}[], format?: (n: number) => string, min?: number, max?: number, suggestedMax?: number}} options
 *     tone: ok, warn, bad, info, quiet instead of the next colour
 * @returns {{update(options: object): void, destroy(): void}}
 */
export function lineChart(holder, options) {
    return new Drawing(holder, options, false);
}

/** Areas over time, one on the other; otherwise as lineChart(). */
export function stackedArea(holder, options) {
    return new Drawing(holder, options, true);
}

/** The colours have changed. */
export function redrawCharts() {
    drawn.forEach((drawing) => drawing.draw());
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
