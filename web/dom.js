// Makes elements. All text that is shown goes through here as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const FOCUSABLE = "a[href], button:enabled, input:enabled, select:enabled, [tabindex='0']";

function append(node, child) {
    if (Array.isArray(child)) {
        child.forEach((each) => append(node, each));
    } else if (child !== null && child !== undefined && child !== false) {
        node.append(child instanceof Node ? child : String(child));
    }
}

function setAttribute(node, name, value) {
    if (value === null || value === undefined || value === false) {
        return;
    }
    if (name === "on") {
        for (const [event, fn] of Object.entries(value)) {
            node.addEventListener(event, fn);
        }
    } else if (name === "data") {
        Object.assign(node.dataset, value);
    } else if (/^(on|style$|innerhtml$|src|formaction$)/i.test(name)) {
        throw new Error(`dom: the attribute ${name} is not set this way`);
    } else if (/href$/i.test(name) && !/^(#|\/(?!\/))/.test(value)) {
        throw new Error("dom: a link leads to a place of this page");
    } else {
        node.setAttribute(name, value === true ? "" : value);
    }
}

function make(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        setAttribute(node, name, value);
    }
    append(node, children);
    return node;
}

/**
 * An element. Children are nodes, texts, numbers, arrays of these; null and false are left out.
 * Attributes: class, on: {click: fn}, data: {key: value}; any other is set as it is, true as the empty text, null and
 * false not at all.
 * @returns {HTMLElement}
 */
export function el(tag, attributes, ...children) {
    return make(document.createElement(tag), attributes, children);
}

/** The same for SVG. @returns {SVGElement} */
export function svg(tag, attributes, ...children) {
    return make(document.createElementNS(SVG, tag), attributes, children);
}

/** Takes all children away. */
export function clear(node) {
    node.replaceChildren();
    return node;
}

/** Whether somebody would take the one for the other. */
function alike(a, b) {
    return a.tagName === b.tagName && a.textContent === b.textContent
        && ["href", "name", "aria-label"].every((key) => a.getAttribute(key) === b.getAttribute(key));
}

/** The first in it that the keyboard reaches. */
function reachable(node) {
    return [...node.querySelectorAll(FOCUSABLE)].find((each) => each.checkVisibility());
}

/**
 * Puts children in place of those that are there. What had the focus, if it is there again, keeps it; else what is
 * nearest to it has it, for the keyboard would begin at the top of the page.
 */
export function replace(node, ...children) {
    const had = document.activeElement;
    const within = had !== node && node.contains(had);
    node.replaceChildren();
    append(node, children);
    if (within && !node.contains(had)) {
        const next = [...node.querySelectorAll(had.tagName)].find((each) => alike(each, had)) || reachable(node)
            || node.closest("main")?.querySelector("h1");
        next?.focus({ preventScroll: true });
    }
    return node;
}

/** Has a screen reader say it. */
export function announce(text) {
    document.getElementById("announce").textContent = text;
}
