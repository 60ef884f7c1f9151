/*
 * A server for the tests of the agent's connections, in a process of its own: real TLS by src/tls, real
 * certificates by src/pki, and answers as the test wants them.
 */
#ifndef PQOTA_TEST_PEER_H
#define PQOTA_TEST_PEER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "bench.h"
#include "pki/pki.h"

#define PEER_FILE_SIZE 200000
#define PEER_DAY 86400

struct peer_shared { /* in memory that both processes see */
    /* what the test wants */
    atomic_int status;     /* of GET /api/firmware/latest and /api/update; 0: 404 and 204 */
    atomic_int refuse_new; /* 403 to a certificate that begins after `new_after` */
    atomic_int drop_reply; /* so many answers are lost after the request was understood */
    atomic_int wrong_key;  /* certificates are for another key */
    atomic_int bad_roots;  /* 1: the roots in answers are no certificates; 2: of another authority */
    atomic_llong cert_from, cert_to; /* validity of what is issued, seconds from now */
    atomic_int body_cut;             /* the connection ends after so many bytes of the file */
    /* what happened */
    atomic_int handshakes, failed_handshakes, requests;
    char request[4096]; /* the last one's head */
    char serial[80];    /* of the certificate that it came with, "" none */
};

struct peer {
    struct bench *bench;
    struct peer_shared *s;
    char roots[BENCH_PATH], other_roots[BENCH_PATH], device_roots[BENCH_PATH];
    char url[64];
    int port;
    pid_t pid;
};

/* from, to: the server certificate's validity, in seconds from now. */
void peer_init(struct peer *p, struct bench *b, int64_t from, int64_t to);
void peer_fini(struct peer *p);

#endif
