import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "deploy",
    title: "nav.deploy",
    render({ main }) {
        main.append(heading(t("nav.deploy")));
    },
};
