import { api } from "../api.js";
import { el } from "../dom.js";
import { t } from "../i18n.js";

export default {
    route: "signin",
    title: "nav.signin",
    render({ main }) {
        main.append(el("h1", { tabindex: "-1" }, t("nav.signin")));
        void api;
    },
};
