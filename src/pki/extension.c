/* Certificate extensions (RFC 5280 section 4.2.1), made from values, never from text that OpenSSL parses. */
#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"

#define DNS_NAME_MAX 253

CLEANUP_DEFINE(octets, ASN1_OCTET_STRING, ASN1_OCTET_STRING_free);
CLEANUP_DEFINE(bits, ASN1_BIT_STRING, ASN1_BIT_STRING_free);
CLEANUP_DEFINE(basic, BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free);
CLEANUP_DEFINE(eku, EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free);
CLEANUP_DEFINE(names, GENERAL_NAMES, GENERAL_NAMES_free);
CLEANUP_DEFINE(authority, AUTHORITY_KEYID, AUTHORITY_KEYID_free);

static int add(X509 *cert, int nid, void *value, bool critical, const char *what, struct err *e)
{
    if (value == NULL || X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_DEFAULT) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot put %s into a certificate", what);
    return 0;
}

int pki_ext_constraints(X509 *cert, bool ca, struct err *e)
{
    CLEANUP(basic_cleanup) BASIC_CONSTRAINTS *v = BASIC_CONSTRAINTS_new();
    if (v != NULL && ca) {
        v->ca = 0xFF; /* DER's TRUE */
        v->pathlen = ASN1_INTEGER_new();
        if (v->pathlen == NULL || ASN1_INTEGER_set(v->pathlen, 0) != 1)
            return err_set(e, ERR_NOMEM, "no memory for a certificate");
    }
    return add(cert, NID_basic_constraints, v, true, "the basic constraints", e);
}

int pki_ext_usage(X509 *cert, const enum pki_usage *bit, size_t count, struct err *e)
{
    CLEANUP(bits_cleanup) ASN1_BIT_STRING *v = ASN1_BIT_STRING_new();
    for (size_t i = 0; v != NULL && i < count; i++)
        if (ASN1_BIT_STRING_set_bit(v, (int)bit[i], 1) != 1)
            return err_set(e, ERR_NOMEM, "no memory for a certificate");
    return add(cert, NID_key_usage, v, true, "the key usage", e);
}

int pki_ext_purpose(X509 *cert, enum pki_purpose purpose, struct err *e)
{
    CLEANUP(eku_cleanup) EXTENDED_KEY_USAGE *v = EXTENDED_KEY_USAGE_new();
    ASN1_OBJECT *object = OBJ_nid2obj(purpose == PKI_SERVER ? NID_server_auth : NID_client_auth); /* static */
    if (v == NULL || object == NULL || sk_ASN1_OBJECT_push(v, object) <= 0)
        return pki_err(e, ERR_CRYPTO, "cannot put the purpose into a certificate");
    return add(cert, NID_ext_key_usage, v, false, "the purpose", e);
}

/* RFC 7093 section 2 method 1: the leftmost 160 bits of SHA-256 of the public key's bits. */
static ASN1_OCTET_STRING *key_identifier(X509 *cert)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
    if (v == NULL || X509_pubkey_digest(cert, EVP_sha256(), hash, &n) != 1 || n < PKI_SKI_SIZE ||
        ASN1_OCTET_STRING_set(v, hash, PKI_SKI_SIZE) != 1) {
        ASN1_OCTET_STRING_free(v);
        return NULL;
    }
    return v;
}

int pki_ext_subject_key(X509 *cert, struct err *e)
{
    CLEANUP(octets_cleanup) ASN1_OCTET_STRING *v = key_identifier(cert);
    return add(cert, NID_subject_key_identifier, v, false, "the key identifier", e);
}

ASN1_OCTET_STRING *pki_issuer_key_of(X509 *issuer)
{
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(issuer);
    return own != NULL ? ASN1_OCTET_STRING_dup(own) : key_identifier(issuer);
}

int pki_ext_issuer_key(X509 *cert, X509 *issuer, struct err *e)
{
    CLEANUP(authority_cleanup) AUTHORITY_KEYID *v = AUTHORITY_KEYID_new();
    if (v != NULL)
        v->keyid = pki_issuer_key_of(issuer);
    if (v == NULL || v->keyid == NULL)
        return pki_err(e, ERR_CRYPTO, "cannot put the issuer's key identifier into a certificate");
    return add(cert, NID_authority_key_identifier, v, false, "the issuer's key identifier", e);
}

static bool is_dns_name(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n > DNS_NAME_MAX || s[0] == '.' || s[0] == '-')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_';
        bool dot = c == '.' && s[i + 1] != '.';
        bool star = c == '*' && i == 0 && s[1] == '.';
        if (!plain && !dot && !star)
            return false;
    }
    return true;
}

bool pki_is_host(const char *name)
{
    unsigned char address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1 ||
           is_dns_name(name);
}

/* An address when inet_pton takes it, else a DNS name. Takes over nothing; frees what it could not add. */
static int add_name(GENERAL_NAMES *list, const char *name, struct err *e)
{
    unsigned char address[16];
    size_t n = inet_pton(AF_INET, name, address) == 1 ? 4 : inet_pton(AF_INET6, name, address) == 1 ? 16 : 0;
    if (n == 0 && !is_dns_name(name))
        return err_set(e, ERR_INVALID, "\"%s\" is neither a DNS name nor an IP address", name);
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *value = n > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const void *data = n > 0 ? (const void *)address : (const void *)name;
    if (g == NULL || value == NULL || ASN1_STRING_set(value, data, (int)(n > 0 ? n : strlen(name))) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(g);
        return err_set(e, ERR_NOMEM, "no memory for a certificate's names");
    }
    GENERAL_NAME_set0_value(g, n > 0 ? GEN_IPADD : GEN_DNS, value);
    if (sk_GENERAL_NAME_push(list, g) <= 0) {
        GENERAL_NAME_free(g);
        return err_set(e, ERR_NOMEM, "no memory for a certificate's names");
    }
    return 0;
}

int pki_ext_names(X509 *cert, const char *const *names, struct err *e)
{
    CLEANUP(names_cleanup) GENERAL_NAMES *list = GENERAL_NAMES_new();
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a certificate's names");
    for (size_t i = 0; names[i] != NULL; i++) {
        if (i == PKI_NAMES_MAX)
            return err_set(e, ERR_TOO_LARGE, "a certificate takes at most %d names", PKI_NAMES_MAX);
        int rc = add_name(list, names[i], e);
        if (rc != 0)
            return rc;
    }
    return add(cert, NID_subject_alt_name, list, false, "the names", e);
}
