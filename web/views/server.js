import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "server",
    title: "nav.server",
    render({ main }) {
        main.append(heading(t("nav.server")));
    },
};
