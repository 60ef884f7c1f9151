/*
 * What the operator's verbs share: the profile and the server behind it, lists that go on over several pages,
 * JSON for programs or tables for people, questions before something is destroyed, exit codes.
 */
#ifndef PQOTA_CMD_OPERATE_H
#define PQOTA_CMD_OPERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/line.h"
#include "cmd/profile.h"
#include "cmd/rest.h"
#include "cmd/grid.h"

#define OPERATE_LIST_DEFAULT 100 /* items that a list shows without --limit */
#define OPERATE_LIST_MAX 100000
#define OPERATE_PAGE 500       /* items asked for at once; the server's own limit */
#define OPERATE_FILE_MAX 8192  /* bytes of a file whose first line is asked for */
#define OPERATE_EMPTY_MAX 1000 /* pages in a row without an item */

struct operate {
    const struct line_args *args;
    bool json;
    struct profile profile;
    struct rest *rest;
    struct arena settings; /* holds the profile */
    struct arena arena;    /* texts and tables; may be reset in between */
    struct buf path;       /* of the request that is being put together */
    int64_t now_ms;
    struct err err;
};

/* Finds the profile and makes ready to ask. On failure err is filled; operate_fini is due in any case. */
int operate_init(struct operate *op, const struct line_args *args) MUST_CHECK;
void operate_fini(struct operate *op);
#define auto_operate __attribute__((cleanup(operate_fini)))

/* Says what went wrong on standard error; answers the exit code that fits. */
int operate_fail(struct operate *op);

/* Begin a path: operate_path(op, "/api/devices", id, "tags", tag, NULL). */
int operate_path(struct operate *op, const char *base, ...) MUST_CHECK __attribute__((sentinel));
int operate_query(struct operate *op, const char *key, const char *value) MUST_CHECK;
/* Adds those options among `names` (NULL-ended) that were given, under their own names. */
int operate_query_options(struct operate *op, const char *const *names) MUST_CHECK;

/* Sends op->path. *doc may be given as NULL when nothing of the answer is needed. */
int operate_call(struct operate *op, const char *method, yyjson_mut_doc *body, yyjson_doc **doc) MUST_CHECK;
/* GETs op->path and the pages after it, up to that many items: {"items":[...],"next":...}. */
int operate_collect(struct operate *op, int64_t limit, yyjson_mut_doc **out) MUST_CHECK;
/* The same up to --limit. */
int operate_list(struct operate *op, yyjson_mut_doc **out) MUST_CHECK;

/* Prints the answer as JSON on standard output. */
int operate_print_json(struct operate *op, yyjson_doc *doc) MUST_CHECK;
/* With --json the list as JSON; else a table of it, each item by `row`; `none` when it is empty. Answers an
   exit code. */
struct operate_listing {
    const struct grid_column *columns;
    size_t count;
    void (*row)(struct operate *op, struct grid *t, yyjson_val *item);
    const char *none; /* "No devices." */
};
int operate_show_list(struct operate *op, const struct operate_listing *listing);
int operate_print_grid(struct operate *op, const struct grid *t) MUST_CHECK;

/* Asks on the terminal, unless --yes; without a terminal --yes is needed. 0, or what to end with. */
int operate_confirm(struct operate *op, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* --- members of the server's answers: what is missing or of another kind shows as nothing --------- */

struct str operate_str(yyjson_val *obj, const char *key);
int64_t operate_int(yyjson_val *obj, const char *key);
/* "3 min ago" of a member that is a time. */
const char *operate_ago(struct operate *op, yyjson_val *obj, const char *key);
/* "2026-11-22 13:26:49 UTC, 3 min ago". */
const char *operate_when(struct operate *op, yyjson_val *obj, const char *key);
/* Strings of an array, joined by ", ". */
struct str operate_joined(struct operate *op, yyjson_val *array);
/* "name version" of a member that is a release. */
const char *operate_release(struct operate *op, yyjson_val *obj, const char *key);
/* A list of properties: rows of a table with two columns. */
void operate_properties(struct operate *op, struct grid *t);
void operate_property(struct grid *t, const char *name, struct str value);
/* The first line of the file that this option names, without its end: a secret does not belong into the list
   of processes. In op->arena; p stays NULL where the option is not there. */
int operate_first_line(struct operate *op, const char *option, struct str *out) MUST_CHECK;
/* A new document whose root is an object, for a body (auto_json_mut). NULL when there is no memory. */
yyjson_mut_doc *operate_body(yyjson_mut_val **root) MUST_CHECK;

#endif
