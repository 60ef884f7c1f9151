#include "net/stats.h"

const char *const close_reason_text[CLOSE_REASONS] = {
    [CLOSE_PEER] = "closed by the peer",
    [CLOSE_PEER_EARLY] = "closed by the peer in the middle of an exchange",
    [CLOSE_DONE] = "done",
    [CLOSE_HANDSHAKE] = "the handshake failed",
    [CLOSE_HANDSHAKE_SLOW] = "the handshake took too long",
    [CLOSE_BUSY] = "turned away: too many handshakes wait",
    [CLOSE_HEADER_SLOW] = "the request's head took too long",
    [CLOSE_BODY_SLOW] = "the request's body came too slowly",
    [CLOSE_WRITE_SLOW] = "the reply was read too slowly",
    [CLOSE_IDLE] = "idle",
    [CLOSE_PROTOCOL] = "not valid HTTP",
    [CLOSE_IO] = "the connection broke",
    [CLOSE_NO_MEMORY] = "out of memory",
    [CLOSE_DRAIN] = "the server is stopping",
};

const int64_t net_latency_bounds[NET_LATENCY_BUCKETS - 1] = {
    50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 500000, 2500000, 10000000,
};
