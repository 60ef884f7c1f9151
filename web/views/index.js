// All views, by the first part of their address. Each is fetched when it is shown first.

/** @type {Object<string, () => Promise<{default: {route: string, title: string, render: Function}}>>} */
export const views = {
    signin: () => import("./signin.js"),
    fleet: () => import("./fleet.js"),
    device: () => import("./device.js"),
    deployments: () => import("./deployments.js"),
    deployment: () => import("./deployment.js"),
    deploy: () => import("./deploy.js"),
    firmware: () => import("./firmware.js"),
    server: () => import("./server.js"),
    changes: () => import("./changes.js"),
    access: () => import("./access.js"),
    accounts: () => import("./accounts.js"),
};

/** What the navigation shows, in this order; under: routes that belong there. */
export const navigation = [
    { route: "fleet", under: ["device"] },
    { route: "deployments", under: ["deployment", "deploy"] },
    { route: "firmware", under: [] },
    { route: "server", under: [] },
    { route: "changes", under: [] },
    { route: "access", under: [] },
    { route: "accounts", under: [], right: "admin" },
];
