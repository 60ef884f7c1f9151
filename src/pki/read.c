/* What stands in certificates. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/clock.h"
#include "pki/internal.h"

int pki_serial_text(const ASN1_INTEGER *serial, char out[PKI_SERIAL_MAX], struct err *e)
{
    const unsigned char *p = ASN1_STRING_get0_data(serial);
    int n = ASN1_STRING_length(serial);
    while (n > 0 && *p == 0)
        p++, n--;
    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER || n == 0 || 2 * n >= PKI_SERIAL_MAX)
        return err_set(e, ERR_UNSUPPORTED, "a certificate's serial number is not positive or too long");
    char hex[PKI_SERIAL_MAX];
    hex_encode(p, (size_t)n, hex);
    size_t skip = hex[0] == '0';
    memcpy(out, hex + skip, (size_t)n * 2 + 1 - skip);
    return 0;
}

int pki_time_read(const ASN1_TIME *t, int64_t *out, struct err *e)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return pki_err(e, ERR_INVALID, "a certificate holds a time that cannot be read");
    *out = (int64_t)timegm(&tm);
    return 0;
}

/* The subject's only common name; "" when there is none, or several, or it does not fit. */
static void read_common_name(X509 *cert, char *out, size_t size)
{
    X509_NAME *name = X509_get_subject_name(cert);
    out[0] = '\0';
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return;
    unsigned char *text = NULL;
    int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (n > 0 && (size_t)n < size && str_is_text((struct str){.p = (char *)text, .n = (size_t)n})) {
        memcpy(out, text, (size_t)n);
        out[n] = '\0';
    }
    OPENSSL_free(text);
}

int pki_cert_describe(X509 *cert, struct pki_cert *out, struct err *e)
{
    struct pki_cert c = {.serial = ""};
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (key == NULL)
        return pki_err(e, ERR_UNSUPPORTED, "a certificate's key cannot be read");
    if (X509_digest(cert, EVP_sha256(), hash, &n) != 1 || n != SHA256_SIZE)
        return pki_err(e, ERR_CRYPTO, "cannot hash a certificate");
    hex_encode(hash, SHA256_SIZE, c.fingerprint);
    if (X509_digest(cert, EVP_sha1(), hash, &n) != 1 || n != SHA1_SIZE)
        return pki_err(e, ERR_CRYPTO, "cannot hash a certificate");
    hex_encode(hash, SHA1_SIZE, c.sha1);
    int rc = pki_key_id(key, c.key_id, e);
    if (rc == 0)
        rc = pki_serial_text(X509_get0_serialNumber(cert), c.serial, e);
    if (rc == 0)
        rc = pki_time_read(X509_get0_notBefore(cert), &c.not_before, e);
    if (rc == 0)
        rc = pki_time_read(X509_get0_notAfter(cert), &c.not_after, e);
    if (rc != 0)
        return rc;
    read_common_name(cert, c.common_name, sizeof c.common_name);
    const char *algorithm = pki_key_algorithm(key);
    c.algorithm = algorithm[0] != '\0' ? algorithm : NULL;
    *out = c;
    return 0;
}

int pki_cert_read(struct str pem, struct pki_cert *out, struct err *e)
{
    X509 *certs[PKI_BUNDLE_MAX];
    size_t count = 0;
    int rc = pki_certs_parse(pem, "the certificate", certs, &count, e);
    if (rc != 0)
        return rc;
    rc = pki_cert_describe(certs[0], out, e);
    pki_certs_free(certs, count);
    return rc;
}

static int key_ids(X509 *const *certs, size_t count, const char **ids, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        char id[SHA256_HEX_SIZE];
        EVP_PKEY *key = X509_get0_pubkey(certs[i]);
        int rc = key != NULL ? pki_key_id(key, id, e)
                             : pki_err(e, ERR_UNSUPPORTED, "certificate %zu has an unknown key", i + 1);
        if (rc != 0)
            return rc;
        ids[i] = arena_dup(a, id, sizeof id - 1);
        if (ids[i] == NULL)
            return err_set(e, ERR_NOMEM, "no memory for key identifiers");
    }
    return 0;
}

static int subject_of(const X509 *cert, struct arena *a, const char **out, struct err *e)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) < 0)
        return pki_err(e, ERR_CRYPTO, "cannot write a certificate's subject");
    struct str text;
    int rc = pki_bio_text(bio, a, &text, e);
    if (rc != 0)
        return rc;
    *out = arena_dup_str(a, text);
    return *out != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for a certificate's subject");
}

/* subjects: NULL when they do not matter. */
static int read_bundle(const char *file, struct arena *a, const char ***subjects, const char ***ids,
                       size_t *count, struct err *e)
{
    X509 *certs[PKI_BUNDLE_MAX];
    size_t n = 0;
    int rc = pki_certs_load(file, certs, &n, e);
    if (rc != 0)
        return rc;
    const char **names = arena_array(a, const char *, n), **keys = arena_array(a, const char *, n);
    if (names == NULL || keys == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for the certificates in %s", file);
    else if (key_ids(certs, n, keys, a, e) != 0)
        rc = err_context(e, "%s", file);
    for (size_t i = 0; rc == 0 && subjects != NULL && i < n; i++)
        rc = subject_of(certs[i], a, &names[i], e);
    pki_certs_free(certs, n);
    if (rc != 0)
        return rc;
    if (subjects != NULL)
        *subjects = names;
    *ids = keys;
    *count = n;
    return 0;
}

int pki_bundle_key_ids(const char *file, struct arena *a, const char ***ids, size_t *count, struct err *e)
{
    return read_bundle(file, a, NULL, ids, count, e);
}

int pki_bundle_roots(const char *file, struct arena *a, const char ***subjects, const char ***ids,
                     size_t *count, struct err *e)
{
    return read_bundle(file, a, subjects, ids, count, e);
}

static int show(const X509 *cert, struct arena *a, struct pki_shown *out, struct err *e)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    const char *name = key != NULL ? pki_key_algorithm(key) : "unknown";
    if (name[0] == '\0')
        name = EVP_PKEY_get0_type_name(key);
    name = arena_dup_str(a, str_of(name != NULL ? name : "unknown"));
    if (name == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a certificate");
    struct pki_shown shown = {.algorithm = name};
    int rc = subject_of(cert, a, &shown.subject, e);
    if (rc == 0)
        rc = pki_time_read(X509_get0_notAfter(cert), &shown.not_after, e);
    if (rc == 0)
        *out = shown;
    return rc;
}

int pki_bundle_show(const char *file, struct arena *a, struct pki_shown **out, size_t *count, struct err *e)
{
    X509 *certs[PKI_BUNDLE_MAX];
    size_t n = 0;
    int rc = pki_certs_load(file, certs, &n, e);
    if (rc != 0)
        return rc;
    struct pki_shown *list = arena_array(a, struct pki_shown, n);
    if (list == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for the certificates in %s", file);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if ((rc = show(certs[i], a, &list[i], e)) != 0)
            rc = err_context(e, "%s", file);
    pki_certs_free(certs, n);
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

/* NULL: of another kind, or no memory. */
static const char *name_text(const GENERAL_NAME *g, struct arena *a)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *s = g->type == GEN_DNS ? g->d.dNSName : g->d.iPAddress;
    if (g->type != GEN_DNS && g->type != GEN_IPADD)
        return NULL;
    int n = ASN1_STRING_length(s);
    const unsigned char *p = ASN1_STRING_get0_data(s);
    if (g->type == GEN_DNS)
        return arena_dup(a, p, (size_t)n);
    if ((n != 4 && n != 16) || inet_ntop(n == 4 ? AF_INET : AF_INET6, p, text, sizeof text) == NULL)
        return NULL;
    return arena_dup_str(a, str_of(text));
}

int pki_file_names(const char *file, struct arena *a, const char *names[PKI_NAMES_MAX + 1], struct err *e)
{
    X509 *certs[PKI_BUNDLE_MAX];
    size_t n = 0, count = 0;
    int rc = pki_certs_load(file, certs, &n, e);
    if (rc != 0)
        return rc;
    GENERAL_NAMES *list = X509_get_ext_d2i(certs[0], NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(list) && count < PKI_NAMES_MAX; i++) {
        const char *name = name_text(sk_GENERAL_NAME_value(list, i), a);
        if (name != NULL && pki_is_host(name))
            names[count++] = name;
    }
    names[count] = NULL;
    GENERAL_NAMES_free(list);
    pki_certs_free(certs, n);
    return 0;
}

static int check_purpose(X509 *cert, const char *file, enum pki_purpose purpose, struct err *e)
{
    bool server = purpose == PKI_SERVER;
    uint32_t need = server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    bool has = (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) != 0;
    if (has && (X509_get_extended_key_usage(cert) & need) != 0 && X509_check_ca(cert) == 0)
        return 0;
    return err_set(e, ERR_INVALID, "the certificate %s is not for a %s: it needs the extended key usage %s",
                   file, server ? "server" : "client", server ? "serverAuth" : "clientAuth");
}

int pki_life_check(const struct pki_cert *c, const char *file, int64_t now_s, struct err *e)
{
    char when[CLOCK_TEXT_MAX];
    if (now_s < c->not_before)
        return err_set(e, ERR_INVALID,
                       "the certificate %s is not valid before %s: is this machine's clock right?", file,
                       clock_format(c->not_before * 1000, when));
    if (now_s > c->not_after)
        return err_set(e, ERR_GONE, "the certificate %s expired at %s: put a new one in its place", file,
                       clock_format(c->not_after * 1000, when));
    return 0;
}

static int check_pair(X509 *cert, const char *cert_file, const char *key_uri, struct err *e)
{
    auto_pkey EVP_PKEY *key = NULL;
    int rc = pki_key_load(key_uri, &key, e);
    if (rc == 0 && X509_check_private_key(cert, key) != 1) {
        ERR_clear_error();
        rc = err_set(e, ERR_MISMATCH, "the key %s is not that of the certificate %s", key_uri, cert_file);
    }
    return rc;
}

int pki_files_fit(const char *cert_file, const char *key_uri, enum pki_purpose purpose, struct pki_cert *cert,
                  struct err *e)
{
    X509 *certs[PKI_BUNDLE_MAX];
    size_t count = 0;
    struct pki_cert info;
    int rc = pki_certs_load(cert_file, certs, &count, e);
    if (rc != 0)
        return rc;
    rc = check_pair(certs[0], cert_file, key_uri, e);
    if (rc == 0 && pki_cert_describe(certs[0], &info, e) != 0)
        rc = err_context(e, "%s", cert_file);
    if (rc == 0)
        rc = check_purpose(certs[0], cert_file, purpose, e);
    pki_certs_free(certs, count);
    if (rc == 0)
        *cert = info;
    return rc;
}

int pki_files_check(const char *cert_file, const char *key_uri, enum pki_purpose purpose, int64_t now_s,
                    struct pki_cert *cert, struct err *e)
{
    struct pki_cert info;
    int rc = pki_files_fit(cert_file, key_uri, purpose, &info, e);
    if (rc == 0)
        rc = pki_life_check(&info, cert_file, now_s, e);
    if (rc == 0)
        *cert = info;
    return rc;
}
