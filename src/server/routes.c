#include <assert.h>

#include "api/api.h"
#include "ddi/ddi.h"
#include "server/console.h"
#include "server/live.h"
#include "server/server.h"

void server_add_routes(struct server *s)
{
    const struct route_table *const all[] = {
        &api_firmware_routes,
        &api_upload_routes,
        &api_update_routes,
        &api_deployments_routes,
        &api_status_routes,
        &api_openapi_routes,
        &api_enroll_routes,
        &api_renew_routes,
        &api_devices_routes,
        &api_tokens_routes,
        &api_operators_routes,
        &api_pki_routes,
        &api_trust_routes,
        &api_events_routes,
        &server_health_routes,
        &server_metrics_routes,
        &server_about_routes,
        &server_history_routes,
        &api_director_routes,
        &api_accounts_routes,
        &api_device_tokens_routes,
        &api_settings_routes,
        &ddi_device_routes,
        &ddi_userinfo_routes,
        &ddi_types_routes,
        &ddi_configs_routes,
        &ddi_modules_routes,
        &ddi_artifacts_routes,
        &ddi_sets_routes,
        &ddi_targets_routes,
        &ddi_actions_routes,
        &ddi_assign_routes,
        &api_why_routes,
        &console_link_routes,
        &console_session_routes,
        &console_page_routes,
        &live_routes,
    };
    static_assert(sizeof all / sizeof all[0] <= SERVER_TABLES_MAX, "make SERVER_TABLES_MAX larger");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        s->routes[s->route_count++] = *all[i];
}
