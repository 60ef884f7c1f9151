#include "rollout_fixture.h"

#include <stdio.h>

#include "ota/finish.h"
#include "store/db.h"

struct call {
    struct deploy d;
    const char *who;
    struct deployment out;
};

static int run_deploy(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct call *c = arg;
    return ota_deploy(&f->ota, db, &f->arena, c->who, &c->d, &c->out, e);
}

struct deploy to_all(int64_t release)
{
    struct deploy d = {
        .release = release, .kind = TARGET_ALL, .target = STR(""), .policy = ota_default_policy(TARGET_ALL)};
    d.policy.dynamic = false;
    return d;
}

struct deploy in_two(int64_t release, struct phase canary, struct phase phases[2])
{
    struct deploy d = to_all(release);
    phases[0] = canary;
    phases[1] = (struct phase){.success_percent = 100};
    for (int i = 0; i < 2; i++) {
        phases[i].name = phases[i].name != NULL ? phases[i].name : "";
        phases[i].filter = phases[i].filter != NULL ? phases[i].filter : "";
    }
    d.phases = phases;
    d.phase_count = 2;
    return d;
}

int64_t made(struct fixture *f, const struct deploy *d)
{
    struct call c = {.d = *d, .who = "anna"};
    assert_ok(fixture_write(f, run_deploy, &c), f->e);
    return c.out.pk;
}

int refused(struct fixture *f, const struct deploy *d)
{
    struct call c = {.d = *d, .who = "anna"};
    return fixture_write(f, run_deploy, &c);
}

struct steering {
    steer_fn *fn;
    const char *who;
    int64_t deployment;
};

static int run_steer(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct steering *s = arg;
    struct deployment out;
    return s->fn(&f->ota, db, &f->arena, s->who, s->deployment, &out, e);
}

int steer(struct fixture *f, steer_fn *fn, const char *who, int64_t deployment)
{
    struct steering s = {fn, who, deployment};
    return fixture_write(f, run_steer, &s);
}

static int run_sql(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

void sql(struct fixture *f, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert_ok(fixture_write(f, run_sql, text), f->e);
}

const char *state_of(struct fixture *f, int64_t d)
{
    return ask_text(f, "SELECT state FROM deployment WHERE pk = %lld", (long long)d);
}

int64_t in_phase(struct fixture *f, int64_t d, int phase)
{
    return ask(f, "SELECT count(*) FROM member WHERE deployment = %lld AND phase = %d", (long long)d, phase);
}

void add_fleet(struct fixture *f, int n)
{
    char id[16];
    for (int i = 1; i <= n; i++) {
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "m");
    }
}

void ends(struct fixture *f, int device, int64_t release, enum action_state how)
{
    char id[16];
    snprintf(id, sizeof id, "d%d", device);
    int64_t action = assert_offered(f, id, "0", release);
    assert_ok(try_report(f, id, action, how, how == ACTION_SUCCEEDED ? "1" : NULL), f->e);
}

enum reason why(struct fixture *f, const char *id)
{
    bool wrote;
    return poll_device(f, id, NULL, &wrote).decision.reason;
}

static int run_poll_ddi(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct poll_answer a;
    const struct poll_question q = {.device = *(const char **)arg, .ddi = true};
    return ota_poll(&f->ota, db, true, &f->arena, &q, &a, e);
}

void poll_ddi(struct fixture *f, const char *id)
{
    assert_ok(fixture_write(f, run_poll_ddi, &id), f->e);
}

static int run_overdue(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_overdue_slice(&f->ota, db, arg, e);
}

bool overdue_slice(struct fixture *f)
{
    bool more;
    assert_ok(fixture_write(f, run_overdue, &more), f->e);
    return more;
}
