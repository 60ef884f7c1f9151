/* A device that asks TUF: what it takes, and each thing that it refuses, in words for a person. */
#include "repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct repo r;

static void check(enum pqota_vouch wanted, const char *word)
{
    enum pqota_vouch got = repo_vouch(&r, NULL);
    if (got != wanted || strstr(r.why, word) == NULL)
        fail_msg("wanted %d \"%s\", got %d \"%s\"", (int)wanted, word, (int)got, r.why);
}

/* As the fields say now, newer than what was served until now. */
static void resign(void)
{
    r.director_version++, r.timestamp_version++, r.snapshot_version++, r.targets_version++;
    repo_sign(&r);
}

static void what_both_signed(void **s)
{
    (void)s;
    repo_init(&r);
    struct pqota_target t;
    if (repo_vouch(&r, &t) != PQOTA_VOUCHED)
        fail_msg("%s", r.why);
    assert_string_equal(t.name, "os");
    assert_string_equal(t.version, "2.0");
    assert_string_equal(t.filename, "os.img");
    assert_string_equal(t.sha256, r.sha256);
    assert_int_equal(t.size, 20000);
    assert_int_equal(t.sequence, 5);
    assert_int_equal(t.counter, 2);
    assert_true(pqota_trust_memory_used(&r.trust) < PQOTA_TRUST_MEMORY_MIN);
    /* Stored byte for byte, and asked for no more than needed. */
    assert_true(str_eq(repo_find(&r.stored, "image/timestamp")->text,
                       repo_find(&r.served, "image/timestamp.json")->text));
    assert_true(str_eq(repo_find(&r.stored, "image/model-gw")->text,
                       repo_find(&r.served, "image/1.model-gw.json")->text));
    assert_int_equal(r.requests, 2 + 5); /* director: root 2, file; image: root 2 and four roles */
    r.requests = 0;
    repo_start(&r);
    check(PQOTA_VOUCHED, "");
    assert_int_equal(r.requests, 2 + 2);
    repo_fini(&r);
}

/* The smallest memory that is allowed does for a small repository. */
static void in_the_smallest_memory(void **s)
{
    (void)s;
    repo_init(&r);
    r.memory_size = PQOTA_TRUST_MEMORY_MIN;
    r.others = 20;
    repo_sign(&r);
    repo_start(&r);
    check(PQOTA_VOUCHED, "");
    repo_fini(&r);
}

/* 10 000 targets under 20 delegations: what pqota_trust.h says of PQOTA_TRUST_MEMORY_DEFAULT. */
static void a_large_repository_in_the_usual_memory(void **s)
{
    (void)s;
    repo_init(&r);
    r.models = 19;
    r.others = 499;
    repo_sign(&r);
    check(PQOTA_VOUCHED, "");
    size_t used = pqota_trust_memory_used(&r.trust);
    if (used > PQOTA_TRUST_MEMORY_DEFAULT * 3 / 4)
        fail_msg("%zu bytes", used);
    repo_fini(&r);
}

static void with_too_little_memory_it_says_so(void **s)
{
    (void)s;
    repo_init(&r);
    r.memory_size = PQOTA_TRUST_MEMORY_MIN;
    r.others = 3000;
    repo_sign(&r);
    repo_start(&r);
    check(PQOTA_VOUCH_REFUSED, "longer than");
    repo_fini(&r);
}

/* --- the device's demands ----------------------------------------------------------------------------- */

static void director_and_vendor_must_agree(void **s)
{
    static const char other[] = "1111111111111111111111111111111111111111111111111111111111111111";
    (void)s;
    repo_init(&r);
    r.says_length = 20001;
    resign();
    check(PQOTA_VOUCH_REFUSED, "gw/os/2.0/os.img the director says 20001 bytes, the vendor signed 20000");
    r.says_length = 0;
    r.says_sha256 = other;
    resign();
    check(PQOTA_VOUCH_REFUSED, "another hash than the vendor signed");
    r.says_sha256 = NULL;
    r.says_path = "gw/os/6.6.6/evil.img";
    resign();
    check(PQOTA_VOUCH_STALE, "names gw/os/6.6.6/evil.img, which the vendor has not signed");
    r.says_path = NULL;
    r.says_nothing = true;
    resign();
    check(PQOTA_VOUCH_STALE, "names nothing for this device to run");
    r.says_nothing = false;
    r.says_device = "gw-2";
    resign();
    check(PQOTA_VOUCH_REFUSED, "gw-2");
    repo_fini(&r);
}

/* A release of two files: for a device that installs one it is none, for others each is asked about. */
static void two_files(void **s)
{
    (void)s;
    struct pqota_target t;
    repo_init(&r);
    r.beside = "gw/os/2.0/os.zck";
    resign();
    check(PQOTA_VOUCH_REFUSED, "names 2 targets; this device runs one");
    r.several_files = true;
    repo_start(&r);
    check(PQOTA_VOUCH_REFUSED, "names 2 files for this device to run, and none is hint.img");
    r.hint = "os.zck";
    assert_int_equal(repo_vouch(&r, &t), PQOTA_VOUCHED);
    assert_string_equal(t.filename, "os.zck");
    assert_int_equal(t.size, 7);
    r.hint = "os.img";
    assert_int_equal(repo_vouch(&r, &t), PQOTA_VOUCHED);
    assert_string_equal(t.filename, "os.img");
    assert_int_equal(t.size, 20000);
    assert_int_equal(t.sequence, 5);
    r.beside = "gw/os/1.9/os.zck"; /* signed too, and of another release: nobody built these two together */
    resign();
    check(PQOTA_VOUCH_REFUSED, "names files of several releases");
    repo_fini(&r);
}

static void another_model(void **s)
{
    (void)s;
    repo_init(&r);
    r.custom.model = STR("pump");
    repo_sign(&r);
    check(PQOTA_VOUCH_REFUSED, "not of the release that its path names");
    repo_fini(&r);
    /* The vendor's own for another model: the director may name it, the device does not take it. */
    repo_init(&r);
    r.path = "pump/os/2.0/os.img";
    r.custom.model = STR("pump");
    repo_sign(&r);
    /* gw's role may not sign for pump. */
    check(PQOTA_VOUCH_STALE, "has not signed");
    repo_fini(&r);
}

static void the_counter_never_goes_down(void **s)
{
    (void)s;
    repo_init(&r);
    r.standing = (struct pqota_standing){.confirmed = true, .sequence = 9, .counter = 2};
    check(PQOTA_VOUCHED, ""); /* a lower sequence is fine */
    r.standing.counter = 3;
    check(PQOTA_VOUCH_REFUSED, "anti-rollback counter 2, this device has confirmed 3");
    repo_fini(&r);
}

static void steps_are_kept(void **s)
{
    (void)s;
    repo_init(&r);
    r.custom.upgrade_from = 4;
    repo_sign(&r);
    check(PQOTA_VOUCHED, ""); /* as it was delivered */
    r.standing = (struct pqota_standing){.confirmed = true, .sequence = 3, .counter = 0};
    check(PQOTA_VOUCH_REFUSED, "installed from sequence 4 on, this device runs 3");
    r.standing.sequence = 0;
    check(PQOTA_VOUCH_REFUSED, "this device runs an unknown one");
    r.standing.sequence = 4;
    check(PQOTA_VOUCHED, "");
    r.custom.upgrade_from = 0;
    resign();
    r.standing.sequence = 0;
    check(PQOTA_VOUCHED, "");
    repo_fini(&r);
}

static void entries_that_say_too_little_or_too_much(void **s)
{
    (void)s;
    for (int i = 0; i < 4; i++) {
        repo_init(&r);
        switch (i) {
        case 0:
            r.plain = true;
            break;
        case 1:
            r.custom.sequence = (int64_t)UINT32_MAX + 1;
            break;
        case 2:
            r.custom.counter = INT64_MAX;
            break;
        case 3:
            r.path = "gw/os/2.1/os.img"; /* while its custom says 2.0 */
            break;
        }
        repo_sign(&r);
        check(PQOTA_VOUCH_REFUSED, i == 0 ? "does not say what it is for" : i == 3 ? "its path" : "32 bits");
        repo_fini(&r);
    }
}

/* --- time and keys ------------------------------------------------------------------------------------ */

static void what_has_expired_is_stale(void **s)
{
    (void)s;
    repo_init(&r);
    r.now = r.expires;
    check(PQOTA_VOUCH_STALE, "expired");
    r.director_expires = r.now + REPO_DAY;
    r.director_version++;
    repo_sign(&r);
    check(PQOTA_VOUCH_STALE, "image: ");
    r.expires = r.now + REPO_DAY;
    r.timestamp_version++, r.snapshot_version++, r.targets_version++;
    repo_sign(&r);
    check(PQOTA_VOUCHED, "");
    repo_fini(&r);
}

static void versions_do_not_go_back(void **s)
{
    (void)s;
    repo_init(&r);
    check(PQOTA_VOUCHED, "");
    r.director_version--;
    repo_sign(&r);
    check(PQOTA_VOUCH_REFUSED, "director: ");
    r.director_version++;
    r.timestamp_version--;
    repo_sign(&r);
    check(PQOTA_VOUCH_REFUSED, "image: ");
    repo_fini(&r);
}

/* All online keys stolen: the vendor's are elsewhere. */
static void online_keys_do_not_sign_images(void **s)
{
    (void)s;
    repo_init(&r);
    struct sign_keys targets = r.targets;
    r.targets = r.director;
    repo_sign(&r);
    char name[] = "image/1.root.json";
    repo_put(&r.served, name, r.image_root); /* the root they cannot change */
    check(PQOTA_VOUCH_REFUSED, "image: ");
    r.targets = targets;
    repo_fini(&r);
}

/* One of the pair's two signatures by a key that nobody knows. */
static void a_family_alone_is_not_enough(void **s)
{
    static const char *const files[] = {"director/gw-1/targets.json", "image/1.model-gw.json",
                                        "image/timestamp.json"};
    (void)s;
    for (size_t i = 0; i < 6; i++) {
        repo_init(&r);
        const struct sign_keys *keys[] = {&r.director, &r.targets, &r.timestamp};
        struct repo_file *file = repo_find(&r.served, files[i / 2]);
        char *text = strdup(file->text.p), *keyid = strstr(text, keys[i / 2]->key[i % 2].keyid);
        assert_non_null(keyid);
        keyid[0] = keyid[0] == 'a' ? 'b' : 'a';
        repo_put(&r.served, files[i / 2], str_of(text));
        free(text);
        check(PQOTA_VOUCH_REFUSED, i / 2 == 0 ? "director: " : "image: ");
        if (i / 2 != 1 && strstr(r.why, i % 2 == 0 ? "ML-DSA: 0 of 1" : "classical: 0 of 1") == NULL)
            fail_msg("%s", r.why);
        repo_fini(&r);
    }
}

/* --- the network -------------------------------------------------------------------------------------- */

static void network_trouble(void **s)
{
    (void)s;
    repo_init(&r);
    r.offline = true;
    check(PQOTA_VOUCH_LATER, "could not be fetched");
    r.offline = false;
    r.refused = "image/timestamp.json";
    r.status = 503;
    check(PQOTA_VOUCH_LATER, "timestamp.json: the server answered 503");
    r.status = 404;
    check(PQOTA_VOUCH_STALE, "timestamp.json: the server has no such file");
    r.refused = NULL;
    r.cut = "image/timestamp.json";
    r.cut_s = 5;
    check(PQOTA_VOUCH_LATER, "could not be fetched");
    r.cut_s = 60;
    check(PQOTA_VOUCH_STALE, "timestamp.json: the server does not finish it");
    r.cut = NULL;
    check(PQOTA_VOUCHED, "");
    repo_fini(&r);
}

static void endless_data(void **s)
{
    static const char *const files[] = {
        "director/2.root.json", "director/gw-1/targets.json",     "image/2.root.json",
        "image/timestamp.json", "image/1800000000.snapshot.json", "image/1.targets.json",
        "image/1.model-gw.json"};
    (void)s;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        repo_init(&r);
        r.endless = files[i];
        check(PQOTA_VOUCH_REFUSED, "longer than");
        r.endless = NULL;
        check(PQOTA_VOUCHED, "");
        repo_fini(&r);
    }
}

/* Every save in turn: the next time it goes through. */
static void each_save_fails_once(void **s)
{
    (void)s;
    for (int at = 1;; at++) {
        repo_init(&r);
        r.fail_save = at;
        enum pqota_vouch got = repo_vouch(&r, NULL);
        int saves = r.saves;
        if (got != PQOTA_VOUCHED) {
            assert_int_equal(got, PQOTA_VOUCH_LATER);
            repo_start(&r);
            check(PQOTA_VOUCHED, "");
        }
        repo_fini(&r);
        if (saves < at) {
            assert_true(at > 6);
            break;
        }
        assert_int_equal(got, PQOTA_VOUCH_LATER);
    }
}

/* --- roots -------------------------------------------------------------------------------------------- */

static void a_newer_root_in_the_settings_wins(void **s)
{
    (void)s;
    repo_init(&r);
    check(PQOTA_VOUCHED, "");
    /* Keys and versions begin anew, as after a disaster; the old root is not asked. */
    keys_fini(&r.root);
    keys_fini(&r.timestamp);
    const enum trust_scheme schemes[] = {TRUST_ML_DSA_87, TRUST_ED25519};
    struct err e = {0};
    assert_int_equal(keys_generate(schemes, 2, &r.arena, &r.root, &e), 0);
    assert_int_equal(keys_generate(schemes, 2, &r.arena, &r.timestamp, &e), 0);
    r.root_version = r.director_root_version = 2;
    r.timestamp_version = r.snapshot_version = 1;
    repo_sign(&r);
    repo_start(&r);
    check(PQOTA_VOUCH_REFUSED, "");
    repo_device(&r);
    repo_start(&r);
    check(PQOTA_VOUCHED, "");
    assert_true(str_eq(repo_find(&r.stored, "image/root")->text, r.image_root));
    /* An older one in the settings changes nothing. */
    struct str text = repo_find(&r.served, "image/1.root.json")->text;
    r.image_root = (struct str){.p = arena_dup_str(&r.arena, text), .n = text.n};
    repo_start(&r);
    check(PQOTA_VOUCHED, "");
    repo_fini(&r);
}

static void a_damaged_stored_root_is_replaced(void **s)
{
    (void)s;
    repo_init(&r);
    check(PQOTA_VOUCHED, "");
    repo_put(&r.stored, "image/root", STR("{\"signed\":"));
    repo_put(&r.stored, "director/root", STR(""));
    check(PQOTA_VOUCHED, "");
    repo_fini(&r);
}

static void wrong_settings(void **s)
{
    static _Alignas(16) unsigned char memory[PQOTA_TRUST_MEMORY_MIN];
    (void)s;
    repo_init(&r);
    struct pqota_trust out = {0};
    char why[PQOTA_TEXT_SIZE];
    const struct pqota_trust_settings good = repo_settings(&r);
    struct pqota_trust_settings set;
    static const char *const words[] = {"callback",   "callback",  "id",           "model",
                                        "image root", "\"image\"", "director root"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        set = good;
        switch (i) {
        case 0:
            set.transport.request = NULL;
            break;
        case 1:
            set.now = NULL;
            break;
        case 2:
            set.device = "gw/1";
            break;
        case 3:
            set.model = "";
            break;
        case 4:
            set.image_root_size = 10;
            break;
        case 5:
            set.director_root = set.image_root;
            set.director_root_size = set.image_root_size;
            break;
        case 6:
            set.director_root = "[]";
            set.director_root_size = 2;
            break;
        }
        why[0] = '\0';
        assert_int_equal(pqota_trust_init(memory, sizeof memory, &set, &out, why), PQOTA_E_INVALID);
        if (strstr(why, words[i]) == NULL)
            fail_msg("row %zu: %s", i, why);
        assert_null(out.vouch);
    }
    assert_int_equal(pqota_trust_init(memory, sizeof memory - 1, &good, &out, why), PQOTA_E_INVALID);
    assert_int_equal(pqota_trust_init(memory + 8, sizeof memory, &good, &out, why), PQOTA_E_INVALID);
    assert_int_equal(pqota_trust_init(memory, sizeof memory, &good, &out, why), PQOTA_OK);
    repo_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_signed),
        cmocka_unit_test(in_the_smallest_memory),
        cmocka_unit_test(a_large_repository_in_the_usual_memory),
        cmocka_unit_test(with_too_little_memory_it_says_so),
        cmocka_unit_test(director_and_vendor_must_agree),
        cmocka_unit_test(two_files),
        cmocka_unit_test(another_model),
        cmocka_unit_test(the_counter_never_goes_down),
        cmocka_unit_test(steps_are_kept),
        cmocka_unit_test(entries_that_say_too_little_or_too_much),
        cmocka_unit_test(what_has_expired_is_stale),
        cmocka_unit_test(versions_do_not_go_back),
        cmocka_unit_test(online_keys_do_not_sign_images),
        cmocka_unit_test(a_family_alone_is_not_enough),
        cmocka_unit_test(network_trouble),
        cmocka_unit_test(endless_data),
        cmocka_unit_test(each_save_fails_once),
        cmocka_unit_test(a_newer_root_in_the_settings_wins),
        cmocka_unit_test(a_damaged_stored_root_is_replaced),
        cmocka_unit_test(wrong_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
