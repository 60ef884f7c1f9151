#include "shared/line.h"

#include "base/arena.h"
#include "base/json.h"

#define JSON_MAX 65536

int line_print(yyjson_mut_doc *doc, FILE *out, struct err *e)
{
    auto_arena struct arena arena;
    arena_init(&arena, JSON_MAX);
    struct str text = json_write(doc, &arena);
    if (text.p == NULL || fprintf(out, STR_FMT "\n", STR_ARG(text)) < 0 || fflush(out) != 0)
        return err_set(e, ERR_IO, "the result could not be written");
    return 0;
}
