/* Any bytes as a query and as a path: what is decoded is text without control characters, and no slash in a
   segment. */
#include <stdlib.h>

#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route rows[] = {
    {.method = HTTP_GET, .path = "/{}"},
    {.method = HTTP_GET, .path = "/a/{}"},
    {.method = HTTP_PUT, .path = "/a/{}/{}/{}"},
};
static const struct route_table table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

static void check_text(struct str s, bool segment)
{
    if (!str_is_text(s) || s.n > 4096)
        abort();
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (segment && s.p[i] == '/'))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    char *text = malloc(size > 0 ? size : 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    auto_arena struct arena a;
    arena_init(&a, 65536);
    struct http_request req = {.method = HTTP_GET, .path = {text, size}, .query = {text, size}};
    struct str value;
    if (http_query_get(&req, "a", &a, &value, NULL) == 0 && value.p != NULL)
        check_text(value, false);
    struct route_found f = {0};
    /* A raw high byte or control character cannot get past the parser into a path. */
    bool plain = true;
    for (size_t i = 0; i < size; i++)
        plain &= text[i] > 0x20 && text[i] < 0x7F;
    if (plain && route_find(&table, 1, &req, &a, &f, NULL) == 0)
        for (size_t i = 0; i < CALL_PARAMS_MAX && f.param[i].p != NULL; i++)
            check_text(f.param[i], true);
    free(text);
    return 0;
}
