// A list that follows the server, a page at a time.

import { ApiError } from "./api.js";
import { replace } from "./dom.js";
import { live } from "./live.js";
import { pager, problem } from "./ui.js";

/**
 * Keeps a table's rows as the server has them, and its pager in pages, or what went wrong.
 * @param {{rows: {update: (items: any[]) => void}, pages: HTMLElement, path: (after: string) => string}} options
 *     path: of the GET that answers a page
 * @returns {{turn: (after?: string) => void, stop: () => void}} turn: begins, or shows another page
 */
export function followed({ rows, pages, path }) {
    let stop = () => {};
    const turn = (after = "") => {
        stop();
        stop = live({ [path(after)]: (page, status) => {
            if (status !== 200) {
                replace(pages, problem(new ApiError(status, page.detail)));
                return;
            }
            rows.update(page.items);
            replace(pages, pager({ next: page.next, has: Boolean(after), onNext: turn, onFirst: () => turn() }));
        } });
    };
    return { turn, stop: () => stop() };
}
