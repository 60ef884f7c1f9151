/* Certificates made for one test program. */
#ifndef PQOTA_TESTS_CERT_FIXTURE_H
#define PQOTA_TESTS_CERT_FIXTURE_H

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#define DAY 86400L

struct cert_spec {
    const char *alg; /* "ML-DSA-65", "P-256"; NULL is ML-DSA-65 */
    const char *cn;  /* NULL is none */
    const char *san; /* "DNS:localhost,IP:127.0.0.1"; NULL is none */
    const char *eku; /* "serverAuth"; NULL is none */
    bool ca;
    long from, to;      /* seconds from now; both 0: since yesterday, for 30 days */
    const char *serial; /* decimal; NULL is a counted one */
};

struct ident {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[PATH_MAX];
    char key_file[PATH_MAX];
};

/* A folder of the test's own; fixture_stop removes it and what fixture_make made. */
void fixture_start(void);
void fixture_stop(void);
/* The same for cmocka_run_group_tests. */
int fixture_group_start(void **state);
int fixture_group_stop(void **state);
/* Makes a key and certificate (issuer NULL: self-signed) and writes NAME.pem and NAME.key. */
struct ident *fixture_make(const char *name, const struct ident *issuer, const struct cert_spec *spec);
/* Writes text to a file in the folder; the path is good until the program ends. */
const char *fixture_file(const char *name, const void *data, size_t n);
const char *fixture_path(const char *name);
/* The bytes of a file of the folder's idents, appended: leaf and chain, or a bundle of roots. */
const char *fixture_concat(const char *name, const char *a, const char *b);

/* The usual cast, made at fixture_start: all ML-DSA-65. */
extern struct ident *server_ca, *device_ca, *server_id, *device_id;

#endif
