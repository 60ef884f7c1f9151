/* Any bytes as what a session carries: what is taken reads as the same peer after it was written again. */
#include <stdlib.h>
#include <string.h>

#include "tls/identity.h"
#include "tls/session_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool same(const struct tls_peer *a, const struct tls_peer *b)
{
    return a->present == b->present && a->not_after == b->not_after &&
           strcmp(a->common_name, b->common_name) == 0 && strcmp(a->san, b->san) == 0 &&
           strcmp(a->issuer, b->issuer) == 0 && strcmp(a->serial, b->serial) == 0 &&
           strcmp(a->fingerprint, b->fingerprint) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_peer peer, again;
    int64_t at = 0, at_again = 0;
    unsigned char *copy = malloc(size > 0 ? size : 1), out[TLS_SESSION_DATA_MAX];
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    int rc = tls_session_data_decode(copy, size, &at, &peer);
    free(copy);
    if (rc != 0)
        return 0;
    if (peer.expired || !ends(peer.common_name, sizeof peer.common_name) ||
        !ends(peer.san, sizeof peer.san) || !ends(peer.issuer, sizeof peer.issuer) ||
        !ends(peer.serial, sizeof peer.serial) || !ends(peer.fingerprint, sizeof peer.fingerprint))
        abort();
    size_t n = tls_session_data_encode(at, &peer, out);
    if (n > sizeof out || tls_session_data_decode(out, n, &at_again, &again) != 0 || at_again != at ||
        !same(&peer, &again))
        abort();
    return 0;
}
