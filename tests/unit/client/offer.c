/* What an offer must look like, and what becomes of one that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world w;

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define RELEASE "\"release\":{\"id\":12,\"name\":\"gw\",\"version\":\"2.0\"}"
#define ARTIFACT(name, size, hash, url)                                                                      \
    "{\"filename\":\"" name "\",\"size\":" size ",\"sha256\":\"" hash "\",\"url\":\"" url "\"}"
#define GOOD ARTIFACT("gw.bin", "10", HASH, "/api/firmware/12/file")

static enum client_offer read_offer(const char *text, struct client_state *st, char why[PQOTA_TEXT_SIZE])
{
    static _Alignas(16) unsigned char pool[65536];
    char *body = malloc(strlen(text) + 16);
    assert_non_null(body);
    memcpy(body, text, strlen(text));
    why[0] = '\0';
    const struct client_offer_limits limits = {.artifact_most = 1000000};
    enum client_offer got = client_offer_read(body, strlen(text), pool, sizeof pool, &limits, st, why);
    free(body);
    return got;
}

static void good_offer(void **s)
{
    (void)s;
    struct client_state st;
    char why[PQOTA_TEXT_SIZE];
    assert_int_equal(
        read_offer("{\"action\":7," RELEASE ",\"artifacts\":[" GOOD "],\"later\":[{\"a\":1}]}", &st, why),
        OFFER_GOOD);
    assert_int_equal(st.action, 7);
    assert_string_equal(st.name, "gw");
    assert_string_equal(st.version, "2.0");
    assert_string_equal(st.filename, "gw.bin");
    assert_string_equal(st.path, "/api/firmware/12/file");
    assert_string_equal(st.sha256, HASH);
    assert_int_equal(st.size, 10);
}

static void only_the_path_of_the_address_counts(void **s)
{
    static const struct {
        const char *url, *path;
    } rows[] = {
        {"https://other.example/api/firmware/1/file?x=1", "/api/firmware/1/file?x=1"},
        {"https://[::1]:8443/f", "/f"},
        {"https://host", NULL},
        {"http://host/f", NULL},
        {"//host/f", NULL},
        {"file:///etc/passwd", NULL},
        {"f", NULL},
        {"/", NULL},
        {"/a b", NULL},
        {"/a\\\\b", NULL},
        {"/a\\u000d\\u000aX: y", NULL},
        {"", NULL},
    };
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_state st = {0};
        char text[1024], why[PQOTA_TEXT_SIZE];
        snprintf(text, sizeof text,
                 "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("gw.bin", "10", HASH, "%s") "]}",
                 rows[i].url);
        enum client_offer got = read_offer(text, &st, why);
        assert_int_equal(got, rows[i].path != NULL ? OFFER_GOOD : OFFER_UNUSABLE);
        if (rows[i].path != NULL)
            assert_string_equal(st.path, rows[i].path);
    }
}

static void broken_offers(void **s)
{
    static const char *const rows[] = {
        "",
        "x",
        "[]",
        "7",
        "{}",
        "{\"action\":7",
        "{\"action\":0," RELEASE ",\"artifacts\":[" GOOD "]}",
        "{\"action\":-1," RELEASE ",\"artifacts\":[" GOOD "]}",
        "{\"action\":\"7\"," RELEASE ",\"artifacts\":[" GOOD "]}",
        "{\"action\":2147483648," RELEASE ",\"artifacts\":[" GOOD "]}",
        "{\"action\":7,\"action\":8," RELEASE ",\"artifacts\":[" GOOD "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" GOOD "]} {}",
        "{\"action\":7,\"x\":\"\xff\"," RELEASE ",\"artifacts\":[" GOOD "]}",
    };
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_state st = {.action = 99};
        char why[PQOTA_TEXT_SIZE];
        if (read_offer(rows[i], &st, why) != OFFER_BROKEN)
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(st.action, 99);
    }
}

static void unusable_offers(void **s)
{
    static const char *const rows[] = {
        "{\"action\":7,\"artifacts\":[" GOOD "]}",
        "{\"action\":7,\"release\":{\"name\":\"gw\"},\"artifacts\":[" GOOD "]}",
        "{\"action\":7,\"release\":{\"name\":\"gw\",\"version\":\"../x\"},\"artifacts\":[" GOOD "]}",
        "{\"action\":7,\"release\":{\"name\":\"gw\",\"name\":\"b\",\"version\":\"2\"},\"artifacts\":[" GOOD
        "]}",
        "{\"action\":7," RELEASE "}",
        "{\"action\":7," RELEASE ",\"artifacts\":[]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" GOOD "," GOOD "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[7]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("../../etc/passwd", "10", HASH, "/f") "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("gw.bin", "0", HASH, "/f") "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("gw.bin", "-5", HASH, "/f") "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("gw.bin", "1.5", HASH, "/f") "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("gw.bin", "1000001", HASH, "/f") "]}",
        "{\"action\":7," RELEASE
        ",\"artifacts\":[" ARTIFACT("gw.bin", "99999999999999999999", HASH, "/f") "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[" ARTIFACT("gw.bin", "10", "abc", "/f") "]}",
        "{\"action\":7," RELEASE ",\"artifacts\":[{\"filename\":\"a\",\"size\":1,\"url\":\"/f\"}]}",
    };
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_state st = {0};
        char why[PQOTA_TEXT_SIZE];
        if (read_offer(rows[i], &st, why) != OFFER_UNUSABLE)
            fail_msg("not unusable: %s", rows[i]);
        assert_int_equal(st.action, 7);
        assert_true(why[0] != '\0');
    }
}

static void the_server_hears_of_an_unusable_offer(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    snprintf(w.offer, sizeof w.offer, "{\"action\":7," RELEASE ",\"artifacts\":[" GOOD "," GOOD "]}");
    assert_int_equal(world_run(&w, 50), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_non_null(strstr(world_last(&w)->message, "exactly one artifact"));
    world_fini(&w);
}

static void a_broken_offer_is_asked_for_again(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    snprintf(w.offer, sizeof w.offer, "{\"action\":");
    assert_int_equal(world_start(&w), PQOTA_OK);
    uint32_t wait_s;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    world_offer(&w, "2.0", 100);
    assert_int_equal(world_run(&w, 50), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

/* A body that does not fit, and one whose values do not fit the pool. */
static void too_large_offers(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_ops ops = world_ops(&w);
    uint32_t wait_s;
    assert_int_equal(pqota_client_init(w.memory, PQOTA_MEMORY_MIN, &ops, NULL, &w.client), PQOTA_OK);
    memset(w.offer, ' ', sizeof w.offer - 1);
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_non_null(strstr(w.log, "larger than"));
    size_t n = 1;
    w.offer[0] = '[';
    while (n < 1000) {
        w.offer[n++] = '0';
        w.offer[n++] = ',';
    }
    memcpy(w.offer + n, "0]", 3);
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    world_fini(&w);
}

/* Every cut and every changed byte of an offer: never a crash (ASan), never an address or name that is not
   sound. */
static void mangled_offers(void **s)
{
    (void)s;
    const char *good = "{\"action\":7," RELEASE ",\"artifacts\":[" GOOD "],\"poll\":300}";
    size_t n = strlen(good);
    char text[1024], why[PQOTA_TEXT_SIZE];
    struct client_state st;
    for (size_t at = 0; at < n; at++) {
        snprintf(text, sizeof text, "%.*s", (int)at, good);
        assert_int_equal(read_offer(text, &st, why), OFFER_BROKEN);
        for (int byte = 1; byte < 256; byte += 3) {
            memcpy(text, good, n + 1);
            text[at] = (char)byte;
            if (read_offer(text, &st, why) == OFFER_GOOD) {
                assert_true(client_is_name(st.version) && client_is_name(st.filename) &&
                            client_is_name(st.name));
                assert_true(st.path[0] == '/' && st.size > 0 && st.size <= 1000000);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_offer),
        cmocka_unit_test(only_the_path_of_the_address_counts),
        cmocka_unit_test(broken_offers),
        cmocka_unit_test(unusable_offers),
        cmocka_unit_test(the_server_hears_of_an_unusable_offer),
        cmocka_unit_test(a_broken_offer_is_asked_for_again),
        cmocka_unit_test(too_large_offers),
        cmocka_unit_test(mangled_offers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
