/* Who may make firmware for this device: not the server. Beside each offer there is a manifest, a few
   kilobytes that vendor and director signed (pqota_manifest.h); what it says is what is installed. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "port.h"

/* ML-DSA-44 (FIPS 204); on a microcontroller the one of its TLS library, or of its hardware. */
static int verify(void *ctx, const unsigned char key[PQOTA_MANIFEST_KEY], const void *msg, size_t n,
                  const unsigned char sig[PQOTA_MANIFEST_SIG])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-DSA-44", NULL, key, PQOTA_MANIFEST_KEY);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    (void)ctx;
    bool good = pkey != NULL && md != NULL &&
                EVP_DigestVerifyInit_ex(md, NULL, NULL, NULL, NULL, pkey, NULL) == 1 &&
                EVP_DigestVerify(md, sig, PQOTA_MANIFEST_SIG, msg, n) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    return good ? 0 : -1;
}

int trust_add_key(unsigned char keys[PQOTA_MANIFEST_KEYS][PQOTA_MANIFEST_KEY], size_t *count,
                  const char *path)
{
    unsigned char more;
    int fd = *count < PQOTA_MANIFEST_KEYS ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && read(fd, keys[*count], PQOTA_MANIFEST_KEY) == PQOTA_MANIFEST_KEY &&
                read(fd, &more, 1) == 0;
    if (fd >= 0)
        close(fd);
    if (!good)
        return -1;
    ++*count;
    return 0;
}

static int collect(void *ctx, const void *data, size_t n)
{
    struct trust *t = ctx;
    if (n > sizeof t->manifest - t->n)
        return -1;
    memcpy(t->manifest + t->n, data, n);
    t->n += n;
    return 0;
}

/* PQOTA_VOUCHED: the manifest was received. */
static enum pqota_vouch fetch(struct trust *t, char why[PQOTA_TEXT_SIZE])
{
    char path[128];
    snprintf(path, sizeof path, "/tuf/director/%s/manifest.cbor", t->device);
    const struct pqota_request request = {.method = "GET", .path = path};
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    t->n = 0;
    int rc = http_request(t->http, &request, &response, collect, t);
    bool large =
        response.content_length != PQOTA_LENGTH_UNKNOWN && response.content_length > sizeof t->manifest;
    if (rc != PQOTA_OK && response.status == 200 && large) {
        snprintf(why, PQOTA_TEXT_SIZE, "the manifest is larger than a manifest can be");
        return PQOTA_VOUCH_REFUSED;
    }
    if (rc == PQOTA_OK && response.status == 200)
        return PQOTA_VOUCHED;
    if (rc != PQOTA_OK)
        snprintf(why, PQOTA_TEXT_SIZE, "the manifest could not be fetched");
    else
        snprintf(why, PQOTA_TEXT_SIZE, "there is no manifest: the server answered %d", response.status);
    return rc == PQOTA_OK && response.status == 404 ? PQOTA_VOUCH_STALE : PQOTA_VOUCH_LATER;
}

/* Unix seconds; 0 when there is no telling. A clock past all manifests' ends finds them expired. */
static uint32_t now_s(void)
{
    time_t now = time(NULL);
    return now <= 0 ? 0 : now > UINT32_MAX ? UINT32_MAX : (uint32_t)now;
}

/* A manifest that was taken is remembered before it is acted on: none older is taken from then on. */
static int check(struct trust *t, const struct pqota_standing *confirmed, struct pqota_manifest *out)
{
    struct pqota_manifest_trust trust = {.device = t->device, .model = t->model};
    const struct pqota_manifest_crypto crypto = {.verify = verify};
    struct manifest_record seen;
    for (size_t i = 0; i < t->vendors; i++)
        trust.vendor[i] = t->vendor[i];
    for (size_t i = 0; i < t->directors; i++)
        trust.director[i] = t->director[i];
    flash_load_manifest(t->flash, t->director[0], &seen);
    const struct pqota_manifest_standing standing = {
        .version = seen.version, .sequence = confirmed->sequence, .counter = confirmed->counter};
    int rc = pqota_manifest_check(t->manifest, t->n, &trust, &standing, &crypto, now_s(), t->scratch, out);
    if (rc != PQOTA_MANIFEST_OK)
        return rc;
    if (out->update && confirmed->confirmed && confirmed->sequence == 0 && out->upgrade_from > 0)
        return PQOTA_MANIFEST_STEP; /* what runs was confirmed without a manifest: who knows what it is */
    if (out->version > seen.version) {
        seen.version = out->version;
        if (flash_save_manifest(t->flash, &seen) != 0)
            return TRUST_NOT_STORED;
    }
    return PQOTA_MANIFEST_OK;
}

enum pqota_vouch trust_vouch(void *ctx, const struct pqota_target *hint,
                             const struct pqota_standing *confirmed, struct pqota_target *out,
                             char why[PQOTA_TEXT_SIZE])
{
    struct trust *t = ctx;
    struct pqota_manifest m;
    enum pqota_vouch answer = fetch(t, why);
    (void)hint;
    if (answer != PQOTA_VOUCHED)
        return answer;
    int rc = check(t, confirmed, &m);
    if (rc != PQOTA_MANIFEST_OK) {
        snprintf(why, PQOTA_TEXT_SIZE, "%s",
                 rc == TRUST_NOT_STORED ? "the flash could not be written" : pqota_manifest_text(rc));
        if (rc == TRUST_NOT_STORED)
            return PQOTA_VOUCH_LATER;
        /* The other reasons do not go away by waiting. */
        return rc == PQOTA_MANIFEST_EXPIRED || rc == PQOTA_MANIFEST_OLD ? PQOTA_VOUCH_STALE
                                                                        : PQOTA_VOUCH_REFUSED;
    }
    if (!m.update) {
        snprintf(why, PQOTA_TEXT_SIZE, "the manifest names nothing for this device");
        return PQOTA_VOUCH_STALE;
    }
    snprintf(out->name, sizeof out->name, "%s", m.name);
    snprintf(out->version, sizeof out->version, "%s", m.release);
    for (size_t i = 0; i < sizeof m.sha256; i++)
        snprintf(out->sha256 + 2 * i, 3, "%02x", m.sha256[i]);
    out->size = m.size;
    out->sequence = m.sequence;
    out->counter = m.counter;
    return PQOTA_VOUCHED;
}
