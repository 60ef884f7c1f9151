#include "cert_fixture.h"

#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define IDENTS_MAX 64

struct ident *server_ca, *device_ca, *server_id, *device_id;

static char folder[64];
static struct ident idents[IDENTS_MAX];
static size_t ident_count;
static long serial_count = 1000;
static char *paths[256];
static size_t path_count;

const char *fixture_path(const char *name)
{
    char text[PATH_MAX];
    assert_true(path_count < sizeof paths / sizeof paths[0]);
    snprintf(text, sizeof text, "%s/%s", folder, name);
    paths[path_count] = strdup(text);
    return paths[path_count++];
}

const char *fixture_file(const char *name, const void *data, size_t n)
{
    const char *path = fixture_path(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

const char *fixture_concat(const char *name, const char *a, const char *b)
{
    static char text[200000];
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(i == 0 ? a : b, "r");
        assert_non_null(f);
        n += fread(text + n, 1, sizeof text - n, f);
        fclose(f);
    }
    return fixture_file(name, text, n);
}

static void add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(x);
    assert_int_equal(X509_add_ext(cert, x, -1), 1);
    X509_EXTENSION_free(x);
}

static EVP_PKEY *make_key(const char *alg)
{
    if (strcmp(alg, "P-256") == 0)
        return EVP_EC_gen("P-256");
    return EVP_PKEY_Q_keygen(NULL, NULL, alg);
}

static void fill_cert(struct ident *id, const struct ident *issuer, const struct cert_spec *spec)
{
    X509 *cert = id->cert;
    X509 *issuer_cert = issuer != NULL ? issuer->cert : cert;
    bool usual = spec->from == 0 && spec->to == 0;
    X509_set_version(cert, X509_VERSION_3);
    BIGNUM *bn = NULL;
    if (spec->serial != NULL)
        BN_dec2bn(&bn, spec->serial);
    else {
        bn = BN_new();
        BN_set_word(bn, (unsigned long)serial_count++);
    }
    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
    BN_free(bn);
    X509_gmtime_adj(X509_getm_notBefore(cert), usual ? -DAY : spec->from);
    X509_gmtime_adj(X509_getm_notAfter(cert), usual ? 30 * DAY : spec->to);
    if (spec->cn != NULL)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)spec->cn, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer_cert));
    X509_set_pubkey(cert, id->key);
    add_ext(cert, issuer_cert, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_ext(cert, issuer_cert, NID_key_usage,
            spec->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    add_ext(cert, issuer_cert, NID_subject_key_identifier, "hash");
    if (issuer != NULL)
        add_ext(cert, issuer_cert, NID_authority_key_identifier, "keyid:always");
    if (spec->eku != NULL)
        add_ext(cert, issuer_cert, NID_ext_key_usage, spec->eku);
    if (spec->san != NULL)
        add_ext(cert, issuer_cert, NID_subject_alt_name, spec->san);
}

struct ident *fixture_make(const char *name, const struct ident *issuer, const struct cert_spec *spec)
{
    assert_true(ident_count < IDENTS_MAX);
    struct ident *id = &idents[ident_count++];
    id->key = make_key(spec->alg != NULL ? spec->alg : "ML-DSA-65");
    id->cert = X509_new();
    assert_non_null(id->key);
    assert_non_null(id->cert);
    fill_cert(id, issuer, spec);
    EVP_PKEY *signer = issuer != NULL ? issuer->key : id->key;
    const EVP_MD *md = EVP_PKEY_is_a(signer, "EC") ? EVP_sha256() : NULL;
    assert_true(X509_sign(id->cert, signer, md) > 0);
    snprintf(id->cert_file, sizeof id->cert_file, "%s/%s.pem", folder, name);
    snprintf(id->key_file, sizeof id->key_file, "%s/%s.key", folder, name);
    FILE *f = fopen(id->cert_file, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, id->cert), 1);
    fclose(f);
    f = fopen(id->key_file, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    return id;
}

void fixture_start(void)
{
    snprintf(folder, sizeof folder, "/tmp/pqota-tls-XXXXXX");
    assert_non_null(mkdtemp(folder));
    server_ca = fixture_make("server-ca", NULL, &(struct cert_spec){.cn = "Server CA", .ca = true});
    device_ca = fixture_make("device-ca", NULL, &(struct cert_spec){.cn = "Device CA", .ca = true});
    server_id = fixture_make(
        "server", server_ca,
        &(struct cert_spec){.cn = "server", .san = "DNS:localhost,IP:127.0.0.1,IP:::1", .eku = "serverAuth"});
    device_id =
        fixture_make("device", device_ca,
                     &(struct cert_spec){
                         .cn = "dev-1", .san = "DNS:dev-1.example", .eku = "clientAuth", .serial = "48879"});
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void fixture_stop(void)
{
    for (size_t i = 0; i < ident_count; i++) {
        EVP_PKEY_free(idents[i].key);
        X509_free(idents[i].cert);
    }
    for (size_t i = 0; i < path_count; i++)
        free(paths[i]);
    ident_count = path_count = 0;
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int fixture_group_start(void **state)
{
    (void)state;
    fixture_start();
    return 0;
}

int fixture_group_stop(void **state)
{
    (void)state;
    fixture_stop();
    return 0;
}
