import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "deployments",
    title: "nav.deployments",
    render({ main }) {
        main.append(heading(t("nav.deployments")));
    },
};
