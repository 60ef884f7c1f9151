/* PEM (RFC 7468) in and out. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "pki/internal.h"

int pki_no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf, (void)size, (void)rwflag, (void)arg;
    return -1;
}

int pki_bio_text(BIO *bio, struct arena *a, struct str *out, struct err *e)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    char *copy = n >= 0 ? arena_dup(a, p, (size_t)n) : NULL;
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "no memory for %ld bytes of PEM", n);
    *out = (struct str){.p = copy, .n = (size_t)n};
    return 0;
}

int pki_pem_of_cert(X509 *cert, struct arena *a, struct str *out, struct err *e)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot encode a certificate");
    return pki_bio_text(bio, a, out, e);
}

void pki_certs_free(X509 *certs[PKI_BUNDLE_MAX], size_t count)
{
    for (size_t i = 0; i < count; i++)
        X509_free(certs[i]);
}

/* The next certificate. 1: there is one, 0: no more, negative: an error. */
static int next_cert(BIO *bio, const char *name, size_t number, X509 **out, struct err *e)
{
    unsigned char *der = NULL;
    long n = 0;
    if (PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, bio, pki_no_passphrase, NULL) != 1) {
        unsigned long why = ERR_peek_last_error();
        if (ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE) {
            ERR_clear_error();
            return 0;
        }
        return pki_err(e, ERR_INVALID, "certificate %zu of %s is broken", number, name);
    }
    const unsigned char *p = der;
    X509 *cert = d2i_X509(NULL, &p, n);
    bool whole = p == der + n;
    OPENSSL_free(der);
    if (cert == NULL || !whole) {
        X509_free(cert);
        return pki_err(e, ERR_INVALID, "certificate %zu of %s is broken", number, name);
    }
    *out = cert;
    return 1;
}

int pki_certs_parse(struct str pem, const char *name, X509 *certs[PKI_BUNDLE_MAX], size_t *count,
                    struct err *e)
{
    ERR_clear_error();
    if (pem.n == 0 || pem.n > (size_t)PKI_PEM_MAX * 4)
        return err_set(e, ERR_INVALID, "%s is empty or too large for a file of certificates", name);
    auto_bio BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (bio == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read %s", name);
    X509 *found[PKI_BUNDLE_MAX];
    size_t n = 0;
    int rc;
    X509 *cert = NULL;
    while ((rc = next_cert(bio, name, n + 1, &cert, e)) == 1) {
        if (n == PKI_BUNDLE_MAX) {
            X509_free(cert);
            rc = err_set(e, ERR_TOO_LARGE, "%s holds more than %d certificates", name, PKI_BUNDLE_MAX);
            break;
        }
        found[n++] = cert;
    }
    if (rc == 0 && n == 0)
        rc = err_set(e, ERR_INVALID, "%s holds no certificate (PEM, \"-----BEGIN CERTIFICATE-----\")", name);
    if (rc != 0) {
        pki_certs_free(found, n);
        return rc;
    }
    memcpy(certs, found, n * sizeof found[0]);
    *count = n;
    return 0;
}

int pki_certs_load(const char *file, X509 *certs[PKI_BUNDLE_MAX], size_t *count, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, (size_t)PKI_PEM_MAX * 4);
    int rc = file_read(file, (size_t)PKI_PEM_MAX * 4, &text, e);
    if (rc != 0)
        return rc;
    return pki_certs_parse(buf_str(&text), file, certs, count, e);
}
