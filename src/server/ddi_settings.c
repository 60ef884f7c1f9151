/* What the configuration file says of [ddi], made ready for ota/settings. */
#include <netinet/in.h>
#include <stdio.h>

#include "ota/settings.h"
#include "server/server.h"

#define OVERDUE_SECONDS 300 /* hawkBit's own default */

static int first_port(const char *listen)
{
    struct str rest = str_of(listen);
    struct sockaddr_storage at;
    if (config_listen_next(&rest, &at, NULL) != 1)
        return 0;
    return at.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&at)->sin6_port)
                                    : ntohs(((const struct sockaddr_in *)&at)->sin_port);
}

void server_set_ddi(struct server *s, const struct server_config *c)
{
    int64_t poll = c->ddi_poll_seconds != 0 ? c->ddi_poll_seconds : c->poll_seconds;
    struct ddi_settings d = {
        .enabled = c->ddi,
        .download_http = c->ddi_download_http,
        .plain_port =
            s->config.plain ? first_port(s->config.plain_listen) : 0, /* listeners stay as they are */
        .registrations_per_minute = c->ddi_registrations,
        .target_token = c->ddi_target_token,
        .gateway_token = c->ddi_gateway_token,
        .header = c->ddi_header,
        .poll_seconds = poll < SETTINGS_POLL_MAX ? poll : SETTINGS_POLL_MAX,
        .overdue_seconds = OVERDUE_SECONDS,
    };
    snprintf(d.model, sizeof d.model, "%s", c->ddi_model);
    snprintf(d.version_attribute, sizeof d.version_attribute, "%s", c->ddi_version_attribute);
    snprintf(d.unsigned_models, sizeof d.unsigned_models, "%s", c->insecure_unsigned_models);
    snprintf(d.header_authority, sizeof d.header_authority, "%s", c->ddi_header_authority);
    settings_set_file(s->ota.settings, &d);
}
