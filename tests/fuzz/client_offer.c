/* Any bytes as the server's answer to a poll: what is taken from it is as the agent may use it. The first
   byte chooses how much memory the reader has. */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARTIFACT_MOST (1u << 30)

static void check_good(const struct client_state *st)
{
    if (st->state != PQOTA_IDLE || st->action == 0 || st->action > INT32_MAX || st->size == 0 ||
        st->size > ARTIFACT_MOST || !client_is_name(st->name) || !client_is_name(st->version) ||
        !client_is_name(st->filename) || !client_is_sha256(str_of(st->sha256)))
        abort();
    size_t n = strlen(st->path);
    if (n < 2 || n >= CLIENT_PATH_SIZE || st->path[0] != '/' || st->path[1] == '/')
        abort();
    for (size_t i = 0; i < n; i++) /* nothing that ends a request line or begins a header */
        if (st->path[i] <= 0x20 || st->path[i] >= 0x7F)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pools[] = {256, 4096, 16384, 262144};
    if (size < 1 || size > 16384)
        return 0;
    size_t n = size - 1, pool_size = pools[data[0] % (sizeof pools / sizeof *pools)];
    char *body = malloc(n + 16); /* the reader's own room after the text, no more */
    void *pool = malloc(pool_size);
    char why[PQOTA_TEXT_SIZE] = "";
    struct client_state st;
    if (body == NULL || pool == NULL)
        abort();
    memcpy(body, data + 1, n);
    memset(&st, 0xA5, sizeof st);
    const struct client_offer_limits limits = {.artifact_most = ARTIFACT_MOST, .wait_if_free = true};
    switch (client_offer_read(body, n, pool, pool_size, &limits, &st, why)) {
    case OFFER_GOOD:
        check_good(&st);
        break;
    case OFFER_WAITING:
        if (st.action == 0 || st.action > INT32_MAX || st.name[0] == '\0' || st.version[0] == '\0')
            abort();
        break;
    case OFFER_UNUSABLE:
        if (st.action == 0 || st.action > INT32_MAX || why[0] == '\0' || strlen(why) >= PQOTA_TEXT_SIZE)
            abort();
        break;
    case OFFER_BROKEN: /* untouched */
        if (*(const unsigned char *)&st != 0xA5)
            abort();
    }
    free(pool);
    free(body);
    return 0;
}
