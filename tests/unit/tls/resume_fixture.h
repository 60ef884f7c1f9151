/* Visits of OpenSSL's client at a server that resumes. */
#ifndef PQOTA_TESTS_RESUME_FIXTURE_H
#define PQOTA_TESTS_RESUME_FIXTURE_H

#include <openssl/ssl.h>

#include "tls/tls_impl.h"
#include "tls_fixture.h"

/* A server's context, and OpenSSL's client with a session of it. */
struct rig {
    struct tls_sessions *store;
    struct tls_ctx *server;
    SSL_CTX *theirs;
    SSL_SESSION *session;
};

/* One connection of it. The server's handshake is stepped, the client's side is OpenSSL's. */
struct visit {
    int fd[2];
    struct tls_conn *conn;
    SSL *ssl;
    struct err e;
    bool ours; /* OpenSSL did not see it */
};

/* policy and kem may be NULL. */
void rig_make(struct rig *r, const char *policy, const char *kem, bool with_certificate);
void rig_free(struct rig *r);
struct tls_config rig_config(const struct rig *r); /* of the server, for another context of it */
/* A handshake, a request, its answer; the client keeps the ticket. Whether it was resumed, and by us. */
bool rig_visit(struct rig *r);

void visit_begin(struct rig *r, struct visit *v);
void visit_end(struct visit *v);
/* The server's next step; and both in turns until the server is done or has failed. */
enum tls_step visit_step(struct visit *v);
enum tls_step visit_shake(struct visit *v);

#endif
