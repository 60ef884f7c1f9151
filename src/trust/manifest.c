#include "trust/manifest.h"

#include <string.h>

static const unsigned char head[MANIFEST_HEAD_SIZE] = MANIFEST_HEAD;

/* What is around a payload, at least; so a payload of a manifest that is not too large fits the scratch. */
#define AROUND (MANIFEST_HEAD_SIZE + 1 + MANIFEST_SIG_HEAD + PQOTA_MANIFEST_SIG)
_Static_assert(PQOTA_MANIFEST_MAX - AROUND + MANIFEST_TBS_EXTRA <= PQOTA_MANIFEST_TBS,
               "the scratch takes what is signed");

/* --- CBOR: the few kinds of item there are ------------------------------------------------------------ */

struct reader { /* once something was wrong it stays so, and gives nothing any more */
    const unsigned char *p;
    size_t n;
    bool wrong;
};

static struct manifest_bytes take(struct reader *r, size_t n)
{
    struct manifest_bytes b = {r->p, n};
    if (r->wrong || n > r->n) {
        r->wrong = true;
        return (struct manifest_bytes){NULL, 0};
    }
    r->p += n;
    r->n -= n;
    return b;
}

/* An item's head of that kind, in its shortest form; 64-bit and indefinite ones are none of ours. */
static uint32_t take_head(struct reader *r, enum manifest_major major)
{
    struct manifest_bytes b = take(r, 1);
    unsigned low = b.p != NULL ? b.p[0] & 0x1Fu : 0;
    if (b.p == NULL || b.p[0] >> 5 != (unsigned)major || low > 26) {
        r->wrong = true;
        return 0;
    }
    if (low < 24)
        return low;
    uint32_t value = 0;
    unsigned more = 1u << (low - 24); /* bytes */
    b = take(r, more);
    for (size_t i = 0; i < b.n; i++)
        value = value << 8 | b.p[i];
    uint32_t least = more == 1 ? 24 : more == 2 ? 0x100u : 0x10000u;
    if (value < least)
        r->wrong = true;
    return value;
}

static uint32_t take_number(struct reader *r, uint32_t least)
{
    uint32_t v = take_head(r, CBOR_UINT);
    if (v < least)
        r->wrong = true;
    return v;
}

static struct manifest_bytes take_bytes(struct reader *r)
{
    return take(r, take_head(r, CBOR_BYTES));
}

/* A name as everywhere in pqota: letters, digits, and from the second on those marks. Only ASCII. */
static struct manifest_bytes take_name(struct reader *r, size_t most, const char *marks)
{
    struct manifest_bytes b = take(r, take_head(r, CBOR_TEXT));
    if (b.n < 1 || b.n > most)
        r->wrong = true;
    for (size_t i = 0; i < b.n && !r->wrong; i++) {
        unsigned char c = b.p[i], lower = (unsigned char)(c | 0x20);
        bool plain = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
        r->wrong = !plain && (i == 0 || c == '\0' || strchr(marks, c) == NULL);
    }
    return b;
}

/* An array of exactly that many items, of which the first says the form. */
static void take_array(struct reader *r, uint32_t items)
{
    if (take_head(r, CBOR_ARRAY) != items || take_head(r, CBOR_UINT) != MANIFEST_FORM)
        r->wrong = true;
}

static bool ended(const struct reader *r)
{
    return !r->wrong && r->n == 0;
}

/* --- the form ----------------------------------------------------------------------------------------- */

bool manifest_open(struct manifest_bytes cose, struct manifest_signed *out)
{
    struct reader r = {cose.p, cose.n, false};
    struct manifest_bytes b = take(&r, sizeof head);
    if (b.p == NULL || memcmp(b.p, head, sizeof head) != 0)
        return false;
    out->payload = take_bytes(&r);
    b = take_bytes(&r);
    out->sig = b.p;
    return ended(&r) && b.n == PQOTA_MANIFEST_SIG;
}

bool manifest_read_order(struct manifest_bytes payload, struct manifest_order *out)
{
    struct reader r = {payload.p, payload.n, false};
    take_array(&r, 5);
    out->version = take_number(&r, 1);
    out->expires_s = take_number(&r, 1);
    out->device = take_name(&r, MANIFEST_DEVICE_MAX, "._:-");
    out->entry = (struct manifest_bytes){NULL, 0};
    if (!r.wrong && r.n > 0 && r.p[0] == CBOR_NULL)
        take(&r, 1);
    else
        out->entry = take_bytes(&r);
    return ended(&r);
}

bool manifest_read_image(struct manifest_bytes payload, struct manifest_image *out)
{
    static const char marks[] = "._+~-";
    struct reader r = {payload.p, payload.n, false};
    take_array(&r, 9);
    out->model = take_name(&r, MANIFEST_NAME_MAX, marks);
    out->name = take_name(&r, MANIFEST_NAME_MAX, marks);
    out->release = take_name(&r, MANIFEST_NAME_MAX, marks);
    out->sequence = take_number(&r, 1);
    struct manifest_bytes hash = take_bytes(&r);
    out->sha256 = hash.p;
    out->size = take_number(&r, 1);
    out->upgrade_from = take_number(&r, 0);
    out->counter = take_number(&r, 0);
    return ended(&r) && hash.n == sizeof((struct pqota_manifest *)0)->sha256;
}

size_t manifest_cbor_head(enum manifest_major major, uint32_t value, unsigned char *out)
{
    size_t more = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
    unsigned low = more == 0 ? value : more == 1 ? 24 : more == 2 ? 25 : 26;
    out[0] = (unsigned char)((unsigned)major << 5 | low);
    for (size_t i = 0; i < more; i++)
        out[1 + i] = (unsigned char)(value >> 8 * (more - 1 - i));
    return 1 + more;
}

static size_t put(unsigned char *out, enum manifest_major major, const void *data, size_t n)
{
    size_t at = manifest_cbor_head(major, (uint32_t)n, out);
    memcpy(out + at, data, n);
    return at + n;
}

size_t manifest_to_be_signed(const char *who, struct manifest_bytes payload, unsigned char *out)
{
    size_t n = manifest_cbor_head(CBOR_ARRAY, 4, out);
    n += put(out + n, CBOR_TEXT, "Signature1", 10);
    n += put(out + n, CBOR_BYTES, head + 3, 4); /* {1: -48} */
    n += put(out + n, CBOR_BYTES, who, strlen(who));
    return n + put(out + n, CBOR_BYTES, payload.p, payload.n);
}

/* --- the check ---------------------------------------------------------------------------------------- */

static bool is_signed(const struct manifest_signed *s, const char *who,
                      const unsigned char *const keys[PQOTA_MANIFEST_KEYS],
                      const struct pqota_manifest_crypto *crypto, unsigned char *scratch)
{
    size_t n = manifest_to_be_signed(who, s->payload, scratch);
    for (size_t i = 0; i < PQOTA_MANIFEST_KEYS; i++)
        if (keys[i] != NULL && crypto->verify(crypto->ctx, keys[i], scratch, n, s->sig) == 0)
            return true;
    return false;
}

static bool same(struct manifest_bytes b, const char *text)
{
    return b.n == strlen(text) && memcmp(b.p, text, b.n) == 0;
}

static bool has_key(const unsigned char *const keys[PQOTA_MANIFEST_KEYS])
{
    for (size_t i = 0; i < PQOTA_MANIFEST_KEYS; i++)
        if (keys[i] != NULL)
            return true;
    return false;
}

static void fill(struct pqota_manifest *out, const struct manifest_order *order,
                 const struct manifest_image *image)
{
    memset(out, 0, sizeof *out);
    out->version = order->version;
    out->expires_s = order->expires_s;
    out->update = image != NULL;
    if (image == NULL)
        return;
    memcpy(out->name, image->name.p, image->name.n);
    memcpy(out->release, image->release.p, image->release.n);
    out->sequence = image->sequence;
    out->upgrade_from = image->upgrade_from;
    out->counter = image->counter;
    out->size = image->size;
    memcpy(out->sha256, image->sha256, sizeof out->sha256);
}

/* Who signed comes first: what nobody vouches for decides nothing. */
int pqota_manifest_check(const void *manifest, size_t n, const struct pqota_manifest_trust *trust,
                         const struct pqota_manifest_standing *standing,
                         const struct pqota_manifest_crypto *crypto, uint32_t now_s, unsigned char *scratch,
                         struct pqota_manifest *out)
{
    struct manifest_signed outer, inner;
    struct manifest_order order;
    struct manifest_image image;
    if (manifest == NULL || trust == NULL || trust->device == NULL || trust->model == NULL ||
        !has_key(trust->vendor) || !has_key(trust->director) || standing == NULL || crypto == NULL ||
        crypto->verify == NULL || scratch == NULL || out == NULL)
        return PQOTA_MANIFEST_INVALID;
    if (n > PQOTA_MANIFEST_MAX || !manifest_open((struct manifest_bytes){manifest, n}, &outer))
        return PQOTA_MANIFEST_MALFORMED;
    if (!is_signed(&outer, MANIFEST_DIRECTOR, trust->director, crypto, scratch))
        return PQOTA_MANIFEST_DIRECTOR;
    if (!manifest_read_order(outer.payload, &order))
        return PQOTA_MANIFEST_MALFORMED;
    bool update = order.entry.p != NULL;
    if (update && !manifest_open(order.entry, &inner))
        return PQOTA_MANIFEST_MALFORMED;
    if (update && !is_signed(&inner, MANIFEST_VENDOR, trust->vendor, crypto, scratch))
        return PQOTA_MANIFEST_VENDOR;
    if (update && !manifest_read_image(inner.payload, &image))
        return PQOTA_MANIFEST_MALFORMED;
    if (!same(order.device, trust->device))
        return PQOTA_MANIFEST_DEVICE;
    if (order.version < standing->version)
        return PQOTA_MANIFEST_OLD;
    if (now_s != 0 && now_s >= order.expires_s)
        return PQOTA_MANIFEST_EXPIRED;
    if (update && !same(image.model, trust->model))
        return PQOTA_MANIFEST_MODEL;
    if (update && image.counter < standing->counter)
        return PQOTA_MANIFEST_COUNTER;
    if (update && standing->sequence != 0 && standing->sequence < image.upgrade_from)
        return PQOTA_MANIFEST_STEP;
    fill(out, &order, update ? &image : NULL);
    return PQOTA_MANIFEST_OK;
}

const char *pqota_manifest_text(int result)
{
    static const char *const texts[] = {
        "the manifest is good",
        "it is not a manifest, or one of a newer form",
        "the manifest is not signed by the server's key that this device knows",
        "the image is not signed by the vendor's key that this device knows",
        "the manifest is for another device",
        "the image is for another model",
        "the manifest has expired",
        "the manifest is older than the one that was taken last",
        "the release is below the device's counter: it was replaced for its holes",
        "another release must be installed before this one",
        "an argument is missing",
    };
    if (result > 0 || result < PQOTA_MANIFEST_INVALID)
        return "an unknown result";
    return texts[-result];
}
