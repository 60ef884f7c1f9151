/* Any bytes as the stored state, sealed or not: what is read is in range, and is written and read again the
   same. */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No hash, but the same for the same bytes: the fuzzer must get past the seal. */
static int begin(void *ctx)
{
    memset(ctx, 0, 32);
    return PQOTA_OK;
}

static int update(void *ctx, const void *data, size_t n)
{
    (void)ctx;
    (void)data;
    (void)n;
    return PQOTA_OK;
}

static int finish(void *ctx, unsigned char out[32])
{
    memcpy(out, ctx, 32);
    return PQOTA_OK;
}

#define SEAL "sha256=0000000000000000000000000000000000000000000000000000000000000000\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char sum[32];
    const struct pqota_sha256 sha = {.ctx = sum, .begin = begin, .update = update, .finish = finish};
    struct client_state st, again;
    char text[PQOTA_STATE_SIZE];
    if (size > PQOTA_STATE_SIZE)
        return 0;
    char *sealed = malloc(size + sizeof SEAL);
    if (sealed == NULL)
        abort();
    memcpy(sealed, data, size);
    memcpy(sealed + size, SEAL, sizeof SEAL - 1);
    if (client_state_read(sealed, size + sizeof SEAL - 1, &sha, &st) == PQOTA_OK) {
        if (st.state > PQOTA_REPORTING || st.outcome > PQOTA_FAILED ||
            (st.state != PQOTA_IDLE && st.action == 0) ||
            (st.state != PQOTA_IDLE && st.state != PQOTA_REPORTING && st.have > st.size))
            abort();
        size_t n = client_state_write(&st, &sha, text);
        if (n > 0 && (client_state_read(text, n, &sha, &again) != PQOTA_OK || again.action != st.action ||
                      strcmp(again.path, st.path) != 0 || again.size != st.size))
            abort();
    }
    free(sealed);
    return 0;
}
