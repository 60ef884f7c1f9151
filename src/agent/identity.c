#include "agent/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/reply.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "tls/policy.h"

#define CERT_MAX PKI_PEM_MAX
#define ARENA_MAX (1 << 20)

static void free_key(EVP_PKEY **key)
{
    pki_key_free(*key);
}
#define auto_key __attribute__((cleanup(free_key)))

static int read_cert(const char *path, struct pki_cert *out, struct err *e)
{
    auto_buf struct buf pem;
    buf_init(&pem, CERT_MAX);
    int rc = file_read(path, CERT_MAX, &pem, e);
    if (rc == 0)
        rc = pki_cert_read(buf_str(&pem), out, e);
    return rc;
}

int identity_read(const struct files *f, struct pki_cert *out, struct err *e)
{
    return read_cert(f->cert, out, e);
}

const char *identity_roots(const struct files *f, const struct agent_config *c)
{
    return file_exists(f->roots) ? f->roots : c->ca;
}

struct link_settings identity_link(const struct files *f, const struct agent_config *c,
                                   struct clock_floor *floor)
{
    return (struct link_settings){.server = c->server,
                                  .proxy = c->proxy,
                                  .policy = c->policy,
                                  .ca_file = identity_roots(f, c),
                                  .cert_file = f->cert,
                                  .key_file = f->key,
                                  .floor = floor,
                                  .small_s = c->request_seconds};
}

static int own_key(const struct files *f, const char *policy, EVP_PKEY **out, struct err *e)
{
    if (file_exists(f->key))
        return pki_key_load(f->key, out, e);
    /* The first signature of the policy: what the certificate will be shown as. */
    struct tls_algs algs;
    int rc = tls_algs_resolve(policy, NULL, NULL, &algs, e);
    if (rc != 0)
        return rc;
    auto_key EVP_PKEY *key = NULL;
    algs.sigalgs[strcspn(algs.sigalgs, ":")] = '\0';
    rc = pki_key_generate(algs.sigalgs, &key, e);
    if (rc == 0)
        rc = pki_key_save(key, f->key, e);
    if (rc != 0)
        return rc;
    *out = key;
    key = NULL;
    return 0;
}

static int store_server(const struct files *f, const struct enrolment *how, struct err *e)
{
    char text[2 * AGENT_VALUE_SIZE + 128];
    int n =
        snprintf(text, sizeof text, "; written by pqota-agent enroll\n[agent]\nserver = %s\npolicy = %s\n",
                 how->server, how->policy);
    if (n < 0 || (size_t)n >= sizeof text)
        return err_set(e, ERR_TOO_LARGE, "the server's address is too long");
    return file_write_atomic(f->server, text, (size_t)n, 0600, e);
}

/* The certificate last: it is what makes the device an enrolled one. */
static int store_enrolment(const struct files *f, const struct enrolment *how, const struct reply *r,
                           struct err *e)
{
    auto_buf struct buf given;
    buf_init(&given, CERT_MAX);
    int rc = reply_store_roots(r, f->roots, e);
    if (rc == ERR_INVALID) {
        log_warn("enroll", "the server sent no usable roots; keeping the given ones", LOG_ERR(e));
        rc = file_read(how->ca_file, CERT_MAX, &given, e);
        if (rc == 0)
            rc = file_write_atomic(f->roots, given.p, given.n, 0644, e);
    }
    if (rc == 0)
        rc = store_server(f, how, e);
    if (rc == 0 && r->model.n > 0)
        rc = file_write_atomic(f->model, r->model.p, r->model.n, 0600, e);
    if (rc == 0)
        rc = file_write_atomic(f->cert, r->certificate.p, r->certificate.n, 0644, e);
    return rc;
}

/* One request with that certificate and those roots. ERR_DENIED: the server does not take them;
   ERR_UNSUPPORTED: they cannot even be shown. */
static int probe(const struct link *l, const char *cert, const char *roots, struct err *e)
{
    struct link fresh;
    struct link_settings set = l->set;
    set.cert_file = cert;
    set.ca_file = roots;
    auto_buf struct buf reply;
    buf_init(&reply, LINK_REPLY_MAX);
    int status = 0;
    int rc = link_init(&fresh, &set, e);
    if (rc == 0)
        rc = link_call(&fresh, "GET", "/api/firmware/latest", NULL, &status, &reply, e);
    link_fini(&fresh);
    if (rc != 0 && fresh.tls.code != 0)
        return err_set(e, ERR_UNSUPPORTED, "%s", fresh.tls.text);
    if (rc != 0)
        return rc;
    if (status == 200 || status == 404) /* nothing published yet is an answer to a known device too */
        return 0;
    char said[300];
    link_problem(status, &reply, said, sizeof said);
    return err_set(e, status == 401 || status == 403 ? ERR_DENIED : ERR_BUSY, "the server answered %s", said);
}

/* To the time at which a certificate of ours was issued. On a board without a clock that may be far ahead of
   what it knows; then the server's own certificate must be good at that time too, or a false time would end
   every certificate for this device. */
static void raise_floor(const struct link *l, int64_t to)
{
    struct clock_floor *floor = l->set.floor, trial = *floor;
    struct link then;
    struct link_settings set = l->set;
    struct err e = {0};
    auto_buf struct buf reply;
    buf_init(&reply, LINK_REPLY_MAX);
    int status = 0, rc = 0;
    trial.floor = to;
    set.floor = &trial;
    set.cert_file = set.key_file = NULL; /* it is the server's that is looked at */
    if (to > clock_floor_now(floor)) {
        rc = link_init(&then, &set, &e);
        if (rc == 0)
            rc = link_call(&then, "GET", "/healthz", NULL, &status, &reply, &e);
        link_fini(&then);
    }
    if (rc == 0)
        clock_floor_raise(floor, to);
    else
        log_warn("clock", "the time of the new certificate is not believed: the server's does not fit it",
                 LOG_ERR(&e));
}

int identity_enroll(struct files *f, struct clock_floor *floor, const struct enrolment *how,
                    struct pki_cert *out, struct err *e)
{
    if (file_exists(f->cert))
        return err_set(e, ERR_CONFLICT,
                       "this device is enrolled already; to enrol it anew, remove device.crt and "
                       "device.key in %s",
                       f->dir);
    auto_key EVP_PKEY *key = NULL;
    int rc = own_key(f, how->policy, &key, e);
    if (rc != 0)
        return rc;
    auto_arena struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct reply r = {0};
    struct link l;
    const struct link_settings set = {.server = how->server,
                                      .proxy = how->proxy,
                                      .policy = how->policy,
                                      .ca_file = how->ca_file,
                                      .floor = floor};
    rc = link_init(&l, &set, e);
    if (rc == 0)
        rc = reply_get_enrolment(&l, key, how->token, how->id, &arena, &r, e);
    link_fini(&l);
    if (rc == 0)
        rc = store_enrolment(f, how, &r, e);
    if (rc != 0)
        return rc;
    raise_floor(&l, r.cert.not_before);
    *out = r.cert;
    return 0;
}

int64_t identity_renew_at(const struct pki_cert *cert)
{
    int64_t life = cert->not_after - cert->not_before;
    uint32_t spread = 2166136261u; /* FNV-1a of the key: the same for a device, different among devices */
    for (const char *p = cert->key_id; *p != '\0'; p++)
        spread = (spread ^ (unsigned char)*p) * 16777619u;
    return cert->not_before + life / 3 * 2 + life / 12 * (int64_t)(spread % 1000) / 1000;
}

static int remove_file(const char *path, struct err *e)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return err_errno(e, errno, "cannot remove %s", path);
    return 0;
}

static int replace(const char *from, const char *to, struct err *e)
{
    if (rename(from, to) != 0)
        return err_errno(e, errno, "cannot rename %s to %s", from, to);
    return 0;
}

/* The roots first: new roots hold the old ones too as long as the server shows a certificate of an old one.
   */
static int take_new(const struct files *f, struct err *e)
{
    int rc = 0;
    if (file_exists(f->roots_new))
        rc = replace(f->roots_new, f->roots, e);
    if (rc == 0)
        rc = replace(f->cert_new, f->cert, e);
    return rc != 0 ? rc : file_fsync_dir(f->dir, e);
}

static int try_new(const struct files *f, const struct link *l, struct err *e)
{
    bool roots = file_exists(f->roots_new);
    int rc = probe(l, f->cert_new, roots ? f->roots_new : l->set.ca_file, e);
    if (rc == 0 || rc == ERR_DENIED || !roots)
        return rc;
    /* Are the new roots what does not work? Then the old ones stay. */
    struct err with_old = {0};
    int again = probe(l, f->cert_new, l->set.ca_file, &with_old);
    if (again != 0 && again != ERR_DENIED)
        return rc != ERR_UNSUPPORTED ? rc : err_set(e, again, "%s", with_old.text);
    log_error("identity", "the new roots do not fit the server and were dropped", LOG_ERR(e));
    if (again != 0)
        err_set(e, again, "%s", with_old.text);
    return remove_file(f->roots_new, e) != 0 ? ERR_IO : again;
}

/* A renewed certificate that the server refuses while it takes the old one, or that cannot be shown at
   all, is no good; another will be asked for. If it refuses both, nothing is thrown away: the new one may
   be the only one that counts, once it was used. */
static void drop_refused(const struct files *f, const struct link *l)
{
    struct err e = {0};
    if (probe(l, f->cert, l->set.ca_file, &e) != 0)
        return;
    log_warn("identity", "the renewed certificate is no good and was dropped; the old one goes on");
    if (remove_file(f->cert_new, &e) != 0 || remove_file(f->roots_new, &e) != 0)
        log_error("identity", "a refused certificate could not be removed", LOG_ERR(&e));
}

static int finish_renewal(struct files *f, struct link *l, struct err *e)
{
    struct pki_cert cert;
    int rc = try_new(f, l, e);
    if (rc == 0)
        rc = take_new(f, e);
    if (rc == 0)
        rc = identity_read(f, &cert, e);
    if (rc != 0)
        return rc;
    raise_floor(l, cert.not_before);
    log_info("identity", "the certificate was renewed", LOG_STR("id", cert.common_name),
             LOG_I64("days", (cert.not_after - cert.not_before) / 86400));
    return 0;
}

static int ask_renewal(struct files *f, struct link *l, struct err *e)
{
    auto_key EVP_PKEY *key = NULL;
    auto_arena struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct reply r = {0};
    int rc = pki_key_load(f->key, &key, e);
    if (rc == 0)
        rc = reply_get_renewal(l, key, &arena, &r, e);
    if (rc == 0)
        rc = remove_file(f->roots_new, e);
    if (rc != 0)
        return rc;
    struct err roots = {0};
    if (reply_store_roots(&r, f->roots_new, &roots) != 0)
        log_warn("identity", "no new roots were stored; keeping the old ones", LOG_ERR(&roots));
    return file_write_atomic(f->cert_new, r.certificate.p, r.certificate.n, 0644, e);
}

void identity_tick(struct files *f, struct link *l, int64_t now_s, int64_t *next_s, bool *changed)
{
    struct pki_cert cert;
    struct err e = {0};
    *changed = false;
    *next_s = RENEW_RETRY_S;
    if (identity_read(f, &cert, &e) != 0) {
        log_error("identity", "the device's certificate cannot be read", LOG_ERR(&e));
        return;
    }
    int64_t due = identity_renew_at(&cert);
    if (!file_exists(f->cert_new)) {
        if (now_s < due) {
            *next_s = due - now_s;
            return;
        }
        if (now_s > cert.not_after + RENEW_GRACE_S) {
            log_error("identity",
                      "the certificate expired too long ago to be renewed; enrol the device anew");
            *next_s = RENEW_REFUSED_S;
            return;
        }
        if (ask_renewal(f, l, &e) != 0) {
            log_warn("identity", "the certificate could not be renewed", LOG_ERR(&e));
            *next_s = e.code == ERR_DENIED || e.code == ERR_CONFLICT ? RENEW_REFUSED_S : RENEW_RETRY_S;
            return;
        }
    }
    if (finish_renewal(f, l, &e) == 0) {
        *changed = true; /* the next look is not at once: a certificate that is due again would be a loop */
        return;
    }
    log_warn("identity", "the new certificate is not in use yet", LOG_ERR(&e));
    if (e.code == ERR_DENIED || e.code == ERR_UNSUPPORTED) {
        drop_refused(f, l);
        *next_s = RENEW_REFUSED_S;
    }
}
