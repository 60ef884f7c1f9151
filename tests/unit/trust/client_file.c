/* Each call that may fail does, once; and how much memory it takes. */
#include "repo.h"

#define HASH "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

/* Root 1 to 3, with timestamps rotated, and a target two delegations deep. */
static void fill(struct repo *r)
{
    r->timestamp.keys[0] = ED + 7;
    repo_bump(r, "root");
    r->snapshot.keys[0] = ED + 8;
    repo_bump(r, "root");
    repo_delegate(r, "targets", "A", "[\"*\"]");
    repo_delegate(r, "A", "B", "[\"*\"]")->targets =
        "\"x\": {\"length\": 3, \"hashes\": {\"sha256\": \"" HASH "\"}}";
    repo_bump_all(r);
}

static int everything(struct world *w)
{
    struct tuf_target t;
    w->log[0] = '\0';
    int rc = tuf_client_refresh(&w->client, &w->e);
    return rc != 0 ? rc : tuf_client_target(&w->client, STR("x"), &t, &w->e);
}

/* The nth call of store or fetch fails: the code and the text come through, and the next time it works. */
static void fail_each(int with)
{
    size_t at = 1;
    for (;; at++) {
        struct world w;
        world_init(&w);
        world_expect(&w, 0, "", NULL);
        fill(&w.repo);
        w.calls = 0;
        w.fail_at = at;
        w.fail_with = with;
        int rc = everything(&w);
        if (rc != 0) {
            assert_int_equal(rc, with);
            assert_int_equal(w.e.code, with);
            assert_non_null(strstr(w.e.text, "made to fail"));
        }
        w.fail_at = 0;
        assert_int_equal(everything(&w), 0);
        world_fini(&w);
        if (rc == 0)
            break;
    }
    assert_true(at > 20);
}

static void test_io_fails(void **state)
{
    (void)state;
    fail_each(ERR_IO);
}

static void test_times_out(void **state)
{
    (void)state;
    fail_each(ERR_TIMEOUT);
}

static int no_text_load(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    (void)ctx, (void)role, (void)buf, (void)e;
    *n = size + 1;
    return 0;
}

static int no_text_get(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    (void)ctx, (void)name, (void)buf, (void)e;
    *n = size + 1;
    return 0;
}

/* Callbacks that do not do what they must are no way into memory that is not ours. */
static void test_callbacks_that_lie(void **state)
{
    struct world *w = *state;
    int (*const get)(void *, const char *, void *, size_t, size_t *, struct err *) = w->config.fetch.get;
    w->config.fetch.get = no_text_get;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, ERR_INTERNAL, "more came than was asked for", NULL);
    w->config.fetch.get = get;
    w->config.store.load = no_text_load;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, ERR_INTERNAL, "the store gave more", "");
}

/* Too little memory of any size is told as that, and enough is enough. */
static void test_little_memory(void **state)
{
    struct world *w = *state;
    fill(&w->repo);
    size_t enough = 0;
    for (size_t size = 0; size < 300000 && enough == 0; size += 509) {
        world_restart(w, size);
        for (size_t i = 0; i < w->stored_n; i++)
            if (strcmp(w->stored[i].name, "root") != 0)
                world_store(w, w->stored[i].name, NULL);
        world_store(w, "root", repo_file(&w->repo, "1.root.json"));
        int rc = everything(w);
        if (rc == 0)
            enough = size;
        else if (rc != ERR_NOMEM || strstr(w->e.text, "memory") == NULL)
            fail_msg("%zu bytes: %s (%s)", size, err_word(rc), w->e.text);
    }
    assert_true(enough > 0);
    /* Nothing in the memory says how large it must be but the largest file (here: a root) and the others. */
    size_t largest = strlen(repo_file(&w->repo, "3.root.json"));
    assert_true(enough < 12 * largest);
}

/* A file that fits its limit but not the memory is no attack. */
static void test_memory_or_limit(void **state)
{
    struct world *w = *state;
    char *large = text_of("%s%150000s", repo_file(&w->repo, "timestamp.json"), " ");
    repo_serve(&w->repo, "timestamp.json", large);
    w->config.limits.timestamp = 200000;
    world_restart(w, 5 * strlen(w->repo.root.text));
    world_expect(w, ERR_NOMEM, "timestamp.json: the memory that the client was given is too small", NULL);
    w->config.limits.timestamp = 150000;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, ERR_TOO_LARGE, "timestamp.json: it is longer than the 150000 bytes that it may have",
                 NULL);
    w->config.limits.timestamp = 200000;
    world_restart(w, WORLD_MEMORY);
    world_expect(w, 0, "", NULL);
    free(large);
}

static struct {
    size_t calls, fail_at;
} crypto;

static int verify_or_fail(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                          size_t msg_n, const void *sig, size_t sig_n)
{
    if (++crypto.calls == crypto.fail_at)
        return ERR_NOMEM;
    return keys_crypto.verify(ctx, scheme, key, key_n, msg, msg_n, sig, sig_n);
}

static int hash_or_fail(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    return ++crypto.calls == crypto.fail_at ? ERR_NOMEM : keys_crypto.hash(ctx, which, data, n, out);
}

/* The nth signature or hash cannot be told: never taken for a wrong one, nor what is stored for nothing. */
static void test_crypto_fails(void **state)
{
    struct world *w = *state;
    static const char *const versioned[] = {"snapshot", "targets", "A.json", "B.json"};
    w->repo.hashes = true;
    fill(&w->repo);
    w->config.crypto.verify = verify_or_fail;
    w->config.crypto.hash = hash_or_fail;
    world_restart(w, WORLD_MEMORY);
    for (int stored = 0; stored < 2; stored++) {
        size_t at = 1;
        for (int rc = -1; rc != 0; at++) {
            for (size_t i = 0; stored == 0 && i < w->stored_n; i++)
                world_store(w, w->stored[i].name,
                            strcmp(w->stored[i].name, "root") == 0 ? repo_file(&w->repo, "1.root.json")
                                                                   : NULL);
            crypto.calls = 0;
            crypto.fail_at = at;
            rc = everything(w);
            assert_true(rc == 0 || rc == ERR_CRYPTO);
            /* Nothing that is there is fetched again. */
            for (size_t i = 0; stored == 1 && i < COUNT(versioned); i++)
                assert_null(strstr(w->log, versioned[i]));
        }
        assert_true(at > 10);
        crypto.fail_at = 0;
        assert_int_equal(everything(w), 0);
    }
}

#define ROLES 20
#define EACH 500
#define LITTLE (3000u << 10) /* bytes: "well under 3 MB" below */

static char *many_targets(int role)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    for (int i = 0; i < EACH; i++)
        fprintf(
            f,
            "%s\"model-%d/gateway-os/1.%d.0/image-1.%d.0.bin\": {\"custom\": {\"counter\": 3, \"model\": "
            "\"model-%d\", \"name\": \"gateway-os\", \"sequence\": %d, \"type\": \"os\", \"unpacked_size\": "
            "104857600, \"version\": \"1.%d.0\"}, \"hashes\": {\"sha256\": \"" HASH
            "\"}, \"length\": 52428800}",
            i > 0 ? ", " : "", role, i, i, role, i + 1, i);
    fclose(f);
    return out;
}

/* 10 000 targets under 20 delegations, each role signed by a pair with ML-DSA. */
static void test_many_targets(void **state)
{
    struct world *w = *state;
    static char names[ROLES][16], paths[ROLES][32];
    char *targets[ROLES];
    struct repo_role *const roles[] = {&w->repo.root, &w->repo.timestamp, &w->repo.snapshot,
                                       &w->repo.targets};
    for (size_t i = 0; i < COUNT(roles); i++) {
        roles[i]->n = 2;
        roles[i]->keys[1] = ML + (int)i;
        roles[i]->ml_dsa = roles[i]->classical = 1;
    }
    for (int i = 0; i < ROLES; i++) {
        snprintf(names[i], sizeof names[i], "model-%d", i);
        snprintf(paths[i], sizeof paths[i], "[\"model-%d/*/*/*\"]", i);
        struct repo_delegation *d = repo_delegate(&w->repo, "targets", names[i], paths[i]);
        d->targets = targets[i] = many_targets(i);
        d->terminating = true;
        d->role.n = 2;
        d->role.keys[1] = ML + 4;
        d->role.ml_dsa = d->role.classical = 1;
    }
    repo_publish(&w->repo, "root");
    world_store(w, "root", repo_file(&w->repo, "1.root.json"));
    w->repo.hashes = true;
    repo_bump_all(&w->repo);
    w->config.rules.both_families = true;
    world_restart(w, LITTLE);
    for (int again = 0; again < 2; again++) {
        world_expect(w, 0, "", NULL);
        for (int i = 0; i < ROLES; i += 19) {
            char name[64];
            struct tuf_target t;
            snprintf(name, sizeof name, "model-%d/gateway-os/1.499.0/image-1.499.0.bin", i);
            assert_int_equal(world_target(w, name, &t), 0);
            assert_true(t.length == 52428800 && t.custom != NULL);
            snprintf(name, sizeof name, "model-%d/gateway-os/1.500.0/image-1.500.0.bin", i);
            assert_int_equal(world_target(w, name, &t), ERR_NOT_FOUND);
        }
        assert_string_equal(w->log, "");
    }
    print_message("10 000 targets: %zu bytes at most\n", w->client.space.peak);
    assert_true(w->client.space.peak < LITTLE / 2);
    for (int i = 0; i < ROLES; i++)
        free(targets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_io_fails),     cmocka_unit_test(test_times_out),
        WORLD_TEST(test_callbacks_that_lie), WORLD_TEST(test_little_memory),
        WORLD_TEST(test_memory_or_limit),    WORLD_TEST(test_crypto_fails),
        WORLD_TEST(test_many_targets),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
