// Who may sign in, and as what.

import { api, may } from "../api.js";
import { el, replace } from "../dom.js";
import { t } from "../i18n.js";
import { badge, button, card, confirmed, copyable, dialog, field, heading, loading, pager, problem, table, toast,
    when } from "../ui.js";

const ROLES = ["viewer", "approver", "operator", "admin"];
const PAGE = 50;

function roleField(value) {
    return field({ label: t("common.role"), name: "role", type: "select", value, hint: t("accounts.roles_hint"),
        options: ROLES.map((role) => [role, t(`common.role.${role}`)]) });
}

function passwordField() {
    return field({ label: t("signin.password"), name: "password", type: "password", minlength: 12, maxlength: 1024,
        autocomplete: "new-password", hint: t("accounts.password_hint") });
}

/** A password that the server made is shown this once. */
async function tell(account) {
    if (account.password) {
        await dialog({
            title: t("accounts.password_of", { name: account.name }),
            body: [el("p", null, t("accounts.shown_once")), copyable(account.password)],
            actions: [{ label: t("accounts.noted") }],
            stays: true,
        });
    }
}

function given(values) {
    return Object.fromEntries([...values].filter(([, value]) => value));
}

class Accounts {
    constructor({ main, session }) {
        this.session = session;
        this.after = "";
        this.place = el("div", { class: "stack" }, loading());
        replace(main, heading(t("nav.accounts"), { detail: t("accounts.what"),
            actions: [button(t("accounts.new"), { kind: "primary", icon: "plus", on: () => this.make() })] }),
        card(null, this.place));
    }

    path(name, verb = "") {
        return `/api/accounts/${encodeURIComponent(name)}${verb && `/${verb}`}`;
    }

    async load() {
        try {
            const path = `/api/accounts?limit=${PAGE}${this.after && `&after=${encodeURIComponent(this.after)}`}`;
            const { items, next } = await api.get(path);
            replace(this.place, table({ caption: t("nav.accounts"), columns: this.columns(), rows: items,
                empty: t("accounts.none") }), pager({ next, has: Boolean(this.after), onNext: (to) => this.turn(to),
                onFirst: () => this.turn("") }));
        } catch (error) {
            replace(this.place, problem(error));
        }
    }

    turn(after) {
        this.after = after;
        return this.load();
    }

    columns() {
        return [
            { key: "name", label: t("common.name"), cell: (each) => el("strong", null, each.name) },
            { key: "role", label: t("common.role"), cell: (each) => t(`common.role.${each.role}`) },
            { key: "state", label: t("common.state"), cell: (each) => (each.disabled
                ? badge(t("accounts.disabled"), "warn") : badge(t("accounts.enabled"), "ok")) },
            { key: "changed", label: t("accounts.changed"), cell: (each) => when(each.changed) },
            { key: "by", label: t("accounts.created_by"), cell: (each) => each.created_by },
            { key: "do", label: t("accounts.do"), cell: (each) => this.actions(each) },
        ];
    }

    actions(account) {
        const { name } = account;
        const own = name === this.session.name;
        const title = own ? t("accounts.own") : undefined;
        const act = (label, on, kind = "") => {
            const node = button(label, { on, disabled: own, title, kind: `small ${kind}` });
            node.setAttribute("aria-label", `${label}: ${name}`);
            return node;
        };
        return el("div", { class: "actions" },
            act(t("accounts.role"), () => this.role(account)),
            act(t("accounts.password"), () => this.password(name)),
            account.disabled ? act(t("accounts.enable"), () => this.send(this.path(name, "enable")))
                : act(t("accounts.disable"), () => this.send(this.path(name, "disable"))),
            act(t("accounts.remove"), () => this.remove(name), "danger"));
    }

    async send(path, body) {
        await api.post(path, body);
        toast(t("accounts.done"));
        await this.load();
    }

    /** A dialog that sends its fields; what comes back may have a password to tell. */
    async ask(title, fields, path) {
        const made = await dialog({ title, body: fields, actions: [{ label: t("common.cancel") },
            { label: title, run: (values) => api.post(path, given(values)) }] });
        if (made) {
            await this.load();
            await tell(made);
        }
    }

    make() {
        const name = field({ label: t("common.name"), name: "name", required: true, maxlength: 64, autocomplete: "off",
            pattern: "[A-Za-z0-9][A-Za-z0-9._@+\\-]*", hint: t("accounts.name_hint") });
        return this.ask(t("accounts.new"), [name, roleField("viewer"), passwordField()], "/api/accounts");
    }

    role({ name, role }) {
        return this.ask(t("accounts.role"), [el("p", null, name), roleField(role)], this.path(name, "role"));
    }

    password(name) {
        return this.ask(t("accounts.password"), [el("p", null, name), passwordField()], this.path(name, "password"));
    }

    async remove(name) {
        if (await confirmed(t("accounts.remove_what", { name }), t("accounts.remove"), "danger")) {
            await api.del(this.path(name));
            toast(t("accounts.done"));
            await this.load();
        }
    }
}

export default {
    route: "accounts",
    title: "nav.accounts",
    render(context) {
        if (!may(context.session, "admin")) {
            replace(context.main, heading(t("nav.accounts")), el("div", { class: "note" },
                t("common.forbidden", { role: t(`common.role.${context.session.role}`) })));
            return undefined;
        }
        return new Accounts(context).load();
    },
};
