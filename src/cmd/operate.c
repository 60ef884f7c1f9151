#include "cmd/operate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/text.h"

#define ARENA_MAX (256u << 20)
#define SETTINGS_MAX 262144
#define ANSWER_LINE_MAX 16

int operate_init(struct operate *op, const struct line_args *args)
{
    *op = (struct operate){
        .args = args, .json = line_has(args, "json"), .now_ms = clock_unix_ms(&clock_system)};
    arena_init(&op->arena, ARENA_MAX);
    arena_init(&op->settings, SETTINGS_MAX);
    buf_init(&op->path, REST_PATH_MAX);
    struct profile_places places = profile_usual_places;
    places.option = line_get(args, "profile");
    const char *path = NULL;
    int rc = profile_find(&places, &op->settings, &path, &op->err);
    if (rc != 0) /* not "what was asked for is not there": nothing was asked yet */
        return op->err.code = ERR_INVALID;
    rc = profile_read(path, &op->settings, &op->profile, &op->err);
    if (rc != 0)
        return op->err.code = ERR_INVALID;
    unsigned mode;
    if (profile_key_exposed(&op->profile, &mode))
        fprintf(stderr, "pqota %s: warning: others may read the key %s (mode %03o); run: chmod 600 %s\n",
                args->name, op->profile.key, mode, op->profile.key);
    return rest_new(&op->profile, &op->rest, &op->err);
}

void operate_fini(struct operate *op)
{
    rest_free(op->rest);
    buf_fini(&op->path);
    arena_fini(&op->arena);
    arena_fini(&op->settings);
}

int operate_fail(struct operate *op)
{
    int code = cmd_fail(op->args->name, &op->err);
    bool nobody = op->rest != NULL && rest_unanswered(op->rest);
    return nobody && code == CMD_FAILED ? CMD_UNREACHABLE : code;
}

int operate_path(struct operate *op, const char *base, ...)
{
    buf_clear(&op->path);
    int rc = buf_printf(&op->path, "%s", base);
    va_list ap;
    va_start(ap, base);
    for (const char *s; rc == 0 && (s = va_arg(ap, const char *)) != NULL;) {
        rc = rest_add_segment(&op->path, s);
        if (rc != 0)
            (void)err_set(&op->err, rc, "\"%.128s\" is no name", s);
    }
    va_end(ap);
    return rc;
}

int operate_query(struct operate *op, const char *key, const char *value)
{
    int rc = rest_add_query(&op->path, key, value);
    return rc == 0 ? 0 : err_set(&op->err, rc, "--%s is too long", key);
}

int operate_query_options(struct operate *op, const char *const *names)
{
    for (; *names != NULL; names++) {
        int rc = operate_query(op, *names, line_get(op->args, *names));
        if (rc != 0)
            return rc;
    }
    return 0;
}

int operate_call(struct operate *op, const char *method, yyjson_mut_doc *body, yyjson_doc **doc)
{
    auto_json yyjson_doc *answer = NULL;
    struct str text = {0};
    if (body != NULL) {
        text = json_write(body, &op->arena);
        if (text.p == NULL)
            return err_set(&op->err, ERR_INVALID, "what was given is not valid UTF-8 text");
    }
    int rc = rest_call(op->rest, method, op->path.p, text.p, &answer, &op->err);
    if (rc != 0 || doc == NULL)
        return rc;
    if (!yyjson_is_obj(yyjson_doc_get_root(answer)))
        return err_set(&op->err, ERR_INVALID, "the server's answer is no JSON object; is %s a pqota server?",
                       op->profile.server);
    *doc = answer;
    answer = NULL;
    return 0;
}

/* --- lists ---------------------------------------------------------------------------------------------- */

/* One page from op->path, whose length without the paging is `base`. */
static int get_page(struct operate *op, size_t base, int64_t want, const char *after, yyjson_doc **page)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)(want < OPERATE_PAGE ? want : OPERATE_PAGE));
    op->path.n = base;
    op->path.p[base] = '\0';
    int rc = operate_query(op, "limit", number);
    if (rc == 0)
        rc = operate_query(op, "after", after);
    if (rc == 0)
        rc = operate_call(op, "GET", NULL, page);
    if (rc == 0 && !yyjson_is_arr(yyjson_obj_get(yyjson_doc_get_root(*page), "items")))
        return err_set(&op->err, ERR_INVALID,
                       "the server's answer is no list; is %s a pqota server of this version?",
                       op->profile.server);
    return rc;
}

static int64_t add_items(yyjson_mut_doc *all, yyjson_mut_val *items, yyjson_val *page_items, int64_t room)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(page_items);
    int64_t n = 0;
    for (yyjson_val *v; n < room && (v = yyjson_arr_iter_next(&it)) != NULL; n++)
        if (!yyjson_mut_arr_append(items, yyjson_val_mut_copy(all, v)))
            return -1;
    return n;
}

int operate_collect(struct operate *op, int64_t left, yyjson_mut_doc **out)
{
    auto_json_mut yyjson_mut_doc *all = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = all != NULL ? yyjson_mut_obj(all) : NULL,
                   *items = root != NULL ? yyjson_mut_arr(all) : NULL;
    if (items == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for the list");
    yyjson_mut_doc_set_root(all, root);
    yyjson_mut_obj_add_val(all, root, "items", items);
    size_t base = op->path.n;
    int empty = 0; /* pages in a row: looking for what is rare, the server says where to go on */
    const char *next = line_get(op->args, "after");
    while (left > 0) {
        auto_json yyjson_doc *page = NULL;
        int rc = get_page(op, base, left, next, &page);
        if (rc != 0)
            return rc;
        yyjson_val *top = yyjson_doc_get_root(page);
        int64_t n = add_items(all, items, yyjson_obj_get(top, "items"), left);
        if (n < 0)
            return err_set(&op->err, ERR_NOMEM, "no memory for the list; use a smaller --limit");
        left -= n;
        struct str cursor = operate_str(top, "next");
        next = cursor.n > 0 ? arena_dup_str(&op->arena, cursor) : NULL;
        empty = n == 0 ? empty + 1 : 0;
        if (next == NULL || empty > OPERATE_EMPTY_MAX)
            break;
    }
    bool added = next != NULL ? yyjson_mut_obj_add_strcpy(all, root, "next", next)
                              : yyjson_mut_obj_add_null(all, root, "next");
    if (!added)
        return err_set(&op->err, ERR_NOMEM, "no memory for the list; use a smaller --limit");
    *out = all;
    all = NULL;
    return 0;
}

int operate_list(struct operate *op, yyjson_mut_doc **out)
{
    int64_t limit;
    if (line_number(op->args, "limit", 1, OPERATE_LIST_MAX, OPERATE_LIST_DEFAULT, &limit) != 0)
        return err_set(&op->err, ERR_INVALID, "nothing was asked");
    return operate_collect(op, limit, out);
}

static int write_json(struct operate *op, char *text)
{
    if (text == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory to print the answer");
    fputs(text, stdout);
    fputc('\n', stdout);
    free(text);
    return 0;
}

/* On a terminal nothing that a device wrote goes out raw: characters beyond ASCII as \uXXXX. */
static yyjson_write_flag json_flags(void)
{
    return isatty(STDOUT_FILENO) ? YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_ESCAPE_UNICODE
                                 : YYJSON_WRITE_PRETTY_TWO_SPACES;
}

int operate_print_json(struct operate *op, yyjson_doc *doc)
{
    return write_json(op, yyjson_write(doc, json_flags(), NULL));
}

int operate_print_grid(struct operate *op, const struct grid *t)
{
    int rc = grid_print(t, stdout, grid_terminal_width(stdout));
    return rc == 0 ? 0 : err_set(&op->err, rc, "no memory for the table; use a smaller --limit, or --json");
}

int operate_show_list(struct operate *op, const struct operate_listing *listing)
{
    auto_json_mut yyjson_mut_doc *list = NULL;
    int64_t limit;
    if (line_number(op->args, "limit", 1, OPERATE_LIST_MAX, OPERATE_LIST_DEFAULT, &limit) != 0)
        return CMD_USAGE;
    if (operate_list(op, &list) != 0)
        return operate_fail(op);
    if (op->json)
        return write_json(op, yyjson_mut_write(list, json_flags(), NULL)) == 0 ? CMD_OK : operate_fail(op);
    auto_json yyjson_doc *doc = yyjson_mut_doc_imut_copy(list, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc), *items = yyjson_obj_get(root, "items"), *item;
    struct grid t;
    grid_init(&t, &op->arena, listing->columns, listing->count);
    yyjson_arr_iter it = yyjson_arr_iter_with(items);
    while ((item = yyjson_arr_iter_next(&it)) != NULL)
        listing->row(op, &t, item);
    if (yyjson_arr_size(items) == 0)
        fprintf(stderr, "%s\n", listing->none);
    if (operate_print_grid(op, &t) != 0)
        return operate_fail(op);
    if (operate_str(root, "next").n > 0)
        fprintf(stderr, "There are more than these %zu; --limit NUMBER shows more.\n",
                yyjson_arr_size(items));
    return CMD_OK;
}

/* --- questions ------------------------------------------------------------------------------------------ */

int operate_confirm(struct operate *op, const char *fmt, ...)
{
    if (line_has(op->args, "yes"))
        return 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        (void)line_wrong(op->args, "this cannot be undone and there is no terminal to ask on: add --yes");
        return CMD_USAGE;
    }
    char line[ANSWER_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs(" [y/N] ", stderr);
    fflush(stderr);
    bool yes =
        fgets(line, sizeof line, stdin) != NULL && (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0);
    if (yes)
        return 0;
    fputs("Nothing was done.\n", stderr);
    return CMD_FAILED;
}

/* --- members -------------------------------------------------------------------------------------------- */

struct str operate_str(yyjson_val *obj, const char *key)
{
    return json_text(yyjson_obj_get(obj, key));
}

int64_t operate_int(yyjson_val *obj, const char *key)
{
    return yyjson_get_sint(yyjson_obj_get(obj, key));
}

const char *operate_ago(struct operate *op, yyjson_val *obj, const char *key)
{
    int64_t ms;
    char text[TEXT_SHORT_MAX];
    if (text_parse_time(operate_str(obj, key), &ms) != 0)
        return "-";
    const char *s = arena_dup_str(&op->arena, str_of(text_ago(ms, op->now_ms, text)));
    return s != NULL ? s : "-";
}

const char *operate_when(struct operate *op, yyjson_val *obj, const char *key)
{
    int64_t ms;
    char ago[TEXT_SHORT_MAX], full[CLOCK_TEXT_MAX];
    if (text_parse_time(operate_str(obj, key), &ms) != 0)
        return "-";
    clock_format(ms, full);
    const char *s =
        arena_printf(&op->arena, "%.10s %.8s UTC, %s", full, full + 11, text_ago(ms, op->now_ms, ago));
    return s != NULL ? s : "-";
}

struct str operate_joined(struct operate *op, yyjson_val *array)
{
    struct str all = {0};
    yyjson_arr_iter it = yyjson_arr_iter_with(array);
    yyjson_val *v;
    while ((v = yyjson_arr_iter_next(&it)) != NULL) {
        if (!yyjson_is_str(v))
            continue;
        struct str one = {.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
        all = str_of(arena_printf(&op->arena, STR_FMT "%s" STR_FMT, (int)all.n, all.n > 0 ? all.p : "",
                                  all.n > 0 ? ", " : "", STR_ARG(one)));
    }
    return all;
}

const char *operate_release(struct operate *op, yyjson_val *obj, const char *key)
{
    yyjson_val *r = yyjson_obj_get(obj, key);
    if (!yyjson_is_obj(r))
        return "-";
    struct str name = operate_str(r, "name"), version = operate_str(r, "version");
    const char *s = arena_printf(&op->arena, "%.*s %.*s", (int)name.n, name.n > 0 ? name.p : "",
                                 (int)version.n, version.n > 0 ? version.p : "");
    return s != NULL ? s : "-";
}

void operate_properties(struct operate *op, struct grid *t)
{
    static const struct grid_column two[] = {{NULL, GRID_LEFT}, {NULL, GRID_LEFT}};
    grid_init(t, &op->arena, two, 2);
}

void operate_property(struct grid *t, const char *name, struct str value)
{
    grid_cell_z(t, name);
    grid_cell(t, value);
}

yyjson_mut_doc *operate_body(yyjson_mut_val **root)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (*root == NULL) {
        yyjson_mut_doc_free(doc);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, *root);
    return doc;
}

int operate_first_line(struct operate *op, const char *option, struct str *out)
{
    const char *file = line_get(op->args, option);
    auto_buf struct buf text;
    buf_init(&text, OPERATE_FILE_MAX);
    if (file == NULL)
        return 0;
    int rc = file_read(file, OPERATE_FILE_MAX, &text, &op->err);
    if (rc != 0)
        return rc;
    struct str rest = buf_str(&text), line = {0};
    (void)str_split(&rest, '\n', &line);
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    const char *kept = arena_dup(&op->arena, line.n > 0 ? line.p : "", line.n);
    if (kept == NULL)
        rc = err_set(&op->err, ERR_NOMEM, "no memory for the first line of %s", file);
    else
        *out = (struct str){.p = kept, .n = line.n};
    explicit_bzero(text.p, text.n);
    return rc;
}
