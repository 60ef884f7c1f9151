/* Enrolment and renewal against a real TLS server, with lost answers and answers that must not be taken. */
#include "peer.h"

#include <curl/curl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/identity.h"
#include "base/file.h"

static struct bench b;
static struct peer p;
static struct clock_floor cf;
static struct link l;
static struct pki_cert cert;
static struct err e;

static void start(void)
{
    bench_init(&b);
    peer_init(&p, &b, -PEER_DAY, 1000 * PEER_DAY);
    clock_floor_load(&cf, b.files.floor, &clock_system);
    e.code = 0;
}

static void stop(void)
{
    peer_fini(&p);
    bench_fini(&b);
}

static int enroll(const char *policy)
{
    const struct enrolment how = {.server = p.url,
                                  .ca_file = p.roots,
                                  .token = "a-token",
                                  .id = "dev-1",
                                  .policy = policy,
                                  .proxy = ""};
    return identity_enroll(&b.files, &cf, &how, &cert, &e);
}

static void open_link(void)
{
    const struct link_settings set = {.server = p.url,
                                      .proxy = "",
                                      .policy = "balanced",
                                      .ca_file = b.files.roots,
                                      .cert_file = b.files.cert,
                                      .key_file = b.files.key,
                                      .floor = &cf};
    assert_int_equal(link_init(&l, &set, &e), 0);
}

static void enrols(void **s)
{
    struct stat st;
    (void)s;
    start();
    if (enroll("balanced") != 0)
        fail_msg("%s", e.text);
    assert_string_equal(cert.common_name, "dev-1");
    assert_int_equal(stat(b.files.key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    EVP_PKEY *key = NULL;
    assert_int_equal(pki_key_load(b.files.key, &key, &e), 0);
    assert_string_equal(pki_key_algorithm(key), "mldsa65");
    pki_key_free(key);
    struct pki_cert stored;
    assert_int_equal(identity_read(&b.files, &stored, &e), 0);
    assert_string_equal(stored.serial, cert.serial);
    assert_string_equal(identity_roots(&b.files, &b.config), b.files.roots);
    bench_sh(&b, "cmp %s %s", b.files.roots, p.roots);
    bench_sh(&b, "grep -q 'server = %s' %s", p.url, b.files.server);
    bench_sh(&b, "! grep -r a-token %s", b.files.dir); /* the token is kept nowhere */
    assert_string_equal(p.s->serial, "");              /* it came without a certificate */
    assert_int_equal(enroll("balanced"), ERR_CONFLICT);
    stop();
}

static void the_policy_chooses_the_key(void **s)
{
    (void)s;
    start();
    /* The peer here speaks ML-DSA-65 only, so this fails after the key was made. */
    assert_true(enroll("cnsa2") != 0);
    EVP_PKEY *key = NULL;
    assert_int_equal(pki_key_load(b.files.key, &key, &e), 0);
    assert_string_equal(pki_key_algorithm(key), "mldsa87");
    pki_key_free(key);
    stop();
}

static void a_lost_answer_is_asked_for_with_the_same_key(void **s)
{
    (void)s;
    start();
    p.s->drop_reply = 1;
    assert_true(enroll("balanced") != 0);
    assert_false(file_exists(b.files.cert));
    bench_sh(&b, "cp %s %s/key-before", b.files.key, b.dir);
    if (enroll("balanced") != 0)
        fail_msg("%s", e.text);
    bench_sh(&b, "cmp %s %s/key-before", b.files.key, b.dir);
    stop();
}

static void refusals_say_why(void **s)
{
    (void)s;
    start();
    p.s->status = 401;
    assert_int_equal(enroll("balanced"), ERR_DENIED);
    assert_non_null(strstr(e.text, "the server refused the enrolment: 401 Not so: this one is not welcome"));
    assert_false(file_exists(b.files.cert));
    stop();
}

static void a_certificate_for_another_key_is_refused(void **s)
{
    (void)s;
    start();
    p.s->wrong_key = 1;
    assert_int_equal(enroll("balanced"), ERR_MISMATCH);
    assert_false(file_exists(b.files.cert));
    stop();
}

static void unreadable_roots_are_not_taken(void **s)
{
    (void)s;
    start();
    p.s->bad_roots = 1;
    if (enroll("balanced") != 0)
        fail_msg("%s", e.text);
    bench_sh(&b, "cmp %s %s", b.files.roots, p.roots); /* those that were given */
    stop();
}

static void when_to_renew(void **s)
{
    int64_t first = 0;
    bool differs = false;
    (void)s;
    for (int i = 0; i < 50; i++) {
        struct pki_cert c = {.not_before = 1000000, .not_after = 1000000 + 300 * PEER_DAY};
        snprintf(c.key_id, sizeof c.key_id, "%08x", (unsigned)i * 2654435761u);
        int64_t at = identity_renew_at(&c);
        assert_in_range(at, 1000000 + 200 * PEER_DAY, 1000000 + 225 * PEER_DAY);
        assert_int_equal(at, identity_renew_at(&c)); /* the same for one device */
        differs = differs || (first != 0 && at != first);
        first = at;
    }
    assert_true(differs);
}

/* Enrolled with a certificate of which 80 % are over; renewed ones are longer than 500 days. */
static void start_aged(int64_t to)
{
    start();
    p.s->cert_from = -80 * PEER_DAY;
    p.s->cert_to = to;
    if (enroll("balanced") != 0)
        fail_msg("%s", e.text);
    p.s->cert_from = -60;
    p.s->cert_to = 600 * PEER_DAY;
    open_link();
}

static void stop_aged(void)
{
    link_fini(&l);
    stop();
}

static int64_t tick(bool *changed)
{
    int64_t next;
    identity_tick(&b.files, &l, (int64_t)time(NULL), &next, changed);
    return next;
}

static void not_before_its_time(void **s)
{
    bool changed;
    (void)s;
    start();
    p.s->cert_to = 300 * PEER_DAY;
    assert_int_equal(enroll("balanced"), 0);
    open_link();
    int asked = p.s->requests;
    int64_t next = tick(&changed);
    assert_false(changed);
    assert_in_range(next, 199 * PEER_DAY, 226 * PEER_DAY);
    assert_int_equal(p.s->requests, asked);
    stop_aged();
}

static void renews(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    char before[80];
    snprintf(before, sizeof before, "%s", cert.serial);
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    assert_true(changed);
    assert_int_equal(identity_read(&b.files, &cert, &e), 0);
    assert_string_not_equal(cert.serial, before);
    assert_string_equal(p.s->serial, cert.serial); /* it was used before it was taken */
    assert_false(file_exists(b.files.cert_new));
    assert_true(tick(&changed) > 300 * PEER_DAY);
    assert_false(changed);
    stop_aged();
}

static void an_expired_one_renews_for_ninety_days(void **s)
{
    bool changed;
    (void)s;
    start_aged(-5 * PEER_DAY);
    tick(&changed);
    assert_true(changed);
    stop_aged();

    start_aged(-5 * PEER_DAY);
    int64_t next;
    int asked = p.s->requests;
    identity_tick(&b.files, &l, (int64_t)time(NULL) + 90 * PEER_DAY, &next, &changed);
    assert_false(changed);
    assert_int_equal(p.s->requests, asked); /* it does not even ask */
    stop_aged();
}

static void a_lost_renewal_is_repeated(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    p.s->drop_reply = 1;
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    assert_false(changed);
    assert_false(file_exists(b.files.cert_new));
    tick(&changed);
    assert_true(changed);
    stop_aged();
}

static void a_busy_server_is_asked_again(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    p.s->status = 503;
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    p.s->status = 0;
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    assert_true(changed);
    stop_aged();
}

static void a_stored_one_waits_for_the_server(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    bench_sh(&b, "mv %s %s", b.files.cert, b.files.cert_new); /* as after a cut before the switch */
    bench_sh(&b, "cp %s %s", b.files.cert_new, b.files.cert);
    p.s->status = 503;
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    assert_true(file_exists(b.files.cert_new)); /* not thrown away */
    p.s->status = 0;
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    assert_true(changed);
    assert_false(file_exists(b.files.cert_new));
    stop_aged();
}

static void a_refused_new_one_leaves_the_old(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    char before[80];
    snprintf(before, sizeof before, "%s", cert.serial);
    p.s->refuse_new = 1;
    assert_int_equal(tick(&changed), RENEW_REFUSED_S);
    assert_false(changed);
    assert_false(file_exists(b.files.cert_new));
    assert_int_equal(identity_read(&b.files, &cert, &e), 0);
    assert_string_equal(cert.serial, before);
    stop_aged();
}

static void nothing_is_thrown_away_when_both_are_refused(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    bench_sh(&b, "cp %s %s", b.files.cert, b.files.cert_new);
    p.s->status = 403;
    assert_int_equal(tick(&changed), RENEW_REFUSED_S);
    assert_true(file_exists(b.files.cert_new));
    stop_aged();
}

/* Roots that do not fit the server would lock the device out: the certificate is taken, they are not. */
static void roots_that_do_not_fit_are_dropped(void **s)
{
    bool changed;
    (void)s;
    start_aged(20 * PEER_DAY);
    p.s->bad_roots = 2;
    assert_int_equal(tick(&changed), RENEW_RETRY_S);
    assert_true(changed);
    bench_sh(&b, "cmp %s %s", b.files.roots, p.roots);
    assert_false(file_exists(b.files.roots_new));
    stop_aged();
}

static void the_floor_rises_with_certificates(void **s)
{
    (void)s;
    start();
    p.s->cert_from = 5 * PEER_DAY; /* issued while our clock is behind */
    p.s->cert_to = 500 * PEER_DAY;
    int64_t floor = cf.floor;
    if (enroll("balanced") != 0)
        fail_msg("%s", e.text);
    assert_true(cf.floor > floor);
    assert_int_equal(cf.floor, cert.not_before);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enrols),
        cmocka_unit_test(the_policy_chooses_the_key),
        cmocka_unit_test(a_lost_answer_is_asked_for_with_the_same_key),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(a_certificate_for_another_key_is_refused),
        cmocka_unit_test(unreadable_roots_are_not_taken),
        cmocka_unit_test(when_to_renew),
        cmocka_unit_test(not_before_its_time),
        cmocka_unit_test(renews),
        cmocka_unit_test(an_expired_one_renews_for_ninety_days),
        cmocka_unit_test(a_lost_renewal_is_repeated),
        cmocka_unit_test(a_busy_server_is_asked_again),
        cmocka_unit_test(a_stored_one_waits_for_the_server),
        cmocka_unit_test(a_refused_new_one_leaves_the_old),
        cmocka_unit_test(nothing_is_thrown_away_when_both_are_refused),
        cmocka_unit_test(roots_that_do_not_fit_are_dropped),
        cmocka_unit_test(the_floor_rises_with_certificates),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
