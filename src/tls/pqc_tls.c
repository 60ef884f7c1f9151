/* The public, blocking interface: the steps of tls.h, with poll and a deadline around them. */
#include "pqc_tls.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tls/policy.h"
#include "tls/tls.h"

#define HANDSHAKE_MS 10000
#define IO_MS 30000
#define SESSIONS_KEPT 16384
#define SESSION_LIFETIME_S 86400

struct pqc_tls_ctx {
    struct tls_ctx *tls;
    enum tls_role role;
    int handshake_ms, io_ms;
};

struct pqc_tls_conn {
    struct tls_conn *tls;
    int fd;
    int io_ms;
    bool half_written; /* part of a record is out: the same bytes must be offered again, nothing else */
    bool write_failed; /* part of something may be out: more would follow it as if it were whole */
    bool said_goodbye; /* nothing may follow */
};

CLEANUP_DEFINE(ctx, struct pqc_tls_ctx, pqc_tls_free_ctx);

static void conn_free(struct pqc_tls_conn *conn)
{
    tls_conn_free(conn->tls);
    free(conn);
}
CLEANUP_DEFINE(conn, struct pqc_tls_conn, conn_free);

static _Thread_local char last_error[ERR_TEXT_MAX];

const char *pqc_tls_error(void)
{
    return last_error;
}

static void PRINTF_LIKE(1, 2) say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(last_error, sizeof last_error, fmt, ap);
    va_end(ap);
}

static pqc_tls_ctx_t make_ctx(struct tls_config *config, const char *kem)
{
    struct err e = {0};
    CLEANUP(ctx_cleanup) struct pqc_tls_ctx *ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL) {
        say("no memory for a TLS context");
        return NULL;
    }
    if (tls_policy_is_post_quantum(kem))
        config->policy = kem;
    else
        config->kem = kem;
    ctx->role = config->role;
    ctx->handshake_ms = HANDSHAKE_MS;
    ctx->io_ms = IO_MS;
    if (tls_ctx_new(config, &ctx->tls, &e) != 0) {
        say("%s", e.text);
        return NULL;
    }
    return take_ptr(ctx);
}

pqc_tls_ctx_t pqc_tls_create_server_ctx(const char *cert_file, const char *key_file, const char *ca_file,
                                        const char *kem_algorithm, const char *sig_algorithm,
                                        bool require_client_cert)
{
    struct tls_config config = {.role = TLS_SERVER,
                                .cert_file = cert_file,
                                .key_file = key_file,
                                .ca_file = ca_file,
                                .sig = sig_algorithm,
                                .verify = TLS_VERIFY_REQUIRE};
    if (!require_client_cert)
        config.verify = ca_file != NULL ? TLS_VERIFY_OPTIONAL : TLS_INSECURE_NO_VERIFY;
    struct err e = {0};
    if (tls_sessions_new(SESSIONS_KEPT, SESSION_LIFETIME_S, &config.sessions, &e) != 0) {
        say("%s", e.text);
        return NULL;
    }
    pqc_tls_ctx_t ctx = make_ctx(&config, kem_algorithm);
    tls_sessions_free(config.sessions); /* the context holds its own reference */
    return ctx;
}

pqc_tls_ctx_t pqc_tls_create_client_ctx(const char *cert_file, const char *key_file, const char *ca_file,
                                        const char *kem_algorithm, const char *sig_algorithm)
{
    struct tls_config config = {.role = TLS_CLIENT,
                                .cert_file = cert_file,
                                .key_file = key_file,
                                .ca_file = ca_file,
                                .sig = sig_algorithm,
                                .verify = TLS_VERIFY_REQUIRE,
                                .remember = true};
    return make_ctx(&config, kem_algorithm);
}

void pqc_tls_free_ctx(pqc_tls_ctx_t ctx)
{
    if (ctx == NULL)
        return;
    tls_ctx_free(ctx->tls);
    free(ctx);
}

int pqc_tls_set_timeout(pqc_tls_ctx_t ctx, int handshake_ms, int io_ms)
{
    if (ctx == NULL || handshake_ms < 1 || io_ms < 1) {
        say("pqc_tls_set_timeout needs a context and two deadlines of at least 1 ms");
        return -1;
    }
    ctx->handshake_ms = handshake_ms;
    ctx->io_ms = io_ms;
    return 0;
}

enum wait { WAIT_READY, WAIT_LATE, WAIT_ERROR };

/* Until the descriptor is ready for what the step wants, or the deadline has passed. */
static enum wait wait_for(int fd, enum tls_step step, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = step == TLS_WANT_READ ? POLLIN : POLLOUT};
    for (;;) {
        int64_t left = deadline - clock_mono_ms(&clock_system);
        if (left <= 0)
            return WAIT_LATE;
        int n = poll(&p, 1, (int)left);
        if (n > 0 && (p.revents & POLLNVAL) == 0)
            return WAIT_READY;
        if (n > 0)
            errno = EBADF;
        if (n > 0 || (n < 0 && errno != EINTR)) {
            say("cannot wait for the socket: %s", strerror(errno));
            return WAIT_ERROR;
        }
    }
}

static int64_t deadline_in(int ms)
{
    return clock_mono_ms(&clock_system) + ms;
}

static bool is_stream_socket(int fd)
{
    int type = 0;
    socklen_t n = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0)
        say("descriptor %d cannot carry TLS: %s", fd, strerror(errno));
    else if (type != SOCK_STREAM)
        say("descriptor %d is a socket, but not a stream", fd);
    else
        return true;
    return false;
}

static bool shake(struct tls_conn *tls, int fd, enum tls_role role, int ms)
{
    int64_t deadline = deadline_in(ms);
    for (;;) {
        struct err e = {0};
        enum tls_step step = tls_handshake(tls, &e);
        if (step == TLS_DONE)
            return true;
        if (step != TLS_WANT_READ && step != TLS_WANT_WRITE) {
            say("%s", e.text);
            return false;
        }
        enum wait w = wait_for(fd, step, deadline);
        if (w == WAIT_LATE)
            say("the %s stalled in the handshake: it was not done in %d ms",
                role == TLS_SERVER ? "client" : "server", ms);
        if (w != WAIT_READY)
            return false;
    }
}

static pqc_tls_conn_t begin(pqc_tls_ctx_t ctx, int fd, const char *host)
{
    if (!is_stream_socket(fd))
        return NULL;
    CLEANUP(conn_cleanup) struct pqc_tls_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        say("no memory for a TLS connection");
        return NULL;
    }
    conn->fd = fd;
    conn->io_ms = ctx->io_ms;
    struct err e = {0};
    if (tls_conn_new(ctx->tls, fd, host, &conn->tls, &e) != 0) {
        say("%s", e.text);
        return NULL;
    }
    return take_ptr(conn);
}

static pqc_tls_conn_t start(pqc_tls_ctx_t ctx, int fd, const char *host)
{
    CLEANUP(conn_cleanup) struct pqc_tls_conn *conn = begin(ctx, fd, host);
    if (conn == NULL || !shake(conn->tls, fd, ctx->role, ctx->handshake_ms))
        return NULL;
    return take_ptr(conn);
}

pqc_tls_conn_t pqc_tls_accept(pqc_tls_ctx_t ctx, int socket_fd)
{
    if (ctx == NULL || ctx->role != TLS_SERVER) {
        say("pqc_tls_accept needs a server's context");
        return NULL;
    }
    return start(ctx, socket_fd, NULL);
}

pqc_tls_conn_t pqc_tls_connect(pqc_tls_ctx_t ctx, int socket_fd, const char *host)
{
    if (ctx == NULL || ctx->role != TLS_CLIENT || host == NULL) {
        say("pqc_tls_connect needs a client's context and a host name");
        return NULL;
    }
    return start(ctx, socket_fd, host);
}

int pqc_tls_read(pqc_tls_conn_t conn, char *buffer, int size)
{
    if (conn == NULL || buffer == NULL || size < 1) {
        say("pqc_tls_read needs a connection and a buffer of at least one byte");
        return -1;
    }
    int64_t deadline = deadline_in(conn->io_ms);
    for (;;) {
        struct err e = {0};
        size_t n = 0;
        enum tls_step step = tls_read(conn->tls, buffer, (size_t)size, &n, &e);
        if (step == TLS_DONE)
            return (int)n;
        if (step == TLS_CLOSED)
            return 0;
        if (step == TLS_FAILED) {
            say("%s", e.text);
            return -1;
        }
        enum wait w = wait_for(conn->fd, step, deadline);
        if (w == WAIT_LATE)
            say("the peer sent nothing for %d ms", conn->io_ms);
        if (w != WAIT_READY)
            return -1;
    }
}

static bool write_all(pqc_tls_conn_t conn, const char *p, size_t left)
{
    int64_t deadline = deadline_in(conn->io_ms);
    while (left > 0) {
        struct err e = {0};
        size_t n = 0;
        enum tls_step step = tls_write(conn->tls, p, left, &n, &e);
        if (step == TLS_DONE) {
            p += n;
            left -= n;
            continue;
        }
        if (step != TLS_WANT_READ && step != TLS_WANT_WRITE) {
            say("%s", step == TLS_FAILED ? e.text : "the peer has closed the connection");
            return false;
        }
        enum wait w = wait_for(conn->fd, step, deadline);
        if (w == WAIT_LATE)
            say("the peer took too long to accept what was written: over %d ms", conn->io_ms);
        if (w != WAIT_READY)
            return false;
    }
    return true;
}

static bool may_write(const struct pqc_tls_conn *conn)
{
    if (conn->write_failed)
        say("an earlier write on this connection failed");
    else if (conn->said_goodbye)
        say("nothing can be written after the goodbye");
    return !conn->write_failed && !conn->said_goodbye;
}

int pqc_tls_write(pqc_tls_conn_t conn, const char *buffer, int size)
{
    if (conn == NULL || size < 0 || (buffer == NULL && size > 0)) {
        say("pqc_tls_write needs a connection and bytes");
        return -1;
    }
    if (!may_write(conn))
        return -1;
    if (size == 0)
        return 0;
    conn->write_failed = !write_all(conn, buffer, (size_t)size);
    conn->half_written = false;
    return conn->write_failed ? -1 : size;
}

void pqc_tls_close(pqc_tls_conn_t conn)
{
    if (conn == NULL)
        return;
    int64_t deadline = deadline_in(conn->io_ms);
    /* After half a record nothing may follow, so no goodbye either: the peer sees a cut, which it was. */
    while (!conn->half_written && !conn->write_failed && !conn->said_goodbye) {
        /* A goodbye that cannot be said changes nothing for the caller, who is leaving. */
        enum tls_step step = tls_shutdown(conn->tls, NULL);
        if ((step != TLS_WANT_READ && step != TLS_WANT_WRITE) ||
            wait_for(conn->fd, step, deadline) != WAIT_READY)
            break;
    }
    conn_free(conn);
}

void pqc_tls_free_conn(pqc_tls_conn_t conn)
{
    if (conn != NULL)
        conn_free(conn);
}

pqc_tls_conn_t pqc_tls_begin(pqc_tls_ctx_t ctx, int socket_fd, const char *host)
{
    if (ctx != NULL && (ctx->role == TLS_CLIENT) == (host != NULL))
        return begin(ctx, socket_fd, host);
    say("pqc_tls_begin needs a context, and a host name with a client's context only");
    return NULL;
}

/* done where the step is done, else what to wait for, or -1 with the reason told. */
static int answer(enum tls_step step, const struct err *e, int done)
{
    switch (step) {
    case TLS_DONE:
        return done;
    case TLS_WANT_READ:
        return PQC_TLS_WANT_READ;
    case TLS_WANT_WRITE:
        return PQC_TLS_WANT_WRITE;
    case TLS_CLOSED:
        say("the peer has closed the connection");
        return -1;
    default:
        say("%s", e->text);
        return -1;
    }
}

int pqc_tls_handshake(pqc_tls_conn_t conn)
{
    if (conn == NULL) {
        say("pqc_tls_handshake needs a connection");
        return -1;
    }
    struct err e = {0};
    return answer(tls_handshake(conn->tls, &e), &e, 0);
}

int pqc_tls_try_read(pqc_tls_conn_t conn, char *buffer, int size)
{
    if (conn == NULL || buffer == NULL || size < 1) {
        say("pqc_tls_try_read needs a connection and a buffer of at least one byte");
        return -1;
    }
    struct err e = {0};
    size_t n = 0;
    enum tls_step step = tls_read(conn->tls, buffer, (size_t)size, &n, &e);
    return step == TLS_CLOSED ? 0 : answer(step, &e, (int)n);
}

int pqc_tls_try_write(pqc_tls_conn_t conn, const char *buffer, int size)
{
    if (conn == NULL || buffer == NULL || size < 1) {
        say("pqc_tls_try_write needs a connection and at least one byte");
        return -1;
    }
    if (!may_write(conn))
        return -1;
    struct err e = {0};
    size_t n = 0;
    enum tls_step step = tls_write(conn->tls, buffer, (size_t)size, &n, &e);
    int rc = answer(step, &e, (int)n);
    conn->half_written = rc == PQC_TLS_WANT_WRITE;
    conn->write_failed = rc == -1;
    return rc;
}

int pqc_tls_try_shutdown(pqc_tls_conn_t conn)
{
    if (conn == NULL) {
        say("pqc_tls_try_shutdown needs a connection");
        return -1;
    }
    if (conn->said_goodbye)
        return 0;
    if (!may_write(conn))
        return -1;
    if (conn->half_written) {
        say("no goodbye in the middle of a record: the same bytes must be written again first");
        return -1;
    }
    struct err e = {0};
    int rc = answer(tls_shutdown(conn->tls, &e), &e, 0);
    conn->said_goodbye = rc == 0;
    return rc;
}

int pqc_tls_pending(pqc_tls_conn_t conn)
{
    size_t n = conn != NULL ? tls_pending(conn->tls) : 0;
    return n < INT_MAX ? (int)n : INT_MAX;
}

const char *pqc_tls_version(void)
{
    return PQOTA_VERSION;
}

static const struct tls_info *info(pqc_tls_conn_t conn)
{
    return tls_conn_info(conn->tls);
}

const char *pqc_tls_group(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->group : NULL;
}

const char *pqc_tls_signature(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->signature : NULL;
}

const char *pqc_tls_cipher(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->cipher : NULL;
}

const char *pqc_tls_peer_common_name(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->peer.common_name : NULL;
}

const char *pqc_tls_peer_san(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->peer.san : NULL;
}

const char *pqc_tls_peer_fingerprint(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->peer.fingerprint : NULL;
}

const char *pqc_tls_peer_serial(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->peer.serial : NULL;
}

const char *pqc_tls_peer_issuer(pqc_tls_conn_t conn)
{
    return conn != NULL ? info(conn)->peer.issuer : NULL;
}

long long pqc_tls_peer_not_after(pqc_tls_conn_t conn)
{
    return conn != NULL ? (long long)info(conn)->peer.not_after : 0;
}

bool pqc_tls_resumed(pqc_tls_conn_t conn)
{
    return conn != NULL && info(conn)->resumed;
}
