/* The native REST interface: a table of routes for each resource. */
#ifndef PQOTA_API_API_H
#define PQOTA_API_API_H

#include "http/route.h"

/* Who may call what anybody may: with whatever certificate that counts, and without one. */
#define WHO_ALL (WHO_ANYONE | WHO_DEVICE | WHO_EXPIRED | WHO_READERS | WHO_LOCAL)

extern const struct route_table api_accounts_routes;
extern const struct route_table api_deployments_routes;
extern const struct route_table api_device_tokens_routes;
extern const struct route_table api_devices_routes;
extern const struct route_table api_director_routes;
extern const struct route_table api_enroll_routes;
extern const struct route_table api_events_routes;
extern const struct route_table api_firmware_routes;
extern const struct route_table api_openapi_routes;
extern const struct route_table api_fleet_routes;
extern const struct route_table api_operators_routes;
extern const struct route_table api_pki_routes;
extern const struct route_table api_renew_routes;
extern const struct route_table api_settings_routes;
extern const struct route_table api_status_routes;
extern const struct route_table api_tokens_routes;
extern const struct route_table api_trust_routes;
extern const struct route_table api_update_routes;
extern const struct route_table api_upload_routes;
extern const struct route_table api_why_routes;

#endif
