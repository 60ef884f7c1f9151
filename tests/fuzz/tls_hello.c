/* Any bytes as a client's first record: looked at and nothing more. A store with one session makes both
   answers possible: its id is what a seed offers. */
#include <stdlib.h>
#include <string.h>

#include "tls/hello.h"
#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_sessions *sessions;

static bool resumes(const uint8_t *record, size_t n)
{
    struct tls_offer offer;
    unsigned index;
    return tls_offer_read(record, n, &offer) && tls_offer_session(&offer, sessions, &index) != NULL;
}

static void make_store(void)
{
    struct err e;
    struct tls_session one = {.psk_n = 48, .cipher = {0x13, 0x02}};
    memset(one.id, 'i', sizeof one.id);
    one.data_n = tls_session_data_encode(1, &(struct tls_peer){0}, one.data);
    if (tls_sessions_new(1, 60, &sessions, &e) != 0 || tls_sessions_put(sessions, &one) != 0)
        abort();
}

/* The smallest message that offers the session: what mutation may begin with. */
static void check_seed(void)
{
    unsigned char hello[160] = {22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3};
    size_t at = 11 + 32;
    const unsigned char rest[] = {0, 0, 2, 0x13, 2, 1, 0, 0, 79, 0, 41, 0, 75, 0, 38, 0, 32};
    const unsigned char binders[] = {0, 33, 32};
    memcpy(hello + at, rest, sizeof rest);
    at += sizeof rest;
    memset(hello + at, 'i', 32);
    at += 32 + 4;
    memcpy(hello + at, binders, sizeof binders);
    at += sizeof binders + 32;
    hello[4] = (unsigned char)(at - 5);
    hello[8] = (unsigned char)(at - 9);
    if (!resumes(hello, at) || resumes(hello, at - 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sessions == NULL) {
        make_store();
        check_seed();
    }
    unsigned char *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data, size);
    (void)resumes(exact, size);
    free(exact);
    return 0;
}
