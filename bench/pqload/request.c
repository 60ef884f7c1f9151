#include "pqload/request.h"

#include <string.h>

static void find_number(struct request *r, size_t from)
{
    const char *end = r->text.p + r->text.n;
    for (const char *p = r->text.p + from; p < end; p++) {
        size_t n = 0;
        while (p + n < end && p[n] == '#')
            n++;
        if (n >= REQUEST_NUMBER_LEAST) {
            r->number_at = (size_t)(p - r->text.p);
            r->number_n = n < REQUEST_NUMBER_MOST ? n : REQUEST_NUMBER_MOST;
            return;
        }
        p += n;
    }
}

int request_make(const struct options *o, const char *path, struct str body, struct request *out,
                 struct err *e)
{
    struct buf *b = &out->text;
    *out = (struct request){0};
    buf_init(b, REQUEST_MAX);
    int rc = buf_printf(b, "%s %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: pqload/" PQOTA_VERSION "\r\n",
                        o->method, path, o->host, o->port);
    for (size_t i = 0; i < o->header_count && rc == 0; i++)
        rc = buf_printf(b, "%s\r\n", o->headers[i]);
    if (rc == 0 && o->body != NULL)
        rc = buf_printf(b, "Content-Length: %zu\r\n", body.n);
    if (rc == 0)
        rc = buf_add_str(b, STR("\r\n"));
    size_t head = b->n;
    if (rc == 0)
        rc = buf_add_str(b, body);
    if (rc != 0)
        return err_set(e, rc, "the request is larger than %d bytes", REQUEST_MAX);
    find_number(out, head);
    return 0;
}

void request_fini(struct request *r)
{
    buf_fini(&r->text);
}

void request_number(const struct request *r, char *text, uint64_t number)
{
    for (size_t i = r->number_n; i > 0; i--, number /= 10)
        text[r->number_at + i - 1] = (char)('0' + number % 10);
}
