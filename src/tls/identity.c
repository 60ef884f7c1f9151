#include "tls/identity.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define SERIAL_BITS_MAX ((TLS_SERIAL_MAX - 1) / 2 * 8)

static inline void openssl_free(void *p)
{
    OPENSSL_free(p);
}
CLEANUP_DEFINE(ossl, char, openssl_free);
CLEANUP_DEFINE(der, unsigned char, openssl_free);
CLEANUP_DEFINE(bn, BIGNUM, BN_free);
CLEANUP_DEFINE(names, GENERAL_NAMES, GENERAL_NAMES_free);

int64_t tls_time(const ASN1_TIME *t)
{
    struct tm tm = {0};
    if (t == NULL || !ASN1_TIME_to_tm(t, &tm))
        return -1;
    return (int64_t)timegm(&tm);
}

/* Keeps what a peer wrote only if it is text and fits whole: half a name would be another name. */
static void keep_text(const unsigned char *p, int n, char *out, size_t size)
{
    struct str s = {.p = (const char *)p, .n = n > 0 ? (size_t)n : 0};
    out[0] = '\0';
    if (s.n == 0 || s.n >= size || memchr(p, '\n', s.n) != NULL || !str_is_text(s))
        return;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
}

void tls_common_name(const X509_NAME *name, char *out, size_t size)
{
    out[0] = '\0';
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0)
        return;
    CLEANUP(der_cleanup) unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    keep_text(utf8, n, out, size);
}

static void first_dns_name(const X509 *cert, char *out, size_t size)
{
    out[0] = '\0';
    CLEANUP(names_cleanup) GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_DNS)
            continue;
        keep_text(ASN1_STRING_get0_data(g->d.dNSName), ASN1_STRING_length(g->d.dNSName), out, size);
        return;
    }
}

void tls_names(const X509 *cert, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    CLEANUP(names_cleanup) GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && n < size; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        char text[TLS_NAME_MAX] = "";
        if (g->type == GEN_DNS)
            keep_text(ASN1_STRING_get0_data(g->d.dNSName), ASN1_STRING_length(g->d.dNSName), text,
                      sizeof text);
        else if (g->type == GEN_IPADD && ASN1_STRING_length(g->d.iPAddress) == 4)
            inet_ntop(AF_INET, ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof text);
        else if (g->type == GEN_IPADD && ASN1_STRING_length(g->d.iPAddress) == 16)
            inet_ntop(AF_INET6, ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof text);
        if (text[0] != '\0')
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "", text);
    }
}

static int serial_hex(const X509 *cert, char out[TLS_SERIAL_MAX])
{
    CLEANUP(bn_cleanup) BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    if (bn == NULL || BN_is_negative(bn) || BN_num_bits(bn) > SERIAL_BITS_MAX)
        return ERR_INVALID;
    CLEANUP(ossl_cleanup) char *hex = BN_bn2hex(bn);
    if (hex == NULL)
        return ERR_NOMEM;
    const char *p = hex;
    while (p[0] == '0' && p[1] != '\0')
        p++;
    size_t i = 0;
    for (; p[i] != '\0' && i + 1 < TLS_SERIAL_MAX; i++)
        out[i] = (char)tolower((unsigned char)p[i]);
    out[i] = '\0';
    return 0;
}

static int sha256_hex(const unsigned char *p, int n, char out[SHA256_HEX_SIZE])
{
    unsigned char sum[SHA256_SIZE];
    if (p == NULL || n <= 0 || EVP_Digest(p, (size_t)n, sum, NULL, EVP_sha256(), NULL) != 1)
        return ERR_CRYPTO;
    hex_encode(sum, sizeof sum, out);
    return 0;
}

static int cert_sha256(const X509 *cert, char out[SHA256_HEX_SIZE])
{
    CLEANUP(der_cleanup) unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    return sha256_hex(der, n, out);
}

static int key_sha256(const X509 *cert, char out[SHA256_HEX_SIZE])
{
    CLEANUP(der_cleanup) unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    return sha256_hex(der, n, out);
}

int tls_peer_from_chain(const STACK_OF(X509) * chain, bool expired, struct tls_peer *out, struct err *e)
{
    if (sk_X509_num(chain) < 1)
        return err_set(e, ERR_INTERNAL, "a verified chain without a certificate");
    const X509 *leaf = sk_X509_value(chain, 0);
    /* A certificate that is itself a trusted root is its own issuer. */
    const X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : leaf;
    struct tls_peer p = {.present = true, .expired = expired};
    p.not_after = tls_time(X509_get0_notAfter(leaf));
    if (p.not_after < 0 && tls_time(X509_get0_notBefore(leaf)) >= 0)
        return err_set(e, ERR_INVALID, "the peer's certificate ends at a time that cannot be read");
    if (serial_hex(leaf, p.serial) != 0)
        return err_set(e, ERR_INVALID,
                       "the peer's certificate has a serial number that is negative or "
                       "longer than RFC 5280 section 4.1.2.2 allows");
    if (cert_sha256(leaf, p.fingerprint) != 0 || key_sha256(issuer, p.issuer) != 0)
        return err_set(e, ERR_CRYPTO, "cannot hash the peer's certificate");
    tls_common_name(X509_get_subject_name(leaf), p.common_name, sizeof p.common_name);
    first_dns_name(leaf, p.san, sizeof p.san);
    *out = p;
    return 0;
}
