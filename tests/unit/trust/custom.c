#include "trust/custom.h"

#include "repo.h"

static int read_text(const char *text, struct trust_custom *out, struct err *e)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    int rc = trust_custom_read(yyjson_doc_get_root(doc), out, e);
    /* Views go with the document: looked at here. */
    if (rc == 0 && out->advisory.p != NULL)
        assert_true(str_is(out->advisory, "Mends \xE2\x82\xAC"));
    if (rc == 0)
        assert_true(str_is(out->name, "gateway-os") && str_is(out->version, "1.0") &&
                    str_is(out->model, "gw"));
    yyjson_doc_free(doc);
    return rc;
}

#define MUST "\"name\": \"gateway-os\", \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 7"

static void test_reads(void **state)
{
    (void)state;
    struct trust_custom c;
    struct err e = {0};
    assert_int_equal(read_text("{" MUST "}", &c, &e), 0);
    assert_true(c.sequence == 7 && c.counter == 0 && c.unpacked_size == 0 && c.upgrade_from == 0 &&
                !c.security);
    assert_true(c.type.p == NULL && c.advisory.p == NULL);
    assert_int_equal(
        read_text("{" MUST ", \"type\": \"os\", \"counter\": 3, \"unpacked_size\": 9223372036854775807, "
                  "\"upgrade_from\": 2, \"security\": true, \"advisory\": \"Mends \\u20ac\", \"more\": 1}",
                  &c, &e),
        0);
    assert_true(c.counter == 3 && c.unpacked_size == INT64_MAX && c.upgrade_from == 2 && c.security);
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[]",
        "{}",
        "{\"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 7}",
        "{\"name\": 1, \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 7}",
        "{\"name\": \"a/b\", \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 7}",
        "{\"name\": \"a\", \"version\": \"\", \"model\": \"gw\", \"sequence\": 7}",
        "{\"name\": \"a\", \"version\": \"1.0\", \"model\": \"*\", \"sequence\": 7}",
        "{\"name\": \"a\", \"version\": \"1.0\", \"model\": \"gw\"}",
        "{\"name\": \"a\", \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 0}",
        "{\"name\": \"a\", \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": \"7\"}",
        "{\"name\": \"a\", \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 9223372036854775808}",
        "{\"name\": \"a\", \"version\": \"1.0\", \"model\": \"gw\", \"sequence\": 7.5}",
        "{" MUST ", \"counter\": -1}",
        "{" MUST ", \"counter\": null}",
        "{" MUST ", \"upgrade_from\": true}",
        "{" MUST ", \"unpacked_size\": \"1\"}",
        "{" MUST ", \"security\": 1}",
        "{" MUST ", \"type\": \"\"}",
        "{" MUST ", \"advisory\": 1}",
        "{" MUST ", \"advisory\": \"\\u0007\"}",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct trust_custom c = {.sequence = 42};
        struct err e = {0};
        if (read_text(wrong[i], &c, &e) != ERR_INVALID || c.sequence != 42)
            fail_msg("%s", wrong[i]);
        assert_non_null(strstr(e.text, "\"custom\""));
    }
    assert_int_equal(trust_custom_read(NULL, &(struct trust_custom){.sequence = 1}, NULL), ERR_INVALID);
    char *text = text_of("{" MUST ", \"advisory\": \"%0*d\"}", TRUST_ADVISORY_MAX + 1, 0);
    assert_int_equal(read_text(text, &(struct trust_custom){.sequence = 1}, NULL), ERR_INVALID);
    free(text);
}

static void test_paths(void **state)
{
    (void)state;
    char out[TUF_TARGET_NAME_MAX + 1], role[32], name[129];
    assert_true(trust_target_path(STR("gw"), STR("os"), STR("1.0"), STR("a.bin"), out, sizeof out));
    assert_string_equal(out, "gw/os/1.0/a.bin");
    assert_true(trust_target_path(STR("gw"), STR("os"), STR("1.0"), STR("a.bin"), out, 16));
    assert_false(trust_target_path(STR("gw"), STR("os"), STR("1.0"), STR("a.bin"), out, 15));
    assert_false(trust_target_path(STR("gw"), STR("o/s"), STR("1.0"), STR("a.bin"), out, sizeof out));
    assert_false(trust_target_path(STR(""), STR("os"), STR("1.0"), STR("a.bin"), out, sizeof out));
    assert_false(trust_target_path(STR("gw"), STR("os"), STR("1.0"), STR("../x"), out, sizeof out));
    memset(name, 'a', 128);
    name[128] = '\0';
    struct str s = str_of(name);
    char large[1024];
    assert_false(trust_target_path(s, s, s, s, large, sizeof large)); /* 515 bytes */
    assert_true(trust_target_path(s, s, s, STR("a"), large, sizeof large));
    assert_true(trust_model_role(STR("gw"), role, sizeof role));
    assert_string_equal(role, "model-gw");
    assert_true(trust_model_role(STR("gw"), role, 9));
    assert_false(trust_model_role(STR("gw"), role, 8));
    assert_false(trust_model_role(STR("g w"), role, sizeof role));
    assert_true(str_is(trust_role_model(STR("model-gw")), "gw"));
    assert_true(str_is(trust_role_model(STR("model-model-gw")), "model-gw"));
    assert_null(trust_role_model(STR("model-")).p);
    assert_null(trust_role_model(STR("model-g w")).p);
    assert_null(trust_role_model(STR("targets")).p);
    assert_null(trust_role_model((struct str){.p = NULL, .n = 0}).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
