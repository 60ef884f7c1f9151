#include "server/ddi_identify.h"

#include <stdio.h>

#include "base/log.h"
#include "ota/ddi_device.h"
#include "ota/seen.h"
#include "ota/settings.h"
#include "server/run.h"
#include "server/server.h"
#include "store/db.h"

#define MINUTE_MS 60000

struct ddi_newcomer {
    struct ddi_claim claim;
    void (*then)(struct run *run);
};

int ddi_door_init(struct ddi_door *d, struct err *e)
{
    *d = (struct ddi_door){.minute = -1};
    return pthread_mutex_init(&d->lock, NULL) == 0 ? 0 : err_set(e, ERR_NOMEM, "no memory for a lock");
}

void ddi_door_fini(struct ddi_door *d)
{
    pthread_mutex_destroy(&d->lock);
}

/* --- what it says of itself ------------------------------------------------------------------------- */

/* "<scheme> <token>", its scheme in any case, blanks after the token left out. */
static bool take_token(struct str value, const char *scheme, struct str *token)
{
    struct str word = str_of(scheme);
    value = str_trim(value);
    if (value.n <= word.n || (value.p[word.n] != ' ' && value.p[word.n] != '\t') ||
        !str_eq_nocase((struct str){.p = value.p, .n = word.n}, word))
        return false;
    *token = str_trim((struct str){.p = value.p + word.n, .n = value.n - word.n});
    return true;
}

/* Fills by and hash of the claim. False: there is no token. */
static int read_token(struct run *run, struct ddi_claim *claim, bool *there, struct err *e)
{
    const struct http_request *req = &run->x->req;
    struct str token = {0};
    size_t count = 0;
    *there = false;
    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_eq_nocase(req->headers[i].name, STR("Authorization")))
            continue;
        count++;
        if (take_token(req->headers[i].value, "TargetToken", &token))
            claim->by = BY_TARGET_TOKEN;
        else if (take_token(req->headers[i].value, "GatewayToken", &token))
            claim->by = BY_GATEWAY_TOKEN;
    }
    if (count > 1)
        return err_set(e, ERR_UNAUTHENTICATED, "the request has the field Authorization more than once");
    if (claim->by == BY_CERTIFICATE)
        return 0;
    char *hash = arena_alloc(&run->x->arena, SHA256_HEX_SIZE);
    if (hash == NULL)
        return err_set(e, ERR_NOMEM, "no memory to check a token");
    if (ddi_token_hash(token, hash, e) != 0)
        return err_set(e, ERR_UNAUTHENTICATED, "the token is empty or too long");
    claim->hash = hash;
    *there = true;
    return 0;
}

/* "X-Authority", "X-Authority-0", ..., and the name that hawkBit's older examples have. */
static bool is_authority(struct str name)
{
    static const char *const names[] = {"X-Authority", "X-Ssl-Issuer-Hash"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct str word = str_of(names[i]);
        uint64_t number;
        if (name.n < word.n || !str_eq_nocase((struct str){.p = name.p, .n = word.n}, word))
            continue;
        struct str rest = {.p = name.p + word.n, .n = name.n - word.n};
        if (rest.n == 0)
            return true;
        return rest.p[0] == '-' &&
               str_to_u64((struct str){.p = rest.p + 1, .n = rest.n - 1}, 999, &number) == 0;
    }
    return false;
}

/* Cuts the part before the first ; or , off. */
static bool next_authority(struct str *rest, struct str *one)
{
    size_t n = 0;
    if (rest->n == 0)
        return false;
    while (n < rest->n && rest->p[n] != ';' && rest->p[n] != ',')
        n++;
    *one = str_trim((struct str){.p = rest->p, .n = n});
    size_t skip = n < rest->n ? n + 1 : n;
    *rest = (struct str){.p = rest->p + skip, .n = rest->n - skip};
    return true;
}

static bool is_configured(struct str authority, const char *list)
{
    struct str rest = str_of(list), one;
    while (next_authority(&rest, &one))
        if (one.n > 0 && str_eq_nocase(one, authority))
            return true;
    return false;
}

/* What a proxy that names its clients in its own field lets through of others is the client's word. */
static bool believes_headers(const struct run *run)
{
    return !run->proxy.named && (run->x->peer->kind == NET_UNIX ||
                                 proxy_listed(run->server->config.insecure_header_addresses, run->x->peer));
}

static bool headers_name(const struct run *run, const struct ddi_settings *s, const char *id)
{
    const struct http_request *req = &run->x->req;
    size_t named = 0;
    bool same = false, known = false;
    for (size_t i = 0; i < req->header_count; i++) {
        struct str value = req->headers[i].value, one;
        if (str_eq_nocase(req->headers[i].name, STR("X-Controller-Id"))) {
            named++;
            same = str_is(str_trim(value), id);
        } else if (is_authority(req->headers[i].name)) {
            while (next_authority(&value, &one))
                known = known || is_configured(one, s->header_authority);
        }
    }
    return named == 1 && same && known;
}

/* --- whether it counts ------------------------------------------------------------------------------ */

static void note_transport(struct run *run, const struct device *d, const char *id)
{
    const char *now = run->who.transport;
    if (now != NULL)
        seen_transport(run->server->ota.seen, id, now,
                       d->transport == NULL || strcmp(d->transport, now) != 0);
}

static void become(struct run *run, const struct ddi_claim *claim)
{
    if (claim->by == BY_CERTIFICATE)
        return;
    struct identity id = {.who = WHO_DEVICE, .by = claim->by, .transport = run->who.transport};
    if (claim->by == BY_HEADER)
        id.transport = "proxy";
    snprintf(id.id, sizeof id.id, "%s", claim->id);
    snprintf(id.token, sizeof id.token, "%s", claim->hash != NULL ? claim->hash : "");
    memcpy(id.address, run->who.address, sizeof id.address);
    run->who = id;
}

static int admit(struct run *run, const struct ddi_claim *claim, struct err *e)
{
    struct exchange *x = run->x;
    struct db *db = exchange_loop_ctx(x);
    struct asking k;
    /* Until the turn's end (dispatch): if it cannot be had, each question locks for itself. */
    int rc = db_share_begin(db, NULL);
    rc = ota_ddi_admit(&run->server->ota, db, &x->arena, claim, &k, e);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    become(run, claim);
    if (rc == 0)
        note_transport(run, &k.device, claim->id);
    return rc;
}

/* By header fields, after a token did not count or there was none. */
static int try_headers(struct run *run, const struct ddi_settings *s, struct ddi_claim *claim, struct err *e)
{
    struct ddi_settings whole;
    if (!s->header || !believes_headers(run))
        return ERR_UNAUTHENTICATED;
    settings_get(run->server->ota.settings, &whole);
    if (!headers_name(run, &whole, claim->id))
        return ERR_UNAUTHENTICATED;
    claim->by = BY_HEADER;
    claim->hash = NULL;
    return admit(run, claim, e);
}

/* 0, ERR_NOT_FOUND for one that is to be registered, or a refusal. */
static int find_who(struct run *run, const struct ddi_settings *s, struct ddi_claim *claim, struct err *e)
{
    bool token;
    if (run->who.who == WHO_EXPIRED)
        return err_set(e, ERR_UNAUTHENTICATED,
                       "the device's certificate has expired; it is good for POST /api/renew alone");
    if (run->who.who == WHO_DEVICE && strcmp(run->who.id, claim->id) != 0)
        return err_set(e, ERR_DENIED, "the certificate is device \"%s\"'s, and the path another's",
                       run->who.id);
    if (run->who.who == WHO_DEVICE)
        return admit(run, claim, e);
    int rc = read_token(run, claim, &token, e);
    if (rc == 0 && token)
        rc = admit(run, claim, e);
    else if (rc == 0)
        rc = err_set(e, ERR_UNAUTHENTICATED,
                     "this needs a device's token (Authorization: TargetToken ...) or its certificate");
    if (rc != ERR_UNAUTHENTICATED)
        return rc;
    struct err other = {0};
    int by_header = try_headers(run, s, claim, &other);
    if (by_header != ERR_UNAUTHENTICATED || other.code != 0)
        *e = other;
    return by_header;
}

/* Whether one more may register in this minute; else *wait seconds are left of it. */
static bool may_register(struct server *s, int64_t most, int64_t *wait)
{
    struct ddi_door *d = &s->ddi_door;
    int64_t now = clock_mono_ms(s->clock), minute = now / MINUTE_MS;
    pthread_mutex_lock(&d->lock);
    if (d->minute != minute) {
        d->minute = minute;
        d->begun = 0;
    }
    bool may = d->begun < most;
    bool first = d->begun == most;
    if (d->begun <= most)
        d->begun++;
    pthread_mutex_unlock(&d->lock);
    *wait = (minute + 1) * (MINUTE_MS / 1000) - now / 1000;
    if (!may)
        atomic_fetch_add(&d->limited, 1);
    if (first)
        log_warn("server", "too many devices register themselves: the others have to come again",
                 LOG_I64("a_minute", most));
    return may;
}

static enum login_begun refuse_many(struct run *run, int64_t wait)
{
    run_refuse(run, 429, "too many devices register at once: come again");
    const char *text = arena_printf(&run->x->arena, "%lld", (long long)wait);
    if (text != NULL)
        http_set(&run->x->res, "Retry-After", text);
    return LOGIN_REFUSED;
}

static enum login_begun refuse(struct run *run)
{
    atomic_fetch_add(&run->server->ddi_door.refused, 1);
    run_refuse_err(run);
    return LOGIN_REFUSED;
}

static enum login_begun keep_newcomer(struct run *run, const struct ddi_settings *s,
                                      const struct ddi_claim *claim)
{
    int64_t wait;
    if (!may_register(run->server, s->registrations_per_minute, &wait))
        return refuse_many(run, wait);
    run->newcomer = arena_new(&run->x->arena, struct ddi_newcomer);
    if (run->newcomer == NULL) {
        err_set(&run->call.err, ERR_NOMEM, "no memory to register a device");
        return refuse(run);
    }
    run->newcomer->claim = *claim;
    run->call.err = (struct err){0};
    return LOGIN_WAITS;
}

enum login_begun ddi_begin(struct run *run)
{
    struct ddi_settings s;
    struct err *e = &run->call.err;
    struct str tenant = run->call.param[0], id = run->call.param[1];
    settings_get_brief(run->server->ota.settings, &s);
    if (!s.enabled || !str_eq_nocase(tenant, STR(DDI_TENANT))) {
        run_refuse(run, 404, s.enabled ? "there is one tenant, " DDI_TENANT : "there is no such resource");
        return LOGIN_REFUSED;
    }
    struct ddi_claim claim = {.id = arena_dup_str(&run->x->arena, id)};
    int rc = 0;
    if (claim.id == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for a device's id");
    else if (!str_is_device_id(id))
        rc = err_set(e, ERR_INVALID,
                     "this is no device id: it begins with a letter or digit, then letters, digits and "
                     ". _ : -, 64 bytes at most");
    if (rc == 0)
        rc = find_who(run, &s, &claim, e);
    if (rc == ERR_NOT_FOUND)
        return keep_newcomer(run, &s, &claim);
    return rc == 0 ? LOGIN_KNOWN : refuse(run);
}

/* --- registering ------------------------------------------------------------------------------------ */

/* In the writer: another request of the same device may have been first, and what counts may have changed. */
static int enter(struct db *db, void *arg, struct err *e)
{
    struct run *run = arg;
    struct ota *ota = &run->server->ota;
    const struct ddi_claim *claim = &run->newcomer->claim;
    struct asking d;
    int rc = ota_ddi_admit(ota, db, &run->x->arena, claim, &d, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    db_set_origin(db, run_address(run));
    rc = ota_ddi_register(ota, db, &run->x->arena, claim, e);
    db_set_origin(db, STR(""));
    if (rc == 0)
        atomic_fetch_add(&run->server->ddi_door.registered, 1);
    return rc;
}

static void entered(struct exchange *x)
{
    struct run *run = x->app;
    void (*then)(struct run *) = run->newcomer->then;
    const char *id = run->newcomer->claim.id;
    run->newcomer = NULL;
    if (run->result != 0) {
        run_fail(run);
        return;
    }
    if (run->who.transport != NULL)
        seen_transport(run->server->ota.seen, id, run->who.transport, true);
    then(run);
}

static void enter_done(void *arg, int rc, const struct err *e)
{
    struct run *run = arg;
    run->result = rc;
    if (rc != 0)
        run->call.err = *e;
    exchange_call(run->x, entered);
}

void ddi_register(struct run *run, void (*then)(struct run *run))
{
    run->newcomer->then = then;
    run->write = (struct store_job){.run = enter, .done = enter_done, .arg = run};
    if (store_submit(run->server->store, &run->write, &run->call.err) != 0)
        run_fail(run);
}
