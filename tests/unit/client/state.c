/* The stored state: what is written is read, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world w;

static struct client_state sample(void)
{
    struct client_state st = {.state = PQOTA_DOWNLOADING,
                              .action = 7,
                              .size = 1000,
                              .have = 500,
                              .downloads = 1,
                              .installs = 2,
                              .acked = PQOTA_DOWNLOADING,
                              .outcome = PQOTA_OUTCOME_NONE,
                              .vouched = 1,
                              .sequence = 5,
                              .counter = 2,
                              .stale = 1,
                              .later = 3,
                              .confirmed = 1,
                              .confirmed_sequence = 4,
                              .confirmed_counter = 2,
                              .hold = 1,
                              .denied = 6};
    snprintf(st.name, sizeof st.name, "gw");
    snprintf(st.version, sizeof st.version, "2.0~rc1");
    snprintf(st.filename, sizeof st.filename, "gw.bin");
    snprintf(st.path, sizeof st.path, "/api/firmware/12/file");
    memset(st.sha256, 'a', sizeof st.sha256 - 1);
    snprintf(st.boot, sizeof st.boot, "boot-1");
    snprintf(st.message, sizeof st.message, "a=b, caf\xc3\xa9");
    return st;
}

static void round_trip(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state st = sample(), got;
    char text[PQOTA_STATE_SIZE];
    size_t n = client_state_write(&st, &sha, text);
    assert_true(n > 0);
    assert_int_equal(client_state_read(text, n, &sha, &got), PQOTA_OK);
    assert_memory_equal(&st, &got, sizeof st);
    struct pqota_status shown;
    assert_int_equal(pqota_client_read_state(text, n, &sha, &shown), PQOTA_OK);
    assert_int_equal(shown.state, PQOTA_DOWNLOADING);
    assert_int_equal(shown.have, 500);
    assert_true(shown.standing.confirmed);
    assert_int_equal(shown.standing.sequence, 4);
    assert_int_equal(shown.standing.counter, 2);
    world_fini(&w);
}

/* What the program before this one stored in the middle of an update. */
static void the_first_form_is_read(void **s)
{
    static const char text[] =
        "pqota-state 1\nstate=2\naction=7\nname=gw\nversion=2.0\nfilename=gw.bin\n"
        "path=/api/firmware/12/file\n"
        "artifact=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nsize=1000\nhave=500\n"
        "downloads=1\ninstalls=0\nacked=2\nboot=boot-1\noutcome=0\nrunning=\nmessage=\n"
        "sha256=02c6db96f5ecba1267ec43186251d5d6a7706ab090dc87209cd1d241fac6f7b3\n";
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state got;
    assert_int_equal(client_state_read(text, sizeof text - 1, &sha, &got), PQOTA_OK);
    assert_int_equal(got.state, PQOTA_DOWNLOADING);
    assert_int_equal(got.have, 500);
    assert_int_equal(got.vouched, 0);
    assert_int_equal(got.confirmed, 0);
    /* The third form under an older one's head, and the other way round. */
    char other[PQOTA_STATE_SIZE];
    size_t n = client_state_write(&got, &sha, other);
    assert_memory_equal(other, "pqota-state 3\n", 14);
    for (int i = 0; i < 4; i++) {
        size_t body = i < 2 ? n - 72 : sizeof text - 1 - 72;
        if (i >= 2)
            memcpy(other, text, body);
        other[12] = i == 0 ? '1' : i == 3 ? '3' : '2';
        char seal[PQOTA_SHA256_HEX];
        assert_int_equal(client_sha256_hex(&sha, other, body, seal), PQOTA_OK);
        snprintf(other + body, sizeof other - body, "sha256=%s\n", seal);
        assert_int_equal(client_state_read(other, body + 72, &sha, &got), PQOTA_E_INVALID);
    }
    world_fini(&w);
}

/* The third form without its last two fields. */
static void the_second_form_is_read(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state st = sample(), got;
    char text[PQOTA_STATE_SIZE], seal[PQOTA_SHA256_HEX];
    assert_true(client_state_write(&st, &sha, text) > 0);
    char *end = strstr(text, "\nhold=");
    assert_non_null(end);
    size_t body = (size_t)(end - text) + 1;
    text[12] = '2';
    assert_int_equal(client_sha256_hex(&sha, text, body, seal), PQOTA_OK);
    snprintf(text + body, sizeof text - body, "sha256=%s\n", seal);
    assert_int_equal(client_state_read(text, body + 72, &sha, &got), PQOTA_OK);
    assert_int_equal(got.confirmed_counter, 2);
    st.hold = st.denied = 0;
    assert_memory_equal(&st, &got, sizeof st);
    world_fini(&w);
}

static void the_largest_state_fits(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state st = sample(), got;
    st.size = INT64_MAX, st.have = INT64_MAX, st.action = INT32_MAX, st.downloads = st.installs = UINT32_MAX;
    st.sequence = st.counter = st.stale = st.later = UINT32_MAX;
    st.confirmed_sequence = st.confirmed_counter = UINT32_MAX;
    memset(st.name, 'n', sizeof st.name - 1);
    memset(st.version, 'v', sizeof st.version - 1);
    memset(st.filename, 'f', sizeof st.filename - 1);
    memset(st.path, '/', sizeof st.path - 1);
    memset(st.boot, 'b', sizeof st.boot - 1);
    memset(st.running, 'r', sizeof st.running - 1);
    memset(st.message, 'm', sizeof st.message - 1);
    char text[PQOTA_STATE_SIZE];
    size_t n = client_state_write(&st, &sha, text);
    assert_true(n > 0);
    assert_int_equal(client_state_read(text, n, &sha, &got), PQOTA_OK);
    assert_memory_equal(&st, &got, sizeof st);
    world_fini(&w);
}

static void damage_is_noticed(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state st = sample(), got = {.action = 99};
    char text[PQOTA_STATE_SIZE], bad[PQOTA_STATE_SIZE];
    size_t n = client_state_write(&st, &sha, text);
    for (size_t at = 0; at < n; at++) {
        memcpy(bad, text, n);
        bad[at] = (char)(bad[at] ^ 0x20);
        assert_int_equal(client_state_read(bad, n, &sha, &got), PQOTA_E_INVALID);
        assert_int_equal(client_state_read(text, at, &sha, &got), PQOTA_E_INVALID);
    }
    assert_int_equal(got.action, 99);
    world_fini(&w);
}

/* A right seal on contents that make no sense: somebody wrote it, not we. */
static void senseless_states(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    char text[PQOTA_STATE_SIZE];
    for (int i = 0; i < 9; i++) {
        struct client_state st = sample(), got;
        switch (i) {
        case 0:
            st.action = 0;
            break;
        case 1:
            st.have = st.size + 1;
            break;
        case 2:
            st.path[0] = 'x';
            break;
        case 3:
            st.sha256[5] = 'G';
            break;
        case 4:
            st.version[0] = '/';
            break;
        case 5:
            st.state = PQOTA_REPORTING; /* without an outcome */
            break;
        case 6:
            st.state = (enum pqota_state)9;
            break;
        case 7:
            snprintf(st.message, sizeof st.message, "two\nlines");
            break;
        case 8:
            st.vouched = 2;
            break;
        }
        size_t n = client_state_write(&st, &sha, text);
        assert_true(n > 0);
        if (client_state_read(text, n, &sha, &got) != PQOTA_E_INVALID)
            fail_msg("row %d was accepted", i);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(the_first_form_is_read),
        cmocka_unit_test(the_second_form_is_read),
        cmocka_unit_test(the_largest_state_fits),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(senseless_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
