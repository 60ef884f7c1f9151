/* A director's repository: a root and one file for one device. */
#include "repo.h"

#define FILE_NAME "gw-1/targets.json"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define TARGET(name) "\"" name "\": {\"length\": 3, \"hashes\": {\"sha256\": \"" ZEROS "\"}}"

#define FOUR(n)                                                                                              \
    TARGET("a/b/c/" n "1") "," TARGET("a/b/c/" n "2") "," TARGET("a/b/c/" n "3") "," TARGET("a/b/c/" n "4")
#define SIXTEEN FOUR("d") "," FOUR("e") "," FOUR("f") "," FOUR("g")

/* Serves the targets as they are as the device's file. */
static void decide(struct world *w, const char *target)
{
    w->repo.target_members = target;
    w->repo.targets.version++;
    repo_publish(&w->repo, "targets");
    repo_serve(&w->repo, FILE_NAME, w->repo.targets.text);
}

static void expect(struct world *w, int rc, const char *words, const char *log)
{
    w->log[0] = '\0';
    w->e = (struct err){.code = 0};
    int got = tuf_client_refresh_director(&w->client, FILE_NAME, STR("gw-1"), &w->e);
    if (got != rc || (rc != 0 && strstr(w->e.text, words) == NULL))
        fail_msg("%s (%s), not %s (%s)", err_word(got), w->e.text, err_word(rc), words);
    if (log != NULL)
        assert_string_equal(w->log, log);
}

static int setup(void **state)
{
    world_setup(state);
    struct world *w = *state;
    w->repo.repository = "director";
    w->repo.device = "gw-1";
    repo_publish(&w->repo, "root");
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    w->config.repository = "director";
    world_restart(w, WORLD_MEMORY);
    decide(w, TARGET("a/b/c/d"));
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static void test_decision(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    expect(w, 0, "", "2.root.json " FILE_NAME);
    assert_string_equal(world_stored(w, "targets"), repo_file(&w->repo, FILE_NAME));
    assert_int_equal(tuf_target_count(&w->client.targets), 1);
    assert_int_equal(world_target(w, "a/b/c/d", &t), 0);
    assert_int_equal(world_target(w, "a/b/c/e", &t), ERR_NOT_FOUND);
    assert_string_equal(w->log, "");
    decide(w, NULL); /* nothing to run */
    expect(w, 0, "", NULL);
    assert_int_equal(tuf_target_count(&w->client.targets), 0);
    assert_null(world_stored(w, "timestamp"));
}

static void test_rollback(void **state)
{
    struct world *w = *state;
    decide(w, TARGET("new"));
    expect(w, 0, "", NULL);
    w->repo.targets.version = 1;
    decide(w, TARGET("old"));
    assert_int_equal(w->repo.targets.version, 2);
    w->repo.targets.version = 1;
    repo_publish(&w->repo, "targets");
    repo_serve(&w->repo, FILE_NAME, w->repo.targets.text);
    expect(w, ERR_MISMATCH,
           "director: " FILE_NAME ": its version is 1, below the trusted 3: refused (rollback)",
           "2.root.json " FILE_NAME);
    assert_int_equal(world_version(w, "targets"), 3);
    /* The same version with something else in it: what we have stays. */
    w->repo.targets.version = 2;
    decide(w, TARGET("other"));
    struct tuf_target t;
    expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "new", &t), 0);
    /* Also when what we have has ended. */
    w->now_s += 40000000;
    w->repo.root.expires = "2040-01-01T00:00:00Z";
    repo_bump(&w->repo, "root");
    expect(w, ERR_GONE, FILE_NAME, NULL);
    w->repo.targets.version = 1;
    w->repo.targets.expires = "2040-01-01T00:00:00Z";
    decide(w, TARGET("old"));
    expect(w, ERR_MISMATCH, "rollback", NULL);
    w->repo.targets.version = 9;
    decide(w, TARGET("next"));
    expect(w, 0, "", NULL);
}

static void test_names_the_files_of_a_release(void **state)
{
    struct world *w = *state;
    decide(w, SIXTEEN);
    expect(w, 0, "", NULL);
}

static void test_refuses(void **state)
{
    struct world *w = *state;
    w->repo.device = "gw-2";
    decide(w, TARGET("a"));
    expect(w, ERR_MISMATCH, "it is for gw-2, not for gw-1", NULL);
    w->repo.device = NULL;
    decide(w, TARGET("a"));
    expect(w, ERR_MISMATCH, "it is for no device, not for gw-1", NULL);
    w->repo.device = "gw-1";
    decide(w, SIXTEEN ", " TARGET("one more"));
    expect(w, ERR_INVALID, "names 16 targets at most", NULL);
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    decide(w, NULL);
    expect(w, ERR_INVALID, "delegates nothing", NULL);
    w->repo.dn = 0;
    w->repo.targets.expires = PAST;
    decide(w, TARGET("a"));
    expect(w, ERR_GONE, "expired at 2020", NULL);
    w->repo.targets.expires = FAR;
    w->repo.targets.signers[0] = ED + 9;
    w->repo.targets.signers_n = 1;
    decide(w, TARGET("a"));
    expect(w, ERR_MISMATCH, "signed by 0 of the 1", NULL);
    assert_null(world_stored(w, "targets"));
    repo_serve(&w->repo, FILE_NAME, NULL);
    expect(w, ERR_NOT_FOUND, FILE_NAME, NULL);
    struct tuf_target t;
    assert_int_equal(world_target(w, "a", &t), ERR_CONFLICT);
}

/* What another device left here, or what no key of today signed, is no measure. */
static void test_stored_of_another(void **state)
{
    struct world *w = *state;
    w->repo.device = "gw-2";
    w->repo.targets.version = 99;
    decide(w, TARGET("a"));
    world_store(w, "targets", repo_file(&w->repo, FILE_NAME));
    w->repo.device = "gw-1";
    w->repo.targets.version = 4;
    decide(w, TARGET("a"));
    expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "targets"), 5);
    world_store(w, "targets", "{");
    expect(w, 0, "", NULL);
}

static void test_recovery(void **state)
{
    struct world *w = *state;
    w->repo.targets.n = 2;
    w->repo.targets.keys[1] = ED + 7;
    w->repo.targets.version = 99;
    repo_bump(&w->repo, "root");
    decide(w, TARGET("a"));
    expect(w, 0, "", NULL);
    w->repo.targets.version = 4;
    decide(w, TARGET("b"));
    expect(w, ERR_MISMATCH, "rollback", NULL);
    /* The stolen key goes: what it said of versions is forgotten, though the other one signed it too. */
    w->repo.targets.n = 1;
    w->repo.targets.keys[0] = ED + 7;
    repo_bump(&w->repo, "root");
    decide(w, TARGET("b"));
    expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "targets"), 6);
}

/* Each call fails once; nothing is lost by it. */
static void test_fails(void **state)
{
    struct world *w = *state;
    expect(w, 0, "", NULL);
    size_t at = 1;
    for (bool done = false; !done; at++) {
        decide(w, TARGET("a"));
        w->calls = 0;
        w->fail_at = at;
        int rc = tuf_client_refresh_director(&w->client, FILE_NAME, STR("gw-1"), NULL);
        done = rc == 0;
        assert_true(done || (rc == ERR_IO && !w->client.fresh));
        w->fail_at = 0;
        expect(w, 0, "", NULL);
        assert_int_equal(world_version(w, "targets"), w->repo.targets.version);
    }
    assert_true(at > 5);
}

static void test_both_families(void **state)
{
    struct world *w = *state;
    struct repo_role *const roles[] = {&w->repo.root, &w->repo.targets};
    w->config.rules.both_families = true;
    world_restart(w, WORLD_MEMORY);
    expect(w, ERR_CORRUPT, "director: the stored root: the role root does not demand", "");
    for (size_t i = 0; i < COUNT(roles); i++) {
        roles[i]->n = 2;
        roles[i]->keys[1] = ML + (int)i;
        roles[i]->ml_dsa = roles[i]->classical = 1;
    }
    repo_publish(&w->repo, "root");
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    decide(w, TARGET("a"));
    expect(w, 0, "", NULL);
    w->repo.targets.signers_n = 1;
    w->repo.targets.signers[0] = ED + 3;
    decide(w, TARGET("b"));
    expect(w, ERR_MISMATCH, "(ML-DSA: 0 of 1, classical: 1 of 1)", NULL);
    w->repo.targets.signers[0] = ML + 1;
    decide(w, TARGET("b"));
    expect(w, ERR_MISMATCH, "(ML-DSA: 1 of 1, classical: 0 of 1)", NULL);
    w->repo.targets.signers_n = 0;
    decide(w, TARGET("b"));
    expect(w, 0, "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_decision), T(test_rollback),          T(test_names_the_files_of_a_release),
        T(test_refuses),  T(test_stored_of_another), T(test_recovery),
        T(test_fails),    T(test_both_families),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
