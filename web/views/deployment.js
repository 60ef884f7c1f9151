import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "deployment",
    title: "nav.deployment",
    render({ main }) {
        main.append(heading(t("nav.deployment")));
    },
};
