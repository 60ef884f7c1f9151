#include "identity_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "ota/settings.h"

#define START_MS 1800000000000LL

static int64_t clock_now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static struct pki_ca *device_ca(void *ctx)
{
    return pki_ca_ref(((struct fixture *)ctx)->device_ca);
}

/* A root in <dir>/<name>.pem and its key beside it. */
static struct pki_ca *make_root(struct fixture *f, const char *name, char file[128])
{
    char key_file[128];
    EVP_PKEY *key = NULL;
    struct pki_ca *ca = NULL;
    struct str pem;
    snprintf(file, 128, "%s/%s.pem", f->dir, name);
    snprintf(key_file, sizeof key_file, "%s/%s.key", f->dir, name);
    assert_ok(pki_key_generate("mldsa44", &key, &f->e), f->e);
    assert_ok(pki_root_make(key, name, 3650, START_MS / 1000 - 86400, &f->arena, &pem, &f->e), f->e);
    assert_ok(pki_key_save(key, key_file, &f->e), f->e);
    assert_ok(file_write_atomic(file, pem.p, pem.n, 0644, &f->e), f->e);
    assert_ok(pki_ca_load(file, key_file, &ca, &f->e), f->e);
    pki_key_free(key);
    return ca;
}

static int load(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return principals_load(f->ota.principals, db, f->now_ms / 1000, e);
}

void fixture_trust(struct fixture *f, const struct trust_settings *s)
{
    struct trust_keys *k = NULL;
    assert_ok(trust_keys_read(s, true, &k, &f->e), f->e);
    trust_set(f->ota.trust, k, s->insecure_unsigned);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    log_setup(LOG_ERROR, LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    snprintf(f->dir, sizeof f->dir, "/tmp/pqota-ota-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    arena_init(&f->arena, 1 << 26);
    f->now_ms = START_MS;
    f->clock = (struct clock){.unix_ms = clock_now, .mono_ms = clock_system.mono_ms, .ctx = f};
    char data[128];
    snprintf(data, sizeof data, "%s/data", f->dir);
    const struct store_options options = {.dir = data, .clock = &f->clock};
    assert_ok(store_open(&options, &f->store, &f->e), f->e);
    assert_ok(store_reader_new(f->store, &f->reader, &f->e), f->e);
    f->device_ca = make_root(f, "device", f->device_roots);
    f->operator_ca = make_root(f, "operator", f->operator_roots);
    f->ota = (struct ota){
        .store = f->store,
        .clock = &f->clock,
        .device_ca = device_ca,
        .device_ca_ctx = f,
        .device_roots_file = f->device_roots,
        .operator_roots_file = f->operator_roots,
        .device_days = DAYS,
        .renew_grace_days = GRACE,
        .crl_hours = 24,
    };
    static const struct ddi_settings settings = {.poll_seconds = 300, .version_attribute = "version"};
    assert_ok(settings_new(&f->ota.settings, &f->e), f->e);
    settings_set_file(f->ota.settings, &settings);
    assert_ok(principals_new(&f->ota.principals, &f->e), f->e);
    assert_ok(seen_new(&f->ota.seen, &f->e), f->e);
    assert_ok(crl_new(&f->ota.crl, &f->e), f->e);
    const struct trust_settings unsigned_too = {.insecure_unsigned = true};
    assert_ok(trust_new(&f->ota.trust, &f->e), f->e);
    fixture_trust(f, &unsigned_too);
    const char *devices[] = {pki_ca_key_id(f->device_ca)}, *operators[] = {pki_ca_key_id(f->operator_ca)};
    assert_ok(principals_set_roots(f->ota.principals, devices, 1, operators, 1, GRACE, &f->e), f->e);
    assert_ok(fixture_write(f, load, NULL), f->e);
    f->key = fixture_key(f);
    f->admin = (struct identity){.who = WHO_ADMIN, .id = "anna"};
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    pki_key_free(f->key);
    pki_ca_free(f->device_ca);
    pki_ca_free(f->operator_ca);
    store_reader_free(f->reader);
    store_close(f->store);
    settings_free(f->ota.settings);
    principals_free(f->ota.principals);
    seen_free(f->ota.seen);
    crl_free(f->ota.crl);
    trust_free(f->ota.trust);
    arena_fini(&f->arena);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

struct write_call {
    struct fixture *f;
    fixture_job *run;
    void *arg;
};

static int run_write(struct db *db, void *arg, struct err *e)
{
    struct write_call *c = arg;
    return c->run(c->f, db, c->arg, e);
}

int fixture_write(struct fixture *f, fixture_job *run, void *arg)
{
    struct write_call c = {.f = f, .run = run, .arg = arg};
    return store_write_now(f->store, run_write, &c, &f->e);
}

int64_t fixture_ask(struct fixture *f, const char *sql)
{
    auto_stmt struct stmt s = {0};
    assert_ok(db_prepare_once(f->reader, &s, sql, &f->e), f->e);
    assert_int_equal(stmt_step(&s, &f->e), STMT_ROW);
    return stmt_get_i64(&s, 0);
}

const char *fixture_ask_text(struct fixture *f, const char *sql)
{
    auto_stmt struct stmt s = {0};
    bool oom = false;
    assert_ok(db_prepare_once(f->reader, &s, sql, &f->e), f->e);
    assert_int_equal(stmt_step(&s, &f->e), STMT_ROW);
    return stmt_get_text(&s, 0, &f->arena, &oom);
}

EVP_PKEY *fixture_key(struct fixture *f)
{
    EVP_PKEY *key = NULL;
    assert_ok(pki_key_generate("mldsa44", &key, &f->e), f->e);
    return key;
}

struct str fixture_csr(struct fixture *f, EVP_PKEY *key)
{
    struct str pem;
    /* The name in it must count for nothing. */
    assert_ok(pki_csr_make(key, "somebody-else", &f->arena, &pem, &f->e), f->e);
    return pem;
}

struct token_call {
    struct token_request request;
    char text[TOKEN_TEXT_SIZE];
    struct token token;
};

static int run_token(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct token_call *t = arg;
    return ota_token_new(&f->ota, db, &f->arena, &f->admin, &t->request, t->text, &t->token, e);
}

struct str fixture_token(struct fixture *f, const char *model, const char *device, int64_t uses)
{
    struct token_call t = {.request = {.model = model, .device = device, .uses = uses, .seconds = 3600}};
    assert_ok(fixture_write(f, run_token, &t), f->e);
    const char *text = arena_dup_str(&f->arena, str_of(t.text));
    assert_non_null(text);
    return str_of(text);
}

struct enrolment fixture_enrolment(struct fixture *f, struct str token, EVP_PKEY *key, const char *id)
{
    return (struct enrolment){.token = token, .csr = fixture_csr(f, key), .proposed_id = id};
}

static int run_reserve(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_enrol_reserve(&f->ota, db, &f->arena, arg, e);
}

static int run_store(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_enrol_store(&f->ota, db, &f->arena, arg, e);
}

int fixture_reserve(struct fixture *f, struct enrolment *en)
{
    int rc = ota_enrol_look(f->reader, &f->arena, en, &f->e);
    if (rc == 0)
        rc = ota_enrol_check(en, &f->e);
    return rc != 0 ? rc : fixture_write(f, run_reserve, en);
}

int fixture_store(struct fixture *f, struct enrolment *en)
{
    return fixture_write(f, run_store, en);
}

int fixture_enrol(struct fixture *f, struct str token, EVP_PKEY *key, const char *id, struct enrolment *out)
{
    struct enrolment en = fixture_enrolment(f, token, key, id);
    int rc = fixture_reserve(f, &en);
    if (rc == 0)
        rc = ota_enrol_sign(&f->ota, &f->arena, &en, &f->e);
    if (rc == 0)
        rc = fixture_store(f, &en);
    if (rc == 0)
        *out = en;
    return rc;
}

static int run_used(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct pki_cert *cert = arg;
    return ota_certificate_used(db, &f->ota, cert->issuer_key, cert->serial, e);
}

int fixture_call(struct fixture *f, const struct pki_cert *cert, const char *id, struct identity *who)
{
    const struct principal_certificate shown = {
        .issuer = cert->issuer_key,
        .serial = cert->serial,
        .fingerprint = cert->fingerprint,
        .common_name = id,
        .not_after = cert->not_after,
    };
    int rc = principals_identify(f->ota.principals, &shown, f->now_ms / 1000, who, &f->e);
    if (rc == 0 && principals_take_pending(f->ota.principals, cert->issuer_key, cert->serial)) {
        struct pki_cert copy = *cert;
        assert_ok(fixture_write(f, run_used, &copy), f->e);
    }
    return rc;
}

struct renew_call {
    const struct identity *who;
    struct renewal *renewal;
};

static int run_renew_store(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct renew_call *c = arg;
    return ota_renew_store(&f->ota, db, &f->arena, c->who, c->renewal, e);
}

int fixture_renew(struct fixture *f, const struct identity *who, EVP_PKEY *key, struct renewal *out)
{
    struct renewal r = {.csr = fixture_csr(f, key)};
    struct renew_call call = {.who = who, .renewal = &r};
    int rc = ota_renew_check(&r, &f->e);
    if (rc == 0)
        rc = ota_renew_look(&f->ota, f->reader, &f->arena, who, &r, &f->e);
    if (rc == 0)
        rc = ota_renew_sign(&f->ota, &f->arena, &r, &f->e);
    if (rc == 0)
        rc = fixture_write(f, run_renew_store, &call);
    if (rc == 0)
        *out = r;
    return rc;
}

static int run_revoke(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_device_revoke(&f->ota, db, &f->arena, &f->admin, arg, "stolen", e);
}

int fixture_revoke(struct fixture *f, const char *id)
{
    char copy[DEVICE_ID_MAX];
    snprintf(copy, sizeof copy, "%s", id);
    return fixture_write(f, run_revoke, copy);
}

struct pki_cert fixture_operator(struct fixture *f, const char *name, struct str *pem)
{
    struct pki_cert cert;
    EVP_PKEY *key = fixture_key(f);
    const struct pki_issue what = {
        .purpose = PKI_CLIENT,
        .common_name = name,
        .not_before = f->now_ms / 1000 - 60,
        .not_after = f->now_ms / 1000 + 365 * 86400,
    };
    assert_ok(pki_issue_cert(f->operator_ca, NULL, key, &what, &f->arena, pem, &cert, &f->e), f->e);
    pki_key_free(key);
    return cert;
}
