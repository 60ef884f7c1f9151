/* A device without a server: a test says what it is answered, and looks at what it asks. */
#ifndef TESTS_UNIT_BENCH_PQFLEET_PLAY_H
#define TESTS_UNIT_BENCH_PQFLEET_PLAY_H

#include "pqfleet/device.h"

#define PLAY_BASE "/DEFAULT/controller/v1/fleet-0000001"
#define PLAY_SHA1 "0123456789012345678901234567890123456789"
#define PLAY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* of nothing */

struct play {
    struct options options;
    struct counts counts;
    struct sim sim;
    struct device device;
    char *fates; /* what the fate file has */
    size_t fates_n;
};

/* One device, which succeeds unless p->options.rates are changed before its first offer. */
void play_begin(struct play *p, enum protocol_kind protocol);
/* It asks "METHOD PATH" with a body that has that in it (NULL: none), and is answered so. */
void play(struct play *p, const char *asks, const char *body, int status, const char *answer);
/* The same for an artifact. */
void play_fetch(struct play *p, const char *asks, int status, uint64_t length, const char *sha256);
/* The same without any answer. */
void play_lost(struct play *p, const char *asks);
/* What the fate file has in all. */
void play_fates(struct play *p, const char *lines);
/* Ends the device and frees all. */
void play_end(struct play *p);

#endif
