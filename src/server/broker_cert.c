/* The server's own certificate for the broker: issued by the devices' authority to a name that no device can
   have, renewed in time for the same key, so that one file is replaced and never two. */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "pki/pki.h"
#include "server/broker_impl.h"
#include "server/server.h"
#include "tls/policy.h"

#define BACKDATE_S 3600

CLEANUP_DEFINE(key, EVP_PKEY, pki_key_free);
CLEANUP_DEFINE(ca, struct pki_ca, pki_ca_free);

/* Everything else of the chain is checked with the settings; here it is a matter of time alone. */
static bool is_due(const char *file, int64_t now_s)
{
    auto_buf struct buf pem;
    buf_init(&pem, PKI_PEM_MAX);
    struct pki_cert cert;
    struct err e = {0};
    if (!file_exists(file))
        return true;
    if (file_read(file, PKI_PEM_MAX, &pem, &e) != 0 || pki_cert_read(buf_str(&pem), &cert, &e) != 0)
        return false; /* not ours to overwrite: the connection tells what is wrong with it */
    return strcmp(cert.common_name, CONFIG_MQTT_NAME) == 0 &&
           now_s >= cert.not_before + (cert.not_after - cert.not_before) / 3 * 2;
}

/* A key that is not there is made, unless it is somewhere else than in a file. */
static int have_key(const struct server_config *c, EVP_PKEY **out, struct err *e)
{
    const char *colon = strchr(c->mqtt_key, ':'), *slash = strchr(c->mqtt_key, '/');
    bool uri = colon != NULL && (slash == NULL || colon < slash);
    if (uri || file_exists(c->mqtt_key))
        return pki_key_load(c->mqtt_key, out, e);
    CLEANUP(key_cleanup) EVP_PKEY *key = NULL;
    char algorithm[TLS_KEY_NAME_MAX];
    int rc = tls_policy_key(c->tls_policy, str_or_null(c->tls_sig), algorithm, e);
    if (rc == 0)
        rc = pki_key_generate(algorithm, &key, e);
    if (rc == 0)
        rc = pki_key_save(key, c->mqtt_key, e);
    if (rc == 0)
        *out = take_ptr(key);
    return rc;
}

int broker_certificate(struct server *s, bool *changed, struct err *e)
{
    const struct server_config *c = &s->config;
    int64_t now_s = clock_unix_ms(s->clock) / 1000;
    *changed = false;
    if (!is_due(c->mqtt_certificate, now_s))
        return 0;
    CLEANUP(ca_cleanup) struct pki_ca *ca = s->ota.device_ca(s->ota.device_ca_ctx);
    CLEANUP(key_cleanup) EVP_PKEY *key = NULL;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    const struct pki_issue want = {.purpose = PKI_CLIENT,
                                   .common_name = CONFIG_MQTT_NAME,
                                   .not_before = now_s - BACKDATE_S,
                                   .not_after = now_s + (int64_t)CONFIG_MQTT_DAYS * 86400};
    struct pki_cert cert;
    struct str pem;
    int rc = have_key(c, &key, e);
    if (rc == 0)
        rc = pki_issue_cert(ca, NULL, key, &want, &a, &pem, &cert, e);
    if (rc == 0)
        rc = file_write_atomic(c->mqtt_certificate, pem.p, pem.n, 0644, e);
    if (rc != 0)
        return err_context(e, "the server's certificate for the MQTT broker");
    char end[CLOCK_TEXT_MAX];
    log_info("mqtt", "a new certificate for the broker", LOG_STR("file", c->mqtt_certificate),
             LOG_STR("until", clock_format(cert.not_after * 1000, end)));
    *changed = true;
    return 0;
}
