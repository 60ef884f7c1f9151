/* The director's files: one signature a decision, never an older one, never for what nobody vouches for. */
#include "release_fixture.h"

#include <sqlite3.h>
#include <stdio.h>

#include "ota/director.h"
#include "ota/trust.h"
#include "pqota_manifest.h"
#include "store/db_open.h"
#include "store/signed.h"
#include "trust/manifest.h"

#define LIFE_S (7 * 86400)
#define THIRD_MS (LIFE_S * 1000LL / 3)

/* --- a server with keys --------------------------------------------------------------------------------- */

static void make_keys(struct fixture *f, const char *name, const enum trust_scheme *schemes, size_t count,
                      char path[128])
{
    struct arena a;
    auto_keys struct sign_keys keys = {.count = 0};
    snprintf(path, 128, "%s/%s.key", f->dir, name);
    arena_init(&a, 1 << 20);
    assert_ok(keys_generate(schemes, count, &a, &keys, &f->e), f->e);
    assert_ok(keys_save(&keys, path, NULL, &f->e), f->e);
    arena_fini(&a);
}

static void use_keys(struct fixture *f, const char *director, const char *manifest)
{
    const struct trust_settings s = {
        .key = {[TRUST_DIRECTOR] = director, [TRUST_MANIFEST] = manifest},
        .life_s = {[TRUST_DIRECTOR] = LIFE_S, [TRUST_MANIFEST] = LIFE_S},
        .insecure_unsigned = true,
    };
    assert_ok(trust_load(f->ota.trust, &s, true, &f->e), f->e);
}

static const enum trust_scheme pair[] = {TRUST_ML_DSA_65, TRUST_ED25519};
static const enum trust_scheme small[] = {TRUST_ML_DSA_44};

static int setup(void **state)
{
    int rc = release_setup(state);
    struct fixture *f = *state;
    char director[128], manifest[128];
    make_keys(f, "director", pair, 2, director);
    make_keys(f, "manifest", small, 1, manifest);
    use_keys(f, director, manifest);
    add_device(f, "d1", "m");
    return rc;
}

static uint64_t signatures(struct fixture *f, enum director_kind kind)
{
    return trust_counted(&f->ota, kind == DIRECTOR_MANIFEST ? TRUST_MANIFEST : TRUST_DIRECTOR);
}

static int run_exec(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

static void sql(struct fixture *f, char *text)
{
    assert_ok(fixture_write(f, run_exec, text), f->e);
}

static struct release publish_signed(struct fixture *f, const char *version)
{
    static char mark[] = "UPDATE release_model SET signed = 1";
    struct release r = publish(f, "gw", version, "m");
    sql(f, mark);
    return r;
}

/* --- as the server does it ------------------------------------------------------------------------------ */

static int run_look(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_director_look(&f->ota, db, true, &f->arena, arg, e);
}

static int run_store(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_director_store(&f->ota, db, &f->arena, arg, e);
}

/* Until it must be signed, or is there. */
static int look(struct fixture *f, struct director_work *w)
{
    int rc = ota_director_look(&f->ota, f->reader, false, &f->arena, w, &f->e);
    assert_true(db_idle(f->reader));
    return rc == DIRECTOR_UPGRADE ? fixture_write(f, run_look, w) : rc;
}

static int try_fetch(struct fixture *f, enum director_kind kind, const char *id, struct director_work *out)
{
    struct director_work w = {.kind = kind, .device = id};
    int rc = look(f, &w);
    if (rc == 0 && w.text.p == NULL)
        rc = ota_director_sign(&f->ota, &f->arena, &w, &f->e);
    if (rc == 0 && w.text.p == NULL)
        rc = fixture_write(f, run_store, &w);
    if (rc == 0)
        *out = w;
    return rc;
}

/* What it names: a path, or "" for nothing. */
struct named {
    int64_t version, expires_s, length;
    const char *path;
    struct str text;
    bool signed_now;
};

static struct named fetch(struct fixture *f)
{
    struct director_work w;
    struct named n = {.path = ""};
    uint64_t before = signatures(f, DIRECTOR_TARGETS);
    assert_ok(try_fetch(f, DIRECTOR_TARGETS, "d1", &w), f->e);
    uint64_t made = signatures(f, DIRECTOR_TARGETS) - before;
    assert_true(made == 0 || made == 2); /* a pair */
    yyjson_doc *doc = yyjson_read(w.text.p, w.text.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *body = yyjson_obj_get(root, "signed");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(body, "_type")), "targets");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_obj_get(body, "pqota"), "device")), "d1");
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "signatures")), 2);
    yyjson_val *targets = yyjson_obj_get(body, "targets"), *key, *target;
    assert_true(yyjson_obj_size(targets) <= 1);
    yyjson_obj_iter it = yyjson_obj_iter_with(targets);
    if ((key = yyjson_obj_iter_next(&it)) != NULL) {
        target = yyjson_obj_iter_get_val(key);
        n.path = arena_dup_str(&f->arena, str_of(yyjson_get_str(key)));
        n.length = yyjson_get_sint(yyjson_obj_get(target, "length"));
        assert_int_equal(yyjson_get_len(yyjson_obj_get(yyjson_obj_get(target, "hashes"), "sha256")), 64);
    }
    n.version = yyjson_get_sint(yyjson_obj_get(body, "version"));
    assert_ok(tuf_time_read(str_of(yyjson_get_str(yyjson_obj_get(body, "expires"))), &n.expires_s), f->e);
    assert_int_equal(n.version, w.version);
    n.text = w.text;
    n.signed_now = made != 0;
    yyjson_doc_free(doc);
    return n;
}

static void assert_named(struct named n, const char *path, bool signed_now)
{
    assert_string_equal(n.path, path);
    assert_int_equal(n.signed_now, signed_now);
}

/* --- decisions ------------------------------------------------------------------------------------------ */

static void one_signature_a_decision(void **state)
{
    struct fixture *f = *state;
    struct named first = fetch(f);
    assert_named(first, "", true);
    assert_int_equal(first.version, f->now_ms / 1000);
    assert_int_equal(first.expires_s, f->now_ms / 1000 + LIFE_S);
    struct named again = fetch(f);
    assert_named(again, "", false);
    assert_true(str_eq(first.text, again.text));

    struct release one = publish_signed(f, "1");
    assert_named(fetch(f), "", false); /* published is not decided */
    deploy(f, one.pk, TARGET_ALL, "");
    int64_t action = assert_offered(f, "d1", "0", one.pk);
    struct named offered = fetch(f);
    assert_named(offered, "m/gw/1/image.bin", true);
    assert_int_equal(offered.length, 1000);
    assert_int_equal(offered.version, first.version + 1); /* within the same second */
    for (int i = 0; i < 5; i++) {
        f->now_ms += 60000;
        assert_offered(f, "d1", "0", one.pk);
        assert_named(fetch(f), "m/gw/1/image.bin", false);
    }
    assert_ok(try_report(f, "d1", action, ACTION_DOWNLOADING, NULL), f->e);
    assert_named(fetch(f), "m/gw/1/image.bin", false);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    again = fetch(f); /* still the same release */
    assert_named(again, "m/gw/1/image.bin", false);
    assert_int_equal(again.version, offered.version);
    assert_int_equal(signatures(f, DIRECTOR_TARGETS), 4);
    assert_int_equal(signatures(f, DIRECTOR_MANIFEST), 0); /* nobody asked */
    assert_int_equal(ask(f, "SELECT count(*) FROM director"), 1);
    assert_int_equal(ask(f, "SELECT release FROM director"), one.pk);
}

static void install(struct fixture *f, const struct release *r, const char *from)
{
    deploy(f, r->pk, TARGET_ALL, "");
    assert_ok(try_report(f, "d1", assert_offered(f, "d1", from, r->pk), ACTION_SUCCEEDED, r->version), f->e);
}

static void after_a_failure_what_ran(void **state)
{
    struct fixture *f = *state;
    struct release one = publish_signed(f, "1"), two = publish_signed(f, "2"), three = publish_signed(f, "3");
    install(f, &one, "0");
    assert_named(fetch(f), "m/gw/1/image.bin", true);
    deploy(f, two.pk, TARGET_ALL, "");
    int64_t action = assert_offered(f, "d1", "1", two.pk);
    struct named tried = fetch(f);
    assert_named(tried, "m/gw/2/image.bin", true);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, "1"), f->e);
    struct named back = fetch(f);
    assert_named(back, "m/gw/1/image.bin", true);
    assert_true(back.version > tried.version);

    int64_t called_off = deploy(f, three.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "1", three.pk);
    assert_named(fetch(f), "m/gw/3/image.bin", true);
    cancel(f, called_off);
    assert_named(fetch(f), "m/gw/1/image.bin", true);

    /* Called off, and not closed yet: over, unless the device is at it. */
    static char close_later[] = "UPDATE deployment SET state = 'cancelled'";
    struct release four = publish_signed(f, "4"), five = publish_signed(f, "5");
    deploy(f, four.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "1", four.pk);
    assert_named(fetch(f), "m/gw/4/image.bin", true);
    sql(f, close_later);
    assert_named(fetch(f), "m/gw/1/image.bin", true);
    deploy(f, five.pk, TARGET_ALL, "");
    action = assert_offered(f, "d1", "1", five.pk);
    assert_ok(try_report(f, "d1", action, ACTION_INSTALLING, NULL), f->e);
    assert_named(fetch(f), "m/gw/5/image.bin", true);
    sql(f, close_later);
    assert_named(fetch(f), "m/gw/5/image.bin", false);
}

static void only_what_is_vouched_for(void **state)
{
    struct fixture *f = *state;
    static char unmark[] = "UPDATE release_model SET signed = 0",
                another[] =
                    "INSERT INTO module_artifact SELECT module, 'more.bin', sha256 FROM module_artifact",
                one_again[] = "DELETE FROM module_artifact WHERE filename = 'more.bin'",
                drop[] = "UPDATE release SET deleted_at = 1",
                restore[] = "UPDATE release SET deleted_at = NULL",
                mark[] = "UPDATE release_model SET signed = 1", move[] = "UPDATE device SET model = 'other'";
    struct release one = publish_signed(f, "1");
    install(f, &one, "0");
    assert_named(fetch(f), "m/gw/1/image.bin", true);
    sql(f, unmark);
    assert_named(fetch(f), "", true);
    sql(f, mark);
    sql(f, another);
    assert_named(fetch(f), "", false);
    sql(f, one_again);
    assert_named(fetch(f), "m/gw/1/image.bin", true);
    sql(f, drop);
    assert_named(fetch(f), "", true);
    sql(f, restore);
    assert_named(fetch(f), "m/gw/1/image.bin", true);
    sql(f, move); /* the release is not for that model */
    assert_named(fetch(f), "", true);
}

/* --- time and keys -------------------------------------------------------------------------------------- */

static void anew_when_a_third_is_left(void **state)
{
    struct fixture *f = *state;
    struct named first = fetch(f);
    f->now_ms = first.expires_s * 1000 - THIRD_MS - 1000;
    assert_named(fetch(f), "", false);
    f->now_ms += 1000;
    struct named second = fetch(f);
    assert_named(second, "", true);
    assert_int_equal(second.version, f->now_ms / 1000);
    assert_int_equal(second.expires_s, f->now_ms / 1000 + LIFE_S);
    f->now_ms -= 600000; /* a clock that is set right a little */
    assert_named(fetch(f), "", false);
    f->now_ms -= 7200000; /* a file from the future would live too long */
    struct named third = fetch(f);
    assert_named(third, "", true);
    assert_int_equal(third.version, second.version + 1);
}

static void anew_by_new_keys(void **state)
{
    struct fixture *f = *state;
    char other[128];
    struct named first = fetch(f);
    make_keys(f, "other", pair, 2, other);
    use_keys(f, other, NULL);
    struct named second = fetch(f);
    assert_named(second, "", true);
    assert_true(second.version > first.version);
    use_keys(f, NULL, NULL); /* lost: what there is is handed out to its end */
    f->now_ms = second.expires_s * 1000 - 1;
    assert_named(fetch(f), "", false);
    f->now_ms += 1;
    struct director_work w;
    assert_int_equal(try_fetch(f, DIRECTOR_TARGETS, "d1", &w), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, "[trust] director_key"));
}

static int run_restored(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return store_set_restored_at(db, f->now_ms / 1000, e);
}

static void anew_after_a_restore(void **state)
{
    struct fixture *f = *state;
    fetch(f);
    f->now_ms += 5000;
    assert_ok(fixture_write(f, run_restored, NULL), f->e);
    struct named n = fetch(f);
    assert_named(n, "", true);
    assert_int_equal(n.version, f->now_ms / 1000 + DIRECTOR_AHEAD_S + 1);
    assert_named(fetch(f), "", false);
    f->now_ms += 5000; /* once more, before the clock caught up */
    assert_ok(fixture_write(f, run_restored, NULL), f->e);
    assert_int_equal(fetch(f).version, n.version + 5);
}

/* --- several at once ------------------------------------------------------------------------------------ */

static void whoever_comes_second_takes_the_first(void **state)
{
    struct fixture *f = *state;
    struct director_work a = {.kind = DIRECTOR_TARGETS, .device = "d1"}, b = a, c = a;
    assert_int_equal(ota_director_look(&f->ota, f->reader, false, &f->arena, &c, &f->e), DIRECTOR_UPGRADE);
    assert_ok(look(f, &a), f->e);
    assert_ok(look(f, &b), f->e);
    assert_ok(ota_director_sign(&f->ota, &f->arena, &a, &f->e), f->e);
    f->now_ms += 3000;
    assert_ok(ota_director_sign(&f->ota, &f->arena, &b, &f->e), f->e);
    assert_ok(fixture_write(f, run_store, &b), f->e);
    assert_ok(fixture_write(f, run_store, &a), f->e);
    assert_true(str_eq(a.text, b.text));
    /* Who waited for the writer only finds it there. */
    assert_ok(fixture_write(f, run_look, &c), f->e);
    assert_true(str_eq(c.text, b.text));
    assert_int_equal(signatures(f, DIRECTOR_TARGETS), 4);
}

static void an_old_decision_is_not_stored(void **state)
{
    struct fixture *f = *state;
    struct director_work slow = {.kind = DIRECTOR_TARGETS, .device = "d1"};
    assert_ok(look(f, &slow), f->e);
    assert_ok(ota_director_sign(&f->ota, &f->arena, &slow, &f->e), f->e);
    struct release one = publish_signed(f, "1");
    install(f, &one, "0");
    assert_int_equal(fixture_write(f, run_store, &slow), ERR_BUSY);
    assert_int_equal(ask(f, "SELECT count(*) FROM director"), 0);
    struct named n = fetch(f);
    assert_named(n, "m/gw/1/image.bin", true);
    assert_int_equal(fixture_write(f, run_store, &slow), 0); /* and now there is a file to take */
    assert_true(str_eq(slow.text, n.text));
}

static void nor_one_below_what_was_stored(void **state)
{
    struct fixture *f = *state;
    struct director_work slow = {.kind = DIRECTOR_TARGETS, .device = "d1"};
    struct release one = publish_signed(f, "1");
    assert_ok(look(f, &slow), f->e);
    assert_ok(ota_director_sign(&f->ota, &f->arena, &slow, &f->e), f->e);
    int64_t deployment = deploy(f, one.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "0", one.pk);
    struct named between = fetch(f);
    assert_named(between, "m/gw/1/image.bin", true);
    cancel(f, deployment); /* nothing to run again, as the slow one says */
    assert_int_equal(fixture_write(f, run_store, &slow), ERR_BUSY);
    struct named n = fetch(f);
    assert_named(n, "", true);
    assert_true(n.version > between.version);
}

/* --- manifests ------------------------------------------------------------------------------------------ */

static int run_entry(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    int64_t release = 1;
    return store_signed_entry_set(db, release, "m", *(struct str *)arg, e);
}

static struct manifest_order read_order(struct str text)
{
    struct manifest_signed whole;
    struct manifest_order order;
    const struct manifest_bytes bytes = {(const unsigned char *)text.p, text.n};
    assert_true(manifest_open(bytes, &whole));
    assert_true(manifest_read_order(whole.payload, &order));
    assert_true(text.n <= PQOTA_MANIFEST_MAX);
    return order;
}

static void manifests(void **state)
{
    struct fixture *f = *state;
    struct director_work w;
    assert_ok(try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), f->e);
    struct manifest_order empty = read_order(w.text);
    assert_null(empty.entry.p);
    assert_int_equal(empty.version, f->now_ms / 1000);
    assert_int_equal(empty.expires_s, f->now_ms / 1000 + LIFE_S);

    struct release one = publish_signed(f, "1");
    install(f, &one, "0");
    assert_int_equal(try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, "gw 1 was not signed for small devices"));
    struct manifest_entry entry = {
        .model = STR("m"), .name = STR("gw"), .version = STR("1"), .sequence = 1, .size = 1000};
    struct manifest_draft draft;
    static const char sig[PQOTA_MANIFEST_SIG];
    struct str cose[2];
    for (int i = 0; i < 2; i++) { /* the vendor may sign it again */
        entry.counter = i;
        assert_ok(manifest_draft_entry(&entry, &f->arena, &draft, &f->e), f->e);
        assert_ok(manifest_seal(&draft, (struct str){sig, sizeof sig}, &f->arena, &cose[i], &f->e), f->e);
        assert_ok(fixture_write(f, run_entry, &cose[i]), f->e);
        uint64_t before = signatures(f, DIRECTOR_MANIFEST);
        for (int k = 0; k < 3; k++) {
            assert_ok(try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), f->e);
            struct manifest_order order = read_order(w.text);
            assert_int_equal(order.entry.n, cose[i].n);
            assert_memory_equal(order.entry.p, cose[i].p, cose[i].n);
            assert_int_equal(order.version, empty.version + 1 + (uint32_t)i);
        }
        assert_int_equal(signatures(f, DIRECTOR_MANIFEST) - before, 1);
    }
    assert_int_equal(signatures(f, DIRECTOR_TARGETS), 0);
}

static void a_manifest_needs_its_key(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct director_work w;
    make_keys(f, "wrong", pair, 2, path);
    use_keys(f, path, path);
    assert_int_equal(try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), ERR_UNSUPPORTED);
    assert_non_null(strstr(f->e.text, "ml-dsa-44/1"));
}

/* --- who and what --------------------------------------------------------------------------------------- */

static void no_such_device(void **state)
{
    struct fixture *f = *state;
    struct director_work w;
    static char revoke[] = "UPDATE device SET revoked_at = 1";
    assert_int_equal(try_fetch(f, DIRECTOR_TARGETS, "d2", &w), ERR_NOT_FOUND);
    assert_string_equal(f->e.text, "there is no device \"d2\"");
    sql(f, revoke);
    assert_int_equal(try_fetch(f, DIRECTOR_TARGETS, "d1", &w), ERR_GONE);
    assert_int_equal(signatures(f, DIRECTOR_TARGETS), 0);
}

static void damaged_rows(void **state)
{
    struct fixture *f = *state;
    struct director_work w;
    static char cut[] = "UPDATE director SET signatures = substr(signatures, 1, length(signatures) - 1)",
                longer[] = "UPDATE director SET signatures = CAST(signatures || x'00' AS BLOB)",
                body[] = "UPDATE director SET body = x'7b7d'";
    struct named first = fetch(f);
    sql(f, cut);
    struct named second = fetch(f); /* not by our keys as far as one can tell: made anew */
    assert_named(second, "", true);
    assert_true(second.version > first.version);
    sql(f, longer);
    assert_named(fetch(f), "", true);
    sql(f, body);
    assert_named(fetch(f), "", true);
    use_keys(f, NULL, NULL);
    sql(f, cut);
    assert_int_equal(try_fetch(f, DIRECTOR_TARGETS, "d1", &w), ERR_CORRUPT);
}

/* What a reader was asked finds its rows by indices, a few each. */
static void by_index(void **state)
{
    struct fixture *f = *state;
    struct release one = publish_signed(f, "1"), two = publish_signed(f, "2");
    struct director_work w;
    install(f, &one, "0");
    struct db *db = NULL;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    for (int i = 0; i < 2; i++) {
        for (int kind = 0; kind < DIRECTOR_KINDS; kind++) {
            w = (struct director_work){.kind = (enum director_kind)kind, .device = "d1"};
            int rc = ota_director_look(&f->ota, db, false, &f->arena, &w, &f->e);
            assert_int_equal(rc, kind == DIRECTOR_TARGETS ? DIRECTOR_UPGRADE : ERR_NOT_FOUND);
        }
        deploy(f, two.pk, TARGET_ALL, "");
        assert_offered(f, "d1", "1", two.pk);
    }
    for (sqlite3_stmt *it = NULL; (it = sqlite3_next_stmt(db_raw(db), it)) != NULL;) {
        char text[4096];
        if (sqlite3_stmt_isexplain(it) != 0 || strncmp(sqlite3_sql(it), "SELECT", 6) != 0)
            continue;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(it));
        struct stmt plan;
        assert_ok(db_prepare_once(db, &plan, text, &f->e), f->e);
        while (stmt_step(&plan, &f->e) == STMT_ROW)
            if (strstr((const char *)sqlite3_column_text(plan.raw, 3), "SCAN ") != NULL)
                fail_msg("%s\n%s", sqlite3_sql(it), sqlite3_column_text(plan.raw, 3));
        stmt_done(&plan);
    }
    store_reader_free(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_signature_a_decision),
        TEST(after_a_failure_what_ran),
        TEST(only_what_is_vouched_for),
        TEST(anew_when_a_third_is_left),
        TEST(anew_by_new_keys),
        TEST(anew_after_a_restore),
        TEST(whoever_comes_second_takes_the_first),
        TEST(an_old_decision_is_not_stored),
        TEST(nor_one_below_what_was_stored),
        TEST(manifests),
        TEST(a_manifest_needs_its_key),
        TEST(no_such_device),
        TEST(damaged_rows),
        TEST(by_index),
    };
    return cmocka_run_group_tests_name("ota/director", tests, NULL, NULL);
}
