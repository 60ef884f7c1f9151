/* What pqota says of a target beside its length and hashes: the target's member "custom". */
#ifndef PQOTA_TRUST_CUSTOM_H
#define PQOTA_TRUST_CUSTOM_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/err.h"
#include "base/str.h"

#define TRUST_ADVISORY_MAX 1024 /* bytes */

struct trust_custom {         /* texts are views; numbers are 0 when they are left out */
    struct str name, version; /* of the release; str_is_name */
    struct str model;         /* it fits this one alone; str_is_name */
    struct str type;          /* of the module: "os", "application" */
    int64_t sequence;         /* of the release for the model, 1 and up: what is later */
    int64_t unpacked_size;    /* bytes after decompression */
    int64_t upgrade_from;     /* lowest sequence that can go to it in one step */
    int64_t counter;          /* nothing below a counter that was once confirmed is installed again */
    bool security;            /* mends a weakness */
    struct str advisory;      /* for people */
};
int trust_custom_read(yyjson_val *custom, struct trust_custom *out, struct err *e) MUST_CHECK;

/* The target's path: "<model>/<name>/<version>/<filename>", each a str_is_name. false: it does not fit. */
bool trust_target_path(struct str model, struct str name, struct str version, struct str filename, char *out,
                       size_t size);
/* The delegated role that signs for a model: "model-<model>". */
bool trust_model_role(struct str model, char *out, size_t size);
/* The model that a delegated role signs for; .p NULL: it is no model's role. */
struct str trust_role_model(struct str role);

#endif
