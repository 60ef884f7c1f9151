/*
 * Any bytes as a manifest whose signatures all count, so that what stands behind them is reached: what is
 * read is as a device may use it, and there is no other way to write it. The first byte chooses what the rest
 * is: a manifest, a director's order, or a vendor's image, which are then put where they belong.
 */
#include <stdlib.h>

#include "trust/manifest.h"
#include "trust/manifest_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 5200

static int believe(void *ctx, const unsigned char key[PQOTA_MANIFEST_KEY], const void *msg, size_t n,
                   const unsigned char sig[PQOTA_MANIFEST_SIG])
{
    volatile unsigned char sum = 0;
    (void)ctx, (void)key;
    for (size_t i = 0; i < n; i++) /* all that is passed can be read */
        sum ^= ((const unsigned char *)msg)[i];
    for (size_t i = 0; i < PQOTA_MANIFEST_SIG; i++)
        sum ^= sig[i];
    return 0;
}

static struct str text(struct manifest_bytes b)
{
    return (struct str){.p = (const char *)b.p, .n = b.n};
}

static struct str seal(struct str payload, struct arena *a)
{
    static const char sig[PQOTA_MANIFEST_SIG];
    const struct manifest_draft d = {.payload = payload};
    struct str out = {0};
    return manifest_seal(&d, (struct str){sig, sizeof sig}, a, &out, NULL) == 0 ? out : (struct str){0};
}

/* What was read, written again: it must be the same bytes. */
static void check_order(struct str payload, struct arena *a)
{
    struct manifest_order o;
    struct manifest_draft d;
    if (!manifest_read_order((struct manifest_bytes){(const unsigned char *)payload.p, payload.n}, &o))
        return;
    const struct manifest_decision x = {text(o.device), o.version, o.expires_s, text(o.entry)};
    if ((o.entry.p == NULL || o.entry.n > 0) && manifest_draft_decision(&x, a, &d, NULL) == 0 &&
        !str_eq(d.payload, payload))
        abort();
}

static void check_image(struct str payload, struct arena *a)
{
    struct manifest_image i;
    struct manifest_draft d;
    if (!manifest_read_image((struct manifest_bytes){(const unsigned char *)payload.p, payload.n}, &i))
        return;
    struct manifest_entry x = {.model = text(i.model),
                               .name = text(i.name),
                               .version = text(i.release),
                               .sequence = i.sequence,
                               .size = i.size,
                               .upgrade_from = i.upgrade_from,
                               .counter = i.counter};
    memcpy(x.sha256, i.sha256, sizeof x.sha256);
    int rc = manifest_draft_entry(&x, a, &d, NULL);
    if (rc == 0 ? !str_eq(d.payload, payload) : rc != ERR_UNSUPPORTED) /* it may be longer than entries are */
        abort();
}

static void check_whole(struct str whole)
{
    static const unsigned char key[PQOTA_MANIFEST_KEY];
    static const struct pqota_manifest_standing standing;
    const struct pqota_manifest_trust trust = {"gw-0001", "gateway", {key, NULL}, {NULL, key}};
    const struct pqota_manifest_crypto crypto = {NULL, believe};
    unsigned char *copy = malloc(whole.n + 1), *scratch = malloc(PQOTA_MANIFEST_TBS);
    struct pqota_manifest out;
    if (copy == NULL || scratch == NULL)
        abort();
    if (whole.n > 0)
        memcpy(copy + 1, whole.p, whole.n); /* exactly as much memory as it has bytes */
    memset(&out, 0xA5, sizeof out);
    int rc = pqota_manifest_check(copy + 1, whole.n, &trust, &standing, &crypto, 0, scratch, &out);
    if (rc != PQOTA_MANIFEST_OK && *(const unsigned char *)&out != 0xA5)
        abort();
    if (rc > 0 || rc <= PQOTA_MANIFEST_INVALID)
        abort();
    if (rc == PQOTA_MANIFEST_OK &&
        (out.version == 0 || (out.update && (!str_is_name(str_of(out.name)) || out.size == 0 ||
                                             !str_is_name(str_of(out.release)) || out.sequence == 0))))
        abort();
    free(scratch);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    struct str in = {.p = (const char *)data + 1, .n = size - 1};
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    switch (data[0] % 3) {
    case 0:
        check_whole(in);
        break;
    case 1:
        check_order(in, &a);
        check_whole(seal(in, &a));
        break;
    case 2:
        check_image(in, &a);
        const struct manifest_decision x = {STR("gw-0001"), 1, 1, seal(in, &a)};
        struct manifest_draft d;
        if (manifest_draft_decision(&x, &a, &d, NULL) == 0)
            check_whole(seal(d.payload, &a));
    }
    return 0;
}
