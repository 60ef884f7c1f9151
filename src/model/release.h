/* A release: a name and a version, the files of its modules, the models it fits. */
#ifndef PQOTA_MODEL_RELEASE_H
#define PQOTA_MODEL_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define RELEASE_MODELS_MAX 16
#define RELEASE_NOTES_MAX 4096 /* bytes */
#define RELEASE_ARTIFACTS_MAX 16
#define RELEASE_TYPE_DEFAULT "os"

enum release_state { RELEASE_DRAFT, RELEASE_SIGNED, RELEASE_PUBLISHED };

struct artifact {
    const char *filename;
    const char *sha256; /* lower-case hex */
    int64_t size;       /* bytes */
};

/* Texts live in the arena that the record was read into. Times are Unix milliseconds, 0 for never. */
struct release {
    int64_t pk;
    const char *name, *version, *notes, *created_by;
    enum release_state state;
    int64_t created_at, published_at, deleted_at;
    const char **models; /* in alphabetical order; filled by store_release_details */
    size_t model_count;
    int64_t sequence;           /* for one model, or the highest; 0 when unpublished */
    struct artifact *artifacts; /* in the order of their filenames; filled by store_release_details */
    size_t artifact_count;
};

const char *release_state_word(enum release_state s);
int release_state_parse(struct str word, enum release_state *out) MUST_CHECK;

/* "gw1,gw2" into at most RELEASE_MODELS_MAX names, sorted, each a str_is_name, none twice. */
int release_parse_models(struct str list, struct arena *a, const char ***models, size_t *count,
                         struct err *e) MUST_CHECK;
/* What a publisher names: name, version, filename and type are str_is_name, notes are text. */
int release_check_names(struct str name, struct str version, struct str filename, struct str type,
                        struct str notes, struct err *e) MUST_CHECK;
/* A copy with all its texts in the arena; ERR_NOMEM when that is exhausted. */
int release_copy(const struct release *r, struct arena *a, struct release *out) MUST_CHECK;
bool release_fits(const struct release *r, const char *model); /* models must be filled */

#endif
