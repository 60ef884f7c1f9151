#include "keys/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/rand.h"

#define SEAL_VERSION 1
#define NONCE_SIZE 12 /* random: one key is good for 2^32 of them (SP 800-38D section 8.3) */
#define TAG_SIZE 16

struct sealer {
    unsigned char key[SEAL_KEY_SIZE];
};

CLEANUP_DEFINE(cipher_ctx, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free);
#define auto_cipher_ctx CLEANUP(cipher_ctx_cleanup)

void sealer_free(struct sealer *s)
{
    if (s != NULL)
        OPENSSL_clear_free(s, sizeof *s);
}

void seal_wipe(struct buf *b)
{
    if (b->p != NULL)
        OPENSSL_cleanse(b->p, b->cap);
    buf_fini(b);
}

static int make_key(const char *path, struct err *e)
{
    unsigned char key[SEAL_KEY_SIZE];
    int rc = rand_bytes(key, sizeof key, e);
    if (rc == 0)
        rc = file_create_atomic(path, key, sizeof key, 0600, e);
    OPENSSL_cleanse(key, sizeof key);
    return rc == ERR_CONFLICT ? 0 : rc; /* somebody else made it meanwhile: that one counts */
}

static int check_file(int fd, const char *path, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_errno(e, errno, "cannot examine the secret key %s", path);
    if (!S_ISREG(st.st_mode) || st.st_size != SEAL_KEY_SIZE)
        return err_set(e, ERR_CORRUPT,
                       "the secret key %s is not a file of %d bytes: put the right one back from where it is "
                       "kept",
                       path, SEAL_KEY_SIZE);
    if ((st.st_mode & (S_IRWXO | S_IRWXG)) != 0)
        return err_set(e, ERR_INVALID,
                       "the secret key %s may be read by others (mode %04o): make it 0600, with the server's "
                       "user as its owner",
                       path, (unsigned)st.st_mode & 07777);
    return 0;
}

static int read_key(const char *path, unsigned char key[SEAL_KEY_SIZE], struct err *e)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the secret key %s", path);
    int rc = check_file(fd, path, e);
    if (rc != 0)
        return rc;
    ssize_t n;
    do
        n = read(fd, key, SEAL_KEY_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, errno, "cannot read the secret key %s", path);
    if (n != SEAL_KEY_SIZE)
        return err_set(e, ERR_IO, "the secret key %s was cut short while it was read", path);
    return 0;
}

int sealer_open(const char *path, bool create, struct sealer **out, struct err *e)
{
    if (create && !file_exists(path)) {
        int rc = make_key(path, e);
        if (rc != 0)
            return rc;
    }
    struct sealer *s = OPENSSL_zalloc(sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the secret key");
    int rc = read_key(path, s->key, e);
    if (rc != 0) {
        sealer_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* --- one piece ------------------------------------------------------------------------------------------ */

/* The version is authenticated too: what a later one means cannot be had by changing a byte. */
static bool begin(EVP_CIPHER_CTX *ctx, const struct sealer *s, const unsigned char *nonce, struct str ad,
                  int encrypt)
{
    static const unsigned char version = SEAL_VERSION;
    int n;
    return EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), s->key, nonce, encrypt, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, &version, 1) == 1 &&
           (ad.n == 0 || EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)ad.p, (int)ad.n) == 1);
}

static bool pass(EVP_CIPHER_CTX *ctx, unsigned char *to, const void *from, size_t n)
{
    int done = 0;
    return n == 0 || (EVP_CipherUpdate(ctx, to, &done, from, (int)n) == 1 && (size_t)done == n);
}

static int too_large(size_t n, struct err *e)
{
    return err_set(e, ERR_TOO_LARGE, "at most %d bytes can be sealed, not %zu", SEAL_PLAIN_MAX, n);
}

int seal(const struct sealer *s, struct str ad, struct str plain, struct buf *out, struct err *e)
{
    unsigned char piece[SEAL_OVERHEAD + SEAL_PLAIN_MAX], none[TAG_SIZE];
    int rest = 0;
    if (plain.n > SEAL_PLAIN_MAX || ad.n > SEAL_PLAIN_MAX)
        return too_large(plain.n > ad.n ? plain.n : ad.n, e);
    auto_cipher_ctx EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return err_set(e, ERR_NOMEM, "no memory to seal a secret");
    piece[0] = SEAL_VERSION;
    unsigned char *nonce = piece + 1, *text = nonce + NONCE_SIZE, *tag = text + plain.n;
    int rc = rand_bytes(nonce, NONCE_SIZE, e);
    if (rc != 0)
        return rc;
    if (!begin(ctx, s, nonce, ad, 1) || !pass(ctx, text, plain.p, plain.n) ||
        EVP_CipherFinal_ex(ctx, none, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) != 1)
        return err_set(e, ERR_CRYPTO, "a secret could not be sealed");
    rc = buf_add(out, piece, SEAL_OVERHEAD + plain.n);
    return rc == 0 ? 0 : err_set(e, rc, "there is no room for a sealed secret");
}

int unseal(const struct sealer *s, struct str ad, struct str sealed, struct buf *out, struct err *e)
{
    if (sealed.n < SEAL_OVERHEAD || sealed.n > SEAL_OVERHEAD + SEAL_PLAIN_MAX || ad.n > SEAL_PLAIN_MAX)
        return err_set(e, ERR_CORRUPT, "a sealed secret has a length that none has");
    const unsigned char *p = (const unsigned char *)sealed.p;
    if (p[0] != SEAL_VERSION)
        return err_set(e, ERR_CORRUPT, "a sealed secret has version %u, which this pqota does not know",
                       p[0]);
    size_t n = sealed.n - SEAL_OVERHEAD;
    unsigned char plain[SEAL_PLAIN_MAX], none[TAG_SIZE], tag[TAG_SIZE];
    memcpy(tag, p + sealed.n - TAG_SIZE, TAG_SIZE);
    auto_cipher_ctx EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return err_set(e, ERR_NOMEM, "no memory to open a sealed secret");
    int rest = 0, rc = 0;
    if (!begin(ctx, s, p + 1, ad, 0) || !pass(ctx, plain, p + 1 + NONCE_SIZE, n) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) != 1)
        rc = err_set(e, ERR_CRYPTO, "a sealed secret could not be opened");
    else if (EVP_CipherFinal_ex(ctx, none, &rest) != 1)
        rc =
            err_set(e, ERR_CORRUPT,
                    "a sealed secret does not open: it was changed, belongs to something else, or was sealed "
                    "with another secret key");
    else if ((rc = buf_add(out, plain, n)) != 0)
        rc = err_set(e, rc, "there is no room for a secret");
    OPENSSL_cleanse(plain, n);
    return rc;
}
