/* A folder of its own for each test program, authorities in it, and the real openssl beside ours. */
#ifndef PQOTA_TEST_PKI_FIXTURE_H
#define PQOTA_TEST_PKI_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pki/pki.h"

#define NOW 1795000000 /* 2026-11-18T11:06:40Z; openssl is told this time with -attime */
#define NOW_TEXT "1795000000"
#define DAY 86400

struct fixture {
    char dir[64];
    struct arena arena;
    char out[65536]; /* of the last fx_run */
};

CLEANUP_DEFINE(fx_key, EVP_PKEY, pki_key_free);
CLEANUP_DEFINE(fx_ca, struct pki_ca, pki_ca_free);
CLEANUP_DEFINE(fx_csr, struct pki_csr, pki_csr_free);
#define auto_key CLEANUP(fx_key_cleanup)
#define auto_ca CLEANUP(fx_ca_cleanup)
#define auto_csr CLEANUP(fx_csr_cleanup)

/* Group set-up and tear-down: makes the folder and goes into it; removes it. */
int fx_setup(void **state);
int fx_teardown(void **state);

/* Runs a shell command, keeps what it prints in fx->out, answers its exit code. */
int fx_run(struct fixture *fx, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fx_expect(struct fixture *fx, const char *part); /* of the last output */
void fx_write(const char *path, struct str text);
EVP_PKEY *fx_key(const char *algorithm);
/* NAME.pem and NAME.key, a root from NOW - DAY on. */
struct pki_ca *fx_root(struct fixture *fx, const char *name, const char *algorithm, int days);
/* NAME.pem and NAME.key, with 30 days from NOW on; algorithm as its root's. */
struct pki_cert fx_leaf(struct fixture *fx, struct pki_ca *ca, const char *name, const char *algorithm,
                        enum pki_purpose purpose);
/* A file's text, in the arena. */
struct str fx_read(struct fixture *fx, const char *path);

#endif
