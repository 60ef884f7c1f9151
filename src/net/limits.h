/* How many connections an address has, over all loops. Bounded memory, one lock per shard. */
#ifndef PQOTA_NET_LIMITS_H
#define PQOTA_NET_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address_counts;

/* The part of an address that is counted: an IPv4 address, or an IPv6 /64 (what one customer gets). */
struct address_key {
    unsigned char bytes[16];
};

struct address_counts *address_counts_new(void); /* NULL: no memory */
void address_counts_free(struct address_counts *c);
struct address_key address_key_of(const struct sockaddr_storage *ss);
/* Counts one more if that leaves it at most max; false when it does not (or without memory). */
bool address_counts_take(struct address_counts *c, const struct address_key *key, size_t max);
void address_counts_drop(struct address_counts *c, const struct address_key *key);

#endif
