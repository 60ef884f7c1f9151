#include "ota/ddi_device.h"

#include <string.h>

#include "identity_fixture.h"
#include "keys/seal.h"
#include "ota/settings.h"
#include "store/devices.h"

#define GATEWAY "the gateway's token"
#define GATEWAY_TEXT "the-gateways-token"

static struct sealer *sealer, *other_sealer;

static int run_start(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    int rc = settings_load(f->ota.settings, db, e);
    return rc == 0
               ? ota_setting_put(&f->ota, db, &f->arena, &f->admin, SETTING_GATEWAY_KEY, STR(GATEWAY_TEXT), e)
               : rc;
}

static struct ddi_settings file = {.enabled = true,
                                   .target_token = true,
                                   .gateway_token = true,
                                   .header = true,
                                   .poll_seconds = 300,
                                   .model = "generic"};

static int setup(void **state)
{
    assert_int_equal(fixture_setup(state), 0);
    struct fixture *f = *state;
    assert_ok(sealer_open(arena_printf(&f->arena, "%s/a.key", f->dir), true, &sealer, &f->e), f->e);
    assert_ok(sealer_open(arena_printf(&f->arena, "%s/b.key", f->dir), true, &other_sealer, &f->e), f->e);
    f->ota.sealer = sealer;
    settings_set_file(f->ota.settings, &file);
    assert_ok(fixture_write(f, run_start, NULL), f->e);
    return 0;
}

static int teardown(void **state)
{
    sealer_free(sealer);
    sealer_free(other_sealer);
    return fixture_teardown(state);
}

/* --- what is called in the writer ------------------------------------------------------------------- */

struct work {
    enum { CREATE, SET, REGISTER, RELEASE } what;
    struct ddi_new n;
    struct ddi_claim claim;
    char token[DDI_TOKEN_SIZE];
};

static int run_work(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct work *w = arg;
    switch (w->what) {
    case CREATE:
        return ota_ddi_create(&f->ota, db, &f->arena, &f->admin, &w->n, w->token, e);
    case SET:
        return ota_ddi_token_set(&f->ota, db, &f->arena, &f->admin, w->n.id, w->n.token, w->token, e);
    case REGISTER:
        return ota_ddi_register(&f->ota, db, &f->arena, &w->claim, e);
    case RELEASE:
        return ota_ddi_release(&f->ota, db, &f->arena, &f->admin, w->n.id, e);
    }
    return ERR_INTERNAL;
}

static int create(struct fixture *f, struct work *w, const char *id, const char *token)
{
    *w = (struct work){.what = CREATE, .n = {.id = id, .token = str_of(token)}};
    return fixture_write(f, run_work, w);
}

static int admit(struct fixture *f, const char *id, enum identity_by by, const char *token)
{
    char hash[SHA256_HEX_SIZE];
    struct asking d;
    if (token != NULL)
        assert_ok(ddi_token_hash(str_of(token), hash, &f->e), f->e);
    const struct ddi_claim claim = {.id = id, .by = by, .hash = token != NULL ? hash : NULL};
    return ota_ddi_admit(&f->ota, f->reader, &f->arena, &claim, &d, &f->e);
}

static int show(struct fixture *f, const char *id, enum who role, char token[DDI_TOKEN_SIZE])
{
    const struct identity who = {.who = role, .id = "otto"};
    return ota_ddi_token_show(&f->ota, f->reader, &f->arena, &who, id, token, &f->e);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void a_device_has_a_token_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct work a, b;
    char shown[DDI_TOKEN_SIZE];
    assert_ok(create(f, &a, "a", NULL), f->e);
    assert_ok(create(f, &b, "b", "given-to-the-device"), f->e);
    assert_int_equal(strspn(a.token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
                     DDI_TOKEN_MADE);
    assert_int_equal(strlen(a.token), DDI_TOKEN_MADE);
    assert_string_equal(b.token, "given-to-the-device");
    assert_int_equal(create(f, &a, "b", NULL), ERR_CONFLICT);
    assert_ok(show(f, "b", WHO_OPERATOR, shown), f->e);
    assert_string_equal(shown, b.token);
    assert_int_equal(show(f, "b", WHO_VIEWER, shown), ERR_DENIED);
    assert_int_equal(show(f, "c", WHO_ADMIN, shown), ERR_NOT_FOUND);
    assert_string_equal(fixture_ask_text(f, "SELECT model || name || interface || attributes_wanted"
                                            " FROM device WHERE id = 'b'"),
                        "genericbddi1");
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'device.added'"), 2);
    /* Two may be given the same. */
    struct work c;
    assert_ok(create(f, &c, "c", "given-to-the-device"), f->e);
}

static void what_is_refused_for_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct work w;
    assert_int_equal(create(f, &w, "no id", NULL), ERR_INVALID);
    assert_int_equal(create(f, &w, "a", "short"), ERR_INVALID);
    assert_int_equal(create(f, &w, "a", "with blanks, and so no token"), ERR_INVALID);
    assert_null(strstr(f->e.text, "blanks, and"));
    char token[DDI_TOKEN_MAX + 2];
    memset(token, 'x', sizeof token);
    token[DDI_TOKEN_MAX + 1] = '\0';
    assert_int_equal(create(f, &w, "a", token), ERR_INVALID);
    token[DDI_TOKEN_MAX] = '\0';
    assert_ok(create(f, &w, "a", token), f->e);
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, token), 0);
    w = (struct work){.what = CREATE, .n = {.id = "b", .model = "no model"}};
    assert_int_equal(fixture_write(f, run_work, &w), ERR_INVALID);
    w = (struct work){.what = CREATE, .n = {.id = "b", .name = "\x07"}};
    assert_int_equal(fixture_write(f, run_work, &w), ERR_INVALID);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device"), 1);
}

static void a_target_token_is_one_devices(void **state)
{
    struct fixture *f = *state;
    struct work a, b;
    assert_ok(create(f, &a, "a", NULL), f->e);
    assert_ok(create(f, &b, "b", NULL), f->e);
    assert_ok(admit(f, "a", BY_TARGET_TOKEN, a.token), f->e);
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, b.token), ERR_UNAUTHENTICATED);
    const char *text = arena_dup_str(&f->arena, str_of(f->e.text));
    assert_int_equal(admit(f, "c", BY_TARGET_TOKEN, b.token), ERR_UNAUTHENTICATED);
    /* Nobody learns which devices there are. */
    assert_int_equal(strlen(text), strlen(f->e.text));
    assert_null(strstr(text, b.token));
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, GATEWAY_TEXT), ERR_UNAUTHENTICATED);
    /* Another one takes its place. */
    struct work set = {.what = SET, .n = {.id = "a"}};
    assert_ok(fixture_write(f, run_work, &set), f->e);
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, a.token), ERR_UNAUTHENTICATED);
    assert_ok(admit(f, "a", BY_TARGET_TOKEN, set.token), f->e);
}

static void each_way_can_be_off(void **state)
{
    struct fixture *f = *state;
    struct work a;
    assert_ok(create(f, &a, "a", NULL), f->e);
    assert_ok(admit(f, "a", BY_GATEWAY_TOKEN, GATEWAY_TEXT), f->e);
    assert_int_equal(admit(f, "a", BY_GATEWAY_TOKEN, GATEWAY), ERR_UNAUTHENTICATED);
    assert_int_equal(admit(f, "a", BY_GATEWAY_TOKEN, a.token), ERR_UNAUTHENTICATED);
    assert_ok(admit(f, "a", BY_HEADER, NULL), f->e);
    assert_ok(admit(f, "a", BY_CERTIFICATE, NULL), f->e);
    struct ddi_settings off = file;
    off.target_token = off.gateway_token = off.header = false;
    settings_set_file(f->ota.settings, &off);
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, a.token), ERR_UNAUTHENTICATED);
    assert_int_equal(admit(f, "a", BY_GATEWAY_TOKEN, GATEWAY_TEXT), ERR_UNAUTHENTICATED);
    assert_int_equal(admit(f, "a", BY_HEADER, NULL), ERR_UNAUTHENTICATED);
    assert_ok(admit(f, "a", BY_CERTIFICATE, NULL), f->e);
}

static void one_that_nobody_announced_is_registered(void **state)
{
    struct fixture *f = *state;
    char shown[DDI_TOKEN_SIZE];
    assert_int_equal(admit(f, "new", BY_GATEWAY_TOKEN, GATEWAY_TEXT), ERR_NOT_FOUND);
    assert_int_equal(admit(f, "new", BY_GATEWAY_TOKEN, GATEWAY), ERR_UNAUTHENTICATED);
    assert_int_equal(admit(f, "new", BY_HEADER, NULL), ERR_NOT_FOUND);
    struct work w = {.what = REGISTER, .claim = {.id = "new", .by = BY_GATEWAY_TOKEN}};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    assert_int_equal(fixture_write(f, run_work, &w), ERR_CONFLICT);
    assert_ok(admit(f, "new", BY_GATEWAY_TOKEN, GATEWAY_TEXT), f->e);
    assert_ok(show(f, "new", WHO_ADMIN, shown), f->e);
    assert_ok(admit(f, "new", BY_TARGET_TOKEN, shown), f->e);
    assert_string_equal(fixture_ask_text(f, "SELECT name || '|' || description || '|' || model || '|' ||"
                                            " interface || attributes_wanted FROM device"),
                        "new|Plug and Play target: new|generic|ddi1");
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device WHERE certified_at IS NULL"), 1);
    w = (struct work){.what = REGISTER, .claim = {.id = "sure", .by = BY_CERTIFICATE}};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    assert_int_equal(admit(f, "sure", BY_GATEWAY_TOKEN, GATEWAY_TEXT), ERR_UNAUTHENTICATED);
    assert_ok(admit(f, "sure", BY_CERTIFICATE, NULL), f->e);
}

static void a_certificate_shuts_the_other_ways(void **state)
{
    struct fixture *f = *state;
    struct work a;
    struct enrolment en;
    assert_ok(create(f, &a, "a", NULL), f->e);
    assert_ok(fixture_enrol(f, fixture_token(f, "generic", "a", 1), f->key, NULL, &en), f->e);
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, a.token), ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "certificate"));
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, GATEWAY_TEXT), ERR_UNAUTHENTICATED);
    assert_null(strstr(f->e.text, "certificate")); /* told to who has the right token alone */
    assert_int_equal(admit(f, "a", BY_GATEWAY_TOKEN, GATEWAY_TEXT), ERR_UNAUTHENTICATED);
    assert_int_equal(admit(f, "a", BY_HEADER, NULL), ERR_UNAUTHENTICATED);
    struct work w = {.what = RELEASE, .n = {.id = "a"}};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    assert_ok(fixture_write(f, run_work, &w), f->e);
    assert_ok(admit(f, "a", BY_TARGET_TOKEN, a.token), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'device.released'"), 1);
    assert_ok(fixture_revoke(f, "a"), f->e);
    assert_int_equal(admit(f, "a", BY_TARGET_TOKEN, a.token), ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "revoked"));
    assert_int_equal(admit(f, "a", BY_GATEWAY_TOKEN, GATEWAY_TEXT), ERR_UNAUTHENTICATED);
    w.n.id = "nobody";
    assert_int_equal(fixture_write(f, run_work, &w), ERR_NOT_FOUND);
}

static int run_sql(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

static void what_is_sealed_is_of_use_to_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct work a, b;
    char shown[DDI_TOKEN_SIZE];
    assert_ok(create(f, &a, "a", "seldom-seen-token"), f->e);
    assert_ok(create(f, &b, "b", NULL), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device_token WHERE instr(CAST(sealed AS TEXT),"
                                    " 'seldom') > 0 OR hash LIKE '%seldom%'"),
                     0);
    f->ota.sealer = other_sealer;
    assert_int_equal(show(f, "a", WHO_ADMIN, shown), ERR_CONFLICT);
    assert_ok(admit(f, "a", BY_TARGET_TOKEN, a.token), f->e); /* it counts */
    f->ota.sealer = sealer;
    /* Moved to another device's row it does not open. */
    static char sql[] = "UPDATE device_token SET sealed = (SELECT sealed FROM device_token t JOIN device d ON"
                        " d.pk = t.device WHERE d.id = 'a')";
    assert_ok(fixture_write(f, run_sql, sql), f->e);
    assert_ok(show(f, "a", WHO_ADMIN, shown), f->e);
    assert_int_equal(show(f, "b", WHO_ADMIN, shown), ERR_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_device_has_a_token_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused_for_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_target_token_is_one_devices, setup, teardown),
        cmocka_unit_test_setup_teardown(each_way_can_be_off, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_nobody_announced_is_registered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_shuts_the_other_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sealed_is_of_use_to_nobody_else, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
