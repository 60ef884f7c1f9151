#include "tls/thread_cipher.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

struct kept {
    EVP_CIPHER_CTX *ctx;
    const EVP_CIPHER *of; /* what it was made for; it holds a reference */
};
struct both {
    struct kept way[2]; /* to open, to seal */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot;
static bool has_slot;

static void free_both(void *p)
{
    struct both *b = p;
    EVP_CIPHER_CTX_free(b->way[0].ctx);
    EVP_CIPHER_CTX_free(b->way[1].ctx);
    free(b);
}

static void make_slot(void)
{
    has_slot = pthread_key_create(&slot, free_both) == 0;
}

static struct both *of_thread(void)
{
    pthread_once(&once, make_slot);
    return has_slot ? pthread_getspecific(slot) : NULL;
}

static struct both *make_both(void)
{
    struct both *b = has_slot ? calloc(1, sizeof *b) : NULL;
    if (b == NULL)
        return NULL;
    b->way[0].ctx = EVP_CIPHER_CTX_new();
    b->way[1].ctx = EVP_CIPHER_CTX_new();
    if (b->way[0].ctx != NULL && b->way[1].ctx != NULL && pthread_setspecific(slot, b) == 0)
        return b;
    free_both(b);
    return NULL;
}

EVP_CIPHER_CTX *tls_thread_cipher(const struct tls_suite *suite, const unsigned char *key,
                                  const unsigned char nonce[TLS_IV_SIZE], bool encrypt)
{
    struct both *b = of_thread();
    if (b == NULL)
        b = make_both();
    if (b == NULL)
        return NULL;
    struct kept *k = &b->way[encrypt];
    const EVP_CIPHER *fresh = k->of == suite->cipher ? NULL : suite->cipher;
    k->of = NULL;
    if (EVP_CipherInit_ex(k->ctx, fresh, NULL, key, nonce, encrypt) != 1)
        return NULL;
    k->of = suite->cipher;
    return k->ctx;
}

void tls_thread_cipher_forget(void)
{
    struct both *b = of_thread();
    for (int i = 0; b != NULL && i < 2; i++) {
        EVP_CIPHER_CTX_reset(b->way[i].ctx);
        b->way[i].of = NULL;
    }
}
