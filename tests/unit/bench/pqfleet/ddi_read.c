#include "pqfleet/ddi_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BASE "/DEFAULT/controller/v1/fleet-0000001"
#define SLEEP "{\"config\":{\"polling\":{\"sleep\":\"00:05:00\"}}"
#define LINKS(text) SLEEP ",\"_links\":{" text "}}"
#define LINK(name, path) "\"" name "\":{\"href\":\"http://localhost:8080" path "\"}"
#define SHA1 "0123456789012345678901234567890123456789"
#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct err e;

static int poll(const char *text, struct ddi_poll *out)
{
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse_object(str_of(text), &doc, &e), 0);
    int rc = ddi_read_poll(yyjson_doc_get_root(doc), STR(BASE), out, &e);
    if (rc == 0)
        out->path.p = NULL; /* which was the document's */
    return rc;
}

static void polls(void **state)
{
    (void)state;
    struct ddi_poll p;
    assert_int_equal(poll(SLEEP "}", &p), 0);
    assert_true(p.sleep == 300 && !p.config && p.deployment == 0 && p.confirmation == 0 && p.cancel == 0);
    assert_int_equal(poll(LINKS(LINK("configData", BASE "/configData") "," LINK("deploymentBase", BASE
                                                                                "/deploymentBase/5?c=-21")),
                          &p),
                     0);
    assert_true(p.config && p.deployment == 5);
    assert_int_equal(poll(LINKS(LINK("cancelAction", BASE "/cancelAction/2147483647")), &p), 0);
    assert_true(p.cancel == 2147483647 && !p.config);
    assert_int_equal(poll(LINKS(LINK("confirmationBase", BASE "/confirmationBase/6?c=1") "," LINK(
                              "installedBase", BASE "/installedBase/4")),
                          &p),
                     0);
    assert_true(p.confirmation == 6 && p.deployment == 0);
    assert_int_equal(
        poll(LINKS(LINK("deploymentBase", "/default/controller/v1/fleet-0000001/deploymentBase/5")), &p), 0);
    assert_int_equal(p.deployment, 5);
}

static void wrong_polls(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{\"config\":{\"polling\":{\"sleep\":\"0:05:00\"}}}",
        "{\"config\":{\"polling\":{\"sleep\":\"00:60:00\"}}}",
        "{\"config\":{\"polling\":{\"sleep\":\"24:00:00\"}}}",
        "{\"config\":{\"polling\":{\"sleep\":300}}}",
        SLEEP ",\"_links\":[]}",
        LINKS("\"deploymentBase\":{}"),
        LINKS("\"configData\":{\"href\":5}"),
        LINKS(LINK("configData", BASE "/configdata")),
        LINKS(LINK("deploymentBase", BASE "/deploymentBase/0")),
        LINKS(LINK("deploymentBase", BASE "/deploymentBase/2147483648")),
        LINKS(LINK("deploymentBase", BASE "/deploymentBase/5/feedback")),
        LINKS(LINK("deploymentBase", BASE "/deploymentBase/")),
        LINKS(LINK("deploymentBase", BASE "/cancelAction/5")),
        LINKS(LINK("deploymentBase", "/DEFAULT/controller/v1/fleet-0000002/deploymentBase/5")),
        LINKS(LINK("deploymentBase", "/DEFAULT/controller/v1/Fleet-0000001/deploymentBase/5")),
        LINKS(LINK("deploymentBase", "/OTHER/controller/v1/fleet-0000001/deploymentBase/5")),
        LINKS(LINK("cancelAction", BASE "/cancelAction/5?c=1")),
        LINKS(LINK("cancelAction", BASE "/cancelAction/5") "," LINK("deploymentBase",
                                                                    BASE "/deploymentBase/5")),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ddi_poll p = {.deployment = 77};
        if (poll(rows[i], &p) != ERR_INVALID || p.deployment != 77)
            fail_msg("not refused: %s", rows[i]);
    }
}

#define FILE_OF(sha1, link)                                                                                  \
    "{\"filename\":\"f.swu\",\"size\":11,\"hashes\":{\"sha1\":\"" sha1                                       \
    "\",\"md5\":\"x\",\"sha256\":\"" SHA256 "\"},\"_links\":{" link "}}"
#define FILE_GOOD FILE_OF(SHA1, LINK("download", "/d") "," LINK("download-http", "/dh"))
#define CHUNK(files)                                                                                         \
    "{\"part\":\"os\",\"version\":\"2.0\",\"name\":\"fw\",\"encrypted\":true,\"artifacts\":[" files "]}"
#define OFFER(id, handling, more, chunks)                                                                    \
    "{\"id\":" id ",\"deployment\":{" handling more ",\"chunks\":[" chunks                                   \
    "]},\"actionHistory\":{\"status\":\"RUNNING\"}}"
#define FORCED "\"download\":\"forced\",\"update\":\"forced\""

static int offer(const char *text, const char *key, struct offer *out)
{
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse_object(str_of(text), &doc, &e), 0);
    int rc = ddi_read_offer(yyjson_doc_get_root(doc), key, out, &e);
    if (rc == 0)
        assert_true(str_is(out->version, "2.0"));
    if (rc == 0 && out->file_count > 0)
        assert_true(str_is(out->files[0].path, "/dh") || str_is(out->files[0].path, "/d"));
    return rc;
}

static void offers(void **state)
{
    (void)state;
    struct offer o;
    assert_int_equal(offer(OFFER("\"8\"", FORCED, "", CHUNK(FILE_GOOD)), "deployment", &o), 0);
    assert_true(o.action == 8 && o.install && o.download && !o.window && o.file_count == 1);
    assert_int_equal(o.files[0].size, 11);
    assert_int_equal(offer(OFFER("\"8\"", "\"download\":\"attempt\",\"update\":\"skip\"",
                                 ",\"maintenanceWindow\":\"unavailable\"",
                                 CHUNK(FILE_GOOD "," FILE_GOOD) "," CHUNK(FILE_GOOD)),
                           "deployment", &o),
                     0);
    assert_true(!o.install && o.download && o.window && o.file_count == 3);
    assert_int_equal(
        offer("{\"id\":\"8\",\"confirmation\":{" FORCED ",\"chunks\":[" CHUNK("") "]}}", "confirmation", &o),
        0);
    assert_int_equal(o.file_count, 0);
}

static void wrong_offers(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{\"id\":\"8\",\"confirmation\":{" FORCED ",\"chunks\":[" CHUNK("") "]}}",
        OFFER("8", FORCED, "", CHUNK(FILE_GOOD)),
        OFFER("\"0\"", FORCED, "", CHUNK(FILE_GOOD)),
        OFFER("\"2147483648\"", FORCED, "", CHUNK(FILE_GOOD)),
        OFFER("\"8\"", "\"download\":\"forced\"", "", CHUNK(FILE_GOOD)),
        OFFER("\"8\"", "\"download\":\"FORCED\",\"update\":\"forced\"", "", CHUNK(FILE_GOOD)),
        OFFER("\"8\"", "\"download\":\"skip\",\"update\":\"forced\"", "", CHUNK(FILE_GOOD)),
        OFFER("\"8\"", FORCED, "", ""),
        OFFER("\"8\"", FORCED, "", "{\"part\":\"os\",\"version\":\"2.0\",\"name\":\"fw\"}"),
        OFFER("\"8\"", FORCED, "", "{\"part\":\"os\",\"version\":\"2 0\",\"name\":\"fw\",\"artifacts\":[]}"),
        OFFER("\"8\"", FORCED, "", "{\"version\":\"2.0\",\"name\":\"fw\",\"artifacts\":[]}"),
        OFFER("\"8\"", FORCED, "", CHUNK(FILE_OF("", LINK("download", "/d")))),
        OFFER("\"8\"", FORCED, "", CHUNK(FILE_OF(SHA1, ""))),
        OFFER("\"8\"", FORCED, "", CHUNK(FILE_OF(SHA1, LINK("download", " ")))),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct offer o = {.action = 77};
        if (offer(rows[i], "deployment", &o) != ERR_INVALID || o.action != 77)
            fail_msg("not refused: %s", rows[i]);
    }
}

static void cancels(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t stop; /* 0: wrong */
    } rows[] = {
        {"{\"id\":\"11\",\"cancelAction\":{\"stopId\":\"12\"}}", 12},
        {"{\"id\":\"11\",\"cancelAction\":{\"stopId\":12}}", 0},
        {"{\"id\":\"11\",\"cancelAction\":{}}", 0},
        {"{\"cancelAction\":{\"stopId\":\"12\"}}", 0},
        {"{}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json yyjson_doc *doc = NULL;
        int64_t stop = 77;
        assert_int_equal(json_parse_object(str_of(rows[i].text), &doc, &e), 0);
        int rc = ddi_read_cancel(yyjson_doc_get_root(doc), &stop, &e);
        assert_int_equal(rc, rows[i].stop != 0 ? 0 : ERR_INVALID);
        assert_int_equal(stop, rows[i].stop != 0 ? rows[i].stop : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polls),        cmocka_unit_test(wrong_polls), cmocka_unit_test(offers),
        cmocka_unit_test(wrong_offers), cmocka_unit_test(cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
