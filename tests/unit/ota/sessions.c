/* Who is signed in, and until when: sessions and links against a store and a clock of the test's own. */
#include "ota/sessions.h"

#include <string.h>

#include "identity_fixture.h"
#include "ota/accounts.h"
#include "store/accounts.h"

#define HOUR 3600
#define HOUR_MS (HOUR * 1000LL)
#define MINUTE_MS 60000LL

struct step {
    const char *name, *role, *phc, *made;
    char token[SESSION_TOKEN_SIZE];
    int64_t seconds, expires_at;
    bool all;
    struct identity who;
    struct session session;
    struct account_password password;
    struct account account;
};

static int run_create(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_account_create(&f->ota, db, &f->arena, &f->admin, s->name, s->role, &s->password, &s->account,
                              e);
}

static int run_open(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_session_open(&f->ota, db, &f->arena, &f->admin, s->name, s->phc, s->seconds, s->token,
                            &s->session, e);
}

static int run_close(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_session_close(&f->ota, db, &f->arena, &s->who, s->all, e);
}

static int run_set_password(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_session_set_password(&f->ota, db, &f->arena, &s->who, s->phc, s->made, e);
}

static int run_link(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_sign_in_link(&f->ota, db, &f->arena, &f->admin, s->name, s->role, s->made, s->token,
                            &s->expires_at, e);
}

static int run_take(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_sign_in_link_take(&f->ota, db, &f->arena, str_of(s->token), &s->name, e);
}

static int run_role(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_account_set_role(&f->ota, db, &f->arena, &f->admin, s->name, s->role, &s->account, e);
}

static int run_disable(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_account_disable(&f->ota, db, &f->arena, &f->admin, s->name, s->all, &s->account, e);
}

static int run_remove(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct step *s = arg;
    return ota_account_remove(&f->ota, db, &f->arena, &f->admin, s->name, e);
}

/* An account; its PHC text stays good until its password changes. */
static const char *account(struct fixture *f, const char *name, const char *role)
{
    struct step s = {.name = name, .role = role};
    assert_ok(ota_account_hash(&s.password, &f->e), f->e);
    assert_ok(fixture_write(f, run_create, &s), f->e);
    return arena_dup_str(&f->arena, str_of(s.password.phc));
}

static struct step opened(struct fixture *f, const char *name, const char *phc)
{
    struct step s = {.name = name, .phc = phc, .seconds = HOUR};
    assert_ok(fixture_write(f, run_open, &s), f->e);
    s.who = (struct identity){.who = WHO_VIEWER, .account = true};
    memcpy(s.who.id, name, strlen(name) + 1);
    assert_ok(ota_session_hash(str_of(s.token), s.who.token, &f->e), f->e);
    return s;
}

static int find(struct fixture *f, const struct step *s)
{
    struct session found;
    enum who role;
    return ota_session_find(&f->ota, f->reader, &f->arena, s->who.token, &found, &role, &f->e);
}

static void a_token_is_32_bytes_in_hex_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX_SIZE] = "untouched", other[SHA256_HEX_SIZE];
    static const char good[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    char text[sizeof good + 2];
    assert_ok(ota_session_hash(str_of(good), other, &f->e), f->e);
    for (size_t n = 0; n <= sizeof good; n++) {
        if (n == sizeof good - 1)
            continue;
        memset(text, 'a', sizeof text);
        assert_int_equal(ota_session_hash((struct str){.p = text, .n = n}, hash, &f->e), ERR_INVALID);
    }
    memcpy(text, good, sizeof good);
    text[10] = 'g';
    assert_int_equal(ota_session_hash(str_of(text), hash, &f->e), ERR_INVALID);
    assert_string_equal(hash, "untouched");
}

static void a_session_lasts_its_time(void **state)
{
    struct fixture *f = *state;
    struct step s = opened(f, "vera", account(f, "vera", "viewer"));
    assert_false(s.session.by_link);
    assert_null(s.session.account.password);
    assert_int_equal(s.session.expires_at, f->now_ms + HOUR_MS);
    f->now_ms += HOUR_MS - 1;
    assert_ok(find(f, &s), f->e);
    f->now_ms++;
    assert_int_equal(find(f, &s), ERR_UNAUTHENTICATED);
    f->now_ms -= HOUR_MS;
    assert_ok(find(f, &s), f->e);
    /* What is stored opens nothing. */
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM session"), 1);
    struct step raw = s;
    memcpy(raw.who.token, s.token, sizeof raw.who.token);
    assert_int_equal(find(f, &raw), ERR_UNAUTHENTICATED);
}

static void only_the_password_that_was_checked_opens_one(void **state)
{
    struct fixture *f = *state;
    const char *phc = account(f, "vera", "viewer");
    struct step s = {.name = "vera", .phc = "$argon2id$another", .seconds = HOUR};
    assert_int_equal(fixture_write(f, run_open, &s), ERR_UNAUTHENTICATED);
    s.phc = phc;
    s.name = "nobody";
    assert_int_equal(fixture_write(f, run_open, &s), ERR_UNAUTHENTICATED);
    s.name = "vera";
    s.all = true;
    assert_ok(fixture_write(f, run_disable, &s), f->e);
    assert_int_equal(fixture_write(f, run_open, &s), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM session"), 0);
}

static void a_change_to_the_account_ends_it(void **state)
{
    struct fixture *f = *state;
    static fixture_job *const changes[] = {run_role, run_disable, run_remove};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const char *name = (const char *const[]){"anna", "bert", "carl"}[i];
        struct step s = opened(f, name, account(f, name, "viewer")), change = s;
        assert_ok(find(f, &s), f->e);
        change.role = "operator";
        change.all = true;
        assert_ok(fixture_write(f, changes[i], &change), f->e);
        assert_int_equal(find(f, &s), ERR_UNAUTHENTICATED);
        change.all = false;
        if (changes[i] == run_disable)
            assert_ok(fixture_write(f, run_disable, &change), f->e);
        assert_int_equal(find(f, &s), ERR_UNAUTHENTICATED); /* and it does not come back */
    }
}

static void signing_out(void **state)
{
    struct fixture *f = *state;
    const char *phc = account(f, "vera", "viewer");
    struct step one = opened(f, "vera", phc), two = opened(f, "vera", phc), three = opened(f, "vera", phc);
    struct step other = opened(f, "otto", account(f, "otto", "operator"));
    assert_ok(fixture_write(f, run_close, &one), f->e);
    assert_int_equal(find(f, &one), ERR_UNAUTHENTICATED);
    assert_ok(find(f, &two), f->e);
    assert_int_equal(fixture_write(f, run_close, &one), ERR_UNAUTHENTICATED);
    three.all = true;
    assert_ok(fixture_write(f, run_close, &three), f->e);
    assert_int_equal(find(f, &two), ERR_UNAUTHENTICATED);
    assert_int_equal(find(f, &three), ERR_UNAUTHENTICATED);
    assert_ok(find(f, &other), f->e);
    assert_string_equal(fixture_ask_text(f, "SELECT group_concat(kind || ' ' || who || ' ' || detail, '; ')"
                                            " FROM (SELECT * FROM event WHERE kind = 'session.closed'"
                                            " ORDER BY pk)"),
                        "session.closed vera signed out; session.closed vera signed out everywhere");
}

static void there_are_so_many_and_the_oldest_goes(void **state)
{
    struct fixture *f = *state;
    const char *phc = account(f, "vera", "viewer");
    struct step other = opened(f, "otto", account(f, "otto", "operator"));
    struct step s[SESSIONS_PER_ACCOUNT + 2];
    for (size_t i = 0; i < SESSIONS_PER_ACCOUNT + 2; i++) {
        f->now_ms++;
        s[i] = opened(f, "vera", phc);
    }
    assert_int_equal(find(f, &s[0]), ERR_UNAUTHENTICATED);
    assert_int_equal(find(f, &s[1]), ERR_UNAUTHENTICATED);
    for (size_t i = 2; i < SESSIONS_PER_ACCOUNT + 2; i++)
        assert_ok(find(f, &s[i]), f->e);
    assert_ok(find(f, &other), f->e);
    f->now_ms += HOUR_MS + 1;
    opened(f, "vera", phc); /* what is over goes with the next one */
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM session"), 1);
}

static void the_newest_stays_where_the_clock_goes_back(void **state)
{
    struct fixture *f = *state;
    const char *phc = account(f, "vera", "viewer");
    for (size_t i = 0; i < SESSIONS_PER_ACCOUNT; i++)
        opened(f, "vera", phc);
    f->now_ms -= MINUTE_MS;
    struct step last = opened(f, "vera", phc);
    assert_ok(find(f, &last), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM session"), SESSIONS_PER_ACCOUNT);
}

static void a_password_of_ones_own(void **state)
{
    struct fixture *f = *state;
    const char *phc = account(f, "vera", "viewer"), *next = "$argon2id$the next one";
    struct step here = opened(f, "vera", phc), there = opened(f, "vera", phc);
    here.phc = NULL; /* not by a link: the old one is asked for */
    here.made = next;
    assert_int_equal(fixture_write(f, run_set_password, &here), ERR_DENIED);
    here.phc = "$argon2id$not that one";
    assert_int_equal(fixture_write(f, run_set_password, &here), ERR_DENIED);
    here.phc = phc;
    assert_ok(fixture_write(f, run_set_password, &here), f->e);
    assert_ok(find(f, &here), f->e);
    assert_int_equal(find(f, &there), ERR_UNAUTHENTICATED);

    struct step linked = opened(f, "vera", NULL);
    assert_true(linked.session.by_link);
    linked.made = phc;
    assert_ok(fixture_write(f, run_set_password, &linked), f->e);
    assert_int_equal(fixture_write(f, run_set_password, &linked), ERR_DENIED); /* once */
    assert_ok(find(f, &linked), f->e);
    assert_int_equal(find(f, &here), ERR_UNAUTHENTICATED);
}

static int check(struct fixture *f, const struct step *s)
{
    return ota_sign_in_link_check(&f->ota, f->reader, &f->arena, str_of(s->token), &f->e);
}

static void a_link_is_taken_once_in_its_time(void **state)
{
    struct fixture *f = *state;
    struct step s = {.name = "kim", .made = "$argon2id$nobody knows it"};
    assert_ok(fixture_write(f, run_link, &s), f->e);
    assert_int_equal(s.expires_at, f->now_ms + SIGN_IN_LINK_SECONDS * 1000);
    assert_string_equal(fixture_ask_text(f, "SELECT role FROM account WHERE name = 'kim'"), "admin");
    f->now_ms += SIGN_IN_LINK_SECONDS * 1000;
    assert_int_equal(check(f, &s), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_write(f, run_take, &s), ERR_UNAUTHENTICATED);
    f->now_ms--;
    assert_ok(check(f, &s), f->e);
    assert_ok(check(f, &s), f->e); /* which takes nothing */
    s.name = NULL;
    assert_ok(fixture_write(f, run_take, &s), f->e);
    assert_string_equal(s.name, "kim");
    assert_int_equal(check(f, &s), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_write(f, run_take, &s), ERR_UNAUTHENTICATED);
    memcpy(s.token, "no link", sizeof "no link");
    assert_int_equal(check(f, &s), ERR_UNAUTHENTICATED);
}

static void a_link_gives_nobody_another_role(void **state)
{
    struct fixture *f = *state;
    account(f, "vera", "viewer");
    struct step s = {.name = "vera", .role = "admin", .made = "$argon2id$nobody knows it"};
    assert_int_equal(fixture_write(f, run_link, &s), ERR_CONFLICT);
    s.role = NULL;
    assert_ok(fixture_write(f, run_link, &s), f->e);
    assert_string_equal(fixture_ask_text(f, "SELECT role FROM account WHERE name = 'vera'"), "viewer");
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM account WHERE password = '$argon2id$nobody knows"
                                    " it'"),
                     0);
    s.all = true;
    assert_ok(fixture_write(f, run_disable, &s), f->e);
    assert_int_equal(fixture_write(f, run_link, &s), ERR_CONFLICT);
}

static void a_link_ends_with_a_change_to_its_account(void **state)
{
    struct fixture *f = *state;
    account(f, "vera", "viewer");
    struct step s = {.name = "vera", .made = "$argon2id$nobody knows it"}, change = {.name = "vera"};
    assert_ok(fixture_write(f, run_link, &s), f->e);
    change.role = "operator";
    assert_ok(fixture_write(f, run_role, &change), f->e);
    assert_int_equal(check(f, &s), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_write(f, run_take, &s), ERR_UNAUTHENTICATED);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_token_is_32_bytes_in_hex_and_nothing_else),
        EACH(a_session_lasts_its_time),
        EACH(only_the_password_that_was_checked_opens_one),
        EACH(a_change_to_the_account_ends_it),
        EACH(signing_out),
        EACH(there_are_so_many_and_the_oldest_goes),
        EACH(the_newest_stays_where_the_clock_goes_back),
        EACH(a_password_of_ones_own),
        EACH(a_link_is_taken_once_in_its_time),
        EACH(a_link_gives_nobody_another_role),
        EACH(a_link_ends_with_a_change_to_its_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
