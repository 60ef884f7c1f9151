#include <assert.h>

#include "api/api.h"
#include "ddi/ddi.h"
#include "server/console.h"
#include "server/live.h"
#include "server/server.h"

static const struct route_table *const native[] = {
    &api_firmware_routes,      &api_upload_routes,     &api_update_routes,    &api_deployments_routes,
    &api_status_routes,        &api_openapi_routes,    &api_enroll_routes,    &api_renew_routes,
    &api_devices_routes,       &api_tokens_routes,     &api_operators_routes, &api_pki_routes,
    &api_trust_routes,         &api_events_routes,     &server_health_routes, &server_metrics_routes,
    &server_about_routes,      &server_history_routes, &api_director_routes,  &api_accounts_routes,
    &api_device_tokens_routes, &api_settings_routes,   &api_why_routes,       &api_fleet_routes,
    &console_link_routes,
};
static const struct route_table *const hawkbit[] = {
    &ddi_device_routes,  &ddi_userinfo_routes,  &ddi_types_routes, &ddi_configs_routes,
    &ddi_modules_routes, &ddi_artifacts_routes, &ddi_sets_routes,  &ddi_targets_routes,
    &ddi_actions_routes, &ddi_assign_routes,
};
static const struct route_table *const console[] = {
    &console_session_routes,
    &live_routes,
    &console_page_routes,
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void add(struct server_routes *to, const struct route_table *const *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct route_table *table = &to->tables[to->count++];
        *table = *from[i];
        if (to->row_count + table->count > SERVER_ROUTES_MAX)
            continue; /* found all the same, only later; the unit test says to make it larger */
        route_keys(table, &to->keys[to->row_count]);
        to->row_count += table->count;
    }
}

void server_add_routes(struct server *s)
{
    static_assert(COUNT(native) + COUNT(hawkbit) <= SERVER_TABLES_MAX &&
                      COUNT(native) + COUNT(console) <= SERVER_TABLES_MAX,
                  "make SERVER_TABLES_MAX larger");
    add(&s->routes, native, COUNT(native));
    add(&s->routes, hawkbit, COUNT(hawkbit));
    add(&s->console_routes, native, COUNT(native));
    add(&s->console_routes, console, COUNT(console));
}
