#include "vectors.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/hex.h"

#define KEYS_KEPT 8

char *vector_text(const char *file)
{
    char path[4096];
    struct buf text;
    struct err e = {0};
    snprintf(path, sizeof path, "%s/tests/kat/%s", getenv("PQOTA_SOURCE"), file);
    buf_init(&text, 1 << 20);
    if (file_read(path, 1 << 20, &text, &e) != 0)
        fail_msg("%s", e.text);
    return text.p;
}

size_t vector_read(const char *name, unsigned char *out, size_t size)
{
    char file[256];
    snprintf(file, sizeof file, "%s.hex", name);
    char *text = vector_text(file);
    size_t n = 0;
    for (const char *p = text; *p != '\0'; p += *p == '\n' ? 1 : 2) {
        if (*p == '\n')
            continue;
        assert_true(n < size);
        assert_int_equal(hex_decode((struct str){.p = p, .n = 2}, out + n, 1), 0);
        n++;
    }
    free(text);
    return n;
}

void vector_keys_read(struct vector_keys *keys)
{
    unsigned char *const places[] = {keys->vendor[0], keys->vendor[1], keys->director[0], keys->director[1]};
    static const char *const names[] = {"manifest-vendor-1", "manifest-vendor-2", "manifest-director-1",
                                        "manifest-director-2"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(vector_read(names[i], places[i], PQOTA_MANIFEST_KEY), PQOTA_MANIFEST_KEY);
}

static struct {
    const unsigned char *at;
    EVP_PKEY *key;
} kept[KEYS_KEPT];

static EVP_PKEY *key_at(const unsigned char *at)
{
    for (size_t i = 0; i < COUNT(kept); i++) {
        if (kept[i].key == NULL) {
            kept[i].at = at;
            kept[i].key = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-DSA-44", NULL, at, PQOTA_MANIFEST_KEY);
            assert_non_null(kept[i].key);
        }
        if (kept[i].at == at)
            return kept[i].key;
    }
    fail_msg("more keys than are kept");
    return NULL;
}

static int verify(void *ctx, const unsigned char key[PQOTA_MANIFEST_KEY], const void *msg, size_t n,
                  const unsigned char sig[PQOTA_MANIFEST_SIG])
{
    (void)ctx;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int good = EVP_DigestVerifyInit_ex(c, NULL, NULL, NULL, NULL, key_at(key), NULL) == 1 &&
               EVP_DigestVerify(c, sig, PQOTA_MANIFEST_SIG, msg, n) == 1;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return good ? 0 : -1;
}

static int believe(void *ctx, const unsigned char key[PQOTA_MANIFEST_KEY], const void *msg, size_t n,
                   const unsigned char sig[PQOTA_MANIFEST_SIG])
{
    (void)ctx, (void)key, (void)msg, (void)n, (void)sig;
    return 0;
}

const struct pqota_manifest_crypto vector_crypto = {NULL, verify};
const struct pqota_manifest_crypto vector_believes = {NULL, believe};

void vector_fini(void)
{
    for (size_t i = 0; i < COUNT(kept); i++) {
        EVP_PKEY_free(kept[i].key);
        kept[i].key = NULL;
    }
}
