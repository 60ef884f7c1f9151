#include "http/route.h"

#include "check.h"

static const struct route first[] = {
    {.method = HTTP_GET, .path = "/"},
    {.method = HTTP_GET, .path = "/api/firmware/{}"},
    {.method = HTTP_DELETE, .path = "/api/firmware/{}"},
    {.method = HTTP_GET, .path = "/api/firmware/latest"},
    {.method = HTTP_GET, .path = "/api/firmware/{}/file"},
    {.method = HTTP_PUT, .path = "/api/firmware/{}/{}/{}"},
    {.method = HTTP_GET, .path = "/a/{}/{}/d"},
    {.method = HTTP_GET, .path = "/a/b/{}/{}"},
};
static const struct route second[] = {
    {.method = HTTP_POST, .path = "/api/enroll"},
    {.method = HTTP_GET, .path = "/api/firmware"},
};
static const struct route_table tables[] = {{.rows = first, .count = COUNT(first)},
                                            {.rows = second, .count = COUNT(second)}};

enum {
    GET = HTTP_GET,
    HEAD = HTTP_HEAD,
    POST = HTTP_POST,
    PUT = HTTP_PUT,
    DEL = HTTP_DELETE,
    OTHER = HTTP_OTHER
};

static const struct {
    int method;
    const char *path;
    int rc;
    const char *want; /* the row's path and its parameters, or Allow */
} rows[] = {
    {GET, "/", 0, "/"},
    {GET, "/api/firmware", 0, "/api/firmware"},
    {HEAD, "/api/firmware", 0, "/api/firmware"},
    {GET, "/api/firmware/latest", 0, "/api/firmware/latest"},
    {GET, "/api/firmware/l%61test", 0, "/api/firmware/latest"},
    {GET, "/api/firmware/12", 0, "/api/firmware/{} 12"},
    {DEL, "/api/firmware/12", 0, "/api/firmware/{} 12"},
    {DEL, "/api/firmware/latest", 0, "/api/firmware/{} latest"},
    {GET, "/api/firmware/12/file", 0, "/api/firmware/{}/file 12"},
    {PUT, "/api/firmware/gw/1.0+x/a%20b", 0, "/api/firmware/{}/{}/{} gw 1.0+x a b"},
    {GET, "/a/b/c/d", 0, "/a/b/{}/{} c d"},
    {GET, "/a/x/c/d", 0, "/a/{}/{}/d x c"},
    {GET, "/api/firmware/..", 0, "/api/firmware/{} .."},
    {POST, "/api/enroll", 0, "/api/enroll"},
    {GET, "/api/enroll", ERR_UNSUPPORTED, "POST"},
    {OTHER, "/api/firmware/12", ERR_UNSUPPORTED, "GET, HEAD, DELETE"},
    {POST, "/api/firmware/latest", ERR_UNSUPPORTED, "GET, HEAD, DELETE"},
    {GET, "/api/firmware/a/b/c", ERR_UNSUPPORTED, "PUT"},
    {GET, "/nothing", ERR_NOT_FOUND, NULL},
    {GET, "/api", ERR_NOT_FOUND, NULL},
    {GET, "/API/firmware", ERR_NOT_FOUND, NULL},
    {GET, "/api/firmware/", ERR_NOT_FOUND, NULL},
    {GET, "//api/firmware", ERR_NOT_FOUND, NULL},
    {GET, "/api//firmware", ERR_NOT_FOUND, NULL},
    {GET, "//", ERR_NOT_FOUND, NULL},
    {GET, "/api/firmware/12/file/x", ERR_UNSUPPORTED, "PUT"},
    {GET, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", ERR_NOT_FOUND, NULL},
    {GET, "/api/firmware/a%2fb", ERR_INVALID, NULL},
    {GET, "/api/firmware/a%2Fb", ERR_INVALID, NULL},
    {GET, "/api/firmware/%00", ERR_INVALID, NULL},
    {GET, "/api/firmware/%0a", ERR_INVALID, NULL},
    {GET, "/api/firmware/%7F", ERR_INVALID, NULL},
    {GET, "/api/firmware/%", ERR_INVALID, NULL},
    {GET, "/api/firmware/%4", ERR_INVALID, NULL},
    {GET, "/api/firmware/%gg", ERR_INVALID, NULL},
    {GET, "/api/firmware/%ff", ERR_INVALID, NULL},
    {GET, "/nothing/%2f", ERR_INVALID, NULL},
    {GET, "", ERR_INVALID, NULL},
    {GET, "*", ERR_INVALID, NULL},
};

static void look_up_all(const struct route_table *all)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct http_request req = {.method = (enum http_method)rows[i].method, .path = str_of(rows[i].path)};
        struct route_found f = {0};
        struct err e = {0};
        int rc = route_find(all, COUNT(tables), &req, &a, &f, &e);
        char got[256] = "";
        if (rc == 0) {
            size_t n = (size_t)snprintf(got, sizeof got, "%s", f.row->path);
            for (size_t k = 0; k < CALL_PARAMS_MAX && f.param[k].p != NULL; k++)
                n += (size_t)snprintf(got + n, sizeof got - n, " %.*s", STR_ARG(f.param[k]));
        } else if (f.allow != NULL) {
            snprintf(got, sizeof got, "%s", f.allow);
        }
        if (rc != rows[i].rc || strcmp(got, rows[i].want != NULL ? rows[i].want : "") != 0 ||
            (rc != 0 && (f.row != NULL || e.code != rc)) ||
            (f.table != NULL) != (rc == 0 || rc == ERR_UNSUPPORTED))
            fail_msg("%d %s: %d \"%s\"", rows[i].method, rows[i].path, rc, got);
    }
}

static void test_table(void **state)
{
    (void)state;
    look_up_all(tables);
}

/* What a key leaves out would not have matched. */
static void test_keys(void **state)
{
    (void)state;
    struct route_key keys[COUNT(first) + COUNT(second)];
    struct route_table keyed[] = {tables[0], tables[1]};
    route_keys(&keyed[0], keys);
    route_keys(&keyed[1], keys + COUNT(first));
    look_up_all(keyed);
    /* Of one table alone, what all its rows share is asked first. */
    struct route_key one[COUNT(second)];
    struct route_table alone = {.rows = second, .count = COUNT(second)};
    route_keys(&alone, one);
    assert_int_not_equal(alone.common.mask, 0);
    auto_arena struct arena a;
    arena_init(&a, 65536);
    struct err e;
    struct route_found f;
    struct http_request req = {.method = HTTP_GET, .path = STR("/api/firmware")};
    assert_int_equal(route_find(&alone, 1, &req, &a, &f, &e), 0);
    req.path = STR("/a/firmware");
    assert_int_equal(route_find(&alone, 1, &req, &a, &f, &e), ERR_NOT_FOUND);
}

static void test_no_memory(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 100);
    struct http_request req = {.method = HTTP_GET, .path = STR("/api/firmware/%41")};
    struct route_found f = {0};
    struct err e;
    assert_int_equal(route_find(tables, COUNT(tables), &req, &a, &f, &e), ERR_NOMEM);
    req.path = STR("/api/enroll");
    assert_int_equal(route_find(tables, COUNT(tables), &req, &a, &f, &e), ERR_NOMEM);
    assert_null(f.allow);
    assert_null(f.row);
    assert_null(f.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
