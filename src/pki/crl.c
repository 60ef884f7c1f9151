/* Certificate revocation lists (RFC 5280 section 5). */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"

#define SERIAL_HEX_MAX 40 /* 20 octets, RFC 5280 section 4.1.2.2 */

CLEANUP_DEFINE(crl, X509_CRL, X509_CRL_free);
CLEANUP_DEFINE(time, ASN1_TIME, ASN1_TIME_free);
CLEANUP_DEFINE(integer, ASN1_INTEGER, ASN1_INTEGER_free);
CLEANUP_DEFINE(authority, AUTHORITY_KEYID, AUTHORITY_KEYID_free);
#define auto_crl CLEANUP(crl_cleanup)
#define auto_time CLEANUP(time_cleanup)
#define auto_integer CLEANUP(integer_cleanup)

static ASN1_INTEGER *serial_of(const char *hex)
{
    size_t n = strlen(hex);
    if (n == 0 || n > SERIAL_HEX_MAX || strspn(hex, "0123456789abcdefABCDEF") != n)
        return NULL;
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial =
        BN_hex2bn(&number, hex) > 0 && !BN_is_zero(number) ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    BN_free(number);
    return serial;
}

static int add_revoked(X509_CRL *crl, const struct pki_revoked *entry, struct err *e)
{
    auto_integer ASN1_INTEGER *serial = serial_of(entry->serial);
    if (serial == NULL)
        return err_set(e, ERR_INVALID, "\"%.64s\" is no certificate's serial number", entry->serial);
    auto_time ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)entry->revoked_at);
    X509_REVOKED *r = X509_REVOKED_new();
    if (when == NULL || r == NULL || X509_REVOKED_set_serialNumber(r, serial) != 1 ||
        X509_REVOKED_set_revocationDate(r, when) != 1 || X509_CRL_add0_revoked(crl, r) != 1) {
        X509_REVOKED_free(r);
        return pki_err(e, ERR_CRYPTO, "cannot add the serial number %s to a revocation list", entry->serial);
    }
    return 0;
}

static int set_head(X509_CRL *crl, const struct pki_ca *ca, int64_t now_s, int64_t next_s, struct err *e)
{
    auto_time ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)now_s);
    auto_time ASN1_TIME *next = ASN1_TIME_set(NULL, (time_t)next_s);
    if (now == NULL || next == NULL || X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)) != 1 ||
        X509_CRL_set1_lastUpdate(crl, now) != 1 || X509_CRL_set1_nextUpdate(crl, next) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot begin a revocation list");
    return 0;
}

/* Both are demanded of every list: RFC 5280 sections 5.2.1 and 5.2.3. */
static int set_extensions(X509_CRL *crl, const struct pki_ca *ca, int64_t number, struct err *e)
{
    auto_integer ASN1_INTEGER *n = ASN1_INTEGER_new();
    CLEANUP(authority_cleanup) AUTHORITY_KEYID *issuer = AUTHORITY_KEYID_new();
    if (issuer != NULL)
        issuer->keyid = pki_issuer_key_of(ca->cert);
    if (n == NULL || issuer == NULL || issuer->keyid == NULL || ASN1_INTEGER_set_int64(n, number) != 1 ||
        X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, issuer, 0, X509V3_ADD_DEFAULT) != 1 ||
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, X509V3_ADD_DEFAULT) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot put the issuer and number into a revocation list");
    return 0;
}

int pki_crl_make(const struct pki_ca *ca, const struct pki_revoked *list, size_t count, int64_t number,
                 int64_t now_s, int64_t next_update_s, struct arena *a, struct str *pem, struct err *e)
{
    ERR_clear_error();
    if (count > PKI_REVOKED_MAX)
        return err_set(e, ERR_TOO_LARGE, "a revocation list takes at most %d entries", PKI_REVOKED_MAX);
    if (number < 0 || next_update_s <= now_s)
        return err_set(e, ERR_INVALID,
                       "a revocation list needs a number from 0 on and a next update after now");
    auto_crl X509_CRL *crl = X509_CRL_new();
    if (crl == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a revocation list");
    int rc = set_head(crl, ca, now_s, next_update_s, e);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_revoked(crl, &list[i], e);
    if (rc == 0)
        rc = set_extensions(crl, ca, number, e);
    if (rc != 0)
        return rc;
    if (X509_CRL_sort(crl) != 1 || X509_CRL_sign(crl, ca->key, pki_key_digest(ca->key)) <= 0)
        return pki_err(e, ERR_CRYPTO, "cannot sign a revocation list");
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509_CRL(bio, crl) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot encode a revocation list");
    return pki_bio_text(bio, a, pem, e);
}
