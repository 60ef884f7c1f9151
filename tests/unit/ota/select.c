/* The decision as tables: facts in, decision out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ota/select.h"

#define RUNS "1.0"

struct row {
    const char *name;
    const char *version; /* what runs */
    int64_t sequence, newest;
    struct candidate candidates[3];
    size_t count;
    bool has_open;
    struct action open;
    int64_t open_sequence;
    enum select_kind want;
    int64_t want_deployment; /* chosen, 0 for none */
};

#define CANDIDATE(deployment_, sequence_, version_)                                                          \
    {.deployment = (deployment_),                                                                            \
     .release = 100 + (sequence_),                                                                           \
     .sequence = (sequence_),                                                                                \
     .version = (version_),                                                                                  \
     .state = DEPLOYMENT_RUNNING}
#define TRIED(deployment_, sequence_, version_)                                                              \
    {.deployment = (deployment_),                                                                            \
     .release = 100 + (sequence_),                                                                           \
     .sequence = (sequence_),                                                                                \
     .version = (version_),                                                                                  \
     .state = DEPLOYMENT_RUNNING,                                                                            \
     .member = MEMBER_FAILED}
#define DOWN(deployment_, sequence_, version_)                                                               \
    {                                                                                                        \
        .deployment = (deployment_), .release = 100 + (sequence_), .sequence = (sequence_),                  \
        .version = (version_), .state = DEPLOYMENT_RUNNING, .policy = {                                      \
            .allow_downgrade = true                                                                          \
        }                                                                                                    \
    }
#define OPEN(deployment_, sequence_, state_)                                                                 \
    .has_open = true, .open_sequence = (sequence_), .newest = (deployment_),                                 \
    .open = {.pk = 7, .deployment = (deployment_), .release = 100 + (sequence_), .state = (state_)}

static const struct row rows[] = {
    {.name = "nothing deployed", .version = RUNS, .sequence = 1, .want = SELECT_NOTHING},
    {.name = "a newer release",
     .version = RUNS,
     .sequence = 1,
     .candidates = {CANDIDATE(5, 2, "2.0")},
     .count = 1,
     .want = SELECT_OFFER,
     .want_deployment = 5},
    {.name = "an unknown version takes any",
     .version = NULL,
     .candidates = {CANDIDATE(5, 1, RUNS)},
     .count = 1,
     .want = SELECT_OFFER,
     .want_deployment = 5},
    {.name = "a version that was never published takes any",
     .version = "homemade",
     .candidates = {CANDIDATE(5, 1, RUNS)},
     .count = 1,
     .want = SELECT_OFFER,
     .want_deployment = 5},
    {.name = "the same version is nothing, even unpublished for the model",
     .version = RUNS,
     .sequence = 0,
     .candidates = {CANDIDATE(5, 9, RUNS)},
     .count = 1,
     .want = SELECT_NOTHING},
    {.name = "an older release is nothing",
     .version = RUNS,
     .sequence = 3,
     .candidates = {CANDIDATE(5, 2, "0.9")},
     .count = 1,
     .want = SELECT_NOTHING},
    {.name = "an older release, allowed",
     .version = RUNS,
     .sequence = 3,
     .candidates = {DOWN(5, 2, "0.9")},
     .count = 1,
     .want = SELECT_OFFER,
     .want_deployment = 5},
    {.name = "an old order to go down does not undo a newer one",
     .version = RUNS,
     .sequence = 3,
     .newest = 6,
     .candidates = {DOWN(5, 2, "0.9")},
     .count = 1,
     .want = SELECT_NOTHING},
    {.name = "upwards an older deployment still counts",
     .version = RUNS,
     .sequence = 3,
     .newest = 6,
     .candidates = {CANDIDATE(5, 4, "2.0")},
     .count = 1,
     .want = SELECT_OFFER,
     .want_deployment = 5},
    {.name = "what failed is not offered again",
     .version = RUNS,
     .sequence = 1,
     .candidates = {TRIED(5, 2, "2.0")},
     .count = 1,
     .want = SELECT_NOTHING},
    {.name = "the newest deployment wins, not the newest release",
     .version = RUNS,
     .sequence = 1,
     .candidates = {CANDIDATE(5, 3, "3.0"), CANDIDATE(6, 2, "2.0"), CANDIDATE(4, 4, "4.0")},
     .count = 3,
     .want = SELECT_OFFER,
     .want_deployment = 6},
    {.name = "past the newest one that was tried",
     .version = RUNS,
     .sequence = 1,
     .candidates = {TRIED(6, 3, "3.0"), CANDIDATE(5, 2, "2.0")},
     .count = 2,
     .want = SELECT_OFFER,
     .want_deployment = 5},
    {.name = "an open action is kept",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_OFFERED),
     .candidates = {TRIED(5, 2, "2.0")},
     .count = 1,
     .want = SELECT_KEEP},
    {.name = "an open action whose deployment was cancelled is kept",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_INSTALLING),
     .want = SELECT_KEEP},
    {.name = "a later deployment of a newer release supersedes what is offered",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_OFFERED),
     .candidates = {TRIED(5, 2, "2.0"), CANDIDATE(6, 3, "3.0")},
     .count = 2,
     .want = SELECT_SUPERSEDE,
     .want_deployment = 6},
    {.name = "and what is downloading",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_DOWNLOADING),
     .candidates = {CANDIDATE(6, 3, "3.0")},
     .count = 1,
     .want = SELECT_SUPERSEDE,
     .want_deployment = 6},
    {.name = "but not what is installing",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_INSTALLING),
     .candidates = {CANDIDATE(6, 3, "3.0")},
     .count = 1,
     .want = SELECT_KEEP},
    {.name = "nor rebooting",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_REBOOTING),
     .candidates = {CANDIDATE(6, 3, "3.0")},
     .count = 1,
     .want = SELECT_KEEP},
    {.name = "an earlier deployment does not supersede",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_OFFERED),
     .candidates = {CANDIDATE(4, 3, "3.0")},
     .count = 1,
     .want = SELECT_KEEP},
    {.name = "a later deployment of an older release does not",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 3, ACTION_OFFERED),
     .candidates = {CANDIDATE(6, 2, "2.0")},
     .count = 1,
     .want = SELECT_KEEP},
    {.name = "unless it may go down",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 3, ACTION_OFFERED),
     .candidates = {DOWN(6, 2, "2.0")},
     .count = 1,
     .want = SELECT_SUPERSEDE,
     .want_deployment = 6},
    {.name = "a later deployment of the same release does not",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_OFFERED),
     .candidates = {DOWN(6, 2, "2.0")},
     .count = 1,
     .want = SELECT_KEEP},
    {.name = "nor does an earlier one then",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 2, ACTION_OFFERED),
     .candidates = {DOWN(7, 2, "2.0"), CANDIDATE(6, 3, "3.0")},
     .count = 2,
     .want = SELECT_KEEP},
    {.name = "past one that cannot supersede to one that can",
     .version = RUNS,
     .sequence = 1,
     OPEN(5, 3, ACTION_OFFERED),
     .candidates = {CANDIDATE(7, 2, "2.0"), CANDIDATE(6, 4, "4.0")},
     .count = 2,
     .want = SELECT_SUPERSEDE,
     .want_deployment = 6},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        static const enum select_window windows[3];
        const struct select_facts facts = {
            .windows = windows,
            .version = r->version,
            .sequence = r->sequence,
            .newest_deployment = r->newest,
            .candidates = r->candidates,
            .count = r->count,
            .open = r->has_open ? &r->open : NULL,
            .open_sequence = r->open_sequence,
        };
        struct select_decision d = ota_select(&facts);
        int64_t chosen = d.chosen != NULL ? d.chosen->deployment : 0;
        if (d.kind != r->want || chosen != r->want_deployment)
            fail_msg("%s: %d and deployment %lld (%s)", r->name, (int)d.kind, (long long)chosen,
                     reason_text(d.reason));
    }
}

/* Whatever the order in which the candidates come, the decision is the same. */
static void test_order_is_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct candidate turned[3];
        for (size_t k = 0; k < r->count; k++)
            turned[k] = r->candidates[r->count - 1 - k];
        static const enum select_window windows[3];
        const struct select_facts facts = {
            .windows = windows,
            .version = r->version,
            .sequence = r->sequence,
            .newest_deployment = r->newest,
            .candidates = turned,
            .count = r->count,
            .open = r->has_open ? &r->open : NULL,
            .open_sequence = r->open_sequence,
        };
        struct select_decision d = ota_select(&facts);
        assert_int_equal(d.kind, r->want);
        assert_int_equal(d.chosen != NULL ? d.chosen->deployment : 0, r->want_deployment);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_order_is_nothing),
    };
    return cmocka_run_group_tests_name("ota/select", tests, NULL, NULL);
}
