/* Certificates: self-signed roots and the leaves that they issue (RFC 5280 section 4, RFC 9881). */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/rand.h"
#include "pki/internal.h"

#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */
#define SERIAL_BYTES 16
#define SECONDS_PER_DAY 86400
#define ROOT_DAYS_MAX 36500

int pki_name_set(X509_NAME *name, const char *common_name, struct err *e)
{
    struct str cn = str_of(common_name);
    if (cn.n == 0 || cn.n > COMMON_NAME_MAX || !str_is_text(cn))
        return err_set(e, ERR_INVALID,
                       "a certificate's name is 1 to %d bytes of text without control characters",
                       COMMON_NAME_MAX);
    if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn.p,
                                   (int)cn.n, -1, 0) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot put the name \"%s\" into a certificate", common_name);
    return 0;
}

/* 127 random bits: positive, unguessable, and never twice (RFC 5280 section 4.1.2.2). */
static int set_serial(X509 *cert, struct err *e)
{
    unsigned char raw[SERIAL_BYTES];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    raw[0] &= 0x7F;
    BIGNUM *n = BN_bin2bn(raw, sizeof raw, NULL);
    bool ok = n != NULL && !BN_is_zero(n) && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok ? 0 : pki_err(e, ERR_CRYPTO, "cannot make a serial number");
}

int pki_cert_begin(EVP_PKEY *key, const char *common_name, int64_t not_before, int64_t not_after, X509 **out,
                   struct err *e)
{
    auto_x509 X509 *cert = X509_new();
    if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 || X509_set_pubkey(cert, key) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot begin a certificate");
    if (ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)not_before) == NULL ||
        ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after) == NULL)
        return pki_err(e, ERR_INVALID, "a certificate cannot hold the times %lld and %lld",
                       (long long)not_before, (long long)not_after);
    int rc = set_serial(cert, e);
    if (rc == 0)
        rc = pki_name_set(X509_get_subject_name(cert), common_name, e);
    if (rc == 0)
        *out = take_ptr(cert);
    return rc;
}

static int sign(X509 *cert, X509 *issuer, EVP_PKEY *key, struct err *e)
{
    if (X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
        X509_sign(cert, key, pki_key_digest(key)) <= 0)
        return pki_err(e, ERR_CRYPTO, "cannot sign a certificate");
    return 0;
}

int pki_root_make(EVP_PKEY *key, const char *name, int days, int64_t now_s, struct arena *a, struct str *pem,
                  struct err *e)
{
    static const enum pki_usage usage[] = {PKI_USAGE_CERT_SIGN, PKI_USAGE_CRL_SIGN};
    ERR_clear_error();
    if (days < 1 || days > ROOT_DAYS_MAX)
        return err_set(e, ERR_INVALID, "a root lives 1 to %d days, not %d", ROOT_DAYS_MAX, days);
    auto_x509 X509 *cert = NULL;
    int rc = pki_cert_begin(key, name, now_s, now_s + (int64_t)days * SECONDS_PER_DAY, &cert, e);
    if (rc == 0)
        rc = pki_ext_constraints(cert, true, e);
    if (rc == 0)
        rc = pki_ext_usage(cert, usage, 2, e);
    if (rc == 0)
        rc = pki_ext_subject_key(cert, e);
    if (rc == 0)
        rc = sign(cert, cert, key, e);
    return rc == 0 ? pki_pem_of_cert(cert, a, pem, e) : rc;
}

static int add_leaf_extensions(X509 *cert, X509 *issuer, const struct pki_issue *what, struct err *e)
{
    static const enum pki_usage usage[] = {PKI_USAGE_SIGN};
    const char *const own_name[] = {what->common_name, NULL};
    const char *const *names = what->names == NULL && what->purpose == PKI_SERVER ? own_name : what->names;
    int rc = pki_ext_constraints(cert, false, e);
    if (rc == 0)
        rc = pki_ext_usage(cert, usage, 1, e);
    if (rc == 0)
        rc = pki_ext_purpose(cert, what->purpose, e);
    if (rc == 0)
        rc = pki_ext_subject_key(cert, e);
    if (rc == 0)
        rc = pki_ext_issuer_key(cert, issuer, e);
    if (rc == 0 && names != NULL && names[0] != NULL)
        rc = pki_ext_names(cert, names, e);
    return rc;
}

/* Cuts the life that is asked for to the authority's own: a leaf that outlives its issuer never verifies. */
static int cut_life(const struct pki_ca *ca, const struct pki_issue *what, int64_t *from, int64_t *to,
                    struct err *e)
{
    *from = what->not_before > ca->info.not_before ? what->not_before : ca->info.not_before;
    *to = what->not_after < ca->info.not_after ? what->not_after : ca->info.not_after;
    if (*from < *to)
        return 0;
    char end[CLOCK_TEXT_MAX];
    return err_set(e, ERR_INVALID,
                   "the certificate for \"%s\" would end before it begins; its authority \"%s\" ends %s",
                   what->common_name, ca->info.common_name, clock_format(ca->info.not_after * 1000, end));
}

static int encode(X509 *cert, const struct pki_ca *ca, struct arena *a, struct str *pem, struct err *e)
{
    struct str leaf;
    int rc = pki_pem_of_cert(cert, a, &leaf, e);
    if (rc != 0)
        return rc;
    if (ca->chain[0] == '\0') {
        *pem = leaf;
        return 0;
    }
    char *all = arena_printf(a, "%s%s", leaf.p, ca->chain);
    if (all == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a certificate's chain");
    *pem = str_of(all);
    return 0;
}

int pki_issue_cert(const struct pki_ca *ca, const struct pki_csr *csr, EVP_PKEY *key,
                   const struct pki_issue *what, struct arena *a, struct str *pem, struct pki_cert *cert,
                   struct err *e)
{
    ERR_clear_error();
    int64_t from, to;
    int rc = cut_life(ca, what, &from, &to, e);
    if (rc != 0)
        return rc;
    auto_x509 X509 *leaf = NULL;
    rc = pki_cert_begin(csr != NULL ? csr->key : key, what->common_name, from, to, &leaf, e);
    if (rc == 0)
        rc = add_leaf_extensions(leaf, ca->cert, what, e);
    if (rc == 0)
        rc = sign(leaf, ca->cert, ca->key, e);
    if (rc != 0)
        return rc;
    struct pki_cert info;
    struct str text;
    rc = pki_cert_describe(leaf, &info, e);
    if (rc == 0)
        rc = encode(leaf, ca, a, &text, e);
    if (rc != 0)
        return rc;
    memcpy(info.issuer_key, ca->key_id, sizeof info.issuer_key);
    *cert = info;
    *pem = text;
    return 0;
}
