/* Software modules: named files with a version and a type; releases are made of them. Times are Unix
   milliseconds, 0 for never. Texts belong to an arena. */
#ifndef PQOTA_MODEL_MODULE_H
#define PQOTA_MODEL_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define MODULE_TEXT_MAX 128             /* bytes of a name or a vendor */
#define MODULE_DESCRIPTION_MAX 512      /* bytes */
#define MODULE_METADATA_MAX 100         /* entries of one module */
#define MODULE_METADATA_BYTES_MAX 32768 /* and what their keys and values take together */
#define MODULE_KEY_MAX 128              /* bytes of an entry's key */
#define MODULE_VALUE_MAX 4000           /* and of its value */
#define RELEASE_MODULES_MAX 32          /* of one release */

struct module {
    int64_t pk;
    const char *name, *version, *type;
    const char *vendor, *description; /* NULL: not said */
    bool encrypted;
    int64_t created_at, deleted_at;
    const char *created_by; /* "" for what came with a firmware */
};

struct module_artifact {
    int64_t pk, module;
    const char *filename;
    const char *sha256;     /* lower-case hex, like the others */
    const char *sha1, *md5; /* NULL: not computed yet */
    int64_t size;           /* bytes */
    int64_t created_at;
};

struct module_metadata {
    const char *key, *value;
    bool visible; /* to devices */
};

/* What people call modules and sets of them, and what of it can stand in a link's text: 1 to MODULE_TEXT_MAX
   bytes of text on one line, with no blank at either end. */
bool module_is_name(struct str s);

/* The types that there are, hawkBit's. */
struct module_type {
    int64_t id;
    const char *key, *name, *description;
    int max; /* of this type in one set */
};
struct set_type {
    int64_t id;
    const char *key, *name, *description;
    const char *mandatory, *optional; /* module types; optional NULL: none */
};
extern const struct module_type module_types[];
extern const size_t module_type_count;
extern const struct set_type set_types[];
extern const size_t set_type_count;
/* NULL: there is none. */
const struct module_type *module_type_find(struct str key);
const struct set_type *set_type_find(struct str key);

#endif
