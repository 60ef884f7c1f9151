/* Signing requests: what is written is read again, signatures are added, and what cannot be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "trust/request.h"

#define ROOT "{\"signatures\":[],\"signed\":{\"_type\":\"root\"}}"
#define TARGETS "{\"signatures\":[{\"keyid\":\"aa\",\"sig\":\"01\"}],\"signed\":{\"_type\":\"targets\"}}"

static int setup(void **state)
{
    struct arena *a = calloc(1, sizeof *a);
    assert_non_null(a);
    arena_init(a, 128u << 20);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    arena_fini(*state);
    free(*state);
    return 0;
}

static struct trust_request *fresh(struct arena *a)
{
    struct trust_request *r = arena_new(a, struct trust_request);
    assert_non_null(r);
    return r;
}

static void there_and_back(void **state)
{
    struct arena *a = *state;
    struct err e = {0};
    struct str text, again;
    struct trust_request *r = fresh(a), *b = fresh(a);
    assert_int_equal(request_add(r, "image", "root", STR(ROOT), &e), 0);
    assert_int_equal(request_add(r, "director", "root", STR(ROOT), &e), 0);
    assert_int_equal(request_add(r, "image", "targets", STR(TARGETS), &e), 0);
    assert_int_equal(request_add(r, "image", "model-gw-1", STR(TARGETS), &e), 0);
    assert_int_equal(request_add_base(r, "image", "targets", STR(TARGETS), &e), 0);
    r->image_root = STR(ROOT);
    assert_int_equal(request_put_entry(r, "gw-1/b/1/f", STR("\x01\x02\xff"), a, &e), 0);
    assert_int_equal(request_put_entry(r, "gw-1/a/1/f", STR("old"), a, &e), 0);
    assert_int_equal(request_put_entry(r, "gw-1/a/1/f", STR("new"), a, &e), 0);
    assert_int_equal(request_write(r, a, &text, &e), 0);
    if (request_read(text, a, b, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(b->document_count, 4);
    assert_string_equal(b->documents[1].repository, "director");
    assert_int_equal(b->documents[0].type, TUF_ROOT);
    assert_int_equal(b->documents[3].type, TUF_TARGETS);
    assert_string_equal(b->documents[3].role, "model-gw-1");
    assert_true(str_is(b->documents[2].text, TARGETS));
    assert_int_equal(b->entry_count, 2);
    assert_string_equal(b->entries[0].target, "gw-1/a/1/f");
    assert_true(str_is(b->entries[0].cose, "new"));
    assert_true(str_eq(b->entries[1].cose, STR("\x01\x02\xff")));
    assert_true(str_is(b->image_root, ROOT));
    assert_null(b->director_root.p);
    assert_int_equal(b->base_count, 1);
    assert_string_equal(b->base[0].repository, "image");
    assert_string_equal(b->base[0].role, "targets");
    assert_true(str_is(b->base[0].text, TARGETS));
    assert_int_equal(request_write(b, a, &again, &e), 0);
    assert_int_equal(again.n, text.n);
}

static void documents_that_cannot_be(void **state)
{
    struct arena *a = *state;
    struct err e = {0};
    struct trust_request *r = fresh(a);
    assert_int_equal(request_add(r, "image", "targets", STR(TARGETS), &e), 0);
    assert_int_equal(request_add(r, "image", "targets", STR(TARGETS), &e), ERR_CONFLICT);
    assert_int_equal(request_add(r, "image", "root", STR(ROOT), &e), ERR_INVALID); /* after targets */
    assert_int_equal(request_add(r, "image", "snapshot", STR(TARGETS), &e), ERR_INVALID);
    assert_int_equal(request_add(r, "image", "timestamp", STR(TARGETS), &e), ERR_INVALID);
    assert_int_equal(request_add(r, "director", "targets", STR(TARGETS), &e), ERR_INVALID);
    assert_int_equal(request_add(r, "other", "root", STR(ROOT), &e), ERR_INVALID);
    assert_int_equal(request_add(r, "image", "", STR(ROOT), &e), ERR_INVALID);
    for (int i = 1; i < REQUEST_DOCUMENTS_MAX; i++)
        assert_int_equal(request_add(r, "image", arena_printf(a, "model-%d", i), STR(TARGETS), &e), 0);
    assert_int_equal(request_add(r, "image", "model-x", STR(TARGETS), &e), ERR_TOO_LARGE);
    assert_int_equal(r->document_count, REQUEST_DOCUMENTS_MAX);
}

#define DOCUMENT(role) "{\"repository\":\"image\",\"role\":\"" role "\",\"document\":" TARGETS "}"
#define REQUEST(documents, more) "{\"pqota-trust\":1,\"documents\":[" documents "]" more "}"

static void texts_that_are_none(void **state)
{
    struct arena *a = *state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "not valid JSON"},
        {"[]", "object"},
        {"{}", "pqota-trust"},
        {"{\"pqota-trust\":2,\"documents\":[" DOCUMENT("targets") "]}", "pqota-trust"},
        {"{\"pqota-trust\":1}", "no documents"},
        {REQUEST("", ""), "no documents"},
        {"{\"pqota-trust\":1,\"documents\":{}}", "must be an array"},
        {REQUEST("{}", ""), "\"role\" is missing"},
        {REQUEST("7", ""), "\"role\" is missing"},
        {REQUEST("{\"role\":\"root\"}", ""), "\"repository\" is missing"},
        {REQUEST("{\"role\":\"root\",\"repository\":\"image\"}", ""), "\"document\" is no object"},
        {REQUEST("{\"role\":\"root\",\"repository\":\"image\",\"document\":[]}", ""), "is no object"},
        {REQUEST(DOCUMENT("targets") "," DOCUMENT("targets"), ""), "twice"},
        {REQUEST(DOCUMENT("targets") "," DOCUMENT("root"), ""), "order"},
        {REQUEST(DOCUMENT("targets"), ",\"entries\":7"), "must be an array"},
        {REQUEST(DOCUMENT("targets"), ",\"entries\":[{}]"), "\"target\" is missing"},
        {REQUEST(DOCUMENT("targets"), ",\"entries\":[{\"target\":\"a\"}]"), "base64"},
        {REQUEST(DOCUMENT("targets"), ",\"entries\":[{\"target\":\"a\",\"cose\":\"A\"}]"), "base64"},
        {REQUEST(DOCUMENT("targets"),
                 ",\"entries\":[{\"target\":\"a\",\"cose\":\"AAAA\"},{\"target\":\"a\",\"cose\":\"AAAA\"}]"),
         "twice"},
        {REQUEST(DOCUMENT("targets"), ",\"context\":{\"image\":7}"), "no object"},
        {REQUEST(DOCUMENT("targets"), ",\"context\":{\"base\":[7]}"), "\"base\", number 1"},
        {REQUEST(DOCUMENT("tar\\u0000gets"), ""), "control characters"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};
        struct trust_request *r = fresh(a);
        int rc = request_read(str_of(rows[i].text), a, r, &e);
        if (rc != ERR_INVALID && rc != ERR_CONFLICT)
            fail_msg("%s: %d", rows[i].text, rc);
        if (strstr(e.text, rows[i].says) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", rows[i].says, e.text);
        assert_int_equal(r->document_count, 0); /* untouched */
    }
}

static void too_large(void **state)
{
    struct arena *a = *state;
    struct err e = {0};
    struct trust_request *r = fresh(a);
    char *big = calloc(1, REQUEST_MAX + 1);
    assert_non_null(big);
    assert_int_equal(request_read((struct str){.p = big, .n = REQUEST_MAX + 1}, a, r, &e), ERR_TOO_LARGE);
    free(big);
    for (int i = 0; i < REQUEST_ENTRIES_MAX; i++)
        assert_int_equal(request_put_entry(r, arena_printf(a, "t/%d", i), STR("x"), a, &e), 0);
    assert_int_equal(request_put_entry(r, "t/more", STR("x"), a, &e), ERR_TOO_LARGE);
    assert_int_equal(request_put_entry(r, "t/7", STR("y"), a, &e), 0);
}

static void signatures(void **state)
{
    struct arena *a = *state;
    struct err e = {0};
    struct request_document d = {
        .repository = "image", .role = "targets", .type = TUF_TARGETS, .text = STR(TARGETS)};
    assert_int_equal(request_put_signature(&d, "bb", STR("\x0a\xff"), a, &e), 0);
    assert_true(str_is(
        d.text, "{\"signatures\":[{\"keyid\":\"aa\",\"sig\":\"01\"},{\"keyid\":\"bb\",\"sig\":\"0aff\"}],"
                "\"signed\":{\"_type\":\"targets\"}}"));
    assert_int_equal(request_put_signature(&d, "aa", STR("\x02"), a, &e), 0); /* in its place */
    assert_true(str_is(
        d.text, "{\"signatures\":[{\"keyid\":\"aa\",\"sig\":\"02\"},{\"keyid\":\"bb\",\"sig\":\"0aff\"}],"
                "\"signed\":{\"_type\":\"targets\"}}"));
    for (int i = 2; i < TUF_SIGNATURES_MAX; i++)
        assert_int_equal(request_put_signature(&d, arena_printf(a, "k%d", i), STR("x"), a, &e), 0);
    assert_int_equal(request_put_signature(&d, "more", STR("x"), a, &e), ERR_TOO_LARGE);
    struct request_document none = {.repository = "image", .role = "targets", .text = STR("{\"signed\":{}}")};
    assert_int_equal(request_put_signature(&none, "aa", STR("x"), a, &e), ERR_INVALID);
    assert_true(str_is(none.text, "{\"signed\":{}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),      cmocka_unit_test(documents_that_cannot_be),
        cmocka_unit_test(texts_that_are_none), cmocka_unit_test(too_large),
        cmocka_unit_test(signatures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
