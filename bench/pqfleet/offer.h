/* What a server offers a device, in either protocol, and the links in it. */
#ifndef BENCH_PQFLEET_OFFER_H
#define BENCH_PQFLEET_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/str.h"

#define OFFER_ARTIFACTS_MAX 32
#define OFFER_ACTION_MAX INT32_MAX /* clients keep it in 32 bits */
#define OFFER_PATH_MAX 768         /* bytes of a link's path and query */

struct offer_file {
    struct str path; /* of its URL, with the query */
    uint64_t size;
    uint8_t sha256[SHA256_SIZE];
};

/* The texts are the JSON document's. */
struct offer {
    int64_t action;
    struct str version;
    bool download, install; /* now, or neither yet */
    bool window;            /* there is a maintenance window: installing may come later */
    struct offer_file files[OFFER_ARTIFACTS_MAX];
    size_t file_count;
};

/* The path and query of an http or https URL, or of a link that begins with "/"; printable, without blanks.
   The name in it is not looked at: whom the fleet speaks with, the command line says. */
int offer_path(struct str href, struct str *out, struct err *e) MUST_CHECK;
/* Adds a file of that URL, size and SHA-256 in hex. */
int offer_add(struct offer *o, struct str href, yyjson_val *size, struct str sha256,
              struct err *e) MUST_CHECK;
/* What must be a text that a version may be. */
int offer_version(yyjson_val *v, struct str *out, struct err *e) MUST_CHECK;

#endif
