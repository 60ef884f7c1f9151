/* The root alone, and a role's document as a whole. */
#include "trust/client_whole.h"

#include "repo.h"

#define TARGETS "\"gw/os/1/a\": {\"length\": 3, \"hashes\": {\"sha256\": \"" HASH "\"}}"
#define HASH "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

static void the_root_alone(void **state)
{
    struct world *w = *state;
    w->repo.root.version = 2;
    repo_publish(&w->repo, "root");
    assert_int_equal(tuf_client_refresh_root(&w->client, &w->e), 0);
    assert_string_equal(w->log, "2.root.json 3.root.json");
    assert_true(w->client.root.version == 2);
    assert_false(w->client.fresh);
    w->now_s = NOW + 366 * 86400;
    assert_int_equal(tuf_client_refresh_root(&w->client, &w->e), ERR_GONE);
}

static void a_role(void **state)
{
    struct world *w = *state;
    struct tuf_doc doc = {.version = 42};
    assert_int_equal(tuf_client_role(&w->client, STR("A"), &doc, &w->e), ERR_INTERNAL); /* no refresh */
    repo_delegate(&w->repo, "targets", "A", "[\"gw/*/*/*\"]")->targets = TARGETS;
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(tuf_client_role(&w->client, STR("B"), &doc, &w->e), ERR_NOT_FOUND);
    assert_non_null(strstr(w->e.text, "nothing is delegated to the role B"));
    assert_true(doc.version == 42);
    assert_int_equal(tuf_client_role(&w->client, STR("A"), &doc, &w->e), 0);
    assert_true(doc.version == 1);
    assert_int_equal(tuf_target_count(&doc), 1);
}

/* Delegated to, and nobody signed for it yet: that is no broken repository. */
static void a_role_without_a_file(void **state)
{
    struct world *w = *state;
    struct tuf_doc doc;
    repo_delegate(&w->repo, "targets", "A", "[\"*\"]");
    w->repo.metas = "\"targets.json\": {\"version\": 2}";
    repo_bump_all(&w->repo);
    world_expect(w, 0, "", NULL);
    assert_int_equal(tuf_client_role(&w->client, STR("A"), &doc, &w->e), ERR_NOT_FOUND);
    assert_non_null(strstr(w->e.text, "the snapshot does not name A.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_root_alone),
        WORLD_TEST(a_role),
        WORLD_TEST(a_role_without_a_file),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
