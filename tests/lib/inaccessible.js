// What somebody who does not see a page, or has no mouse, would miss on it; an array of sentences.
const hidden = (e) => !e.checkVisibility({ opacityProperty: false, visibilityProperty: true });
const told = (ids) => (ids || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join("");
const text = (e) => (/^(INPUT|SELECT|TEXTAREA)$/.test(e.tagName) ? "" : e.textContent.trim());
const named = (e) => e.getAttribute("aria-label") || text(e) || e.title
    || [...(e.labels || [])].map((label) => label.textContent.trim()).join("")
    || told(e.getAttribute("aria-labelledby")) || e.querySelector("[aria-label]");
const wrong = [];
for (const e of document.querySelectorAll("button, a[href], input, select, textarea, [role=tab], [role=button]"))
    if (!hidden(e) && !named(e)) wrong.push(`no name: ${e.outerHTML.slice(0, 120)}`);
for (const e of document.querySelectorAll("nav, dialog, progress, meter, [role=region], [role=tablist], [role=tabpanel]"))
    if (!hidden(e) && !e.getAttribute("aria-label") && !told(e.getAttribute("aria-labelledby")))
        wrong.push(`no label: ${e.outerHTML.slice(0, 120)}`);
for (const e of document.querySelectorAll("table"))
    if (!hidden(e) && !e.caption && !named(e)) wrong.push("a table without a caption");
for (const e of document.querySelectorAll("canvas, svg, img"))
    if (!hidden(e) && !e.closest("[aria-hidden=true]") && !e.getAttribute("aria-label") && !e.getAttribute("alt")
        && !e.querySelector("title") && e.getAttribute("role") !== "presentation")
        wrong.push(`a picture without words: ${e.outerHTML.slice(0, 120)}`);
let level = 0;
for (const e of document.querySelectorAll("h1, h2, h3, h4, h5, h6"))
    if (!hidden(e)) {
        const now = Number(e.tagName[1]);
        if (now > level + 1) wrong.push(`${e.tagName} "${e.textContent}" follows level ${level}`);
        level = now;
    }
if (document.querySelectorAll("h1").length !== 1) wrong.push(`${document.querySelectorAll("h1").length} h1`);
if (!/^(en|ko)$/.test(document.documentElement.lang)) wrong.push(`lang "${document.documentElement.lang}"`);
if (!document.title.includes("pqota")) wrong.push(`title "${document.title}"`);
if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) wrong.push(`the id ${id} twice`);
for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls]"))
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"])
        for (const id of (e.getAttribute(name) || "").split(" ").filter(Boolean))
            if (!document.getElementById(id)) wrong.push(`${name} leads to no ${id}`);

// WCAG 2.2, 1.4.3: text against what is behind it.
const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const colour = (...layers) => {
    pixel.clearRect(0, 0, 1, 1);
    layers.forEach((layer) => {
        pixel.fillStyle = layer;
        pixel.fillRect(0, 0, 1, 1);
    });
    return [...pixel.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    return ["white", ...layers];
};
const faint = new Set();
for (const e of document.querySelectorAll("body *")) {
    const words = [...e.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const style = getComputedStyle(e);
    if (!words || hidden(e) || e.closest("[aria-hidden=true], svg, :disabled, [disabled], .hidden-text, option")) continue;
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const [a, b] = [light(colour(...behind(e), style.color)), light(colour(...behind(e)))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < wanted)
        faint.add(`faint: ${e.tagName}.${e.className} "${e.textContent.trim().slice(0, 30)}" ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
}
return [...wrong, ...faint];
