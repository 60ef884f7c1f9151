/* Certificate requests (PKCS#10, RFC 2986). Only the public key counts: who it belongs to says the token or
   the operator, so subject and asked-for extensions are never looked at. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki/internal.h"

#define BLOCK_BEGIN "-----BEGIN CERTIFICATE REQUEST-----"
#define BLOCK_END "-----END CERTIFICATE REQUEST-----"

CLEANUP_DEFINE(req, X509_REQ, X509_REQ_free);
#define auto_req CLEANUP(req_cleanup)

static bool is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
            return false;
    return true;
}

/* Cuts off the white space around the one block of that type. Nothing else may stand there, so that no two
   readers see different requests. */
static bool cut_to_block(struct str *text)
{
    struct str pem = *text;
    if (pem.p == NULL || pem.n == 0 || memchr(pem.p, '\0', pem.n) != NULL)
        return false;
    const char *begin = memmem(pem.p, pem.n, BLOCK_BEGIN, strlen(BLOCK_BEGIN));
    const char *end = memmem(pem.p, pem.n, BLOCK_END, strlen(BLOCK_END));
    if (begin == NULL || end == NULL || end < begin + strlen(BLOCK_BEGIN))
        return false;
    const char *body = begin + strlen(BLOCK_BEGIN), *after = end + strlen(BLOCK_END);
    if (memmem(body, (size_t)(end - body), "-----", 5) != NULL)
        return false;
    if (!is_blank(pem.p, (size_t)(begin - pem.p)) || !is_blank(after, (size_t)(pem.p + pem.n - after)))
        return false;
    *text = (struct str){.p = begin, .n = (size_t)(after - begin)};
    return true;
}

static int read_request(struct str pem, X509_REQ **out, struct err *e)
{
    auto_bio BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    unsigned char *der = NULL;
    long n = 0;
    if (bio == NULL ||
        PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509_REQ, bio, pki_no_passphrase, NULL) != 1)
        return pki_err(e, ERR_INVALID, "the certificate request is broken");
    const unsigned char *p = der;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, n);
    bool whole = p == der + n;
    OPENSSL_free(der);
    if (req == NULL || !whole) {
        X509_REQ_free(req);
        return pki_err(e, ERR_INVALID, "the certificate request is broken");
    }
    *out = req;
    return 0;
}

static bool names_mldsa(X509_REQ *req)
{
    ASN1_OBJECT *algorithm = NULL;
    if (X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_REQ_get_X509_PUBKEY(req)) != 1)
        return false;
    int nid = OBJ_obj2nid(algorithm);
    return nid == NID_ML_DSA_44 || nid == NID_ML_DSA_65 || nid == NID_ML_DSA_87;
}

int pki_csr_parse(struct str pem, struct pki_csr **out, struct err *e)
{
    ERR_clear_error();
    if (pem.n > PKI_CSR_MAX)
        return err_set(e, ERR_TOO_LARGE, "the certificate request is larger than %d bytes", PKI_CSR_MAX);
    if (!cut_to_block(&pem))
        return err_set(
            e, ERR_INVALID,
            "the certificate request is not exactly one PEM block \"CERTIFICATE REQUEST\" (PKCS#10)");
    auto_req X509_REQ *req = NULL;
    int rc = read_request(pem, &req, e);
    if (rc != 0)
        return rc;
    if (!names_mldsa(req)) {
        ERR_clear_error();
        return err_set(e, ERR_INVALID,
                       "the certificate request is for a key that is not ML-DSA-44, -65 or -87");
    }
    EVP_PKEY *key = X509_REQ_get0_pubkey(req);
    if (key == NULL || !pki_key_is_mldsa(key))
        return pki_err(e, ERR_INVALID, "the certificate request holds no public key that can be read");
    if (X509_REQ_verify(req, key) != 1)
        return pki_err(e, ERR_INVALID, "the certificate request is not signed by the key that it is for");
    struct pki_csr *csr = calloc(1, sizeof *csr);
    if (csr == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a certificate request");
    rc = pki_key_id(key, csr->key_id, e);
    if (rc == 0 && EVP_PKEY_up_ref(key) != 1)
        rc = pki_err(e, ERR_CRYPTO, "cannot keep a request's key");
    if (rc != 0) {
        free(csr);
        return rc;
    }
    csr->key = key;
    *out = csr;
    return 0;
}

void pki_csr_free(struct pki_csr *csr)
{
    if (csr == NULL)
        return;
    EVP_PKEY_free(csr->key);
    free(csr);
}

const char *pki_csr_key_id(const struct pki_csr *csr)
{
    return csr->key_id;
}

int pki_csr_make(EVP_PKEY *key, const char *common_name, struct arena *a, struct str *pem, struct err *e)
{
    ERR_clear_error();
    auto_req X509_REQ *req = X509_REQ_new();
    if (req == NULL || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(req, key) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot begin a certificate request");
    int rc = pki_name_set(X509_REQ_get_subject_name(req), common_name, e);
    if (rc != 0)
        return rc;
    if (X509_REQ_sign(req, key, pki_key_digest(key)) <= 0)
        return pki_err(e, ERR_CRYPTO, "cannot sign a certificate request");
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509_REQ(bio, req) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot encode a certificate request");
    return pki_bio_text(bio, a, pem, e);
}
