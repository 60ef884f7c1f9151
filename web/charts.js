// Charts over time, each with its numbers as a table.

import { el, replace } from "./dom.js";
import { number, t, time } from "./i18n.js";

const COLOURS = 10;
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

function axisTime(iso, spanHours) {
    const options = spanHours <= 1 ? { timeStyle: "medium" }
        : spanHours <= 36 ? { hour: "2-digit", minute: "2-digit" }
            : { month: "short", day: "numeric" };
    return time(iso, options);
}

/** Over several days the marks stand where days begin. */
function dayMarks(times) {
    const day = (iso) => new Date(iso).toDateString();
    return times.flatMap((iso, i) => (i > 0 && day(iso) !== day(times[i - 1]) ? [{ value: i }] : []));
}

function datasets(options, stacked) {
    return options.series.map((series, i) => {
        const line = colour(colourClass(series, i));
        return {
            label: series.label,
            data: series.values,
            borderColor: line,
            backgroundColor: colour(colourClass(series, i), stacked ? 0.55 : 0.12),
            borderWidth: stacked ? 1 : 2,
            borderDash: series.dashed ? [5, 4] : [],
            fill: stacked ? (i === 0 ? "origin" : "-1") : false,
            pointRadius: 0,
            pointHitRadius: 8,
            tension: 0.2,
            spanGaps: false,
        };
    });
}

function configuration(options, stacked) {
    const format = options.format || ((n) => number(n, 2));
    const text = colour("chart-text");
    const grid = colour("chart-grid");
    const times = options.times;
    const span = times.length > 1 ? (new Date(times.at(-1)) - new Date(times[0])) / 3.6e6 : 0;
    return {
        type: "line",
        data: { labels: times, datasets: datasets(options, stacked) },
        options: {
            animation: false,
            responsive: true,
            maintainAspectRatio: false,
            interaction: { mode: "index", intersect: false },
            scales: {
                x: {
                    grid: { display: false, borderColor: grid },
                    afterBuildTicks: (axis) => {
                        if (span > 36) {
                            axis.ticks = dayMarks(times);
                        }
                    },
                    ticks: {
                        color: text,
                        maxRotation: 0,
                        autoSkipPadding: 24,
                        callback: (value) => axisTime(times[value], span),
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
                        title: (items) => (items.length ? time(times[items[0].dataIndex]) : ""),
                        label: (item) => `${item.dataset.label}: ${format(item.raw)}`,
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
