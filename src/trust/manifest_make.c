#include "trust/manifest_make.h"

#include "base/buf.h"
#include "trust/manifest.h"

/* The longest decision around the largest entry: envelope, array, form, two numbers, the device's id. */
_Static_assert(MANIFEST_HEAD_SIZE + 3 + MANIFEST_SIG_HEAD + PQOTA_MANIFEST_SIG + 2 + 5 + 5 + 2 +
                       MANIFEST_DEVICE_MAX + 3 + MANIFEST_ENTRY_MAX <=
                   PQOTA_MANIFEST_MAX,
               "an entry fits every device's manifest");

/* --- the encoder: into memory that is large enough ------------------------------------------------------ */

struct writer {
    unsigned char p[PQOTA_MANIFEST_MAX];
    size_t n;
};

static void put_head(struct writer *w, enum manifest_major major, size_t value)
{
    w->n += manifest_cbor_head(major, (uint32_t)value, w->p + w->n);
}

static void put_data(struct writer *w, enum manifest_major major, const void *data, size_t n)
{
    put_head(w, major, n);
    memcpy(w->p + w->n, data, n);
    w->n += n;
}

static void put_number(struct writer *w, int64_t v)
{
    put_head(w, CBOR_UINT, (size_t)v);
}

static struct manifest_bytes bytes_of(struct str s)
{
    return (struct manifest_bytes){(const unsigned char *)s.p, s.n};
}

static struct str str_from(struct manifest_bytes b)
{
    return (struct str){.p = (const char *)b.p, .n = b.n};
}

/* Bytes of the envelope around a payload of n. */
static size_t sealed_size(size_t n)
{
    unsigned char head[MANIFEST_CBOR_HEAD_MAX];
    size_t length = manifest_cbor_head(CBOR_BYTES, (uint32_t)n, head);
    return MANIFEST_HEAD_SIZE + length + n + MANIFEST_SIG_HEAD + PQOTA_MANIFEST_SIG;
}

static int draft(const struct writer *w, const char *who, struct arena *a, struct manifest_draft *out,
                 struct err *e)
{
    char *payload = arena_dup(a, w->p, w->n);
    unsigned char *tbs = arena_alloc(a, w->n + MANIFEST_TBS_EXTRA);
    if (payload == NULL || tbs == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a manifest");
    out->payload = (struct str){.p = payload, .n = w->n};
    size_t n = manifest_to_be_signed(who, bytes_of(out->payload), tbs);
    out->to_be_signed = (struct str){.p = (const char *)tbs, .n = n};
    return 0;
}

/* --- entries -------------------------------------------------------------------------------------------- */

static int check_number(const char *what, int64_t v, int64_t least, int code, struct err *e)
{
    if (v < least)
        return err_set(e, ERR_INVALID, "the %s of a manifest's entry is below %d", what, (int)least);
    if (v > UINT32_MAX)
        return err_set(e, code, "the %s is past 32 bits: a manifest for small devices cannot hold it", what);
    return 0;
}

static int check_entry(const struct manifest_entry *x, struct err *e)
{
    if (!str_is_name(x->model) || !str_is_name(x->name) || !str_is_name(x->version))
        return err_set(e, ERR_INVALID, "a manifest's entry needs a model, a release's name and its version");
    int rc = check_number("sequence", x->sequence, 1, ERR_UNSUPPORTED, e);
    if (rc == 0)
        rc = check_number("image's size", x->size, 1, ERR_UNSUPPORTED, e);
    if (rc == 0)
        rc = check_number("lowest sequence to upgrade from", x->upgrade_from, 0, ERR_UNSUPPORTED, e);
    if (rc == 0)
        rc = check_number("counter", x->counter, 0, ERR_UNSUPPORTED, e);
    return rc;
}

static void write_entry(const struct manifest_entry *x, struct writer *w)
{
    put_head(w, CBOR_ARRAY, 9);
    put_number(w, MANIFEST_FORM);
    put_data(w, CBOR_TEXT, x->model.p, x->model.n);
    put_data(w, CBOR_TEXT, x->name.p, x->name.n);
    put_data(w, CBOR_TEXT, x->version.p, x->version.n);
    put_number(w, x->sequence);
    put_data(w, CBOR_BYTES, x->sha256, sizeof x->sha256);
    put_number(w, x->size);
    put_number(w, x->upgrade_from);
    put_number(w, x->counter);
}

static int make_entry(const struct manifest_entry *x, struct writer *w, struct err *e)
{
    int rc = check_entry(x, e);
    if (rc != 0)
        return rc;
    write_entry(x, w); /* three names and less than a hundred bytes: it fits */
    size_t names = x->model.n + x->name.n + x->version.n;
    if (sealed_size(w->n) <= MANIFEST_ENTRY_MAX)
        return 0;
    size_t over = sealed_size(w->n) - MANIFEST_ENTRY_MAX;
    return err_set(e, ERR_UNSUPPORTED,
                   "model, release name and version %.*s, %.*s, %.*s are %zu bytes together: %zu fit a "
                   "manifest for small devices",
                   STR_ARG(x->model), STR_ARG(x->name), STR_ARG(x->version), names, names - over);
}

int manifest_entry_of(const struct tuf_target *target, const struct trust_custom *custom,
                      struct manifest_entry *out, struct err *e)
{
    if (!target->has_sha256)
        return err_set(e, ERR_UNSUPPORTED, "%.*s has no SHA-256, which a manifest needs",
                       STR_ARG(target->name));
    struct manifest_entry x = {.model = custom->model,
                               .name = custom->name,
                               .version = custom->version,
                               .sequence = custom->sequence,
                               .size = target->length,
                               .upgrade_from = custom->upgrade_from,
                               .counter = custom->counter};
    memcpy(x.sha256, target->sha256, sizeof x.sha256);
    struct writer w = {.n = 0};
    int rc = make_entry(&x, &w, e);
    if (rc == 0)
        *out = x;
    return rc;
}

bool manifest_entry_same(const struct manifest_entry *a, const struct manifest_entry *b)
{
    return str_eq(a->model, b->model) && str_eq(a->name, b->name) && str_eq(a->version, b->version) &&
           a->sequence == b->sequence && a->size == b->size && a->upgrade_from == b->upgrade_from &&
           a->counter == b->counter && memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

int manifest_draft_entry(const struct manifest_entry *x, struct arena *a, struct manifest_draft *out,
                         struct err *e)
{
    struct writer w = {.n = 0};
    int rc = make_entry(x, &w, e);
    return rc != 0 ? rc : draft(&w, MANIFEST_VENDOR, a, out, e);
}

int manifest_entry_read(struct str cose, const struct trust_crypto *crypto, const void *key,
                        struct manifest_entry *out, struct err *e)
{
    struct manifest_signed s;
    struct manifest_image image;
    if (cose.n > MANIFEST_ENTRY_MAX || !manifest_open(bytes_of(cose), &s) ||
        !manifest_read_image(s.payload, &image))
        return err_set(e, ERR_INVALID, "that is not the signed entry of a manifest");
    if (crypto != NULL) {
        unsigned char tbs[PQOTA_MANIFEST_TBS];
        size_t n = manifest_to_be_signed(MANIFEST_VENDOR, s.payload, tbs);
        int rc = crypto->verify(crypto->ctx, TRUST_ML_DSA_44, key, PQOTA_MANIFEST_KEY, tbs, n, s.sig,
                                PQOTA_MANIFEST_SIG);
        if (rc != 0)
            return err_set(e, rc, "the manifest's entry for %.*s %.*s is not signed by the manifest key",
                           STR_ARG(str_from(image.name)), STR_ARG(str_from(image.release)));
    }
    *out = (struct manifest_entry){.model = str_from(image.model),
                                   .name = str_from(image.name),
                                   .version = str_from(image.release),
                                   .sequence = image.sequence,
                                   .size = image.size,
                                   .upgrade_from = image.upgrade_from,
                                   .counter = image.counter};
    memcpy(out->sha256, image.sha256, sizeof out->sha256);
    return 0;
}

/* --- decisions, and the envelope ------------------------------------------------------------------------ */

int manifest_draft_decision(const struct manifest_decision *x, struct arena *a, struct manifest_draft *out,
                            struct err *e)
{
    struct manifest_entry entry;
    if (!str_is_device_id(x->device))
        return err_set(e, ERR_INVALID, "a manifest needs a device's id");
    int rc = check_number("version", x->version, 1, ERR_INVALID, e);
    if (rc == 0)
        rc = check_number("end", x->expires_s, 1, ERR_INVALID, e);
    if (rc == 0 && x->entry.n > 0) /* what no device would take is not signed */
        rc = manifest_entry_read(x->entry, NULL, NULL, &entry, e);
    if (rc != 0)
        return rc;
    struct writer w = {.n = 0};
    put_head(&w, CBOR_ARRAY, 5);
    put_number(&w, MANIFEST_FORM);
    put_number(&w, x->version);
    put_number(&w, x->expires_s);
    put_data(&w, CBOR_TEXT, x->device.p, x->device.n);
    if (x->entry.n > 0)
        put_data(&w, CBOR_BYTES, x->entry.p, x->entry.n);
    else
        w.p[w.n++] = CBOR_NULL;
    return draft(&w, MANIFEST_DIRECTOR, a, out, e);
}

int manifest_seal(const struct manifest_draft *d, struct str sig, struct arena *a, struct str *out,
                  struct err *e)
{
    static const unsigned char head[MANIFEST_HEAD_SIZE] = MANIFEST_HEAD;
    struct writer w = {.n = sizeof head};
    if (sig.n != PQOTA_MANIFEST_SIG)
        return err_set(e, ERR_INVALID,
                       "a manifest's signature has %d bytes, this one %zu: its key must be ml-dsa-44/1",
                       PQOTA_MANIFEST_SIG, sig.n);
    if (d->payload.n > sizeof w.p || sealed_size(d->payload.n) > sizeof w.p)
        return err_set(e, ERR_TOO_LARGE, "a manifest is larger than %d bytes", PQOTA_MANIFEST_MAX);
    memcpy(w.p, head, sizeof head);
    put_data(&w, CBOR_BYTES, d->payload.p, d->payload.n);
    put_data(&w, CBOR_BYTES, sig.p, sig.n);
    char *p = arena_dup(a, w.p, w.n);
    if (p == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a manifest");
    *out = (struct str){.p = p, .n = w.n};
    return 0;
}
