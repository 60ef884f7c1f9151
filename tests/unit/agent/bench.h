/* What the tests of the agent share: a folder, scripts in it, settings, an installer with a real artifact. */
#ifndef PQOTA_TEST_BENCH_H
#define PQOTA_TEST_BENCH_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/files.h"
#include "agent/installer.h"

#define BENCH_PATH 1024

struct bench {
    char dir[64];
    struct agent_config config;
    struct files files;
    struct installer in;
    int64_t now;
    struct pqota_artifact artifact;
    char sha256[PQOTA_SHA256_HEX];
};

void bench_init(struct bench *b);
void bench_fini(struct bench *b);
const char *bench_path(struct bench *b, const char *name, char out[BENCH_PATH]);
/* An executable "#!/bin/sh" script in the folder; out its path. */
const char *bench_script(struct bench *b, const char *name, const char *text, char out[BENCH_PATH]);
void bench_write(struct bench *b, const char *name, const char *text);
/* The text of a file in the folder, "" when there is none; static. */
const char *bench_read(struct bench *b, const char *name);
void bench_set(struct bench *b, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The installer of the settings, and data as the downloaded artifact. */
void bench_install(struct bench *b, const void *data, size_t n);
/* Runs a command with /bin/sh and fails the test if it fails. */
void bench_sh(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
