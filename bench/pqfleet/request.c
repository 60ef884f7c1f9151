/* A request's bytes: who asks is said in each. */
#include "pqfleet/fleet.h"

#include <openssl/sha.h>

#include "base/file.h"
#include "base/hex.h"

#define TOKENS_MAX (256U << 20) /* bytes of the file */
#define NUMBER_DIGITS 7

static int write_identity(const struct fleet *f, const struct unit *u, struct buf *out)
{
    const struct options *o = f->options;
    if (o->gateway_token != NULL)
        return buf_printf(out, "Authorization: GatewayToken %s\r\n", o->gateway_token);
    if (u->token != NULL)
        return buf_printf(out, "Authorization: TargetToken %s\r\n", u->token);
    /* As bench/fleet_rows.py has it: certificates that were never made are told apart by the id's SHA-1. */
    char id[DEVICE_ID_MAX], hex[SHA1_HEX_SIZE];
    unsigned char sha1[SHA1_SIZE];
    device_id(&f->sim, &u->device, id);
    SHA1((const unsigned char *)id, strlen(id), sha1);
    hex_encode(sha1, sizeof sha1, hex);
    return buf_printf(out, "X_Pqota_Client: verify=SUCCESS; serial=f1ee%.28s; sha1=%s; issuer=%s\r\n", hex,
                      hex, o->issuer);
}

int request_write(const struct fleet *f, const struct unit *u, const struct ask *a, struct buf *out,
                  struct err *e)
{
    buf_clear(out);
    int rc = buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pqfleet/" PQOTA_VERSION "\r\n",
                        a->method, a->path, f->options->authority);
    if (rc == 0)
        rc = write_identity(f, u, out);
    if (rc == 0 && a->body_n > 0)
        rc = buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", a->body_n);
    if (rc == 0)
        rc = buf_add_str(out, STR("\r\n"));
    if (rc == 0 && a->body_n > 0)
        rc = buf_add(out, a->body, a->body_n);
    return rc == 0 ? 0 : err_set(e, rc, "a request is longer than %d bytes", FLEET_REQUEST_MAX);
}

/* --- tokens -------------------------------------------------------------------------------------------- */

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= OPTIONS_SECRET_MAX;
}

/* The fleet's device of that id, or NULL. */
static struct unit *find(struct fleet *f, struct str id)
{
    const struct options *o = f->options;
    size_t n = strlen(o->id_prefix);
    uint64_t number;
    if (id.n != n + NUMBER_DIGITS || memcmp(id.p, o->id_prefix, n) != 0 ||
        str_to_u64((struct str){id.p + n, NUMBER_DIGITS}, OPTIONS_NUMBER_MAX, &number) != 0 ||
        number < o->first || number - o->first >= o->devices)
        return NULL;
    return &f->units[number - o->first];
}

int request_read_tokens(struct fleet *f, struct err *e)
{
    const struct options *o = f->options;
    int rc = file_read(o->tokens_file, TOKENS_MAX, &f->tokens, e);
    if (rc != 0)
        return rc;
    struct str rest = buf_str(&f->tokens), line, id;
    for (size_t number = 1; str_split(&rest, '\n', &line); number++) {
        if (line.n == 0)
            continue;
        struct str token = line;
        if (!str_split(&token, ' ', &id) || !is_token(token))
            return err_set(e, ERR_INVALID, "%s, line %zu: it must be \"ID TOKEN\"", o->tokens_file, number);
        struct unit *u = find(f, id);
        if (u == NULL)
            continue;
        f->tokens.p[token.p - f->tokens.p + (ptrdiff_t)token.n] = '\0'; /* where the line ended */
        u->token = token.p;
    }
    for (uint64_t i = 0; i < o->devices; i++) {
        char id_text[DEVICE_ID_MAX];
        device_id(&f->sim, &f->units[i].device, id_text);
        if (f->units[i].token == NULL)
            return err_set(e, ERR_NOT_FOUND, "%s has no token of %s", o->tokens_file, id_text);
    }
    return 0;
}
