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
                              .outcome = PQOTA_OUTCOME_NONE};
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
    world_fini(&w);
}

static void the_largest_state_fits(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state st = sample(), got;
    st.size = INT64_MAX, st.have = INT64_MAX, st.action = INT32_MAX, st.downloads = st.installs = UINT32_MAX;
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
    for (int i = 0; i < 8; i++) {
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
        cmocka_unit_test(the_largest_state_fits),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(senseless_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
