#include "release_fixture.h"

#include <stdio.h>

#include "store/devices.h"

int release_setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *f = *state;
    f->ota.poll_seconds = 300;
    f->ota.status_max = 5;
    f->ota.event_days = 90;
    f->ota.action_days = 365;
    return rc;
}

struct device_call {
    const char *id, *model;
    int64_t pk;
};

static int run_device(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct device_call *c = arg;
    return store_device_add(db, c->id, c->model, f->now_ms, &c->pk, e);
}

int64_t add_device(struct fixture *f, const char *id, const char *model)
{
    struct device_call c = {.id = id, .model = model};
    assert_ok(fixture_write(f, run_device, &c), f->e);
    return c.pk;
}

static int run_tag(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct device_call *c = arg;
    struct device d;
    bool changed;
    int rc = store_device_by_id(db, &f->arena, c->id, &d, e);
    return rc != 0 ? rc : store_device_tag(db, &d, c->model, &changed, e);
}

void add_tag(struct fixture *f, const char *id, const char *tag)
{
    struct device_call c = {.id = id, .model = tag};
    assert_ok(fixture_write(f, run_tag, &c), f->e);
}

struct publish_call {
    struct publish p;
    struct release *out;
    bool *made;
};

static int run_publish(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct publish_call *c = arg;
    return ota_publish(&f->ota, db, &f->arena, "anna", &c->p, c->out, c->made, e);
}

int try_publish(struct fixture *f, const char *name, const char *version, const char *models,
                const char *sha256, struct release *out, bool *made)
{
    struct publish_call c = {
        .p = {.name = str_of(name),
              .version = str_of(version),
              .filename = STR("image.bin"),
              .models = str_of(models),
              .sha256 = sha256,
              .size = 1000},
        .out = out,
        .made = made,
    };
    return fixture_write(f, run_publish, &c);
}

struct release publish(struct fixture *f, const char *name, const char *version, const char *models)
{
    struct release r;
    bool made;
    char hash[SHA256_HEX_SIZE];
    unsigned sum = 0;
    for (const char *p = name; *p != '\0'; p++)
        sum = sum * 31 + (unsigned char)*p;
    for (const char *p = version; *p != '\0'; p++)
        sum = sum * 31 + (unsigned char)*p;
    snprintf(hash, sizeof hash, "%064x", sum);
    const char *kept = arena_dup_str(&f->arena, str_of(hash));
    assert_non_null(kept);
    assert_ok(try_publish(f, name, version, models, kept, &r, &made), f->e);
    assert_true(made);
    return r;
}

static int run_unpublish(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_unpublish(&f->ota, db, &f->arena, "anna", *(int64_t *)arg, e);
}

int try_unpublish(struct fixture *f, int64_t release)
{
    return fixture_write(f, run_unpublish, &release);
}

struct deploy_call {
    struct deploy d;
    struct deployment *out;
};

static int run_deploy(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct deploy_call *c = arg;
    return ota_deploy(&f->ota, db, &f->arena, "anna", &c->d, c->out, e);
}

int try_deploy(struct fixture *f, int64_t release, enum target_kind kind, const char *target, bool downgrade,
               struct deployment *out)
{
    struct deploy_call c = {
        .d = {.release = release, .kind = kind, .target = str_of(target), .policy = ota_default_policy(kind)},
        .out = out,
    };
    c.d.policy.allow_downgrade = downgrade;
    return fixture_write(f, run_deploy, &c);
}

int64_t deploy(struct fixture *f, int64_t release, enum target_kind kind, const char *target)
{
    struct deployment d;
    assert_ok(try_deploy(f, release, kind, target, false, &d), f->e);
    return d.pk;
}

static int run_cancel(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct deployment d;
    int rc = ota_deploy_cancel(&f->ota, db, &f->arena, "anna", *(int64_t *)arg, &d, e);
    if (rc == 0)
        assert_int_equal(d.state, DEPLOYMENT_CANCELLED);
    return rc;
}

void cancel(struct fixture *f, int64_t deployment)
{
    assert_ok(fixture_write(f, run_cancel, &deployment), f->e);
}

struct poll_call {
    struct poll_question q;
    struct poll_answer answer;
};

static int run_poll(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct poll_call *c = arg;
    return ota_poll(&f->ota, db, true, &f->arena, &c->q, &c->answer, e);
}

struct poll_answer poll_device(struct fixture *f, const char *id, const char *version, bool *wrote)
{
    struct poll_call c = {.q = {.device = id, .version = str_of(version)}};
    int rc = ota_poll(&f->ota, f->reader, false, &f->arena, &c.q, &c.answer, &f->e);
    assert_true(db_idle(f->reader));
    *wrote = rc == POLL_UPGRADE;
    if (*wrote)
        rc = fixture_write(f, run_poll, &c);
    assert_ok(rc, f->e);
    return c.answer;
}

int64_t assert_offered(struct fixture *f, const char *id, const char *version, int64_t release)
{
    bool wrote;
    struct poll_answer a = poll_device(f, id, version, &wrote);
    assert_true(a.update);
    assert_int_equal(a.release.pk, release);
    assert_int_equal(a.action.release, release);
    assert_int_equal(a.release.artifact_count, 1);
    return a.action.pk;
}

void assert_nothing(struct fixture *f, const char *id, const char *version)
{
    bool wrote;
    struct poll_answer a = poll_device(f, id, version, &wrote);
    assert_false(a.update);
}

struct report_call {
    const char *id;
    int64_t action;
    const struct report *r;
};

static int run_report(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct report_call *c = arg;
    return ota_report(&f->ota, db, &f->arena, c->id, c->action, c->r, e);
}

int try_report_full(struct fixture *f, const char *id, int64_t action, const struct report *r)
{
    struct report_call c = {.id = id, .action = action, .r = r};
    return fixture_write(f, run_report, &c);
}

int try_report(struct fixture *f, const char *id, int64_t action, enum action_state state,
               const char *version)
{
    const struct report r = {.state = state, .progress = ACTION_PROGRESS_NONE, .version = str_of(version)};
    return try_report_full(f, id, action, &r);
}

int64_t ask(struct fixture *f, const char *fmt, ...)
{
    char sql[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    return fixture_ask(f, sql);
}

const char *ask_text(struct fixture *f, const char *fmt, ...)
{
    char sql[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    return fixture_ask_text(f, sql);
}
