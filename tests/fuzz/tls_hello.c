/* Any bytes as a client's first record: looked at, and chosen of, and nothing more. A store with one session
   makes both answers possible: its id is what a seed offers. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/choice.h"
#include "tls/records.h"

#define DAY 86400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_rules rules = {.role = TLS_SERVER, .alpn = "\x08http/1.1"};
static struct tls_ctx ctx = {.rules = &rules};
static const struct tls_conn conn = {.ctx = &ctx};

static void check(bool good)
{
    if (!good)
        abort();
}

static void make_server(void)
{
    struct err e;
    struct tls_session one = {.psk_n = 48, .cipher = {0x13, 0x02}};
    memset(one.id, 'i', sizeof one.id);
    one.data_n = tls_session_data_encode(time(NULL), &(struct tls_peer){0}, one.data);
    check(tls_sessions_new(1, DAY, &rules.sessions, &e) == 0 && tls_sessions_put(rules.sessions, &one) == 0);
    check(tls_algs_resolve(NULL, NULL, NULL, &rules.algs, &e) == 0);
    check(tls_suites_new(&ctx.suites, &e) == 0);
}

static void put_extension(struct wire_out *w, unsigned type, const void *p, size_t n)
{
    wire_put_number(w, type, 2);
    wire_put_number(w, n, 2);
    wire_put(w, p, n);
}

/* The smallest message that offers the session: what mutation may begin with. */
static size_t make_seed(unsigned char *out, size_t size)
{
    static const unsigned char random[32], after_id[] = {0, 0, 0, 0, 0, 49, 48}, binder[48];
    struct wire_out w = {.p = out, .size = size};
    wire_put(&w, "\x16\x03\x01", 3);
    size_t record = wire_begin(&w, 2);
    wire_put(&w, "\x01", 1);
    size_t message = wire_begin(&w, 3);
    wire_put(&w, "\x03\x03", 2);
    wire_put(&w, random, sizeof random);
    wire_put(&w, "\x00\x00\x02\x13\x02\x01\x00", 7); /* no session of old, a suite, no compression */
    size_t extensions = wire_begin(&w, 2);
    put_extension(&w, 43, "\x02\x03\x04", 3);
    put_extension(&w, 10, "\x00\x02\x11\xec", 4);
    put_extension(&w, 51, "\x00\x07\x11\xec\x00\x03key", 9);
    put_extension(&w, 45, "\x01\x01", 2);
    put_extension(&w, 16, "\x00\x09\x08http/1.1", 11);
    wire_put_number(&w, 41, 2);
    size_t keys = wire_begin(&w, 2);
    wire_put(&w, "\x00\x26\x00\x20", 4);
    for (int i = 0; i < 32; i++)
        wire_put(&w, "i", 1);
    wire_put(&w, after_id, sizeof after_id);
    wire_put(&w, binder, sizeof binder);
    wire_end(&w, keys, 2);
    wire_end(&w, extensions, 2);
    wire_end(&w, message, 3);
    wire_end(&w, record, 2);
    check(!w.bad);
    return w.n;
}

static bool choose(const uint8_t *record, size_t n)
{
    struct tls_choice c = {0};
    bool chosen = tls_choose(&conn, record, n, &c);
    if (chosen) {
        const unsigned char *end = record + n;
        check(c.share.p >= record && c.share.p + c.share.n <= end);
        check(c.binder.p >= record && c.binder.p + c.binder.n <= end && c.binder.n == c.suite->secret_n);
        check(c.offer.before_binders < c.offer.message.n);
    }
    return chosen;
}

static void check_seed(void)
{
    unsigned char seed[512];
    size_t n = make_seed(seed, sizeof seed);
    check(choose(seed, n) && !choose(seed, n - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (rules.sessions == NULL) {
        make_server();
        check_seed();
    }
    unsigned char *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data, size);
    (void)choose(exact, size);
    /* The same with the record around it as it should be, so that more gets behind its first bytes. */
    if (size > 9) {
        exact[0] = TLS_HANDSHAKE;
        exact[3] = (unsigned char)((size - 5) >> 8);
        exact[4] = (unsigned char)(size - 5);
        exact[5] = 1;
        exact[6] = 0;
        exact[7] = (unsigned char)((size - 9) >> 8);
        exact[8] = (unsigned char)(size - 9);
        (void)choose(exact, size);
    }
    free(exact);
    return 0;
}
