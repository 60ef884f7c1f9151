/* What the network side counts, for the metrics page. Counters only grow. */
#ifndef PQOTA_NET_STATS_H
#define PQOTA_NET_STATS_H

#include <stdint.h>

enum close_reason {
    CLOSE_PEER,       /* the peer closed, between requests */
    CLOSE_PEER_EARLY, /* the peer closed inside a request or reply */
    CLOSE_DONE,       /* our reply said "close" */
    CLOSE_HANDSHAKE,  /* the handshake failed */
    CLOSE_HANDSHAKE_SLOW,
    CLOSE_BUSY, /* more handshakes wait than could be served in time */
    CLOSE_HEADER_SLOW,
    CLOSE_BODY_SLOW,
    CLOSE_WRITE_SLOW,
    CLOSE_IDLE,
    CLOSE_PROTOCOL, /* not HTTP, or not ours */
    CLOSE_IO,
    CLOSE_NO_MEMORY,
    CLOSE_DRAIN, /* the server is stopping */
    CLOSE_REASONS
};

extern const char *const close_reason_text[CLOSE_REASONS];

#define NET_LATENCY_BUCKETS 14
/* Upper bounds in microseconds; the last bucket takes what is above. */
extern const int64_t net_latency_bounds[NET_LATENCY_BUCKETS - 1];

struct net_stats {
    uint64_t accepted, refused_limit, refused_address, accept_failed;
    uint64_t handshakes_full, handshakes_resumed, handshakes_failed, handshakes_classical;
    uint64_t handshakes_turned_away, handshakes_waiting; /* the second a gauge */
    uint64_t requests[6];                                /* by hundreds of the status: [2] is 2xx */
    uint64_t bytes_in, bytes_out;                        /* of HTTP, before TLS */
    uint64_t by_kernel; /* responses of which a file's bytes were encrypted by the kernel */
    uint64_t closed[CLOSE_REASONS];
    uint64_t latency[NET_LATENCY_BUCKETS];
    uint64_t latency_sum_us;
    uint64_t open; /* a gauge */
};

#endif
