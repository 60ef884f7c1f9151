/* Section 5.6.7: the search through delegations. */
#include "repo.h"

#define TOP "2.root.json timestamp.json 2.snapshot.json 2.targets.json"
#define TARGET(name) "\"" name "\": {\"length\": 3, \"hashes\": {\"sha256\": \"" HASH "\"}}"
#define HASH "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

struct edge {
    const char *parent, *name;
    bool terminating;
    const char *paths; /* NULL: ["*"] */
};
struct graph {
    const char *name;
    struct edge e[6];
    const char *visited; /* what is requested for a target that nobody has */
};

/* Those of the public conformance suite, and more. */
static const struct graph graphs[] = {
    {"one", {{"targets", "A", false, NULL}}, "1.A.json"},
    {"two", {{"targets", "A", false, NULL}, {"targets", "B", false, NULL}}, "1.A.json 1.B.json"},
    {"two levels",
     {{"targets", "A", false, NULL}, {"targets", "B", false, NULL}, {"B", "C", false, NULL}},
     "1.A.json 1.B.json 1.C.json"},
    {"depth first",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"A", "C", false, NULL},
      {"A", "D", false, NULL}},
     "1.A.json 1.C.json 1.D.json 1.B.json"},
    {"depth first, three levels",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"A", "C", false, NULL},
      {"C", "D", false, NULL}},
     "1.A.json 1.C.json 1.D.json 1.B.json"},
    {"terminating",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"A", "C", true, NULL},
      {"A", "D", false, NULL}},
     "1.A.json 1.C.json"},
    {"terminating, three levels",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"A", "C", true, NULL},
      {"C", "D", false, NULL}},
     "1.A.json 1.C.json 1.D.json"},
    {"terminating, but not for this path",
     {{"targets", "A", true, "[\"*.py\"]"}, {"targets", "B", false, NULL}},
     "1.B.json"},
    {"terminating to one that was visited",
     {{"targets", "A", false, NULL},
      {"A", "C", false, NULL},
      {"targets", "C", true, NULL},
      {"targets", "B", false, NULL}},
     "1.A.json 1.C.json"},
    {"not this path",
     {{"targets", "A", false, "[\"*.py\"]"}, {"targets", "B", false, NULL}, {"A", "C", false, NULL}},
     "1.B.json"},
    {"not this path, three levels",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"A", "C", false, "[\"*.py\"]"},
      {"C", "D", false, NULL}},
     "1.A.json 1.B.json"},
    {"cycle",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"B", "C", false, NULL},
      {"C", "D", false, NULL},
      {"D", "B", false, NULL}},
     "1.A.json 1.B.json 1.C.json 1.D.json"},
    {"itself", {{"targets", "A", false, NULL}, {"A", "A", false, NULL}}, "1.A.json"},
    {"two to a third",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"B", "C", false, NULL},
      {"A", "C", false, NULL}},
     "1.A.json 1.C.json 1.B.json"},
    {"two to a third, other paths",
     {{"targets", "A", false, NULL},
      {"targets", "B", false, NULL},
      {"B", "C", false, NULL},
      {"A", "C", false, "[\"*.py\"]"}},
     "1.A.json 1.B.json 1.C.json"},
    {"no paths", {{"targets", "A", false, "[]"}, {"targets", "B", false, NULL}}, "1.B.json"},
    {"one path of several", {{"targets", "A", false, "[\"x\", \"missing*\"]"}}, "1.A.json"},
};

static void test_graphs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(graphs); i++) {
        struct world w;
        struct tuf_target t;
        world_init(&w);
        for (size_t j = 0; j < COUNT(graphs[i].e) && graphs[i].e[j].name != NULL; j++) {
            const struct edge *e = &graphs[i].e[j];
            repo_delegate(&w.repo, e->parent, e->name, e->paths != NULL ? e->paths : "[\"*\"]")->terminating =
                e->terminating;
        }
        repo_bump_all(&w.repo);
        world_expect(&w, 0, "", TOP);
        if (world_target(&w, "missingpath", &t) != ERR_NOT_FOUND || strcmp(w.log, graphs[i].visited) != 0)
            fail_msg("%s: %s; visited %s", graphs[i].name, w.e.text, w.log);
        /* What it learned is stored; nothing is asked for twice, and each role is looked at once. */
        size_t roles = 1;
        for (const char *p = graphs[i].visited; *p != '\0'; p++)
            roles += *p == ' ';
        w.calls = 0;
        assert_int_equal(world_target(&w, "missingpath", &t), ERR_NOT_FOUND);
        assert_string_equal(w.log, "");
        assert_int_equal(w.calls, roles);
        world_restart(&w, WORLD_MEMORY);
        world_expect(&w, 0, "", "2.root.json timestamp.json");
        assert_int_equal(world_target(&w, "missingpath", &t), ERR_NOT_FOUND);
        assert_string_equal(w.log, "");
        world_fini(&w);
    }
}

static void test_finds(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    w->repo.target_members = TARGET("targetfile");
    repo_delegate(&w->repo, "targets", "A", "[\"*.doc\", \"*.md\"]")->targets = TARGET("README.md");
    repo_delegate(&w->repo, "targets", "B", "[\"releases/*/*\"]");
    repo_delegate(&w->repo, "B", "C", "[\"releases/x/*\"]")->targets =
        "\"releases/x/v1\": {\"length\": 7, \"hashes\": {\"sha512\": \"" HASH HASH
        "\"}, \"custom\": {\"a\": 1}}";
    repo_delegate(&w->repo, "B", "D", "[\"releases/y/*.zip\"]")->targets =
        TARGET("releases/y/v1.zip") ", " TARGET("releases/z/v1.zip");
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", TOP);
    assert_int_equal(world_target(w, "targetfile", &t), 0);
    assert_string_equal(w->log, "");
    assert_true(t.length == 3 && t.has_sha256 && !t.has_sha512 && t.sha256[0] == 0x2C && t.custom == NULL);
    assert_int_equal(world_target(w, "README.md", &t), 0);
    assert_string_equal(w->log, "1.A.json");
    assert_true(str_is(t.name, "README.md"));
    assert_int_equal(world_target(w, "releases/x/v1", &t), 0);
    assert_string_equal(w->log, "1.B.json 1.C.json");
    assert_true(t.length == 7 && !t.has_sha256 && t.has_sha512 && yyjson_is_obj(t.custom));
    assert_int_equal(world_target(w, "releases/y/v1.zip", &t), 0);
    assert_string_equal(w->log, "1.D.json");
    /* D names it, but B may not let it. */
    assert_int_equal(world_target(w, "releases/z/v1.zip", &t), ERR_NOT_FOUND);
    assert_string_equal(w->log, "");
    assert_string_equal(w->e.text, "there is no target releases/z/v1.zip");
}

/* The first who has it has the say. */
static void test_order(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]")->targets =
        "\"x\": {\"length\": 1, \"hashes\": {\"sha256\": \"" HASH "\"}}";
    repo_delegate(&w->repo, "targets", "B", "[\"*\"]")->targets =
        "\"x\": {\"length\": 2, \"hashes\": {\"sha256\": \"" HASH "\"}}";
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    assert_true(t.length == 1);
    w->repo.target_members = "\"x\": {\"length\": 3, \"hashes\": {\"sha256\": \"" HASH "\"}}";
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    assert_true(t.length == 3);
}

static void test_hash_prefixes(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    /* SHA-256 of "foo" is HASH. */
    const char *const prefixes[] = {"[\"00\", \"2c3\"]", "[\"2C2\"]", "[\"2c2\"]"};
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        static const char *const names[] = {"A", "B", "C"};
        struct repo_delegation *d = repo_delegate(&w->repo, "targets", names[i], prefixes[i]);
        d->prefixes = true;
        d->targets = TARGET("foo") ", " TARGET("bar");
    }
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "foo", &t), 0);
    assert_string_equal(w->log, "1.C.json");
    assert_int_equal(world_target(w, "bar", &t), ERR_NOT_FOUND);
}

static void test_odd_names(void **state)
{
    static const char *const names[] = {
        "?", "#", "/delegatedrole", "../delegatedrole", "..", "a b%20~-_.\xC3\xA4", "AZaz09@[`{/:"};
    static const char *const requests[] = {"1.%3F.json",
                                           "1.%23.json",
                                           "1.%2Fdelegatedrole.json",
                                           "1...%2Fdelegatedrole.json",
                                           "1....json",
                                           "1.a%20b%2520~-_.%C3%A4.json",
                                           "1.AZaz09%40%5B%60%7B%2F%3A.json"};
    struct world *w = *state;
    struct tuf_target t;
    char all[512] = "";
    for (size_t i = 0; i < COUNT(names); i++) {
        repo_delegate(&w->repo, "targets", names[i], "[\"*\"]");
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? " " : "", requests[i]);
    }
    repo_bump_all(&w->repo);
    for (size_t i = 0; i < COUNT(names); i++)
        repo_serve(&w->repo, requests[i], repo_role(&w->repo, names[i])->text);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_NOT_FOUND);
    assert_string_equal(w->log, all);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(world_version(w, names[i]), 1);
}

/* --- what ends a search --------------------------------------------------------------------------------- */

static void test_bad_role_ends_it(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    repo_delegate(&w->repo, "targets", "B", "[\"*\"]")->targets = TARGET("x");
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    char *good = strdup(repo_file(&w->repo, "1.A.json"));
    repo_serve(&w->repo, "1.A.json", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_IO);
    assert_non_null(strstr(w->e.text, "1.A.json: the server has none"));
    assert_int_equal(w->e.code, ERR_IO);
    repo_serve(&w->repo, "1.A.json", "{}");
    assert_int_equal(world_target(w, "x", &t), ERR_INVALID);
    repo_serve(&w->repo, "1.A.json", repo_file(&w->repo, "1.targets.json"));
    assert_int_equal(world_target(w, "x", &t), ERR_MISMATCH);
    assert_string_equal(w->log, "1.A.json");
    assert_int_equal(world_version(w, "A"), 0);
    repo_serve(&w->repo, "1.A.json", good);
    free(good);
    assert_int_equal(world_target(w, "x", &t), 0);
}

static void test_not_in_snapshot(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    w->repo.metas = "\"targets.json\": {\"version\": 2}";
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_INVALID);
    assert_non_null(strstr(w->e.text, "the snapshot does not name A.json"));
    assert_string_equal(w->log, "");
}

static void test_expired(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    struct repo_delegation *d = repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    d->targets = TARGET("x");
    d->role.expires = PAST;
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_GONE);
    assert_int_equal(world_version(w, "A"), 0);
    /* Good now, ended later: asked for anew, and good again when there is a newer one. */
    d->role.expires = "2029-12-28T00:00:00Z";
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    w->now_s += 2 * 86400;
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_GONE);
    assert_string_equal(w->log, "2.A.json");
    d->role.expires = FAR;
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    assert_string_equal(w->log, "3.A.json");
}

/* What is stored is believed only if who delegates now would believe it. */
static void test_cached_role_of_another_key(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    struct repo_delegation *d = repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    d->targets = TARGET("x");
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    /* The delegator takes the key away; the role's file stays what it was, and so does its version. */
    d->role.keys[0] = ED + 8;
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_MISMATCH);
    assert_string_equal(w->log, "1.A.json");
    /* Signed anew by the new one, under the same version. */
    repo_publish(&w->repo, "A");
    assert_int_equal(world_target(w, "x", &t), 0);
    assert_string_equal(w->log, "1.A.json");
    /* The delegation goes: nobody asks A any more, though it is still stored. */
    d->parent = "nobody";
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), ERR_NOT_FOUND);
    assert_string_equal(w->log, "");
}

/* Two delegators with other keys for the same role: it is as good as the first of them who comes. */
static void test_role_of_two_delegators(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    repo_delegate(&w->repo, "targets", "C", "[\"y\"]")->targets = TARGET("x") ", " TARGET("y");
    repo_delegate(&w->repo, "A", "C", "[\"x\"]")->role.keys[0] = ED + 8;
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "y", &t), 0);
    assert_int_equal(world_target(w, "x", &t), ERR_MISMATCH);
}

static void test_chain_is_bounded(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    static char names[TUF_DEPTH_MAX][8];
    const char *parent = "targets";
    for (int i = 0; i < TUF_DEPTH_MAX; i++) {
        snprintf(names[i], sizeof names[i], "r%d", i);
        repo_delegate(&w->repo, parent, names[i], "[\"*\"]");
        parent = names[i];
    }
    w->repo.d[TUF_DEPTH_MAX - 2].targets = TARGET("x");
    w->repo.d[TUF_DEPTH_MAX - 1].targets = TARGET("y");
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    assert_int_equal(world_target(w, "y", &t), ERR_NOT_FOUND);
    assert_non_null(strstr(w->e.text, "a chain of delegations as long as one may be"));
    assert_int_equal(w->client.space.size % 16, 0);
}

/* One more role than a search looks at: 1 023 of the targets role, the last of which has two more. */
static void test_visits_are_bounded(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    static char names[TUF_VISITS_MAX + 1][8];
    for (int i = 0; i <= TUF_VISITS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "r%d", i);
        repo_delegate(&w->repo, i < TUF_VISITS_MAX - 1 ? "targets" : names[TUF_VISITS_MAX - 2], names[i],
                      "[\"*\"]");
    }
    w->repo.d[TUF_VISITS_MAX - 1].targets = TARGET("x");
    w->repo.d[TUF_VISITS_MAX].targets = TARGET("y");
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, "x", &t), 0);
    w->calls = 0;
    assert_int_equal(world_target(w, "y", &t), ERR_NOT_FOUND);
    assert_non_null(strstr(w->e.text, "as many roles as one search looks at"));
    assert_int_equal(w->calls, TUF_VISITS_MAX);
    assert_null(world_stored(w, names[TUF_VISITS_MAX]));
}

static int cannot_hash(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    (void)ctx, (void)which, (void)data, (void)n, (void)out;
    return ERR_IO;
}

static void test_search_that_fails(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    struct repo_delegation *d = repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    d->targets = TARGET("foo");
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    w->client.config.crypto.hash = cannot_hash;
    assert_int_equal(world_target(w, "foo", &t), ERR_CRYPTO);
    assert_non_null(strstr(w->e.text, "role's name"));
    w->client.config.crypto.hash = keys_crypto.hash;
    assert_int_equal(world_target(w, "foo", &t), 0);
    /* No room for as much as the role's name, or for its file. */
    size_t size = w->client.space.size;
    for (size_t room = 0; room < 512; room += 16) {
        w->client.space.size = w->client.top_mark + room;
        assert_int_equal(world_target(w, "foo", &t), ERR_NOMEM);
        assert_non_null(strstr(w->e.text, "too small"));
        assert_int_equal(w->client.space.size, w->client.top_mark + room);
    }
    w->client.space.size = size;
    assert_int_equal(world_target(w, "foo", &t), 0);
    d->prefixes = true;
    d->paths = "[\"2c\"]";
    repo_bump(&w->repo, "targets");
    world_expect(w, 0, "", NULL);
    w->client.config.crypto.hash = cannot_hash;
    assert_int_equal(world_target(w, "foo", &t), ERR_CRYPTO);
    assert_non_null(strstr(w->e.text, "target's name"));
    w->client.config.crypto.hash = keys_crypto.hash;
    w->client.config.repository = "image";
    assert_int_equal(world_target(w, "goo", &t), ERR_NOT_FOUND);
    assert_string_equal(w->e.text, "image: there is no target goo");
}

static void test_names(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    char name[TUF_TARGET_NAME_MAX + 2];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    world_expect(w, 0, "", NULL);
    assert_int_equal(world_target(w, name, &t), ERR_INVALID);
    assert_int_equal(world_target(w, "", &t), ERR_INVALID);
    assert_int_equal(tuf_client_target(&w->client, (struct str){.p = NULL, .n = 0}, &t, NULL), ERR_INVALID);
    name[TUF_TARGET_NAME_MAX] = '\0';
    assert_int_equal(world_target(w, name, &t), ERR_NOT_FOUND);
    assert_int_equal(world_target(w, "ev\til\nname", &t), ERR_NOT_FOUND);
    assert_non_null(strstr(w->e.text, "ev?il?name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graphs),
        WORLD_TEST(test_finds),
        WORLD_TEST(test_order),
        WORLD_TEST(test_hash_prefixes),
        WORLD_TEST(test_odd_names),
        WORLD_TEST(test_bad_role_ends_it),
        WORLD_TEST(test_not_in_snapshot),
        WORLD_TEST(test_expired),
        WORLD_TEST(test_cached_role_of_another_key),
        WORLD_TEST(test_role_of_two_delegators),
        WORLD_TEST(test_chain_is_bounded),
        WORLD_TEST(test_visits_are_bounded),
        WORLD_TEST(test_search_that_fails),
        WORLD_TEST(test_names),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
