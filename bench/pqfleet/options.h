/* What pqfleet is told on its command line. */
#ifndef BENCH_PQFLEET_OPTIONS_H
#define BENCH_PQFLEET_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define OPTIONS_DEVICES_MAX 1000000
#define OPTIONS_NUMBER_MAX 9999999 /* of a device: seven digits */
#define OPTIONS_CONNECTIONS_MAX 60000
#define OPTIONS_SECONDS_MAX 86400.0
#define OPTIONS_PREFIX_MAX 32 /* bytes */
#define OPTIONS_SECRET_MAX 256
#define OPTIONS_ISSUER_MAX 512
#define OPTIONS_ATTRIBUTES_MAX 8
#define OPTIONS_ATTRIBUTE_MAX 200 /* bytes of one, key and value */

enum protocol_kind { PROTOCOL_NATIVE, PROTOCOL_DDI };

enum download { DOWNLOAD_NONE, DOWNLOAD_HEAD, DOWNLOAD_FULL };

struct rates {
    double fail, vanish, hang, fall_back; /* shares of all attempts; together at most 1 */
    double deny;                          /* share of consents that are refused */
};

struct options {
    enum protocol_kind protocol;
    bool unix_socket;
    char host[256]; /* without the brackets of an IPv6 address; of a Unix socket "localhost" */
    char port[6];
    char authority[264]; /* what the field Host says */
    const char *socket;  /* path of the Unix socket */
    const char *tenant, *gateway_token, *tokens_file, *issuer;
    const char *id_prefix, *version, *bad_version, *fate_file;
    const char *attributes[OPTIONS_ATTRIBUTES_MAX]; /* KEY=VALUE */
    size_t attribute_count;
    uint64_t devices, first, seed, connections;
    double interval, jitter, install, timeout, seconds, backoff; /* seconds; jitter a share of the interval */
    struct rates rates;
    enum download download;
    uint64_t plan; /* attempts to print the plan of; 0: no plan, but the fleet itself */
    bool stay, progress;
};

/* 0, 1 when help was printed, or an error. The texts are argv's. */
int options_parse(int argc, char **argv, struct options *out, struct err *e) MUST_CHECK;
/* "http://HOST[:PORT]" or "unix:PATH". */
int options_parse_server(const char *text, struct options *o, struct err *e) MUST_CHECK;

#endif
