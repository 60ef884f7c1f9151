/* The workflow as a whole: what is requested, stored and refused. */
#include "repo.h"

#define FRESH "2.root.json timestamp.json 1.snapshot.json 1.targets.json"

static void test_fresh_refresh(void **state)
{
    struct world *w = *state;
    world_expect(w, 0, "", FRESH);
    static const char *const roles[] = {"root", "timestamp", "snapshot", "targets"};
    static const char *const files[] = {"1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"};
    for (size_t i = 0; i < COUNT(roles); i++)
        assert_string_equal(world_stored(w, roles[i]), repo_file(&w->repo, files[i]));
    assert_true(w->client.root.version == 1 && w->client.targets.version == 1);
    /* Again: only what has no version of its own. */
    world_expect(w, 0, "", "2.root.json timestamp.json");
    world_restart(w, WORLD_MEMORY);
    world_expect(w, 0, "", "2.root.json timestamp.json");
}

static void test_bytes_as_served(void **state)
{
    struct world *w = *state;
    char *odd = text_of(" \n%s  \n ", repo_file(&w->repo, "timestamp.json"));
    repo_serve(&w->repo, "timestamp.json", odd);
    world_expect(w, 0, "", FRESH);
    assert_string_equal(world_stored(w, "timestamp"), odd);
    free(odd);
}

static void test_not_consistent(void **state)
{
    struct world *w = *state;
    w->repo.consistent = false;
    repo_bump(&w->repo, "root");
    repo_publish(&w->repo, "snapshot");
    repo_publish(&w->repo, "targets");
    world_expect(w, 0, "", "2.root.json 3.root.json timestamp.json snapshot.json targets.json");
}

static void test_missing_files(void **state)
{
    struct world *w = *state;
    repo_serve(&w->repo, "1.targets.json", NULL);
    world_expect(w, ERR_NOT_FOUND, "1.targets.json: the server has none", FRESH);
    assert_int_equal(world_version(w, "snapshot"), 1);
    repo_serve(&w->repo, "1.snapshot.json", NULL);
    world_store(w, "snapshot", NULL);
    world_expect(w, ERR_NOT_FOUND, "1.snapshot.json", NULL);
    repo_serve(&w->repo, "timestamp.json", NULL);
    world_expect(w, ERR_NOT_FOUND, "timestamp.json", "2.root.json timestamp.json");
}

/* --- the timestamp -------------------------------------------------------------------------------------- */

static void test_timestamp_same_version(void **state)
{
    struct world *w = *state;
    world_expect(w, 0, "", FRESH);
    w->repo.snapshot_meta = "{\"version\": 100}";
    repo_publish(&w->repo, "timestamp");
    char *before = strdup(world_stored(w, "timestamp"));
    assert_string_not_equal(before, repo_file(&w->repo, "timestamp.json"));
    world_expect(w, 0, "", "2.root.json timestamp.json");
    assert_string_equal(world_stored(w, "timestamp"), before);
    free(before);
}

static void test_timestamp_rollback(void **state)
{
    struct world *w = *state;
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
    w->repo.timestamp.version = 1;
    repo_publish(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "timestamp.json: its version is 1, below the trusted 2: refused (rollback)",
                 "2.root.json timestamp.json");
    assert_int_equal(world_version(w, "timestamp"), 2);
    /* A timestamp that ended still says what was there. */
    w->now_s += 40000000;
    world_expect(w, ERR_GONE, "root.json", NULL);
    w->repo.root.expires = "2040-01-01T00:00:00Z";
    repo_bump(&w->repo, "root");
    world_expect(w, ERR_MISMATCH, "rollback", NULL);
    w->repo.timestamp.version = 3;
    w->repo.timestamp.expires = w->repo.snapshot.expires = w->repo.targets.expires = "2040-01-01T00:00:00Z";
    repo_publish(&w->repo, "timestamp");
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "timestamp"), 4);
    assert_int_equal(world_version(w, "snapshot"), 2);
}

static void rollback_snapshot(struct world *w, bool hashes)
{
    w->repo.hashes = hashes;
    repo_bump(&w->repo, "snapshot");
    world_expect(w, 0, "", NULL);
    w->repo.snapshot.version = 1;
    repo_publish(&w->repo, "snapshot");
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "it lowers snapshot.json from version 2 to 1: refused (rollback)",
                 "2.root.json timestamp.json");
    assert_int_equal(world_version(w, "timestamp"), 2);
    assert_int_equal(world_version(w, "snapshot"), 2);
}

static void test_snapshot_rollback(void **state)
{
    rollback_snapshot(*state, false);
}

static void test_snapshot_rollback_hashes(void **state)
{
    rollback_snapshot(*state, true);
}

/* The timestamp was lost: the snapshot that we have must not be replaced by an older one all the same. */
static void test_snapshot_rollback_without_timestamp(void **state)
{
    struct world *w = *state;
    char *old = strdup(repo_file(&w->repo, "timestamp.json"));
    repo_bump(&w->repo, "snapshot");
    world_expect(w, 0, "", NULL);
    world_store(w, "timestamp", "damaged");
    repo_serve(&w->repo, "timestamp.json", old);
    free(old);
    world_expect(w, ERR_MISMATCH, "1.snapshot.json: its version is 1, below the trusted 2", NULL);
}

static void test_snapshot_not_fetched_again(void **state)
{
    struct world *w = *state;
    w->repo.hashes = true;
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", "2.root.json timestamp.json");
    /* A stored file that is not what the timestamp says is fetched anew; so is one that is damaged. */
    world_store(w, "snapshot", repo_file(&w->repo, "1.snapshot.json"));
    world_store(w, "targets", "{\"signed\": 1}");
    world_expect(w, 0, "", "2.root.json timestamp.json 2.snapshot.json 2.targets.json");
    assert_int_equal(world_version(w, "snapshot"), 2);
}

/* What is stored is believed no more than what comes: by the keys of today, and as the timestamp has it. */
static void test_stored_snapshot(void **state)
{
    struct world *w = *state;
    w->repo.hashes = true;
    repo_bump(&w->repo, "snapshot");
    world_expect(w, 0, "", NULL);
    char *good = strdup(world_stored(w, "snapshot"));
    world_store(w, "snapshot", "{");
    world_expect(w, 0, "", "2.root.json timestamp.json 2.snapshot.json");
    assert_string_equal(world_stored(w, "snapshot"), good);
    w->repo.snapshot.signers[0] = ED + 9;
    w->repo.snapshot.signers_n = 1;
    w->repo.metas = "\"targets.json\": {\"version\": 99}"; /* by which nothing may be measured */
    repo_publish(&w->repo, "snapshot");
    world_store(w, "snapshot", w->repo.snapshot.text);
    repo_serve(&w->repo, "2.snapshot.json", good);
    world_expect(w, 0, "", "2.root.json timestamp.json 2.snapshot.json");
    assert_string_equal(world_stored(w, "snapshot"), good);
    free(good);
    /* The same version with other contents, as a newer timestamp says. */
    w->repo.snapshot.signers_n = 0;
    w->repo.metas = NULL;
    w->repo.snapshot.expires = "2031-01-01T00:00:00Z";
    repo_publish(&w->repo, "snapshot");
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", "2.root.json timestamp.json 2.snapshot.json");
    assert_string_equal(world_stored(w, "snapshot"), w->repo.snapshot.text);
}

static void test_snapshot_versions(void **state)
{
    struct world *w = *state;
    world_expect(w, 0, "", NULL);
    /* The file under that version's name says another one. */
    w->repo.snapshot.version = 3;
    repo_publish(&w->repo, "snapshot");
    repo_serve(&w->repo, "2.snapshot.json", repo_file(&w->repo, "3.snapshot.json"));
    w->repo.snapshot.version = 2;
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "2.snapshot.json: its version is 3, not 2", NULL);
    assert_int_equal(world_version(w, "timestamp"), 2);
    assert_int_equal(world_version(w, "snapshot"), 1);
}

static void test_hash_and_length(void **state)
{
    struct world *w = *state;
    char meta[256];
    world_expect(w, 0, "", NULL);
    w->repo.hashes = true;
    w->repo.snapshot.version++;
    repo_publish(&w->repo, "snapshot");
    size_t n = strlen(w->repo.snapshot.text);
    snprintf(meta, sizeof meta, "{\"version\": 2, \"length\": %zu, \"hashes\": {\"sha256\": \"%064d\"}}", n,
             0);
    w->repo.snapshot_meta = meta;
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "2.snapshot.json: its SHA-256 is not the one", NULL);
    /* Not one byte more than it says is taken. */
    snprintf(meta, sizeof meta, "{\"version\": 2, \"length\": %zu}", n - 1);
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_TOO_LARGE, "2.snapshot.json: it is longer than the", NULL);
    snprintf(meta, sizeof meta, "{\"version\": 2, \"length\": %zu}", n + 1);
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "bytes, not", NULL);
    snprintf(meta, sizeof meta, "{\"version\": 2, \"hashes\": {\"sha512\": \"%0128d\"}}", 0);
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_MISMATCH, "its SHA-512 is not the one", NULL);
    /* What says nothing of use is not stored, so that the next one is not measured by it. */
    int version = world_version(w, "timestamp");
    snprintf(meta, sizeof meta, "{\"version\": 2, \"hashes\": {\"md5\": \"00\"}}");
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_UNSUPPORTED, "none of its hashes", NULL);
    snprintf(meta, sizeof meta, "{\"version\": 2, \"hashes\": {\"sha256\": \"00\"}}");
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_INVALID, "is not 64 hexadecimal digits", NULL);
    assert_int_equal(world_version(w, "timestamp"), version);
    w->repo.snapshot_meta = NULL;
    repo_bump(&w->repo, "timestamp");
    world_expect(w, 0, "", NULL);
}

static void test_targets_rollback(void **state)
{
    struct world *w = *state;
    repo_delegate(&w->repo, "targets", "A", "[\"a/*\"]");
    repo_delegate(&w->repo, "targets", "z", "[\"z/*\"]");
    repo_bump_all(&w->repo);
    w->repo.hashes = true;
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_version(w, "targets"), 3);
    w->repo.metas = "\"targets.json\": {\"version\": 2}, \"A.json\": {\"version\": 2}";
    repo_bump(&w->repo, "snapshot");
    world_expect(w, ERR_MISMATCH, "it lowers targets.json from version 3 to 2: refused (rollback)", NULL);
    w->repo.metas = "\"targets.json\": {\"version\": 4}, \"A.json\": {\"version\": 1}";
    repo_bump(&w->repo, "snapshot");
    world_expect(w, ERR_MISMATCH, "it lowers A.json from version 2 to 1: refused (rollback)", NULL);
    w->repo.metas = "\"targets.json\": {\"version\": 3}, \"A.json\": {\"version\": 2}";
    repo_bump(&w->repo, "snapshot");
    world_expect(w, ERR_MISMATCH, "it names z.json no more: refused (rollback)", NULL);
    w->repo.metas = "\"targets.json\": {\"version\": 3}, \"B.json\": {\"version\": 9}";
    repo_bump(&w->repo, "snapshot");
    world_expect(w, ERR_MISMATCH, "it names A.json no more: refused (rollback)", NULL);
    assert_int_equal(world_version(w, "snapshot"), 3);
    /* Also when the snapshot that we have has ended. */
    w->now_s += 40000000;
    w->repo.root.expires = w->repo.timestamp.expires = w->repo.snapshot.expires = "2040-01-01T00:00:00Z";
    repo_bump(&w->repo, "root");
    repo_bump(&w->repo, "snapshot");
    world_expect(w, ERR_MISMATCH, "it names A.json no more", NULL);
}

/* --- signatures ----------------------------------------------------------------------------------------- */

static void test_unsigned(void **state)
{
    struct world *w = *state;
    static const char *const roles[] = {"timestamp", "snapshot", "targets"};
    static const char *const words[] = {"timestamp.json: signed by 0 of the 1 keys that the role timestamp",
                                        "2.snapshot.json: signed by 0", "3.targets.json: signed by 0"};
    for (size_t i = 0; i < COUNT(roles); i++) {
        struct repo_role *role = repo_role(&w->repo, roles[i]);
        role->signers[0] = ED + 9;
        role->signers_n = 1;
        repo_bump(&w->repo, roles[i]);
        if (i == 2)
            repo_bump(&w->repo, "targets");
        world_expect(w, ERR_MISMATCH, words[i], NULL);
        assert_int_equal(world_version(w, roles[i]), 0);
        role->signers_n = 0;
        repo_bump(&w->repo, roles[i]);
    }
}

/* A snapshot that the timestamp's key signed too, in the timestamp's place. */
static void test_wrong_type(void **state)
{
    struct world *w = *state;
    w->repo.metas = "\"snapshot.json\": {\"version\": 1}";
    w->repo.snapshot.signers[0] = ED + 1;
    w->repo.snapshot.signers_n = 1;
    repo_publish(&w->repo, "snapshot");
    repo_serve(&w->repo, "timestamp.json", w->repo.snapshot.text);
    world_expect(w, ERR_INVALID, "timestamp.json: \"_type\" is snapshot, not timestamp", NULL);
    assert_int_equal(world_version(w, "timestamp"), 0);
}

static void test_expired(void **state)
{
    struct world *w = *state;
    world_expect(w, 0, "", NULL);
    static const char *const roles[] = {"timestamp", "snapshot", "targets"};
    static const char *const words[] = {
        "version 2 expired at 2020-01-01T00:00:00Z, and now it is 2029-12-26T17:20:00Z",
        "2.snapshot.json: version 2 expired", "2.targets.json: version 2 expired"};
    for (size_t i = 0; i < COUNT(roles); i++) {
        struct repo_role *role = repo_role(&w->repo, roles[i]);
        role->expires = PAST;
        repo_bump(&w->repo, roles[i]);
        world_expect(w, ERR_GONE, words[i], NULL);
        assert_int_equal(world_version(w, roles[i]), 1);
        role->expires = FAR;
        role->version--;
        repo_bump(&w->repo, roles[i]);
    }
    world_expect(w, 0, "", NULL);
    /* The second in which it ends is over already (section 5.4.4: "higher than"). */
    w->repo.timestamp.expires = "2029-12-26T17:20:00Z";
    repo_bump(&w->repo, "timestamp");
    world_expect(w, ERR_GONE, "timestamp.json", NULL);
    w->now_s--;
    world_expect(w, 0, "", NULL);
    w->now_s++; /* what is stored ends too, when nothing newer comes */
    world_expect(w, ERR_GONE, "timestamp.json", "2.root.json timestamp.json");
}

static void test_expired_targets_are_fetched_again(void **state)
{
    struct world *w = *state;
    w->repo.targets.expires = "2029-12-27T00:00:00Z";
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    w->now_s += 86400;
    world_expect(w, ERR_GONE, "2.targets.json", "2.root.json timestamp.json 2.targets.json");
    w->repo.targets.expires = FAR;
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
}

static void test_malformed(void **state)
{
    struct world *w = *state;
    static const char *const wrong[] = {"", "no JSON", "{}", "[]", "{\"signatures\": [], \"signed\": {}}"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        repo_serve(&w->repo, "timestamp.json", wrong[i]);
        world_expect(w, ERR_INVALID, "timestamp.json: ", NULL);
        assert_int_equal(world_version(w, "timestamp"), 0);
    }
}

static void test_limits(void **state)
{
    struct world *w = *state;
    size_t n = strlen(repo_file(&w->repo, "timestamp.json"));
    w->config.limits.timestamp = n - 1;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, ERR_TOO_LARGE, "timestamp.json: it is longer than", NULL);
    w->config.limits.timestamp = n;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, 0, "", NULL);
    /* What is stored and larger than a limit that was lowered is as if it were not there. */
    w->config.limits.snapshot = 10;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, ERR_TOO_LARGE, "1.snapshot.json", NULL);
}

static void test_names_repository(void **state)
{
    struct world *w = *state;
    w->repo.repository = "image";
    repo_publish(&w->repo, "root");
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    w->config.repository = "image";
    world_restart(w, WORLD_MEMORY);
    world_expect(w, 0, "", FRESH);
    w->repo.timestamp.version = 0;
    repo_publish(&w->repo, "timestamp");
    world_expect(w, ERR_INVALID, "image: timestamp.json: \"version\" is missing", NULL);
}

static void test_not_refreshed(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    assert_int_equal(world_target(w, "a", &t), ERR_CONFLICT);
    repo_serve(&w->repo, "timestamp.json", NULL);
    world_expect(w, ERR_NOT_FOUND, "", NULL);
    assert_int_equal(world_target(w, "a", &t), ERR_CONFLICT);
    assert_int_equal(tuf_client_refresh(&w->client, NULL), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fresh_refresh),
        WORLD_TEST(test_bytes_as_served),
        WORLD_TEST(test_not_consistent),
        WORLD_TEST(test_missing_files),
        WORLD_TEST(test_timestamp_same_version),
        WORLD_TEST(test_timestamp_rollback),
        WORLD_TEST(test_snapshot_rollback),
        WORLD_TEST(test_snapshot_rollback_hashes),
        WORLD_TEST(test_snapshot_rollback_without_timestamp),
        WORLD_TEST(test_snapshot_not_fetched_again),
        WORLD_TEST(test_stored_snapshot),
        WORLD_TEST(test_snapshot_versions),
        WORLD_TEST(test_hash_and_length),
        WORLD_TEST(test_targets_rollback),
        WORLD_TEST(test_unsigned),
        WORLD_TEST(test_wrong_type),
        WORLD_TEST(test_expired),
        WORLD_TEST(test_expired_targets_are_fetched_again),
        WORLD_TEST(test_malformed),
        WORLD_TEST(test_limits),
        WORLD_TEST(test_names_repository),
        WORLD_TEST(test_not_refreshed),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
