// Enrolment tokens: their text, which is shown once, and what to do with it.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { copyable, dialog } from "../ui.js";

/** Tells a token's text, and the agent's command with it. */
export function tellToken(made) {
    return dialog({
        title: made.device ? t("access.token_for_device", { id: made.device })
            : t("access.token_for_model", { model: made.model }),
        body: [el("p", null, t("accounts.shown_once")), copyable(made.token),
            el("p", null, t("access.enroll")), copyable(`pqota-agent enroll --config agent.conf --token ${made.token}`)],
        actions: [{ label: t("accounts.noted") }],
        stays: true,
    });
}
