/* GET /api/server: what runs, with which crypto and certificates, and how busy it is. */
#include "server/about.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/encode.h"
#include "base/log.h"
#include "pki/pki.h"
#include "server/server.h"
#include "store/certificates.h"
#include "tls/crypto.h"
#include "tls/policy.h"

#define ABOUT_MAX (1u << 20)
#define ABOUT_FILES 8
#define RENEW_AHEAD_MS (30 * INT64_C(86400000))

struct about_file {
    const char *what, *file;
    struct pki_shown *certs; /* count 0: the file cannot be read */
    size_t count;
};

struct about {
    pthread_mutex_t lock;
    struct arena arena; /* of what follows */
    struct about_file files[ABOUT_FILES];
    size_t file_count;
    struct net_limits limits;
    enum tls_crypto crypto;
    bool tls; /* algs is filled */
    struct tls_algs algs;
};

int about_new(struct about **out, struct err *e)
{
    struct about *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(e, ERR_NOMEM, "no memory for what the server tells of itself");
    pthread_mutex_init(&a->lock, NULL);
    arena_init(&a->arena, ABOUT_MAX);
    *out = a;
    return 0;
}

void about_free(struct about *a)
{
    if (a == NULL)
        return;
    arena_fini(&a->arena);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* Of a listener's file only the first certificate is shown: what stands after it are authorities. */
static void add_file(struct about *a, const char *what, const char *path, size_t most)
{
    struct err e = {0};
    struct about_file *f = &a->files[a->file_count++];
    *f = (struct about_file){.what = what, .file = arena_dup_str(&a->arena, str_of(path))};
    int rc = f->file != NULL ? pki_bundle_show(path, &a->arena, &f->certs, &f->count, &e)
                             : err_set(&e, ERR_NOMEM, "no memory for the name of %s", path);
    if (rc != 0) {
        log_warn("server", "a certificate cannot be shown", LOG_STR("file", path), LOG_ERR(&e));
        f->count = 0;
    }
    if (f->count > most)
        f->count = most;
}

void about_set(struct about *a, const struct server_config *c, const struct net_limits *limits)
{
    struct err e = {0};
    pthread_mutex_lock(&a->lock);
    arena_reset(&a->arena);
    a->file_count = 0;
    a->limits = *limits;
    a->crypto = c->tls_crypto;
    a->tls = c->tls && tls_algs_resolve(str_or_null(c->tls_policy), str_or_null(c->tls_kem),
                                        str_or_null(c->tls_sig), &a->algs, &e) == 0;
    if (c->tls)
        add_file(a, "tls", c->tls_certificate, 1);
    if (c->console)
        add_file(a, "console", c->console_certificate, 1);
    if (c->classical)
        add_file(a, "classical", c->classical_certificate, 1);
    add_file(a, "device-ca", c->device_ca, 1);
    add_file(a, "device-roots", c->device_roots, PKI_BUNDLE_MAX);
    add_file(a, "operator-roots", c->operator_roots, PKI_BUNDLE_MAX);
    add_file(a, "server-roots", c->server_roots, PKI_BUNDLE_MAX);
    pthread_mutex_unlock(&a->lock);
}

/* --- the route ------------------------------------------------------------------------------------------ */

static void put_listeners(yyjson_mut_doc *doc, yyjson_mut_val *root, struct server *s)
{
    struct net_bound bound[SERVER_LISTENS_MAX];
    size_t n = net_bound(s->net, bound, SERVER_LISTENS_MAX);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "listeners");
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, row, "name", bound[i].name);
        yyjson_mut_obj_add_strcpy(doc, row, "address", bound[i].address);
    }
}

/* "a:b:c" as ["a", "b", "c"]. */
static void put_names(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *names)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, obj, key);
    struct str rest = str_of(names), one;
    while (str_split(&rest, ':', &one))
        if (one.n > 0)
            yyjson_mut_arr_add_strncpy(doc, list, one.p, one.n);
}

static void put_crypto(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct about *a)
{
    yyjson_mut_val *crypto = yyjson_mut_obj_add_obj(doc, root, "crypto");
    yyjson_mut_obj_add_str(doc, crypto, "openssl", OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
    yyjson_mut_obj_add_str(doc, crypto, "lattice", tls_crypto_name(a->crypto));
    if (a->tls)
        yyjson_mut_obj_add_str(doc, crypto, "policy", a->algs.policy->name);
    else
        yyjson_mut_obj_add_null(doc, crypto, "policy");
    put_names(doc, crypto, "groups", a->tls ? a->algs.groups : "");
    put_names(doc, crypto, "signatures", a->tls ? a->algs.sigalgs : "");
    put_names(doc, crypto, "ciphers", a->tls ? a->algs.policy->ciphersuites : "");
}

static void put_certificate(yyjson_mut_doc *doc, yyjson_mut_val *list, const struct about_file *f,
                            const struct pki_shown *shown)
{
    yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
    yyjson_mut_obj_add_str(doc, row, "what", f->what);
    yyjson_mut_obj_add_strcpy(doc, row, "file", f->file != NULL ? f->file : "");
    if (shown == NULL) {
        yyjson_mut_obj_add_null(doc, row, "subject");
        yyjson_mut_obj_add_null(doc, row, "algorithm");
        yyjson_mut_obj_add_null(doc, row, "expires");
        return;
    }
    yyjson_mut_obj_add_strcpy(doc, row, "subject", shown->subject);
    yyjson_mut_obj_add_strcpy(doc, row, "algorithm", shown->algorithm);
    api_put_time(doc, row, "expires", shown->not_after * 1000);
}

static void put_limits(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct about *a,
                       const struct server_config *c)
{
    yyjson_mut_val *limits = yyjson_mut_obj_add_obj(doc, root, "limits");
    yyjson_mut_obj_add_uint(doc, limits, "connections", a->limits.connections);
    yyjson_mut_obj_add_uint(doc, limits, "connections_per_address", a->limits.connections_per_address);
    yyjson_mut_obj_add_sint(doc, limits, "sessions", c->tls_sessions);
    yyjson_mut_obj_add_sint(doc, limits, "upload_bytes", c->upload_bytes);
    yyjson_mut_obj_add_sint(doc, limits, "query_seconds", c->query_seconds);
}

static void put_what_was_read(yyjson_mut_doc *doc, yyjson_mut_val *root, struct server *s)
{
    struct about *a = s->about;
    pthread_mutex_lock(&a->lock);
    put_crypto(doc, root, a);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "certificates");
    for (size_t i = 0; i < a->file_count; i++) {
        const struct about_file *f = &a->files[i];
        if (f->count == 0)
            put_certificate(doc, list, f, NULL);
        for (size_t k = 0; k < f->count; k++)
            put_certificate(doc, list, f, &f->certs[k]);
    }
    put_limits(doc, root, a, &s->config);
    pthread_mutex_unlock(&a->lock);
}

static int put_renewals(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *root, int64_t now)
{
    int64_t due = 0, expired = 0;
    int rc = store_certificate_ending(c->db, now, now + RENEW_AHEAD_MS, &due, &c->err);
    if (rc == 0)
        rc = store_certificate_ending(c->db, INT64_MIN, now, &expired, &c->err);
    if (rc != 0)
        return rc;
    yyjson_mut_val *renewals = yyjson_mut_obj_add_obj(doc, root, "renewals");
    yyjson_mut_obj_add_sint(doc, renewals, "due_30_days", due);
    yyjson_mut_obj_add_sint(doc, renewals, "expired", expired);
    return 0;
}

static void put_queue(yyjson_mut_doc *doc, yyjson_mut_val *queues, const char *name, size_t waiting,
                      int64_t most)
{
    yyjson_mut_val *q = yyjson_mut_obj_add_obj(doc, queues, name);
    yyjson_mut_obj_add_uint(doc, q, "waiting", waiting);
    yyjson_mut_obj_add_sint(doc, q, "limit", most);
}

static void put_load(yyjson_mut_doc *doc, yyjson_mut_val *root, struct server *s)
{
    const struct server_config *c = &s->config;
    struct store_health h;
    store_health(s->store, &h);
    yyjson_mut_val *queues = yyjson_mut_obj_add_obj(doc, root, "queues");
    put_queue(doc, queues, "write", h.queue, c->write_queue);
    put_queue(doc, queues, "query", pool_waiting(s->query), c->query_queue);
    put_queue(doc, queues, "sign", pool_waiting(s->sign), c->sign_queue);
    put_queue(doc, queues, "file", pool_waiting(s->file), c->file_queue);
    put_queue(doc, queues, "password", pool_waiting(s->password), c->password_queue);
    yyjson_mut_obj_add_uint(doc, root, "connections", net_connections(s->net));
    yyjson_mut_obj_add_uint(doc, root, "sessions", tls_sessions_count(s->sessions));
    yyjson_mut_obj_add_uint(doc, root, "memory_bytes", server_resident_bytes());
}

static int about(struct call *c)
{
    struct server *s = c->server;
    int64_t now = clock_unix_ms(s->clock);
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_str(doc, root, "version", PQOTA_VERSION);
    api_put_time(doc, root, "started", s->started_ms);
    api_put_time(doc, root, "now", now);
    put_listeners(doc, root, s);
    put_what_was_read(doc, root, s);
    int rc = put_renewals(c, doc, root, now);
    if (rc != 0)
        return rc;
    put_load(doc, root, s);
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/server", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, about}}},
};

const struct route_table server_about_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
