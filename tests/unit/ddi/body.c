/* Which form a body has: what the client says of its own, and what it wants. */
#include "ddi/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct http_request request;
static struct http_response response;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_response_fini(&response);
    arena_fini(&arena);
    return 0;
}

static struct call call_with(const char *field, const char *value, struct str body)
{
    http_request_init(&request);
    http_response_init(&response);
    request.method = HTTP_GET;
    request.body = body;
    if (field != NULL)
        request.headers[request.header_count++] =
            (struct http_header){.name = str_of(field), .value = str_of(value)};
    return (struct call){.req = &request, .res = &response, .arena = &arena};
}

static int read_as(const char *type, struct str body, const char *want)
{
    struct call c = call_with(type != NULL ? "Content-Type" : NULL, type, body);
    auto_json yyjson_doc *doc = NULL;
    int rc = ddi_body_read(&c, &doc);
    if (rc == 0)
        assert_true(str_is(json_text(yyjson_obj_get(yyjson_doc_get_root(doc), "k")), want));
    return rc != 0 && c.status != 0 ? c.status : rc;
}

static void what_is_sent(void **state)
{
    (void)state;
    struct str json = STR("{\"k\": \"v\"}"), cbor = STR("\xa1\x61k\x61v");
    assert_int_equal(read_as(NULL, json, "v"), 0);
    assert_int_equal(read_as("", json, "v"), 0);
    assert_int_equal(read_as("application/json", json, "v"), 0);
    assert_int_equal(read_as("Application/Json ; charset=utf-8", json, "v"), 0);
    assert_int_equal(read_as("application/hal+json", json, "v"), 0);
    assert_int_equal(read_as("application/cbor", cbor, "v"), 0);
    assert_int_equal(read_as("application/cbor", json, "v"), ERR_INVALID);
    assert_int_equal(read_as("application/json", cbor, "v"), ERR_INVALID);
    assert_int_equal(read_as("application/jsonx", json, "v"), ERR_UNSUPPORTED);
    assert_int_equal(read_as("text/plain", json, "v"), ERR_UNSUPPORTED);
    assert_int_equal(read_as(NULL, STR("[\"k\"]"), "v"), ERR_INVALID);
    assert_int_equal(read_as(NULL, STR("{\"k\": \"a\nb\"}"), "a\nb"), 0);
    struct str large = {.p = arena_alloc(&arena, DDI_BODY_MAX), .n = DDI_BODY_MAX};
    assert_int_equal(read_as("application/cbor", large, "v"), 413);
}

static void reply_to(const char *accept, const char *type)
{
    struct call c = call_with(accept != NULL ? "Accept" : NULL, accept, (struct str){.p = NULL, .n = 0});
    auto_json_mut yyjson_mut_doc *doc = ddi_doc(&c);
    yyjson_mut_obj_add_str(doc, yyjson_mut_doc_get_root(doc), "k", "v");
    assert_int_equal(ddi_body_reply(&c, doc), CALL_NEXT);
    assert_int_equal(response.status, 200);
    for (size_t i = 0; i < response.header_count; i++)
        if (str_is(response.headers[i].name, "Content-Type"))
            assert_true(str_is(response.headers[i].value, type));
    bool cbor = strcmp(type, "application/cbor") == 0;
    assert_true(str_eq(response.parts[0].bytes, cbor ? STR("\xa1\x61k\x61v") : STR("{\"k\":\"v\"}")));
    http_response_fini(&response);
}

static void what_is_wanted(void **state)
{
    (void)state;
    static const char hal[] = "application/hal+json", json[] = "application/json",
                      cbor[] = "application/cbor";
    reply_to(NULL, hal);
    reply_to("*/*", hal);
    reply_to("application/*", hal);
    reply_to("text/html, image/png", hal);
    reply_to("application/json", json);
    reply_to("APPLICATION/CBOR", cbor);
    reply_to("application/json, application/cbor", json);
    reply_to("application/cbor, application/json", cbor);
    reply_to("application/json;q=0.8, application/cbor;q=0.81", cbor);
    reply_to("application/json;q=1.0,application/cbor; q=0.999", json);
    reply_to("application/cbor;q=0, application/json;q=0.001", json);
    reply_to("application/cbor;q=0", hal);
    reply_to("application/cbor;q=0.000", hal);
    reply_to("application/cbor;q=", cbor); /* malformed */
    reply_to("application/cbor;v=1;Q=0.5, application/json;q=.9", cbor);
    reply_to(",,;,", hal);
}

static void conditions(void **state)
{
    (void)state;
    struct call c = call_with("If-None-Match", "*", (struct str){.p = NULL, .n = 0});
    auto_json_mut yyjson_mut_doc *doc = ddi_doc(&c);
    assert_int_equal(ddi_body_reply(&c, doc), CALL_NEXT);
    assert_int_equal(response.status, 304);
    assert_int_equal(response.part_count, 0);
    c = call_with("If-Match", "\"x\"", (struct str){.p = NULL, .n = 0});
    assert_int_equal(ddi_body_reply(&c, doc), ERR_MISMATCH);
    assert_int_equal(c.status, 412);
    c = call_with("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", (struct str){.p = NULL, .n = 0});
    assert_int_equal(ddi_body_reply(&c, doc), CALL_NEXT); /* it has no date */
    assert_int_equal(response.status, 200);
    c = call_with("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", (struct str){.p = NULL, .n = 0});
    assert_int_equal(ddi_body_reply(&c, doc), CALL_NEXT);
    assert_int_equal(response.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent),
        cmocka_unit_test(what_is_wanted),
        cmocka_unit_test(conditions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
