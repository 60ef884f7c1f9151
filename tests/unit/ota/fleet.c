/* How the fleet went: noted every ten minutes, thinned, forgotten, and told as it was. */
#include "release_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "ota/fleet.h"

#define HOUR FLEET_HOUR_MS
#define STEP_MS (HOUR / 6)
#define BEGIN_MS ((int64_t)1900000000 / 3600 * 3600 * 1000)
#define KINDS 6
#define SAMPLES (6 * 24 * 6) /* six days */

static unsigned long random_state = 815;
static unsigned any(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

struct world {
    int64_t at[SAMPLES];
    int64_t devices[SAMPLES][KINDS]; /* v0 of m0, v1 of m1, v2 of m0, ... */
    size_t count;
};

static int set(struct db *db, int kind, int64_t devices, struct err *e)
{
    char sql[256];
    snprintf(
        sql, sizeof sql,
        "DELETE FROM fleet WHERE version = 'v%d'; INSERT INTO fleet SELECT 'm%d', 'v%d', %lld WHERE %lld > 0",
        kind, kind % 2, kind, (long long)devices, (long long)devices);
    return db_exec(db, sql, e);
}

/* Samples for six days, a little after each ten minutes, with all that is forgotten in between. */
static int run_days(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct world *w = arg;
    int64_t now[KINDS] = {0};
    int rc = 0;
    for (; w->count < SAMPLES && rc == 0; w->count++) {
        w->at[w->count] = BEGIN_MS + 180000 + (int64_t)w->count * STEP_MS;
        for (int k = 0; k < KINDS && rc == 0; k++) {
            if (any(4) == 0)
                rc = set(db, k, now[k] = any(3) * any(1000), e);
            w->devices[w->count][k] = now[k];
        }
        f->now_ms = w->at[w->count];
        if (rc == 0)
            rc = ota_fleet_sample(&f->ota, db, e);
        for (bool more = true; more && rc == 0;)
            rc = ota_fleet_slice(&f->ota, db, &more, e);
    }
    return rc;
}

static struct fleet_history told(struct fixture *f, int64_t hours, const char *model)
{
    struct fleet_history h;
    assert_ok(ota_fleet_history(&f->ota, f->reader, &f->arena, hours, model, &h, &f->e), f->e);
    assert_true(db_idle(f->reader));
    assert_true(h.time_count <= FLEET_POINTS_MAX && h.series_count <= FLEET_HISTORY_MAX + 1);
    assert_int_equal(h.times[h.time_count - 1], f->now_ms);
    return h;
}

static int64_t at_that_time(const struct world *w, int64_t at, int kind)
{
    int64_t n = FLEET_UNKNOWN;
    for (size_t i = 0; i < w->count && w->at[i] <= at; i++)
        n = w->devices[i][kind];
    return n;
}

static void compare(const struct world *w, const struct fleet_history *h)
{
    for (size_t s = 0; s < h->series_count; s++) {
        assert_false(h->series[s].others);
        int kind = atoi(h->series[s].version + 1);
        assert_int_equal(atoi(h->series[s].model + 1), kind % 2);
        for (size_t i = 0; i < h->time_count; i++)
            if (h->series[s].devices[i] != at_that_time(w, h->times[i], kind))
                fail_msg("v%d at %lld: %lld", kind, (long long)(h->times[i] - BEGIN_MS),
                         (long long)h->series[s].devices[i]);
        if (s > 0)
            assert_true(h->series[s].devices[h->time_count - 1] <=
                        h->series[s - 1].devices[h->time_count - 1]);
    }
}

static void as_it_was(void **state)
{
    struct fixture *f = *state;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_ok(fixture_write(f, run_days, w), f->e);
    static const int64_t hours[] = {1, 24, 48, 49, 100, 144, 200, 336};
    for (size_t i = 0; i < sizeof hours / sizeof hours[0]; i++) {
        struct fleet_history h = told(f, hours[i], NULL);
        assert_true(h.series_count == KINDS || hours[i] < 24); /* what nobody ran is not told */
        compare(w, &h);
        h = told(f, hours[i], "m1");
        assert_true(h.series_count == KINDS / 2 || hours[i] < 24);
        compare(w, &h);
    }
    struct fleet_history h = told(f, 200, NULL);
    assert_int_equal(h.step_seconds, 3600);
    assert_int_equal(h.series[0].devices[0], FLEET_UNKNOWN);
    h = told(f, FLEET_HOURS_MAX, NULL);
    assert_int_equal(h.step_seconds, 6 * 3600);
    /* Older than two days: one number an hour at most. */
    assert_true(ask(f,
                    "SELECT count(*) FROM (SELECT 1 FROM fleet_sample WHERE at < %lld GROUP BY series,"
                    " at / 3600000 HAVING count(*) > 1)",
                    (long long)(f->now_ms - FLEET_FINE_MS - HOUR)) == 0);
    assert_true(ask(f,
                    "SELECT count(*) FROM (SELECT 1 FROM fleet_sample WHERE at > %lld GROUP BY series,"
                    " at / 3600000 HAVING count(*) > 1)",
                    (long long)(f->now_ms - FLEET_FINE_MS)) > 0);
    free(w);
}

/* --- bounds ------------------------------------------------------------------------------------------ */

static int run_sample(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const char *sql = arg;
    int rc = sql[0] != '\0' ? db_exec(db, sql, e) : 0;
    if (rc == 0)
        rc = ota_fleet_sample(&f->ota, db, e);
    for (bool more = true; more && rc == 0;)
        rc = ota_fleet_slice(&f->ota, db, &more, e);
    return rc;
}

static void sample(struct fixture *f, const char *sql)
{
    assert_ok(fixture_write(f, run_sample, (void *)(uintptr_t)sql), f->e);
    f->now_ms += STEP_MS;
}

static void many_versions_share_one_series(void **state)
{
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS;
    sample(f, "INSERT INTO fleet VALUES ('big', '1', 5000), ('big', '2', 4000)");
    /* Each device says another version, and another one again. */
    for (int i = 0; i < 4; i++) {
        char sql[512];
        snprintf(sql, sizeof sql,
                 "DELETE FROM fleet WHERE model = 'odd'; WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL"
                 " SELECT i + 1 FROM c WHERE i < 2000) INSERT INTO fleet SELECT 'odd', printf('%d.%%d', i), 1"
                 " FROM c",
                 i);
        sample(f, sql);
        assert_true(ask(f, "SELECT count(*) FROM fleet_series") <= FLEET_SERIES_MAX);
        assert_int_equal(ask(f, "SELECT sum(devices) FROM fleet_series"), 11000);
    }
    struct fleet_history h = told(f, 1, NULL);
    assert_int_equal(h.series_count, FLEET_HISTORY_MAX + 1);
    assert_string_equal(h.series[0].version, "1");
    assert_int_equal(h.series[1].devices[h.time_count - 1], 4000);
    const struct fleet_series *others = &h.series[h.series_count - 1];
    assert_true(others->others);
    assert_null(others->model);
    int64_t sum = 0;
    for (size_t i = 0; i < h.series_count; i++)
        sum += h.series[i].devices[h.time_count - 1];
    assert_int_equal(sum, 11000);
    /* They went, and are forgotten; what is still there is not, however long nothing changed. */
    sample(f, "DELETE FROM fleet WHERE model = 'odd'");
    f->now_ms += FLEET_KEEP_MS + HOUR;
    sample(f, "");
    assert_int_equal(ask(f, "SELECT count(*) FROM fleet_series"), 3);
    assert_int_equal(ask(f, "SELECT count(*) FROM fleet_sample"), 3);
    h = told(f, FLEET_HOURS_MAX, NULL);
    assert_int_equal(h.series_count, 2);
    for (size_t i = 0; i < h.time_count; i++)
        assert_int_equal(h.series[0].devices[i], 5000);
}

static void nothing_changed_nothing_written(void **state)
{
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS;
    struct fleet_history h = told(f, 24, NULL);
    assert_int_equal(h.series_count, 0);
    sample(f, "INSERT INTO fleet VALUES ('m', '1', 10)");
    int64_t rows = ask(f, "SELECT count(*) FROM fleet_sample");
    for (int i = 0; i < 5; i++)
        sample(f, "");
    assert_int_equal(ask(f, "SELECT count(*) FROM fleet_sample"), rows);
    h = told(f, 1, NULL);
    assert_int_equal(h.series_count, 1);
    assert_int_equal(h.series[0].devices[h.time_count - 1], 10);
    /* What came since the last sample is told too: by itself, or with all others. */
    sample(f, "UPDATE fleet SET devices = 11");
    assert_ok(fixture_write(f, run_sample, (void *)(uintptr_t)""), f->e);
    h = told(f, 1, NULL);
    assert_int_equal(h.series[0].devices[h.time_count - 1], 11);
    assert_int_equal(h.series[0].devices[h.time_count - 2], 11);
    assert_int_equal(h.series[0].devices[h.time_count - 3], 10);
}

static int run_new(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

static void what_is_new_is_told_before_it_is_noted(void **state)
{
    struct fixture *f = *state;
    static char sql[] = "INSERT INTO fleet VALUES ('m', '2', 3)";
    f->now_ms = BEGIN_MS;
    sample(f, "INSERT INTO fleet VALUES ('m', '1', 10)");
    assert_ok(fixture_write(f, run_new, sql), f->e);
    struct fleet_history h = told(f, 1, "m");
    assert_int_equal(h.series_count, 2);
    assert_string_equal(h.series[1].version, "2");
    assert_int_equal(h.series[1].devices[h.time_count - 1], 3);
    assert_int_equal(h.series[1].devices[h.time_count - 2], 0);
}

static const int64_t *of(const struct fleet_history *h, const char *version)
{
    for (size_t i = 0; i < h->series_count; i++)
        if (h->series[i].version != NULL && strcmp(h->series[i].version, version) == 0)
            return h->series[i].devices;
    fail_msg("%s is not told", version);
    return NULL;
}

/* What shares a series with others was there, and nobody knows how much of it. */
static void what_was_rare_was_not_nothing(void **state)
{
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS;
    sample(f, "INSERT INTO fleet VALUES ('rare', '1', 1), ('rare', '2', 6), ('late', '1', 1); WITH RECURSIVE"
              " c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 520) INSERT INTO fleet"
              " SELECT 'm', printf('%d', i), 5 FROM c");
    sample(f, "");
    /* Now one of them is told apart, and one no longer. */
    sample(f, "UPDATE fleet SET devices = 7 WHERE model = 'late'; UPDATE fleet SET devices = 2 WHERE model ="
              " 'rare' AND version = '2'");
    sample(f, "");
    f->now_ms -= STEP_MS - 1000;
    struct fleet_history h = told(f, 1, "rare");
    size_t now = h.time_count - 1;
    assert_int_equal(of(&h, "1")[now], 1);
    for (size_t i = 0; i < now; i++)
        assert_int_equal(of(&h, "1")[i], FLEET_UNKNOWN);
    assert_int_equal(of(&h, "2")[now], 0); /* as it was noted */
    assert_int_equal(of(&h, "2")[now - 1], 0);
    assert_int_equal(of(&h, "2")[now - 3], 6);
    assert_int_equal(of(&h, "other")[now], 2);
    assert_int_equal(of(&h, "other")[now - 1], FLEET_UNKNOWN);
    h = told(f, 1, "late");
    assert_int_equal(of(&h, "1")[now], 7);
    assert_int_equal(of(&h, "1")[now - 1], 7);
    assert_int_equal(of(&h, "1")[now - 3], FLEET_UNKNOWN);
    /* Of all models the sum is known at any time. */
    h = told(f, 1, NULL);
    for (size_t i = now - 3; i <= now; i++) {
        int64_t sum = 0;
        for (size_t k = 0; k < h.series_count; k++)
            sum += h.series[k].devices[i] > 0 ? h.series[k].devices[i] : 0;
        assert_int_equal(sum, i < now - 2 ? 2608 : 2610);
    }
}

static void a_clock_that_went_back(void **state)
{
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS + 1000 * HOUR;
    sample(f, "INSERT INTO fleet VALUES ('m', '1', 10)");
    f->now_ms = BEGIN_MS;
    sample(f, "");
    assert_int_equal(ask(f, "SELECT max(at) FROM fleet_sample"), BEGIN_MS);
    struct fleet_history h = told(f, 1, NULL);
    assert_int_equal(h.series[0].devices[h.time_count - 1], 10);
    assert_int_equal(h.series[0].devices[h.time_count - 2], 10);
}

/* It ran a year ahead for a while: afterwards numbers are by the hour after two days, as ever. */
static void a_clock_that_ran_ahead(void **state)
{
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS + 365 * 24 * HOUR;
    sample(f, "INSERT INTO fleet VALUES ('m', '1', 1)");
    f->now_ms += 3 * 24 * HOUR;
    sample(f, "UPDATE fleet SET devices = 2");
    f->now_ms = BEGIN_MS;
    for (int i = 0; i < 4 * 24 * 6; i++)
        sample(f, "UPDATE fleet SET devices = devices + 1");
    assert_int_equal(ask(f, "SELECT min(at) FROM fleet_sample WHERE devices > 0"), BEGIN_MS + 5 * STEP_MS);
    assert_true(ask(f, "SELECT count(*) FROM fleet_sample WHERE devices > 0") < 2 * 24 * 7 + 10);
}

#define T(name) cmocka_unit_test_setup_teardown(name, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(as_it_was),
        T(many_versions_share_one_series),
        T(nothing_changed_nothing_written),
        T(what_is_new_is_told_before_it_is_noted),
        T(what_was_rare_was_not_nothing),
        T(a_clock_that_went_back),
        T(a_clock_that_ran_ahead),
    };
    return cmocka_run_group_tests_name("ota/fleet", tests, NULL, NULL);
}
