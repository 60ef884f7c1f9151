/* Any sequence of contents under good keys, some damaged on the way: what is opened is what was sealed,
   lies within its record, and renewing keys keeps both sides together. Each piece of the input: a length,
   flags, the content with its type as the last byte that is not zero. */
#include <stdlib.h>
#include <string.h>

#include "tls/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_suites *suites;

static void check(bool good)
{
    if (!good)
        abort();
}

static void begin(struct tls_records *r, unsigned id, unsigned char in, unsigned char out)
{
    *r = (struct tls_records){0};
    memset(r->in.secret, in, sizeof r->in.secret);
    memset(r->out.secret, out, sizeof r->out.secret);
    check(tls_records_begin(r, tls_suite_of(suites, id), 0, 0) == 0);
}

/* The server after a KeyUpdate that it took: the client's key moves on as well. */
static void follow(struct tls_records *client)
{
    unsigned char record[TLS_SEALED_MAX];
    size_t n;
    uint64_t seq = client->out.seq;
    check(tls_records_renew(client, record, &n) == 0);
    check(client->out.seq == 0 && seq > 0);
}

/* Answers whether the connection goes on. */
static bool one(struct tls_records *client, struct tls_records *server, const uint8_t *content, size_t n,
                bool damage)
{
    unsigned char *record = malloc(TLS_SEALED_MAX);
    size_t length = 0;
    struct tls_content_found found;
    bool answer = false;
    check(record != NULL);
    check(tls_records_seal(client, (enum tls_content)0, content, n, record, &length) == 0);
    check(tls_record_length(record, length) == length);
    unsigned char *exact = realloc(record, length);
    check(exact != NULL);
    if (damage)
        exact[length - 1 - content[0] % (length - TLS_HEADER_SIZE)] ^= 0x40;
    int alert = tls_records_open(server, exact, length, &found);
    check(!damage || alert != 0);
    if (alert == 0) {
        check(found.p >= exact + TLS_HEADER_SIZE && found.p + found.n < exact + length && found.n < n);
        check(memcmp(found.p, content, found.n) == 0 && content[found.n] == (uint8_t)found.type);
        uint64_t before = server->in.seq;
        if (found.type == TLS_HANDSHAKE)
            alert = tls_records_message(server, &found, &answer);
        if (alert == 0 && server->in.seq < before)
            follow(client);
    }
    free(exact);
    return alert == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_records client, server;
    struct err e;
    if (suites == NULL)
        check(tls_suites_new(&suites, &e) == 0);
    if (size < 1)
        return 0;
    unsigned id = 0x1301 + data[0] % 3;
    begin(&client, id, 's', 'c');
    begin(&server, id, 'c', 's');
    for (size_t at = 1; at + 2 < size;) {
        size_t n = data[at] % 32 + 1U;
        bool damage = data[at + 1] == 0xff;
        at += 2;
        if (n > size - at)
            n = size - at;
        if (!one(&client, &server, data + at, n, damage))
            break;
        at += n;
    }
    return 0;
}
