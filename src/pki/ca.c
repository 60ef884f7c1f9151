/* An authority that issues: its certificate and its key, shared by threads. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"

struct pki_ca *pki_ca_ref(struct pki_ca *ca)
{
    atomic_fetch_add_explicit(&ca->refs, 1, memory_order_relaxed);
    return ca;
}

void pki_ca_free(struct pki_ca *ca)
{
    if (ca == NULL || atomic_fetch_sub_explicit(&ca->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca->chain);
    free(ca);
}

CLEANUP_DEFINE(ca, struct pki_ca, pki_ca_free);

const char *pki_ca_key_id(const struct pki_ca *ca)
{
    return ca->key_id;
}

static int check_authority(X509 *cert, const char *file, struct err *e)
{
    const uint32_t need = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    if ((X509_get_key_usage(cert) & need) != need)
        return err_set(e, ERR_INVALID,
                       "the first certificate in %s is for no authority: it may not sign certificates and "
                       "revocation lists (key usage)",
                       file);
    if (X509_check_ca(cert) != 1)
        return err_set(e, ERR_INVALID,
                       "the first certificate in %s is for no authority (basic constraints CA:TRUE)", file);
    return 0;
}

/* The PEM of those that are no roots: a peer has the root and needs the rest. */
static int chain_text(X509 *const *certs, size_t count, char **out, struct err *e)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL;
    for (size_t i = 0; ok && i < count; i++)
        if ((X509_get_extension_flags(certs[i]) & EXFLAG_SI) == 0)
            ok = PEM_write_bio_X509(bio, certs[i]) == 1;
    char *text = NULL;
    long n = ok ? BIO_get_mem_data(bio, &text) : 0;
    char *copy = ok ? malloc((size_t)n + 1) : NULL;
    if (copy == NULL)
        return pki_err(e, ERR_NOMEM, "no memory for an authority's chain");
    if (n > 0)
        memcpy(copy, text, (size_t)n);
    copy[n] = '\0';
    *out = copy;
    return 0;
}

static int fill(struct pki_ca *ca, X509 *const *certs, size_t count, const char *cert_file,
                const char *key_uri, struct err *e)
{
    int rc = check_authority(certs[0], cert_file, e);
    if (rc == 0)
        rc = pki_key_load(key_uri, &ca->key, e);
    if (rc != 0)
        return rc;
    if (X509_check_private_key(certs[0], ca->key) != 1) {
        ERR_clear_error();
        return err_set(e, ERR_MISMATCH, "the key %s is not that of the certificate %s", key_uri, cert_file);
    }
    rc = pki_key_id(ca->key, ca->key_id, e);
    if (rc == 0)
        rc = pki_cert_describe(certs[0], &ca->info, e);
    if (rc == 0)
        rc = chain_text(certs, count, &ca->chain, e);
    if (rc == 0 && X509_up_ref(certs[0]) != 1)
        rc = pki_err(e, ERR_CRYPTO, "cannot keep the certificate %s", cert_file);
    if (rc == 0)
        ca->cert = certs[0];
    return rc;
}

int pki_ca_load(const char *cert_file, const char *key_uri, struct pki_ca **out, struct err *e)
{
    X509 *certs[PKI_BUNDLE_MAX];
    size_t count = 0;
    int rc = pki_certs_load(cert_file, certs, &count, e);
    if (rc != 0)
        return rc;
    CLEANUP(ca_cleanup) struct pki_ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        rc = err_set(e, ERR_NOMEM, "no memory for an authority");
    } else {
        atomic_init(&ca->refs, 1);
        rc = fill(ca, certs, count, cert_file, key_uri, e);
    }
    pki_certs_free(certs, count);
    if (rc == 0)
        *out = take_ptr(ca);
    return rc;
}
