import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "fleet",
    title: "nav.fleet",
    render({ main }) {
        main.append(heading(t("nav.fleet")));
    },
};
