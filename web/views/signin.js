// Signing in, by name and password or by a one-time link, and choosing a password after such a link.

import { api, ApiError } from "../api.js";
import { el, replace } from "../dom.js";
import { t } from "../i18n.js";
import { button, card, field, form, icon, problem } from "../ui.js";

function brand() {
    return el("div", { class: "brand" }, icon("shield"), el("span", null, "pqota"));
}

function passwordForm(session, done) {
    const next = field({ label: t("common.password_new"), name: "new", type: "password", required: true, minlength: 12,
        autocomplete: "new-password", hint: t("common.password_hint") });
    const again = field({ label: t("signin.again"), name: "again", type: "password", required: true,
        autocomplete: "new-password" });
    return [next, form({
        label: t("signin.choose_password"),
        children: [
            el("input", { type: "text", name: "username", value: session.name, autocomplete: "username", hidden: true }),
            next, again,
        ],
        action: t("signin.set_password"),
        extra: [button(t("signin.later"), { kind: "plain", on: () => done(session) })],
        onSubmit: async (values) => {
            const same = values.get("new") === values.get("again");
            again.fail(same ? null : t("signin.not_same"));
            if (!same) {
                again.input.focus();
                return;
            }
            await api.put("/console/password", { new: values.get("new") });
            done({ ...session, by_link: false });
        },
    })];
}

export default {
    route: "signin",
    title: "nav.signin",
    async render({ main, link, session, choosing, entered, done }) {
        const choosePassword = (fresh) => {
            const [first, node] = passwordForm(fresh, done);
            replace(main, brand(), el("h1", { tabindex: "-1" }, t("signin.choose_password")),
                card(null, el("p", { class: "muted" }, t("signin.choose_why", { name: fresh.name })), node));
            first.input.focus();
        };
        const enter = async (body) => {
            const fresh = await api.post("/console/session", body);
            entered(fresh);
            if (fresh.by_link) {
                choosePassword(fresh);
            } else {
                done(fresh);
            }
        };
        const said = el("div");
        if (choosing && !link) {
            choosePassword(session);
            return;
        }
        if (link) {
            try {
                await enter({ link });
                return;
            } catch (error) {
                if (!(error instanceof ApiError)) {
                    throw error;
                }
                replace(said, problem(error), session.name  // who is signed in stays so
                    && button(t("signin.go_on", { name: session.name }), { on: () => done(session) }));
            }
        }
        const name = field({ label: t("common.name"), name: "name", required: true, maxlength: 64, autocomplete: "username",
            autocapitalize: "none", spellcheck: "false" });
        const password = field({ label: t("signin.password"), name: "password", type: "password", required: true,
            autocomplete: "current-password" });
        replace(main, brand(), el("h1", { tabindex: "-1" }, t("nav.signin")), card(null, said, form({
            label: t("nav.signin"),
            children: [name, password],
            action: t("nav.signin"),
            onSubmit: async (values) => {
                replace(said);
                try {
                    await enter({ name: values.get("name"), password: values.get("password") });
                } catch (error) {
                    password.input.value = "";
                    password.input.focus();
                    throw error;
                }
            },
        })), el("p", { class: "muted" }, t("signin.first"), " ", el("code", null, "pqota console")));
        name.input.focus();
    },
};
