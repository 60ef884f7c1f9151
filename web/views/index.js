// All views, by the first part of their address.

import signin from "./signin.js";
import fleet from "./fleet.js";
import device from "./device.js";
import deployments from "./deployments.js";
import deployment from "./deployment.js";
import deploy from "./deploy.js";
import firmware from "./firmware.js";
import server from "./server.js";
import changes from "./changes.js";
import accounts from "./accounts.js";

export const signIn = signin;

export const views = Object.fromEntries(
    [fleet, device, deployments, deployment, deploy, firmware, server, changes, accounts].map((view) => [view.route, view]));

/** What the navigation shows, in this order; under: routes that belong there. */
export const navigation = [
    { route: "fleet", under: ["device"] },
    { route: "deployments", under: ["deployment", "deploy"] },
    { route: "firmware", under: [] },
    { route: "server", under: [] },
    { route: "changes", under: [] },
    { route: "accounts", under: [], right: "admin" },
];
