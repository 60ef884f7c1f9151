#include "client/verifier.h"

#include <stdio.h>
#include <string.h>

#include "client/client.h"

#define SAME(a, b) _Static_assert((int)(a) == (int)(b), "the public name and ours are one number")
SAME(PQOTA_ML_DSA_44, TRUST_ML_DSA_44);
SAME(PQOTA_ML_DSA_65, TRUST_ML_DSA_65);
SAME(PQOTA_ML_DSA_87, TRUST_ML_DSA_87);
SAME(PQOTA_ED25519, TRUST_ED25519);
SAME(PQOTA_ECDSA_P256, TRUST_ECDSA_P256);
SAME(PQOTA_RSA_PSS, TRUST_RSA_PSS);
SAME(PQOTA_SHA256, TRUST_SHA256);
SAME(PQOTA_SHA512, TRUST_SHA512);
SAME(PQOTA_ROLE_SIZE, TUF_ROLE_NAME_MAX + 1);

/* --- cryptography --------------------------------------------------------------------------------------- */

static int verify(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                  size_t msg_n, const void *sig, size_t sig_n)
{
    struct verifier *v = ctx;
    if (scheme == TRUST_RSA_PKCS1) /* counts for nothing here */
        return ERR_MISMATCH;
    int rc = v->set.crypto.verify(v->set.crypto.ctx, (enum pqota_scheme)scheme, key, key_n, msg, msg_n, sig,
                                  sig_n);
    return rc == PQOTA_OK ? 0 : rc == PQOTA_E_INVALID ? ERR_MISMATCH : ERR_CRYPTO;
}

static int hash(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    struct verifier *v = ctx;
    int rc = v->set.crypto.hash(v->set.crypto.ctx, (enum pqota_hash)which, data, n, out);
    return rc == PQOTA_OK ? 0 : ERR_CRYPTO;
}

/* --- storage -------------------------------------------------------------------------------------------- */

static int role_name(struct str role, char out[PQOTA_ROLE_SIZE], struct err *e)
{
    if (role.n == 0 || role.n >= PQOTA_ROLE_SIZE || memchr(role.p, '\0', role.n) != NULL)
        return err_set(e, ERR_INVALID, "a role's name is empty, longer than %d bytes, or has a NUL",
                       PQOTA_ROLE_SIZE - 1);
    memcpy(out, role.p, role.n);
    out[role.n] = '\0';
    return 0;
}

static int load(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    struct verifier *v = ctx;
    char name[PQOTA_ROLE_SIZE];
    int rc = role_name(role, name, e);
    if (rc != 0)
        return rc;
    size_t got = 0;
    rc = v->set.metadata.load(v->set.metadata.ctx, v->repository, name, buf, size, &got);
    if (rc == PQOTA_E_FULL || (rc == PQOTA_OK && got > size))
        return err_set(e, ERR_TOO_LARGE, "the stored metadata of \"%s\" is larger than %s bytes", name,
                       client_number(size).text);
    if (rc != PQOTA_OK)
        return err_set(e, ERR_IO, "the stored metadata of \"%s\" could not be read", name);
    *n = got;
    return 0;
}

static int save(void *ctx, struct str role, struct str text, struct err *e)
{
    struct verifier *v = ctx;
    char name[PQOTA_ROLE_SIZE];
    int rc = role_name(role, name, e);
    if (rc != 0)
        return rc;
    rc = v->set.metadata.save(v->set.metadata.ctx, v->repository, name, text.p, text.n);
    if (rc == PQOTA_OK)
        return 0;
    return err_set(e, rc == PQOTA_E_FULL ? ERR_FULL : ERR_IO, "the metadata of \"%s\" could not be stored%s",
                   name, rc == PQOTA_E_FULL ? ": there is no room" : "");
}

static int drop(void *ctx, struct str role, struct err *e)
{
    struct verifier *v = ctx;
    char name[PQOTA_ROLE_SIZE];
    int rc = role_name(role, name, e);
    if (rc != 0)
        return rc;
    rc = v->set.metadata.drop(v->set.metadata.ctx, v->repository, name);
    return rc == PQOTA_OK ? 0 : err_set(e, ERR_IO, "the metadata of \"%s\" could not be removed", name);
}

/* --- network -------------------------------------------------------------------------------------------- */

struct body {
    const struct pqota_response *response;
    char *p;
    size_t n, size;
    size_t skipped; /* bytes of an answer that is none */
    bool too_large;
};

static int take(void *ctx, const void *data, size_t n)
{
    struct body *b = ctx;
    const struct pqota_response *r = b->response;
    if (r->status != 200) {
        b->skipped += n;
        return b->skipped > VERIFIER_REFUSAL_MAX ? -1 : 0;
    }
    if (n > b->size - b->n || (r->content_length != PQOTA_LENGTH_UNKNOWN && r->content_length > b->size)) {
        b->too_large = true;
        return -1;
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
    return 0;
}

/* What an answer without the file means. */
static int no_file(const struct pqota_response *r, struct err *e)
{
    if (r->status == 404 || r->status == 403 || r->status == 410)
        return err_set(e, ERR_NOT_FOUND, "the server has no such file (%d)", r->status);
    return err_set(e, ERR_BUSY, "the server answered %d", r->status);
}

static int get(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct verifier *v = ctx;
    char path[TUF_ROLE_NAME_MAX * 3 + 64];
    int w = snprintf(path, sizeof path, "/tuf/%s/%s", v->repository, name);
    if (w < 0 || (size_t)w >= sizeof path)
        return err_set(e, ERR_INVALID, "the name of the file %.100s... is too long", name);
    struct pqota_request request = {.method = "GET", .path = path};
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    struct body body = {.response = &response, .p = buf, .size = size};
    int64_t began = v->set.now(v->set.now_ctx);
    int rc = v->set.transport.request(v->set.transport.ctx, &request, &response, take, &body);
    if (body.too_large)
        return err_set(e, ERR_TOO_LARGE, "it has more than %s bytes", client_number(size).text);
    if (rc != PQOTA_OK && body.n > 0 && v->set.now(v->set.now_ctx) - began >= v->set.slow_s)
        return err_set(e, ERR_TIMEOUT, "the server does not finish it: %s bytes in %s seconds and more",
                       client_number(body.n).text, client_number(v->set.slow_s).text);
    if (rc != PQOTA_OK && body.skipped <= VERIFIER_REFUSAL_MAX)
        return err_set(e, ERR_IO, "it could not be fetched");
    if (response.status != 200)
        return no_file(&response, e);
    *n = body.n;
    return 0;
}

/* --- the root to begin with ----------------------------------------------------------------------------- */

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The specification's usual limits, and what the memory allows: a file that is too large is told from memory
   that is too small. */
static struct tuf_limits limits_of(const struct verifier *v)
{
    size_t part = v->work_size / VERIFIER_PART;
    bool image = strcmp(v->repository, "image") == 0;
    return (struct tuf_limits){.root = at_most(TUF_ROOT_SIZE_MAX, part),
                               .timestamp = at_most(TUF_TIMESTAMP_SIZE_MAX, part),
                               .snapshot = at_most(TUF_SNAPSHOT_SIZE_MAX, part),
                               .targets =
                                   at_most(image ? TUF_TARGETS_SIZE_MAX : VERIFIER_DECISION_MAX, part)};
}

static struct tuf_config config_of(struct verifier *v)
{
    return (struct tuf_config){.store = {.ctx = v, .load = load, .save = save, .drop = drop},
                               .fetch = {.ctx = v, .get = get},
                               .crypto = {.ctx = v, .verify = verify, .hash = hash},
                               .now_s = v->set.now,
                               .now_ctx = v->set.now_ctx,
                               .rules = {.both_families = true},
                               .repository = v->repository,
                               .limits = limits_of(v)};
}

static struct str configured_root(const struct verifier *v)
{
    return strcmp(v->repository, "image") == 0
               ? (struct str){.p = v->set.image_root, .n = v->set.image_root_size}
               : (struct str){.p = v->set.director_root, .n = v->set.director_root_size};
}

/* The version of a root; *out stays what it is when the text is none. */
static int root_version(struct str text, struct trust_space *space, int64_t *out, struct err *e)
{
    struct tuf_doc doc;
    size_t mark = space_mark(space);
    int rc = tuf_doc_read(text, TUF_ROOT, space, &doc, e);
    if (rc == 0)
        *out = doc.version;
    space_release(space, mark);
    return rc;
}

static int stored_version(struct verifier *v, struct trust_space *space, int64_t *out, struct err *e)
{
    size_t mark = space_mark(space), most = space->size / VERIFIER_PART, n = 0;
    char *text = space_take(space, most);
    *out = 0;
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "there is too little memory for a root");
    struct err damage = {0};
    int rc = load(v, STR("root"), text, most, &n, e);
    if (rc == ERR_TOO_LARGE) /* nothing that we stored */
        rc = 0;
    else if (rc == 0 && n > 0 &&
             root_version((struct str){.p = text, .n = n}, space, out, &damage) == ERR_NOMEM)
        rc = err_set(e, ERR_NOMEM, "%s", damage.text);
    space_release(space, mark);
    return rc;
}

/* The rest first: cut off in between it is done once more. What of delegated roles is stored is verified
   again by whoever delegates to them now. */
int verifier_begin(struct verifier *v, struct err *e)
{
    static const char *const rest[] = {"timestamp", "snapshot", "targets"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        int rc = drop(v, str_of(rest[i]), e);
        if (rc != 0)
            return rc;
    }
    return tuf_client_begin(&v->tuf, configured_root(v), e);
}

int verifier_open(struct verifier *v, const char *repository, struct err *e)
{
    struct trust_space space;
    int64_t stored = 0, given = 0;
    v->repository = repository;
    struct tuf_config config = config_of(v);
    tuf_client_init(&v->tuf, v->work, v->work_size, &config);
    space_init(&space, v->work, v->work_size);
    int rc = root_version(configured_root(v), &space, &given, e);
    if (rc == 0)
        rc = stored_version(v, &space, &stored, e);
    if (rc == 0 && given > stored)
        rc = verifier_begin(v, e);
    return rc;
}

void verifier_close(struct verifier *v)
{
    if (v->tuf.space.peak > v->peak)
        v->peak = v->tuf.space.peak;
}

/* --- init ----------------------------------------------------------------------------------------------- */

static int wrong(char *why, const char *what)
{
    snprintf(why, PQOTA_TEXT_SIZE, "%s", what);
    return PQOTA_E_INVALID;
}

static bool complete(const struct pqota_trust_settings *s)
{
    return s->transport.request != NULL && s->metadata.load != NULL && s->metadata.save != NULL &&
           s->metadata.drop != NULL && s->crypto.verify != NULL && s->crypto.hash != NULL && s->now != NULL;
}

static int check_root(struct verifier *v, const char *repository, char *why)
{
    struct trust_space space;
    struct tuf_doc doc;
    struct err e = {0};
    v->repository = repository;
    space_init(&space, v->work, v->work_size);
    int rc = tuf_doc_read(configured_root(v), TUF_ROOT, &space, &doc, &e);
    struct str name = rc == 0 ? tuf_root_repository(&doc) : STR("");
    if (rc == 0 && !str_is(name, repository))
        rc = err_set(&e, ERR_INVALID, "it says that it is of \"%.*s\"", (int)(name.n < 64 ? name.n : 64),
                     name.n > 0 ? name.p : "");
    if (rc == 0)
        return PQOTA_OK;
    snprintf(why, PQOTA_TEXT_SIZE, "the %s root that the device begins with: %.400s", repository, e.text);
    return PQOTA_E_INVALID;
}

int pqota_trust_init(void *memory, size_t size, const struct pqota_trust_settings *settings,
                     struct pqota_trust *out, char why[PQOTA_TEXT_SIZE])
{
    if (memory == NULL || size < PQOTA_TRUST_MEMORY_MIN || ((uintptr_t)memory & 15) != 0)
        return wrong(why, "the memory is too small, or not 16-byte aligned");
    if (settings == NULL || !complete(settings))
        return wrong(why, "a callback is missing");
    if (settings->device == NULL || !str_is_device_id(str_of(settings->device)))
        return wrong(why, "the device's id is none");
    if (settings->model == NULL || !client_is_name(settings->model))
        return wrong(why, "the device's model is none");
    struct verifier *v = memory;
    size_t own = (sizeof *v + 15) & ~(size_t)15;
    memset(v, 0, sizeof *v);
    v->set = *settings;
    if (v->set.slow_s == 0)
        v->set.slow_s = VERIFIER_SLOW_S;
    v->work = (unsigned char *)memory + own;
    v->work_size = size - own;
    int rc = check_root(v, "image", why);
    if (rc == PQOTA_OK)
        rc = check_root(v, "director", why);
    if (rc == PQOTA_OK)
        *out = (struct pqota_trust){.ctx = v, .vouch = verifier_vouch};
    return rc;
}

size_t pqota_trust_memory_used(const struct pqota_trust *trust)
{
    const struct verifier *v = trust->ctx;
    return v->peak + sizeof *v;
}
