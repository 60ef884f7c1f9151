/* `pqota events`: what happened, newest first; or as it happens. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/operate.h"
#include "cmd/text.h"
#include "cmd/verbs.h"

#define FOLLOW_PAGES_MAX 20 /* pages read back at most between two looks */
#define FOLLOW_SECONDS 2
#define FOLLOW_FIRST 10 /* events shown before following */

static const char *const filters[] = {"subject", "kind", NULL};

static const struct grid_column columns[] = {
    {"WHEN", GRID_LEFT}, {"KIND", GRID_LEFT},    {"WHO", GRID_LEFT},
    {"FROM", GRID_LEFT}, {"SUBJECT", GRID_LEFT}, {"DETAIL", GRID_LEFT},
};

/* The detail is text, or an object that is shown as its JSON. */
static struct str detail_of(struct operate *op, yyjson_val *event)
{
    yyjson_val *d = yyjson_obj_get(event, "detail");
    if (!yyjson_is_obj(d) && !yyjson_is_arr(d))
        return operate_str(event, "detail");
    char *text = yyjson_val_write(d, YYJSON_WRITE_NOFLAG, NULL);
    struct str copy = str_of(text != NULL ? arena_dup_str(&op->arena, str_of(text)) : NULL);
    free(text);
    return copy;
}

static void list_row(struct operate *op, struct grid *t, yyjson_val *v)
{
    grid_cell_z(t, operate_ago(op, v, "at"));
    grid_cell(t, operate_str(v, "kind"));
    grid_cell(t, operate_str(v, "who"));
    grid_cell(t, operate_str(v, "address"));
    grid_cell(t, operate_str(v, "subject"));
    grid_cell(t, detail_of(op, v));
}

/* --- following: one line an event, oldest first --------------------------------------------- */

static int print_line(struct operate *op, yyjson_val *v)
{
    if (op->json) {
        char *text = yyjson_val_write(v, YYJSON_WRITE_ESCAPE_UNICODE, NULL);
        if (text == NULL)
            return err_set(&op->err, ERR_NOMEM, "no memory to print an event");
        puts(text);
        free(text);
        return 0;
    }
    const char *members[] = {"at", "kind", "who", "address", "subject"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str s = operate_str(v, members[i]);
        const char *shown = text_escape(s.n > 0 ? s : STR("-"), &op->arena);
        printf("%s  ", shown != NULL ? shown : "");
    }
    const char *detail = text_escape(detail_of(op, v), &op->arena);
    puts(detail != NULL ? detail : "");
    return 0;
}

static int get_newest(struct operate *op, const char *after, const char *limit, yyjson_doc **page)
{
    int rc = operate_path(op, "/api/events", NULL);
    if (rc == 0)
        rc = operate_query_options(op, filters);
    if (rc == 0)
        rc = operate_query(op, "limit", limit);
    if (rc == 0)
        rc = operate_query(op, "after", after);
    return rc == 0 ? operate_call(op, "GET", NULL, page) : rc;
}

/* Prints those of a page that are newer than `last`, oldest first. */
static int print_newer(struct operate *op, yyjson_doc *page, int64_t last)
{
    yyjson_val *items = yyjson_obj_get(yyjson_doc_get_root(page), "items");
    for (size_t i = yyjson_arr_size(items); i-- > 0;) {
        yyjson_val *v = yyjson_arr_get(items, i);
        int rc = operate_int(v, "id") > last ? print_line(op, v) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Reads pages back to what was shown last, then prints them; *last moves to the newest. */
static int catch_up(struct operate *op, bool first, int64_t *last)
{
    yyjson_doc *pages[FOLLOW_PAGES_MAX];
    size_t n = 0;
    int rc = 0;
    const char *after = NULL;
    bool more = true;
    while (rc == 0 && more && n < FOLLOW_PAGES_MAX) {
        rc = get_newest(op, after, first ? "10" : "500", &pages[n]);
        if (rc != 0)
            break;
        yyjson_val *root = yyjson_doc_get_root(pages[n++]), *items = yyjson_obj_get(root, "items");
        struct str next = operate_str(root, "next");
        after = next.n > 0 ? arena_dup_str(&op->arena, next) : NULL;
        more = !first && after != NULL && operate_int(yyjson_arr_get_last(items), "id") > *last;
    }
    int64_t newest = *last;
    if (n > 0) {
        yyjson_val *top = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(pages[0]), "items"));
        if (operate_int(top, "id") > newest)
            newest = operate_int(top, "id");
    }
    for (size_t i = n; i-- > 0;) {
        if (rc == 0)
            rc = print_newer(op, pages[i], *last);
        yyjson_doc_free(pages[i]);
    }
    if (rc == 0 && more && n == FOLLOW_PAGES_MAX)
        fprintf(stderr, "pqota events: too many at once, some were left out\n");
    *last = newest;
    return rc;
}

/* Until it is interrupted, or nobody reads any more. */
static int follow(struct operate *op)
{
    int64_t last = 0;
    for (bool first = true;; first = false) {
        if (catch_up(op, first, &last) != 0)
            return operate_fail(op);
        if (fflush(stdout) != 0)
            return CMD_OK;
        arena_reset(&op->arena);
        nanosleep(&(struct timespec){.tv_sec = FOLLOW_SECONDS}, NULL);
    }
}

static int events(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    if (line_has(args, "follow"))
        return follow(&op);
    if (operate_path(&op, "/api/events", NULL) != 0 || operate_query_options(&op, filters) != 0)
        return operate_fail(&op);
    return operate_show_list(
        &op, &(struct operate_listing){
                 .columns = columns, .count = 6, .row = list_row, .none = "Nothing happened yet."});
}

static const struct line_option options[] = {
    {.name = "subject",
     .letter = 's',
     .value = "SUBJECT",
     .help = "what happened to that (a device's id, ...)"},
    {.name = "kind", .letter = 'k', .value = "KIND", .help = "what is of that kind"},
    {.name = "follow", .letter = 'f', .help = "go on, and show events as they happen"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, options, events, "list what happened, newest first",
     "With --follow the last ten, then new ones every two seconds, oldest first, one line each."},
    {.name = NULL},
};

const struct line_verb line_events = {"events", "Lists what happened on the server, newest first.", subs};

int cmd_events(int argc, char **argv)
{
    return line_run(&line_events, argc, argv);
}
