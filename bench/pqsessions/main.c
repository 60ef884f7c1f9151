/* pqsessions: what a server's store of resumable sessions takes, filled without a handshake. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rand.h"
#include "shared/command.h"
#include "shared/program.h"
#include "tls/session_store.h"

#define NAME "pqsessions"
#define SESSIONS_MAX 10000000
#define LIFETIME_S 86400
#define SECOND 1000000000ULL

static const char usage[] =
    "pqsessions [-n SESSIONS]\n"
    "\n"
    "Fills a store of that capacity (default 100000) with sessions as they are after mutual handshakes, "
    "finds\n"
    "each, and puts as many again, for which the oldest go. Prints what that took as a JSON object.\n"
    "\n"
    "Exit code 0: it did; 1: it could not; 2: wrong usage.\n";

struct found {
    uint64_t empty, full, again; /* resident bytes */
    double put_us, get_us;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static int resident(uint64_t *bytes, struct err *e)
{
    auto_fclose FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long all, pages;
    if (f == NULL || fscanf(f, "%llu %llu", &all, &pages) != 2)
        return err_set(e, ERR_IO, "/proc/self/statm cannot be read");
    *bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

/* The id of the number's session: its first bytes are spread as random ones are. */
static void make_id(uint64_t number, unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH])
{
    uint64_t spread = (number + 1) * 0x9e3779b97f4a7c15u;
    memset(id, 0, SSL_MAX_SSL_SESSION_ID_LENGTH);
    memcpy(id, &spread, sizeof spread);
    spread ^= spread >> 29;
    memcpy(id + sizeof spread, &spread, sizeof spread);
    memcpy(id + 2 * sizeof spread, &number, sizeof number);
}

/* What a device's certificate leaves in its session. */
static size_t make_data(uint64_t number, unsigned char out[TLS_SESSION_DATA_MAX])
{
    struct tls_peer peer = {.present = true, .not_after = (int64_t)time(NULL) + LIFETIME_S};
    snprintf(peer.common_name, sizeof peer.common_name, "gateway-%08llu", (unsigned long long)number);
    memset(peer.issuer, 'a', sizeof peer.issuer - 1);
    snprintf(peer.serial, sizeof peer.serial, "5eed%028llx", (unsigned long long)number);
    snprintf(peer.fingerprint, sizeof peer.fingerprint, "%064llx", (unsigned long long)number);
    return tls_session_data_encode((int64_t)time(NULL), &peer, out);
}

static int put_some(struct tls_sessions *s, uint64_t first, uint64_t count, struct err *e)
{
    struct tls_session one = {.cipher = {0x13, 0x02}, .psk_n = TLS_PSK_MAX};
    int rc = rand_bytes(one.psk, one.psk_n, e);
    for (uint64_t i = first; i < first + count && rc == 0; i++) {
        make_id(i, one.id);
        one.data_n = make_data(i, one.data);
        rc = tls_sessions_put(s, &one);
        if (rc != 0)
            rc = err_set(e, rc, "session %llu could not be kept", (unsigned long long)i);
    }
    return rc;
}

static int get_all(struct tls_sessions *s, uint64_t count, struct err *e)
{
    struct tls_session one;
    uint64_t there = 0;
    for (uint64_t i = 0; i < count; i++) {
        make_id(i, one.id);
        there += tls_sessions_get(s, one.id, &one);
    }
    /* Where its shards are not filled evenly, a few go before it is full. */
    return there >= count - count / 10 ? 0
                                       : err_set(e, ERR_NOT_FOUND, "of %llu sessions only %llu are there",
                                                 (unsigned long long)count, (unsigned long long)there);
}

static int measure(uint64_t n, struct found *f, struct err *e)
{
    struct tls_sessions *s = NULL;
    int rc = resident(&f->empty, e);
    if (rc == 0)
        rc = tls_sessions_new((size_t)n, LIFETIME_S, &s, e);
    uint64_t began = now_ns();
    if (rc == 0)
        rc = put_some(s, 0, n, e);
    f->put_us = (double)(now_ns() - began) / 1e3 / (double)n;
    if (rc == 0)
        rc = resident(&f->full, e);
    began = now_ns();
    if (rc == 0)
        rc = get_all(s, n, e);
    f->get_us = (double)(now_ns() - began) / 1e3 / (double)n;
    if (rc == 0)
        rc = put_some(s, n, n, e);
    if (rc == 0)
        rc = resident(&f->again, e);
    if (rc == 0)
        printf("{\"sessions\":%zu,\"bytes_each\":%.1f,\"bytes\":%llu,\"bytes_after_as_many\":%llu,"
               "\"put_us\":%.3f,\"get_us\":%.3f}\n",
               tls_sessions_count(s), (double)(f->full - f->empty) / (double)n,
               (unsigned long long)(f->full - f->empty), (unsigned long long)(f->again - f->empty), f->put_us,
               f->get_us);
    tls_sessions_free(s);
    return rc;
}

static int parse(int argc, char **argv, uint64_t *n, struct err *e)
{
    *n = 100000;
    const struct command_option rows[] = {{"n", 'n', .count = n, .least = 1000, .most = SESSIONS_MAX},
                                          {NULL}};
    int rc = command_parse(usage, rows, argc, argv, e);
    return rc != 0 ? rc : command_no_operand(argc, argv, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    uint64_t n;
    struct found found = {0};
    int code = program_begin(NAME, parse(argc, argv, &n, &e), &e);
    if (code >= 0)
        return code;
    if (measure(n, &found, &e) != 0)
        return program_fail(NAME, PROGRAM_ERRORS, &e);
    return fflush(stdout) == 0 ? PROGRAM_GOOD : PROGRAM_ERRORS;
}
