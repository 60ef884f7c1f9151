/* Metadata on the server: imported, accepted, signed anew in time. */
#include "vendor_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "ota/publish.h"
#include "ota/retention.h"
#include "store/releases.h"
#include "trust/client.h"

#define HOUR_MS 3600000LL

static struct release draft(struct fixture *f, const char *name, const char *version, const char *models)
{
    return publish(f, name, version, models);
}

struct retaining {
    int64_t now_ms;
    bool more;
};

static int run_retain(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct retaining *r = arg;
    return ota_retention_slice(&f->ota, db, r->now_ms, &r->more, e);
}

static void retain(struct fixture *f, int64_t now_ms)
{
    struct retaining r = {.now_ms = now_ms, .more = true};
    while (r.more)
        assert_ok(fixture_write(f, run_retain, &r), f->e);
}

static int run_forget(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    (void)arg;
    return db_exec(db, "DELETE FROM metadata", e);
}

/* --- the server's own signatures ------------------------------------------------------------------------ */

static void test_renewed_when_a_third_is_left(void **state)
{
    struct fixture *f = *state;
    assert_false(vendor_renew(f)); /* nothing there yet */
    vendor_import(f);
    assert_int_equal(vendor_version(f, "timestamp"), 0);
    assert_true(vendor_renew(f));
    int64_t first = vendor_version(f, "timestamp"), snapshot = vendor_version(f, "snapshot");
    assert_int_equal(first, f->now_ms / 1000);
    assert_false(vendor_renew(f));
    f->now_ms += 31 * HOUR_MS; /* of 48 */
    assert_false(vendor_renew(f));
    f->now_ms += 2 * HOUR_MS;
    assert_true(vendor_renew(f));
    assert_int_equal(vendor_version(f, "timestamp"), f->now_ms / 1000);
    assert_int_equal(vendor_version(f, "snapshot"), snapshot);
    f->now_ms += 9 * 24 * HOUR_MS; /* of 14 days */
    assert_true(vendor_renew(f));
    assert_int_equal(vendor_version(f, "snapshot"), f->now_ms / 1000);
    assert_int_equal(trust_counted(&f->ota, TRUST_TIMESTAMP), 6);
    assert_int_equal(trust_counted(&f->ota, TRUST_SNAPSHOT), 4);
}

static void test_versions_rise_when_the_clock_does_not(void **state)
{
    struct fixture *f = *state;
    vendor_import(f);
    vendor_renew(f);
    int64_t first = vendor_version(f, "timestamp");
    f->now_ms -= 10 * 24 * HOUR_MS;
    trust_view_touch(trust_view_of(&f->ota), true);
    assert_true(vendor_renew(f));
    assert_int_equal(vendor_version(f, "timestamp"), first + 1);
    assert_int_equal(vendor_version(f, "snapshot"), first + 1);
}

static void test_when_to_look(void **state)
{
    struct fixture *f = *state;
    struct trust_view *v = trust_view_of(&f->ota);
    assert_true(trust_view_due(v, f->now_ms));
    vendor_import(f);
    vendor_renew(f);
    assert_true(trust_view_due(v, f->now_ms)); /* it stored something */
    assert_false(vendor_renew(f));
    assert_false(trust_view_due(v, f->now_ms));
    assert_true(trust_view_due(v, f->now_ms + TRUST_LOOK_MS));
    assert_true(trust_view_due(v, f->now_ms - 1)); /* the clock went back */
    vendor_load(f, false);
    assert_true(vendor_renew(f)); /* other keys, perhaps */
    struct trust_row rows[TRUST_VIEW_MAX];
    vendor_renew(f);
    assert_int_equal(trust_view_get(v, rows), 5);
    assert_string_equal(rows[0].role, "timestamp");
    assert_int_equal(rows[0].expires_ms, f->now_ms + 48 * HOUR_MS);
    assert_true(trust_view_may_warn(v, f->now_ms));
    assert_false(trust_view_may_warn(v, f->now_ms + 23 * HOUR_MS));
    assert_true(trust_view_may_warn(v, f->now_ms + 24 * HOUR_MS));
}

static bool is_shown(struct fixture *f, const char *role)
{
    struct trust_row rows[TRUST_VIEW_MAX];
    size_t n = trust_view_get(trust_view_of(&f->ota), rows);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].role, role) == 0)
            return true;
    return false;
}

/* A role that is delegated to no more stays in snapshots, and nobody has to sign it again. */
static void test_what_is_not_delegated_may_end(void **state)
{
    struct fixture *f = *state;
    const struct sign_keys *keys = &vendor_of(f)->keys[VENDOR_TARGETS];
    const struct make_key pair[] = {{keys->key[0].keyid, keys->key[0].scheme, keys->key[0].public_text},
                                    {keys->key[1].keyid, keys->key[1].scheme, keys->key[1].public_text}};
    const struct make_role role = {.keys = pair, .key_count = 2, .threshold = 1};
    vendor_import(f);
    vendor_renew(f);
    yyjson_mut_doc *body = vendor_targets(f, 2);
    assert_ok(make_delegation(body, STR("x"), &role, &f->e), f->e);
    assert_ok(make_delegation(body, STR("y"), &role, &f->e), f->e);
    assert_ok(vendor_upload(f, vendor_sign(f, "targets", body, VENDOR_TARGETS)), f->e);
    assert_ok(vendor_upload(f, vendor_sign(f, "model-x", vendor_targets(f, 1), VENDOR_TARGETS)), f->e);
    assert_ok(vendor_upload(f, vendor_sign(f, "model-y", vendor_targets(f, 1), VENDOR_TARGETS)), f->e);
    body = vendor_targets(f, 3);
    assert_ok(make_delegation(body, STR("y"), &role, &f->e), f->e);
    assert_ok(vendor_upload(f, vendor_sign(f, "targets", body, VENDOR_TARGETS)), f->e);
    f->now_ms += 61 * 24 * HOUR_MS; /* of 90 */
    assert_true(vendor_renew(f));
    assert_true(is_shown(f, "model-y"));
    assert_false(is_shown(f, "model-x"));
    struct metadata m;
    assert_ok(store_metadata_current(f->reader, &f->arena, REPOSITORY_IMAGE, "snapshot", true, &m, &f->e),
              f->e);
    assert_non_null(strstr(m.body.p, "model-x.json"));
}

static void test_nothing_half_done_when_another_was_faster(void **state)
{
    struct fixture *f = *state;
    vendor_import(f);
    vendor_renew(f);
    struct release r = draft(f, "gw", "1", "gw");
    yyjson_mut_doc *body = vendor_targets(f, 2);
    vendor_add(body, &r, "gw", 1);
    struct str file = vendor_sign(f, "targets", body, VENDOR_TARGETS);
    struct trust_accept *t = NULL;
    assert_ok(accept_new(&f->ota, &t, &f->e), f->e);
    assert_ok(accept_look(t, f->reader, file, &f->admin, &f->e), f->e);
    assert_ok(accept_check(t, &f->e), f->e);
    trust_view_touch(trust_view_of(&f->ota), true);
    assert_true(vendor_renew(f)); /* between check and write */
    int64_t stamp = vendor_version(f, "timestamp");
    assert_int_equal(vendor_write(f, t), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "try again"));
    accept_free(t);
    assert_int_equal(vendor_version(f, "targets"), 1);
    assert_int_equal(vendor_version(f, "timestamp"), stamp);
    assert_int_equal(ask(f, "SELECT count(*) FROM release WHERE state = 'draft'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM model_sequence"), 0);
    assert_ok(vendor_upload(f, file), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM release WHERE state = 'published'"), 1);
}

/* Each may need hundreds of megabytes before a signature is checked. */
static void test_one_file_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct trust_accept *first = NULL, *second = NULL;
    vendor_import(f);
    struct str file = vendor_sign(f, "targets", vendor_targets(f, 2), VENDOR_TARGETS);
    assert_ok(accept_new(&f->ota, &first, &f->e), f->e);
    assert_ok(accept_new(&f->ota, &second, &f->e), f->e);
    assert_ok(accept_look(first, f->reader, file, &f->admin, &f->e), f->e);
    assert_int_equal(accept_look(second, f->reader, file, &f->admin, &f->e), ERR_BUSY);
    assert_non_null(strstr(f->e.text, "one at a time"));
    accept_free(second); /* which must not let a third in */
    assert_ok(accept_new(&f->ota, &second, &f->e), f->e);
    assert_int_equal(accept_look(second, f->reader, file, &f->admin, &f->e), ERR_BUSY);
    accept_free(first);
    assert_ok(accept_look(second, f->reader, file, &f->admin, &f->e), f->e);
    accept_free(second);
    assert_ok(ota_trust_import(&f->ota, vendor_of(f)->dir, &f->e), f->e);
    assert_ok(vendor_upload(f, file), f->e);
}

/* --- drafts --------------------------------------------------------------------------------------------- */

static void test_a_draft_becomes_a_release(void **state)
{
    struct fixture *f = *state;
    struct release latest;
    vendor_import(f);
    vendor_renew(f);
    add_device(f, "d1", "gw");
    struct release r = draft(f, "gw", "1", "gw");
    assert_int_equal(r.state, RELEASE_DRAFT);
    struct deployment d;
    assert_int_equal(try_deploy(f, r.pk, TARGET_ALL, "", false, &d), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "sign the request"));
    assert_int_equal(ota_blob_keep(f->reader, r.artifacts[0].sha256, &f->e), 1); /* swept it is not */
    yyjson_mut_doc *body = vendor_targets(f, 2);
    vendor_add(body, &r, "gw", 41);
    assert_ok(vendor_upload(f, vendor_sign(f, "targets", body, VENDOR_TARGETS)), f->e);
    assert_ok(store_release_latest(f->reader, &f->arena, "gw", &latest, &f->e), f->e);
    assert_int_equal(latest.pk, r.pk);
    assert_int_equal(latest.sequence, 41);
    assert_int_equal(latest.published_at, f->now_ms);
    deploy(f, r.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "0", r.pk);
    assert_int_equal(ask(f, "SELECT last FROM model_sequence WHERE model = 'gw'"), 41);
    /* What nobody signs goes on from there. */
    vendor_load(f, true);
    assert_int_equal(publish(f, "gw", "2", "gw").sequence, 42);
}

static void test_a_draft_is_deleted(void **state)
{
    struct fixture *f = *state;
    struct release r = draft(f, "gw", "1", "gw");
    assert_ok(try_unpublish(f, r.pk), f->e);
    assert_int_equal(ota_blob_keep(f->reader, r.artifacts[0].sha256, &f->e), 0);
    struct trust_overview o;
    assert_ok(ota_trust_show(&f->ota, f->reader, &f->arena, &o, &f->e), f->e);
    assert_int_equal(o.draft_count, 0);
}

static void test_a_draft_without_signatures_any_more(void **state)
{
    struct fixture *f = *state;
    struct release r = draft(f, "gw", "1", "a,b"), again;
    bool made = true;
    vendor_load(f, true);
    assert_ok(try_publish(f, "gw", "1", NULL, r.artifacts[0].sha256, &again, &made), f->e);
    assert_false(made);
    assert_int_equal(again.state, RELEASE_PUBLISHED);
    assert_int_equal(again.sequence, 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM release_model WHERE sequence = 1 AND signed = 0"), 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'release.published'"), 1);
}

/* --- what is refused, beside what the flow tests try -------------------------------------------------- */

static void refuse(struct fixture *f, int64_t version, const struct release *r, int64_t sequence, int code)
{
    yyjson_mut_doc *body = vendor_targets(f, version);
    vendor_add(body, r, "gw", sequence);
    int64_t before = vendor_version(f, "targets");
    assert_int_equal(vendor_upload(f, vendor_sign(f, "targets", body, VENDOR_TARGETS)), code);
    assert_int_equal(vendor_version(f, "targets"), before);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct release r = draft(f, "gw", "1", "gw"), other = r;
    yyjson_mut_doc *body = vendor_targets(f, 1);
    assert_int_equal(vendor_upload(f, vendor_sign(f, "targets", body, VENDOR_TARGETS)), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "no root"));
    vendor_import(f);
    vendor_renew(f);
    refuse(f, 1, &r, 1, ERR_CONFLICT);
    refuse(f, 3, &r, 1, ERR_CONFLICT);
    other.version = "2";
    refuse(f, 2, &other, 1, ERR_CONFLICT);
    body = vendor_targets(f, 2);
    vendor_add(body, &r, "gw", 1);
    /* The timestamp's pair may not sign for targets. */
    assert_int_equal(vendor_upload(f, vendor_sign(f, "targets", body, VENDOR_TIMESTAMP)), ERR_MISMATCH);
    f->admin.who = WHO_OPERATOR;
    assert_int_equal(vendor_upload(f, vendor_sign(f, "root", vendor_targets(f, 2), VENDOR_ROOT)), ERR_DENIED);
}

/* "[0,0,...]" takes many times its text when it is read, which is before any signature is looked at. */
static void test_too_many_values(void **state)
{
    struct fixture *f = *state;
    static const char head[] = "{\"signatures\":[],\"signed\":{\"x\":[0", tail[] = "]}}";
    struct trust_request request = {.document_count = 0};
    auto_arena struct arena a;
    struct buf text;
    struct str file;
    vendor_import(f);
    arena_init(&a, 1 << 24);
    buf_init(&text, TUF_TARGETS_SIZE_MAX);
    assert_int_equal(buf_add(&text, head, strlen(head)), 0);
    while (text.n + 2 + strlen(tail) <= TUF_TARGETS_SIZE_MAX)
        assert_int_equal(buf_add(&text, ",0", 2), 0);
    assert_int_equal(buf_add(&text, tail, strlen(tail)), 0);
    assert_ok(request_add(&request, "image", "targets", (struct str){text.p, text.n}, &f->e), f->e);
    assert_ok(request_write(&request, &a, &file, &f->e), f->e);
    assert_int_equal(vendor_upload(f, file), ERR_TOO_LARGE);
    assert_non_null(strstr(f->e.text, "bytes have so many values"));
    buf_fini(&text);
    file = vendor_sign(f, "targets", vendor_targets(f, 2), VENDOR_TARGETS);
    assert_ok(vendor_upload(f, file), f->e);
}

static void test_import_is_checked(void **state)
{
    struct fixture *f = *state;
    char path[256];
    vendor_import(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata"), 3);
    assert_ok(ota_trust_import(&f->ota, vendor_of(f)->dir, &f->e), f->e); /* again: nothing to do */
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata"), 3);
    assert_ok(fixture_write(f, run_forget, NULL), f->e);
    /* A root that its own keys did not sign is taken by nobody, and what comes with it neither. */
    snprintf(path, sizeof path, "%s/image/1.root.json", vendor_of(f)->dir);
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_ok(file_read(path, 1 << 20, &text, &f->e), f->e);
    char *at = strstr(text.p, "\"version\":1");
    assert_non_null(at);
    at[strlen("\"version\":")] = '2';
    assert_ok(file_write_atomic(path, text.p, text.n, 0644, &f->e), f->e);
    buf_fini(&text);
    assert_int_not_equal(ota_trust_import(&f->ota, vendor_of(f)->dir, &f->e), 0);
    assert_non_null(strstr(f->e.text, vendor_of(f)->dir));
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata"), 0);
    assert_ok(ota_trust_import(&f->ota, "/nowhere", &f->e), f->e); /* there need not be any */
}

static void test_replaced_ones_are_forgotten(void **state)
{
    struct fixture *f = *state;
    vendor_import(f);
    vendor_renew(f);
    for (int i = 0; i < 3; i++) {
        f->now_ms += 1000;
        trust_view_touch(trust_view_of(&f->ota), true);
        assert_true(vendor_renew(f));
    }
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 4);
    int64_t end = f->now_ms + RETENTION_METADATA_DAYS * 24 * HOUR_MS;
    retain(f, end - 2500);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 4);
    retain(f, end + 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'timestamp'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'targets'"), 1);
    assert_true(vendor_version(f, "snapshot") > 0);
}

/* With timestamps that live longer than what was replaced is kept otherwise. */
static void test_what_a_timestamp_names_is_kept(void **state)
{
    struct fixture *f = *state;
    vendor_of(f)->timestamp_s = 30 * 24 * 3600;
    vendor_load(f, false);
    vendor_import(f);
    assert_true(vendor_renew(f));
    f->now_ms += 1000;
    trust_view_touch(trust_view_of(&f->ota), true);
    assert_true(vendor_renew(f));
    f->now_ms += 19 * 24 * HOUR_MS;
    trust_view_touch(trust_view_of(&f->ota), true);
    assert_true(vendor_renew(f));
    retain(f, f->now_ms);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 3);
    retain(f, f->now_ms + 10 * 24 * HOUR_MS); /* the first two would still be believed */
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 3);
    retain(f, f->now_ms + 11 * 24 * HOUR_MS);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 2);
    retain(f, f->now_ms + 15 * 24 * HOUR_MS + 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM metadata WHERE role = 'snapshot'"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, vendor_setup, vendor_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_renewed_when_a_third_is_left),
        TEST(test_versions_rise_when_the_clock_does_not),
        TEST(test_when_to_look),
        TEST(test_what_is_not_delegated_may_end),
        TEST(test_nothing_half_done_when_another_was_faster),
        TEST(test_one_file_at_a_time),
        TEST(test_a_draft_becomes_a_release),
        TEST(test_a_draft_is_deleted),
        TEST(test_a_draft_without_signatures_any_more),
        TEST(test_refused),
        TEST(test_too_many_values),
        TEST(test_import_is_checked),
        TEST(test_replaced_ones_are_forgotten),
        TEST(test_what_a_timestamp_names_is_kept),
    };
    return cmocka_run_group_tests_name("ota/trust", tests, NULL, NULL);
}
