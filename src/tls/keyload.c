#include "tls/keyload.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "tls/errtext.h"

CLEANUP_DEFINE(bio, BIO, BIO_free_all);
CLEANUP_DEFINE(store_ctx, OSSL_STORE_CTX, OSSL_STORE_close);
CLEANUP_DEFINE(ui, UI_METHOD, UI_destroy_method);
CLEANUP_DEFINE(certs, STACK_OF(X509), tls_certs_free);
CLEANUP_DEFINE(roots, X509_STORE, X509_STORE_free);

void tls_certs_free(STACK_OF(X509) * certs)
{
    sk_X509_pop_free(certs, X509_free);
}

static int parse_certs(const char *path, const struct buf *text, STACK_OF(X509) * *out, struct err *e)
{
    ERR_clear_error();
    CLEANUP(bio_cleanup) BIO *bio = BIO_new_mem_buf(text->p, (int)text->n);
    CLEANUP(certs_cleanup) STACK_OF(X509) *certs = sk_X509_new_null();
    if (bio == NULL || certs == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read %s", path);
    for (;;) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL)
            break;
        if (sk_X509_num(certs) >= TLS_CERT_COUNT_MAX) {
            X509_free(cert);
            return err_set(e, ERR_TOO_LARGE, "%s holds more than %d certificates", path, TLS_CERT_COUNT_MAX);
        }
        if (sk_X509_push(certs, cert) <= 0) {
            X509_free(cert);
            return err_set(e, ERR_NOMEM, "no memory to read %s", path);
        }
    }
    /* The end of the file shows as "no start line"; anything else is a broken certificate. */
    unsigned long code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    char reason[TLS_REASON_MAX];
    tls_reason(reason);
    if (!end)
        return err_set(e, ERR_INVALID, "certificate %d in %s is damaged: %s", sk_X509_num(certs) + 1, path,
                       reason);
    if (sk_X509_num(certs) == 0)
        return err_set(e, ERR_INVALID, "%s holds no certificate (PEM, \"-----BEGIN CERTIFICATE-----\")",
                       path);
    *out = take_ptr(certs);
    return 0;
}

static int read_certs(const char *path, struct buf *text, STACK_OF(X509) * *out, struct err *e)
{
    int rc = file_read(path, TLS_CERT_FILE_MAX, text, e);
    return rc != 0 ? rc : parse_certs(path, text, out, e);
}

int tls_load_certs(const char *path, STACK_OF(X509) * *out, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, TLS_CERT_FILE_MAX);
    return read_certs(path, &text, out, e);
}

int tls_load_roots(const char *path, X509_STORE **out, unsigned char digest[SHA256_SIZE], struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, TLS_CERT_FILE_MAX);
    CLEANUP(certs_cleanup) STACK_OF(X509) *certs = NULL;
    int rc = read_certs(path, &text, &certs, e);
    if (rc != 0)
        return rc;
    CLEANUP(roots_cleanup) X509_STORE *store = X509_STORE_new();
    if (store == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the roots of %s", path);
    unsigned char sum[SHA256_SIZE];
    bool ok = EVP_Digest(text.p, text.n, sum, NULL, EVP_sha256(), NULL) == 1;
    for (int i = 0; ok && i < sk_X509_num(certs); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(certs, i)) == 1;
    if (!ok) {
        char reason[TLS_REASON_MAX];
        return err_set(e, ERR_CRYPTO, "cannot use the roots of %s: %s", path, tls_reason(reason));
    }
    memcpy(digest, sum, sizeof sum);
    *out = take_ptr(store);
    return 0;
}

/* Answers every question for a passphrase with "no", instead of asking at the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *userdata)
{
    (void)buf, (void)size, (void)rwflag;
    *(bool *)userdata = true;
    return -1;
}

/* A plain path that cannot be opened is said with the system's own reason, which OSSL_STORE would hide. */
static int check_path(const char *uri, struct err *e)
{
    size_t scheme = strcspn(uri, ":/");
    if (uri[scheme] == ':' && !file_exists(uri))
        return 0;
    auto_close int fd = open(uri, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the key %s", uri);
    return 0;
}

int tls_load_key(const char *uri, EVP_PKEY **out, struct err *e)
{
    int rc = check_path(uri, e);
    if (rc != 0)
        return rc;
    ERR_clear_error();
    char reason[TLS_REASON_MAX];
    bool asked = false;
    CLEANUP(ui_cleanup) UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(no_passphrase, 0);
    if (ui == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read the key %s", uri);
    CLEANUP(store_ctx_cleanup) OSSL_STORE_CTX *store = OSSL_STORE_open(uri, ui, &asked, NULL, NULL);
    if (store == NULL)
        return err_set(e, ERR_CRYPTO, "cannot open the key %s: %s", uri, tls_reason(reason));
    (void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    EVP_PKEY *key = NULL;
    while (key == NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info == NULL) {
            if (OSSL_STORE_error(store))
                break;
            continue;
        }
        if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    if (key == NULL && asked) {
        ERR_clear_error();
        return err_set(e, ERR_UNSUPPORTED,
                       "the key %s is encrypted and nobody is there to give the passphrase: store it "
                       "unencrypted with mode 0600, or behind a pkcs11: URI",
                       uri);
    }
    if (key == NULL)
        return err_set(e, ERR_INVALID, "%s holds no private key that can be read: %s", uri,
                       tls_reason(reason));
    ERR_clear_error();
    *out = key;
    return 0;
}
