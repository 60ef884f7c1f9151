import { heading } from "../ui.js";
import { t } from "../i18n.js";

export default {
    route: "firmware",
    title: "nav.firmware",
    render({ main }) {
        main.append(heading(t("nav.firmware")));
    },
};
