/* TLS contexts for the listeners, from the settings. */
#include <limits.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "server/server.h"

#define ROOTS_MAX (4u << 20)

/* Devices and operators have roots of their own; the handshake takes either, and the application tells them
   apart by the key that issued. OpenSSL wants them in one file. */
static int write_client_roots(const struct server_config *c, char path[PATH_MAX], struct err *e)
{
    auto_buf struct buf both, one;
    buf_init(&both, 2 * ROOTS_MAX);
    buf_init(&one, ROOTS_MAX);
    int rc = file_read(c->device_roots, ROOTS_MAX, &both, e);
    if (rc == 0)
        rc = file_read(c->operator_roots, ROOTS_MAX, &one, e);
    if (rc != 0)
        return rc;
    both.max = 2 * ROOTS_MAX; /* file_read leaves its own bound */
    if (buf_add(&both, "\n", 1) != 0 || buf_add_str(&both, buf_str(&one)) != 0)
        return err_set(e, ERR_NOMEM, "no memory for the roots of %s and %s", c->device_roots,
                       c->operator_roots);
    if (file_join(path, PATH_MAX, c->data_dir, "client-roots.pem") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path %s is too long", c->data_dir);
    return file_write_atomic(path, both.p, both.n, 0644, e);
}

int server_tls_context(const struct server_config *c, struct tls_sessions *sessions,
                       struct tls_verified *verified, struct tls_ctx **out, struct err *e)
{
    *out = NULL;
    if (!c->tls)
        return 0;
    char roots[PATH_MAX];
    int rc = write_client_roots(c, roots, e);
    if (rc != 0)
        return rc;
    const struct tls_config config = {
        .role = TLS_SERVER,
        .crypto = c->tls_crypto,
        .policy = c->tls_policy,
        .kem = str_or_null(c->tls_kem),
        .sig = str_or_null(c->tls_sig),
        .cert_file = c->tls_certificate,
        .key_file = c->tls_key,
        .ca_file = roots,
        .verify = TLS_VERIFY_OPTIONAL,
        .accept_expired_peer = true,
        .sessions = sessions,
        .verified = verified,
        .alpn = "http/1.1",
        .read_ahead = true,
        .hold_ticket = true,
    };
    return tls_ctx_new(&config, out, e);
}

int server_console_context(const struct server_config *c, struct tls_sessions *sessions, struct tls_ctx **out,
                           struct err *e)
{
    *out = NULL;
    if (!c->console)
        return 0;
    const struct tls_config config = {
        .role = TLS_SERVER,
        .crypto = c->tls_crypto,
        .policy = "browser",
        .cert_file = c->console_certificate,
        .key_file = c->console_key,
        .second_cert_file = c->tls ? c->tls_certificate : NULL,
        .second_key_file = c->tls ? c->tls_key : NULL,
        .own_at_any_time = true,
        .verify = TLS_INSECURE_NO_VERIFY,
        .sessions = sessions,
        .alpn = "http/1.1",
        .read_ahead = true,
        .hold_ticket = true,
    };
    return tls_ctx_new(&config, out, e);
}

int server_classical_context(const struct server_config *c, struct tls_sessions *sessions,
                             struct tls_ctx **out, struct err *e)
{
    *out = NULL;
    if (!c->classical)
        return 0;
    const struct tls_config config = {
        .role = TLS_SERVER,
        .crypto = c->tls_crypto,
        .policy = "insecure_classical",
        .cert_file = c->classical_certificate,
        .key_file = c->classical_key,
        .verify = TLS_INSECURE_NO_VERIFY,
        .sessions = sessions,
        .alpn = "http/1.1",
        .read_ahead = true,
        .hold_ticket = true,
    };
    return tls_ctx_new(&config, out, e);
}
