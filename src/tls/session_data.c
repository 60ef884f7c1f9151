#include "tls/session_data.h"

#include <openssl/ssl.h>
#include <string.h>

size_t tls_session_data_encode(int64_t verified_at, const struct tls_peer *peer,
                               unsigned char out[TLS_SESSION_DATA_MAX])
{
    memcpy(out, &verified_at, sizeof verified_at); /* it never leaves this process */
    return sizeof verified_at + tls_peer_encode(peer, out + sizeof verified_at);
}

int tls_session_data_decode(const void *p, size_t n, int64_t *verified_at, struct tls_peer *peer)
{
    int64_t at;
    if (p == NULL || n < sizeof at)
        return ERR_CORRUPT;
    memcpy(&at, p, sizeof at);
    int rc = tls_peer_decode((const unsigned char *)p + sizeof at, n - sizeof at, peer);
    if (rc == 0)
        *verified_at = at;
    return rc;
}

int tls_session_data_of(SSL_SESSION *session, int64_t *verified_at, struct tls_peer *peer)
{
    void *p = NULL;
    size_t n = 0;
    if (session == NULL || !SSL_SESSION_get0_ticket_appdata(session, &p, &n))
        return ERR_NOT_FOUND;
    return tls_session_data_decode(p, n, verified_at, peer);
}
