import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "accounts",
    title: "nav.accounts",
    render({ main }) {
        main.append(heading(t("nav.accounts")));
    },
};
