import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "changes",
    title: "nav.changes",
    render({ main }) {
        main.append(heading(t("nav.changes")));
    },
};
