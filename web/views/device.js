import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "device",
    title: "nav.device",
    render({ main }) {
        main.append(heading(t("nav.device")));
    },
};
