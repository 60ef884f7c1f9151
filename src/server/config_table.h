/* The table of settings and what its types read: shared by the files of server/config, by nothing else. */
#ifndef PQOTA_SERVER_CONFIG_TABLE_H
#define PQOTA_SERVER_CONFIG_TABLE_H

#include "base/str.h"
#include "server/config.h"

#define CONFIG_FILE_MAX 262144
#define CONFIG_VALUE_MAX 1024 /* bytes of one value */

enum config_type {
    CONFIG_BOOL,   /* bool */
    CONFIG_INT,    /* int64_t in [min, max] */
    CONFIG_SIZE,   /* int64_t in [min, max], K, M, G and T being powers of 1024 */
    CONFIG_MODE,   /* int64_t, octal */
    CONFIG_ENUM,   /* an enum, by its place among the choices */
    CONFIG_CHOICE, /* text, one of the choices */
    CONFIG_TEXT,   /* text, may be empty */
    CONFIG_URL,    /* http or https with nothing after the host's port, or empty */
    CONFIG_LISTEN, /* text, a list of addresses with ports */
    CONFIG_NETS,   /* text, a list of addresses and networks, may be empty */
    CONFIG_PATH,   /* path, relative to the file's folder */
    CONFIG_KEY,    /* path, or a URI that OSSL_STORE opens */
};

struct config_row {
    const char *section, *key;
    enum config_type type;
    size_t offset;       /* in struct server_config */
    const char *initial; /* the default as it would stand in the file */
    int64_t min, max;
    const char *const *choices; /* ended by NULL */
    const char *help;
};

struct config_section {
    const char *name;
    const char *help;
};

extern const struct config_row config_rows[];
extern const size_t config_row_count;
extern const struct config_section config_sections[];
extern const size_t config_section_count;
#define CONFIG_ROWS_MAX 128

const struct config_row *config_find(const char *section, const char *key);

/* Reads a value into its place in *out; texts and paths go to the arena. `folder` is what paths are relative
   to. The error names the value and what it may be, not the place. */
int config_value_set(const struct config_row *row, struct str value, const char *folder, struct arena *a,
                     struct server_config *out, struct err *e) MUST_CHECK;
/* "yes or no", "a whole number from 1 to 365", ... */
int config_value_rule(const struct config_row *row, struct buf *out) MUST_CHECK;

#endif
