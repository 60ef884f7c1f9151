#include "pqload/identity.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Cuts the next field off the line, NUL-terminated; NULL when there is none. */
static char *next_field(char **rest)
{
    char *field = strsep(rest, " \t");
    while (field != NULL && *field == '\0')
        field = strsep(rest, " \t");
    return field;
}

static int read_line(const struct options *o, char *line, size_t number, struct identity *out, struct err *e)
{
    out->cert = next_field(&line);
    out->key = next_field(&line);
    const char *path = next_field(&line);
    if (out->cert == NULL || out->key == NULL || next_field(&line) != NULL)
        return err_set(e, ERR_INVALID, "%s: line %zu is not CERT KEY [PATH]", o->identities, number);
    if (path != NULL && !options_path_ok(path))
        return err_set(e, ERR_INVALID,
                       "%s: line %zu: the path must begin with / and have no other characters "
                       "than a request's",
                       o->identities, number);
    out->path = path != NULL ? path : o->path;
    return 0;
}

static int read_file(const struct options *o, struct identities *all, struct err *e)
{
    int rc = file_read(o->identities, IDENTITIES_FILE_MAX, &all->text, e);
    if (rc != 0)
        return rc;
    all->rows = calloc(IDENTITIES_MAX, sizeof *all->rows);
    if (all->rows == NULL)
        return err_set(e, ERR_NOMEM, "no memory for identities");
    char *rest = all->text.p;
    for (size_t number = 1; rc == 0 && rest != NULL; number++) {
        char *line = strsep(&rest, "\n");
        if (*line == '\0')
            continue;
        if (all->count == IDENTITIES_MAX)
            return err_set(e, ERR_TOO_LARGE, "%s has more than %d lines", o->identities, IDENTITIES_MAX);
        rc = read_line(o, line, number, &all->rows[all->count], e);
        all->count++;
    }
    if (rc == 0 && all->count == 0)
        return err_set(e, ERR_INVALID, "%s names nobody: a line is CERT KEY [PATH]", o->identities);
    return rc;
}

static int read_all(const struct options *o, struct identities *all, struct err *e)
{
    if (o->identities != NULL)
        return read_file(o, all, e);
    all->rows = calloc(1, sizeof *all->rows);
    if (all->rows == NULL)
        return err_set(e, ERR_NOMEM, "no memory for an identity");
    all->rows[0] = (struct identity){.cert = o->cert, .key = o->key, .path = o->path};
    all->count = 1;
    return 0;
}

int identity_context(const struct options *o, const struct identity *who, struct tls_ctx **out, struct err *e)
{
    struct tls_config c = {.role = TLS_CLIENT,
                           .ca_file = o->ca,
                           .cert_file = who->cert,
                           .key_file = who->key,
                           .kem = o->kem,
                           .sig = o->sig,
                           .alpn = "http/1.1",
                           .remember = o->mode == MODE_RESUMED};
    int rc = tls_ctx_new(&c, out, e);
    if (rc == 0) { /* one system call for many records: the load stays cheap */
        SSL_CTX_set_read_ahead(tls_ctx_ssl(*out), 1);
        SSL_CTX_set_default_read_buffer_len(tls_ctx_ssl(*out), IDENTITY_BUFFER);
    }
    return rc;
}

int identities_make(const struct options *o, struct identities *out, struct err *e)
{
    auto_buf struct buf body;
    *out = (struct identities){0};
    buf_init(&out->text, IDENTITIES_FILE_MAX);
    buf_init(&body, REQUEST_BODY_MAX);
    int rc = o->body != NULL ? file_read(o->body, REQUEST_BODY_MAX, &body, e) : 0;
    if (rc == 0)
        rc = read_all(o, out, e);
    for (size_t i = 0; i < out->count && rc == 0; i++) {
        struct identity *who = &out->rows[i];
        rc = request_make(o, who->path, buf_str(&body), &who->request, e);
        if (rc == 0)
            rc = identity_context(o, who, &who->tls, e);
    }
    return rc;
}

void identities_fini(struct identities *all)
{
    for (size_t i = 0; i < all->count; i++) {
        request_fini(&all->rows[i].request);
        tls_ctx_free(all->rows[i].tls);
    }
    free(all->rows);
    buf_fini(&all->text);
}
