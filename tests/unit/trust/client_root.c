/* Section 5.3: the chain of roots. */
#include "repo.h"

/* One version of a root: the keys that may sign it, how many must, and who does. */
struct version {
    int keys[6], threshold, signers[7];
};

static size_t count(const int *keys, size_t most)
{
    size_t n = 0;
    while (n < most && keys[n] >= 0)
        n++;
    return n;
}

static void publish(struct repo *r, int version, const struct version *v)
{
    r->root.version = version;
    r->root.n = count(v->keys, COUNT(v->keys));
    r->root.signers_n = count(v->signers, COUNT(v->signers));
    r->root.threshold = v->threshold;
    memcpy(r->root.keys, v->keys, sizeof v->keys);
    memcpy(r->root.signers, v->signers, sizeof v->signers);
    repo_publish(r, "root");
}

#define MOST 4
struct chain {
    const char *name;
    struct version v[MOST];
    bool good; /* the last one is taken */
};

/* Those of the public conformance suite. */
static const struct chain chains[] = {
    {"1 of 1, rotated", {{{1, -1}, 1, {1, -1}}, {{2, -1}, 1, {2, 1, -1}}, {{2, -1}, 1, {2, -1}}}, true},
    {"1 of 1, signatures of others",
     {{{1, -1}, 1, {3, 1, 4, -1}}, {{2, -1}, 1, {3, 2, 1, 4, -1}}, {{2, -1}, 1, {3, 2, 4, -1}}},
     true},
    {"3 of 5, others each time",
     {{{0, 1, 2, 3, 4, -1}, 3, {0, 2, 4, -1}},
      {{0, 1, 2, 3, 4, -1}, 3, {0, 4, 1, -1}},
      {{0, 1, 2, 3, 4, -1}, 3, {0, 1, 3, -1}}},
     true},
    {"3 of 5, one rotated",
     {{{0, 1, 2, 3, 4, -1}, 3, {0, 2, 4, -1}}, {{0, 1, 3, 4, 5, -1}, 3, {0, 4, 1, -1}}},
     true},
    {"3 of 5, all rotated",
     {{{0, 1, 2, 3, 4, -1}, 3, {0, 2, 4, -1}},
      {{5, 6, 7, 8, 9, -1}, 3, {0, 2, 4, 5, 6, 7, -1}},
      {{5, 6, 7, 8, 9, -1}, 3, {5, 6, 7, -1}}},
     true},
    {"threshold up", {{{1, 2, 3, -1}, 1, {1, -1}}, {{1, 2, 3, -1}, 2, {1, 2, -1}}}, true},
    {"threshold down",
     {{{1, 2, 3, -1}, 2, {1, 2, -1}}, {{1, 2, 3, -1}, 1, {1, 2, -1}}, {{1, 2, 3, -1}, 1, {1, -1}}},
     true},
    {"not by the old key", {{{1, -1}, 1, {1, -1}}, {{2, -1}, 1, {2, 3, 4, -1}}}, false},
    {"not by the new key", {{{1, -1}, 1, {1, -1}}, {{2, -1}, 1, {1, 3, 4, -1}}}, false},
    {"not by 3 new keys",
     {{{0, 1, 2, 3, 4, -1}, 3, {0, 2, 4, -1}}, {{0, 1, 3, 4, 5, -1}, 3, {0, 2, 4, -1}}},
     false},
    {"not by 3 old keys",
     {{{0, 1, 2, 3, 4, -1}, 3, {0, 2, 4, -1}}, {{0, 1, 3, 4, 5, -1}, 3, {0, 4, 5, -1}}},
     false},
    {"threshold up, new one not met", {{{1, 2, 3, -1}, 1, {1, -1}}, {{1, 2, 3, -1}, 2, {2, -1}}}, false},
    {"threshold down, old one not met", {{{1, 2, 3, -1}, 2, {1, 2, -1}}, {{1, 2, 3, -1}, 1, {1, -1}}}, false},
};

static void test_rotations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(chains); i++) {
        const struct chain *c = &chains[i];
        struct world w;
        char name[32];
        int last = 0;
        world_init(&w);
        for (; last < MOST && c->v[last].threshold > 0; last++)
            publish(&w.repo, last + 1, &c->v[last]);
        world_store(&w, "root", repo_file(&w.repo, "1.root.json"));
        int rc = world_refresh(&w);
        if (rc != (c->good ? 0 : ERR_MISMATCH))
            fail_msg("%s: %s (%s)", c->name, err_word(rc), w.e.text);
        snprintf(name, sizeof name, "%d.root.json", c->good ? last : last - 1);
        assert_string_equal(world_stored(&w, "root"), repo_file(&w.repo, name));
        if (!c->good) {
            snprintf(name, sizeof name, "%d.root.json", last);
            assert_non_null(strstr(w.log, name));
            assert_null(strstr(w.log, "timestamp"));
        }
        world_fini(&w);
    }
}

static void test_initial_root(void **state)
{
    struct world *w = *state;
    char *good = strdup(world_stored(w, "root"));
    static const char *const wrong[] = {"{", "{}", "no json at all"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        world_store(w, "root", wrong[i]);
        world_expect(w, ERR_CORRUPT, "the stored root: ", "");
    }
    /* Signed by nobody of its own. */
    w->repo.root.signers[0] = ED + 9;
    w->repo.root.signers_n = 1;
    repo_publish(&w->repo, "root");
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    world_expect(w, ERR_CORRUPT, "the stored root: signed by 0 of the 1 keys", "");
    world_store(w, "root", NULL);
    world_expect(w, ERR_NOT_FOUND, "there is none to begin with", "");
    world_store(w, "root", good);
    world_expect(w, 0, "", NULL);
    free(good);
}

static void test_versions(void **state)
{
    struct world *w = *state;
    w->repo.root.version = 3;
    repo_publish(&w->repo, "root");
    repo_serve(&w->repo, "2.root.json", repo_file(&w->repo, "3.root.json"));
    world_expect(w, ERR_MISMATCH, "2.root.json: its version is 3, and the trusted root's 1", "2.root.json");
    assert_int_equal(world_version(w, "root"), 1);
    /* The version that we have under the next one's name: it must be N + 1 indeed (section 5.3.5). */
    repo_serve(&w->repo, "2.root.json", repo_file(&w->repo, "1.root.json"));
    world_expect(w, ERR_MISMATCH, "2.root.json: its version is 1, and the trusted root's 1", "2.root.json");
    /* Back from 3 to 2. */
    w->repo.root.version = 2;
    repo_publish(&w->repo, "root");
    world_expect(w, 0, "", NULL);
    repo_serve(&w->repo, "4.root.json", repo_file(&w->repo, "2.root.json"));
    world_expect(w, ERR_MISMATCH, "4.root.json: its version is 2", "4.root.json");
    assert_int_equal(world_version(w, "root"), 3);
}

static void test_expired(void **state)
{
    struct world *w = *state;
    w->repo.root.expires = PAST;
    repo_bump(&w->repo, "root"); /* on the way it does not matter */
    w->repo.root.expires = FAR;
    repo_bump(&w->repo, "root");
    world_expect(w, 0, "", NULL);
    w->repo.root.expires = PAST;
    repo_bump(&w->repo, "root");
    world_expect(w, ERR_GONE, "root.json: version 4 expired", "4.root.json 5.root.json");
    assert_int_equal(world_version(w, "root"), 4); /* section 5.3.8 is before 5.3.10 */
    w->repo.root.expires = FAR;
    repo_bump(&w->repo, "root");
    world_expect(w, 0, "", NULL);
}

static void test_many(void **state)
{
    struct world *w = *state;
    /* In the memory of two: only the newest is held. */
    for (int i = 0; i < 40; i++)
        repo_bump(&w->repo, "root");
    world_restart(w, 16 * strlen(w->repo.root.text));
    world_expect(w, 0, "", NULL);
    assert_true(w->client.root.version == 41);
}

static void test_unsigned_keys_of_role(void **state)
{
    struct world *w = *state;
    /* Two keys may sign for the root; one of them alone is as if the other one did not exist. */
    w->repo.root.n = w->repo.root.signers_n = 2;
    w->repo.root.keys[1] = w->repo.root.signers[0] = w->repo.root.signers[1] = ED;
    w->repo.root.keys[1] = ED + 6;
    w->repo.root.threshold = 2;
    w->repo.root.signers_n = 1;
    repo_bump(&w->repo, "root");
    world_expect(w, ERR_MISMATCH, "2.root.json: signed by 1 of the 2 keys that the role root needs", NULL);
}

/* --- fast-forward, and the way out of it (section 5.3.11) ----------------------------------------------- */

static void test_timestamp_recovery(void **state)
{
    struct world *w = *state;
    w->repo.timestamp.version = 99;
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    w->repo.timestamp.version = 1;
    repo_publish(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "rollback", NULL);
    w->repo.timestamp.keys[0] = ED + 7;
    repo_bump(&w->repo, "root");
    repo_publish(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "timestamp"), 1);
}

static void test_snapshot_recovery(void **state)
{
    struct world *w = *state;
    w->repo.snapshot.version = 99;
    repo_bump(&w->repo, "snapshot");
    world_expect(w, 0, "", NULL);
    w->repo.snapshot.version = 1;
    w->repo.snapshot.keys[0] = ED + 7;
    w->repo.timestamp.keys[0] = ED + 8;
    repo_bump(&w->repo, "root");
    repo_bump(&w->repo, "snapshot");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "snapshot"), 2);
}

/* Only the snapshot's key is new: what the old one said of the targets is forgotten, and of itself too. */
static void test_targets_recovery(void **state)
{
    struct world *w = *state;
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    w->repo.targets.version = 99;
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "targets"), 100);
    w->repo.targets.version = 0;
    w->repo.snapshot.version = 0;
    w->repo.snapshot.keys[0] = ED + 7;
    w->repo.metas = "\"targets.json\": {\"version\": 1}";
    repo_bump(&w->repo, "root");
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "targets"), 1);
    assert_int_equal(world_version(w, "snapshot"), 1);
}

/* The compromised key goes, one that signed beside it stays: the stored files would still verify. */
static void test_recovery_from_one_of_two(void **state)
{
    struct world *w = *state;
    struct repo_role *t = &w->repo.timestamp;
    t->n = 2;
    t->keys[1] = ED + 7;
    t->version = 99;
    repo_bump(&w->repo, "root");
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    t->n = 1;
    t->keys[0] = ED + 7;
    t->version = 1;
    repo_bump(&w->repo, "root");
    repo_publish(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "timestamp"), 1);
}

/* The keys go and come back in two steps while the device is away. */
static void test_rotated_there_and_back(void **state)
{
    struct world *w = *state;
    w->repo.timestamp.version = 99;
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    w->repo.timestamp.keys[0] = ED + 7;
    repo_bump(&w->repo, "root");
    w->repo.timestamp.keys[0] = ED + 1;
    repo_bump(&w->repo, "root");
    w->repo.timestamp.version = 1;
    repo_publish(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "timestamp"), 1);
}

/* Other keys than these being rotated, or a threshold, forgets nothing. */
static void test_other_rotations_forget_nothing(void **state)
{
    struct world *w = *state;
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    w->repo.targets.keys[0] = ED + 7;
    w->repo.root.n = 2;
    w->repo.root.keys[1] = ED + 8;
    repo_bump(&w->repo, "root");
    repo_publish(&w->repo, "targets");
    w->repo.timestamp.version = 1;
    repo_publish(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "rollback", NULL);
    assert_int_equal(world_version(w, "timestamp"), 2);
    assert_int_equal(world_version(w, "snapshot"), 2);
}

/* A cut after the old files were dropped and before the new root was stored, or the other way round, leaves
   nothing that the recovery would not find again. */
static void test_recovery_cut_short(void **state)
{
    (void)state;
    for (size_t at = 1;; at++) {
        struct world w;
        world_init(&w);
        w.repo.timestamp.n = 2;
        w.repo.timestamp.keys[1] = ED + 7;
        w.repo.timestamp.version = 99;
        repo_bump(&w.repo, "root");
        repo_bump(&w.repo, "timestamp");
        world_expect(&w, 0, "", NULL);
        w.repo.timestamp.n = 1;
        w.repo.timestamp.keys[0] = ED + 7;
        w.repo.timestamp.version = 1;
        repo_bump(&w.repo, "root");
        repo_publish(&w.repo, "timestamp");
        w.calls = 0;
        w.fail_at = at;
        int rc = world_refresh(&w);
        assert_true(rc == 0 || rc == ERR_IO);
        w.fail_at = 0;
        world_restart(&w, WORLD_MEMORY);
        world_expect(&w, 0, "", NULL);
        assert_int_equal(world_version(&w, "timestamp"), 1);
        world_fini(&w);
        if (rc == 0)
            break;
        assert_true(at < 100);
    }
}

static void test_repository(void **state)
{
    struct world *w = *state;
    w->config.repository = "image";
    world_restart(w, WORLD_MEMORY);
    world_expect(w, ERR_CORRUPT, "image: the stored root: it is the root of none that it names", "");
    w->repo.repository = "image";
    repo_publish(&w->repo, "root");
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    world_expect(w, 0, "", NULL);
    w->repo.repository = "director";
    repo_bump(&w->repo, "root");
    world_expect(w, ERR_MISMATCH, "image: 2.root.json: it is the root of director", NULL);
    assert_int_equal(world_version(w, "root"), 1);
}

/* --- what is checked -----------------------------------------------------------------------------------*/

static size_t checked; /* signatures */

static int count_verify(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                        size_t msg_n, const void *sig, size_t sig_n)
{
    checked++;
    return keys_crypto.verify(ctx, scheme, key, key_n, msg, msg_n, sig, sig_n);
}

/* A root by the present one's holders is checked once; by others twice, for the old and for the new ones. */
static void test_checked_once_or_twice(void **state)
{
    struct world *w = *state;
    static const struct {
        struct version v;
        size_t more; /* signatures that are checked for following it */
    } steps[] = {
        {{{ED, -1}, 1, {ED, -1}}, 1},
        {{{ED, ED + 1, -1}, 1, {ED, -1}}, 2},         /* one more holder */
        {{{ED, ED + 1, -1}, 2, {ED, ED + 1, -1}}, 2}, /* more of the same must sign */
        {{{ED, ED + 1, -1}, 2, {ED, ED + 1, -1}}, 2}, /* nothing changes */
        {{{ED, ED + 1, -1}, 1, {ED, ED + 1, -1}}, 4}, /* fewer must */
        {{{ED + 1, -1}, 1, {ED + 1, -1}}, 2},         /* one holder less */
        {{{ED + 2, -1}, 1, {ED + 1, ED + 2, -1}}, 2}, /* another one */
    };
    w->config.crypto.verify = count_verify;
    world_restart(w, WORLD_MEMORY);
    publish(&w->repo, 1, &steps[0].v);
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    world_expect(w, 0, "", NULL);
    for (size_t i = 0; i < COUNT(steps); i++) {
        checked = 0;
        world_expect(w, 0, "", NULL);
        size_t usual = checked;
        publish(&w->repo, (int)i + 2, &steps[i].v);
        checked = 0;
        world_expect(w, 0, "", NULL);
        assert_int_equal(world_version(w, "root"), i + 2);
        assert_int_equal(checked - usual, steps[i].more);
    }
}

/* Who forges every Ed25519 signature writes no root, in whatever form. */
static void test_every_ed25519_key_forged(void **state)
{
    struct world *w = *state;
    struct repo_role *const roles[] = {&w->repo.root, &w->repo.timestamp, &w->repo.snapshot,
                                       &w->repo.targets};
    for (size_t own = 0; own < 2; own++) {
        w->repo.own = own != 0;
        w->config.rules.both_families = true;
        world_restart(w, WORLD_MEMORY);
        for (size_t i = 0; i < COUNT(roles); i++) {
            roles[i]->keys[0] = ED + (int)i;
            roles[i]->keys[1] = ML + (int)i;
            roles[i]->n = 2;
            roles[i]->signers_n = 0;
            roles[i]->threshold = roles[i]->ml_dsa = roles[i]->classical = 1;
        }
        publish(&w->repo, 1, &(struct version){{ED, ML, -1}, 1, {ED, ML, -1}});
        for (size_t i = 1; i < COUNT(roles); i++)
            repo_publish(&w->repo, roles[i]->name);
        repo_serve(&w->repo, "2.root.json", NULL);
        world_store(w, "root", repo_file(&w->repo, "1.root.json"));
        world_expect(w, 0, "", NULL);
        publish(&w->repo, 2, &(struct version){{ED, ML, -1}, 1, {ED, -1}});
        world_expect(w, ERR_MISMATCH, "(ML-DSA: 0 of 1, classical: 1 of 1)", NULL);
        publish(&w->repo, 2, &(struct version){{ED, -1}, 1, {ED, -1}}); /* nothing of ML-DSA wanted */
        world_expect(w, ERR_MISMATCH, "(ML-DSA: 0 of 1, classical: 1 of 1)", NULL);
        w->repo.root.ml_dsa = w->repo.root.classical = 0;
        publish(&w->repo, 2, &(struct version){{ED, -1}, 1, {ED, -1}});
        world_expect(w, ERR_MISMATCH, "(member \"pqota\")", NULL);
        w->repo.root.ml_dsa = w->repo.root.classical = 1;
        publish(&w->repo, 2,
                &(struct version){{ED, ML + 4, -1}, 1, {ED, ML + 4, -1}}); /* an ML-DSA key of his */
        world_expect(w, ERR_MISMATCH, "(ML-DSA: 0 of 1, classical: 1 of 1)", NULL);
        assert_int_equal(world_version(w, "root"), 1);
        publish(&w->repo, 2,
                &(struct version){{ED, ML + 4, -1}, 1, {ED, ML + 4, ML, -1}}); /* by the holder */
        world_expect(w, 0, "", NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotations),
        WORLD_TEST(test_initial_root),
        WORLD_TEST(test_versions),
        WORLD_TEST(test_expired),
        WORLD_TEST(test_many),
        WORLD_TEST(test_unsigned_keys_of_role),
        WORLD_TEST(test_timestamp_recovery),
        WORLD_TEST(test_snapshot_recovery),
        WORLD_TEST(test_targets_recovery),
        WORLD_TEST(test_recovery_from_one_of_two),
        WORLD_TEST(test_rotated_there_and_back),
        WORLD_TEST(test_other_rotations_forget_nothing),
        cmocka_unit_test(test_recovery_cut_short),
        WORLD_TEST(test_repository),
        WORLD_TEST(test_checked_once_or_twice),
        WORLD_TEST(test_every_ed25519_key_forged),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
