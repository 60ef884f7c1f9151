/* A file's hash over several requests: where one may go on, and what is noticed. */
#include "bench.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "agent/tunnel_hash.h"
#include "base/hex.h"

#define SIZE (5 * PROGRESS_BLOCK + 1234)

static unsigned char data[SIZE];
static char hash[SHA256_HEX_SIZE];

static int make_data(void **s)
{
    unsigned char raw[SHA256_SIZE];
    (void)s;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 31 + i / 257);
    if (EVP_Digest(data, SIZE, raw, NULL, EVP_sha256(), NULL) != 1)
        return 1;
    hex_encode(raw, sizeof raw, hash);
    return 0;
}

static struct progress *begun(void)
{
    struct progress *p = NULL;
    struct err e = {0};
    assert_int_equal(progress_new(hash, SIZE, &p, &e), 0);
    return p;
}

static void add(struct progress *p, uint64_t from, uint64_t to)
{
    struct err e = {0};
    assert_int_equal(p->at, from);
    assert_int_equal(progress_add(p, data + from, (size_t)(to - from), &e), 0);
    assert_int_equal(p->at, to);
}

static void in_pieces_of_any_size(void **s)
{
    (void)s;
    const size_t pieces[] = {1, 7, 4096, PROGRESS_BLOCK - 1, PROGRESS_BLOCK, PROGRESS_BLOCK + 1, SIZE};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct progress *p = begun();
        for (uint64_t at = 0; at < SIZE;) {
            uint64_t to = at + pieces[i] < SIZE ? at + pieces[i] : SIZE;
            assert_false(progress_is_right(p));
            add(p, at, to);
            at = to;
        }
        assert_true(progress_is_right(p));
        progress_free(p);
    }
}

/* From everywhere around the edges: the same bytes pass, and give the right hash. */
static void goes_on_from_anywhere(void **s)
{
    (void)s;
    const uint64_t cut = 3 * PROGRESS_BLOCK + 500;
    const uint64_t from[] = {1,       499, PROGRESS_BLOCK - 1, PROGRESS_BLOCK, PROGRESS_BLOCK + 1,
                             cut - 1, cut, cut - 500,          cut - 501,      2 * PROGRESS_BLOCK};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct progress *p = begun();
        struct progress_check c;
        struct err e = {0};
        add(p, 0, cut);
        assert_true(progress_reaches(p, from[i]));
        assert_int_equal(progress_rewind(p, from[i], &c, &e), 0);
        assert_true(p->at <= from[i] && from[i] <= c.to && c.to <= cut);
        assert_true(c.to - p->at <= PROGRESS_BLOCK);
        assert_int_equal(p->at % PROGRESS_BLOCK, 0);
        add(p, p->at, c.to);
        assert_true(progress_passes(p, &c));
        add(p, c.to, SIZE);
        assert_true(progress_is_right(p));
        progress_free(p);
    }
}

static void other_bytes_do_not_pass(void **s)
{
    (void)s;
    const uint64_t cut = 2 * PROGRESS_BLOCK + 900, from = 2 * PROGRESS_BLOCK + 300;
    for (uint64_t at = 2 * PROGRESS_BLOCK; at < cut; at += 299) {
        struct progress *p = begun();
        struct progress_check c;
        struct err e = {0};
        add(p, 0, cut);
        assert_int_equal(progress_rewind(p, from, &c, &e), 0);
        data[at] ^= 1;
        add(p, p->at, c.to);
        data[at] ^= 1;
        assert_false(progress_passes(p, &c));
        progress_free(p);
    }
}

/* The server was away, or left within the block that is checked: the next try has all that was there. */
static void a_try_that_came_to_nothing_takes_nothing(void **s)
{
    (void)s;
    const uint64_t cut = 3 * PROGRESS_BLOCK + 500;
    const uint64_t from[] = {cut, cut - 1, 3 * PROGRESS_BLOCK + 1, 3 * PROGRESS_BLOCK - 1,
                             PROGRESS_BLOCK + 7};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct progress *p = begun();
        struct progress_check c;
        struct err e = {0};
        add(p, 0, cut);
        for (uint64_t got = 0; got < 3; got++) {
            assert_true(progress_reaches(p, from[i]));
            assert_int_equal(progress_rewind(p, from[i], &c, &e), 0);
            assert_true(p->at < c.to);
            data[p->at] ^= 1; /* and what came is not believed */
            add(p, p->at, p->at + got);
            data[p->at - got] ^= 1;
        }
        assert_true(progress_reaches(p, cut));
        assert_int_equal(progress_rewind(p, from[i], &c, &e), 0);
        add(p, p->at, c.to);
        assert_true(progress_passes(p, &c));
        assert_false(progress_reaches(p, c.to + 1)); /* from here on the bytes may be others */
        add(p, c.to, SIZE);
        assert_true(progress_is_right(p));
        progress_free(p);
    }
}

static void what_was_never_sent_is_not_reached(void **s)
{
    (void)s;
    struct progress *p = begun();
    add(p, 0, 1000);
    assert_true(progress_reaches(p, 1000));
    assert_false(progress_reaches(p, 1001));
    add(p, 1000, SIZE);
    assert_true(progress_reaches(p, SIZE - 1));
    assert_false(progress_reaches(p, SIZE)); /* there is nothing from there on */
    progress_free(p);
}

/* Only the last marks are kept. */
static void what_is_long_ago_is_forgotten(void **s)
{
    (void)s;
    struct progress *p = NULL;
    struct progress_check c;
    struct err e = {0};
    const uint64_t blocks = PROGRESS_MARKS + 20;
    assert_int_equal(progress_new(hash, blocks * PROGRESS_BLOCK + 1, &p, &e), 0);
    for (uint64_t i = 0; i < blocks; i++)
        assert_int_equal(progress_add(p, data, PROGRESS_BLOCK, &e), 0);
    uint64_t oldest = (blocks - PROGRESS_MARKS + 1) * PROGRESS_BLOCK;
    assert_false(progress_reaches(p, oldest - 1));
    assert_true(progress_reaches(p, oldest));
    assert_int_equal(progress_rewind(p, oldest + 1, &c, &e), 0);
    assert_int_equal(p->at, oldest);
    assert_int_equal(progress_add(p, data, PROGRESS_BLOCK, &e), 0);
    assert_true(progress_passes(p, &c));
    progress_free(p);
}

/* With all marks taken, cut within a block: the oldest that is reached can be gone back to. */
static void the_oldest_mark_stays_while_one_goes_back(void **s)
{
    (void)s;
    struct progress *p = NULL;
    struct progress_check c;
    struct err e = {0};
    const uint64_t blocks = PROGRESS_MARKS + 3;
    assert_int_equal(progress_new(hash, (blocks + 1) * PROGRESS_BLOCK, &p, &e), 0);
    for (uint64_t i = 0; i < blocks; i++)
        assert_int_equal(progress_add(p, data, PROGRESS_BLOCK, &e), 0);
    assert_int_equal(progress_add(p, data, 77, &e), 0);
    uint64_t oldest = (blocks - PROGRESS_MARKS + 1) * PROGRESS_BLOCK;
    for (int i = 0; i < 2; i++) {
        assert_true(progress_reaches(p, oldest + 1));
        assert_int_equal(progress_rewind(p, oldest + 1, &c, &e), 0);
        assert_int_equal(p->at, oldest);
        assert_int_equal(c.to, oldest + PROGRESS_BLOCK);
    }
    assert_int_equal(progress_add(p, data, PROGRESS_BLOCK, &e), 0);
    assert_true(progress_passes(p, &c));
    progress_free(p);
}

static struct progress *named(char letter, uint64_t at)
{
    char name[SHA256_HEX_SIZE];
    struct progress *p = NULL;
    struct err e = {0};
    memset(name, letter, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(progress_new(name, SIZE, &p, &e), 0);
    add(p, 0, at);
    return p;
}

static void the_shelf_keeps_the_latest(void **s)
{
    (void)s;
    struct progress_shelf *shelf = progress_shelf_new();
    char name[SHA256_HEX_SIZE] = {0};
    for (char c = 'a'; c < 'a' + PROGRESS_KEPT + 2; c++)
        progress_shelf_put(shelf, named(c, 100));
    progress_shelf_put(shelf, named('f', 200)); /* in place of the other one */
    progress_shelf_put(shelf, named('f', 0));   /* of nothing: not */
    memset(name, 'b', sizeof name - 1);
    assert_null(progress_shelf_take(shelf, name, 1));
    memset(name, 'c', sizeof name - 1);
    assert_null(progress_shelf_take(shelf, name, 101));
    struct progress *p = progress_shelf_take(shelf, name, 100);
    assert_non_null(p);
    progress_free(p);
    assert_null(progress_shelf_take(shelf, name, 100)); /* one client's alone */
    memset(name, 'f', sizeof name - 1);
    p = progress_shelf_take(shelf, name, 150);
    assert_non_null(p);
    assert_int_equal(p->at, 200);
    progress_free(p);
    progress_shelf_free(shelf);
}

static void a_file_is_doubted_until_it_was_right(void **s)
{
    (void)s;
    struct progress_shelf *shelf = progress_shelf_new();
    char name[SHA256_HEX_SIZE] = {0};
    assert_false(progress_shelf_doubts(shelf, hash));
    progress_shelf_doubt(shelf, hash, true);
    progress_shelf_doubt(shelf, hash, true);
    assert_true(progress_shelf_doubts(shelf, hash));
    for (unsigned i = 1; i < PROGRESS_DOUBTED; i++) {
        snprintf(name, sizeof name, "%064x", i);
        assert_false(progress_shelf_doubts(shelf, name));
        progress_shelf_doubt(shelf, name, true);
    }
    snprintf(name, sizeof name, "%064x", PROGRESS_DOUBTED);
    assert_true(progress_shelf_doubts(shelf, name)); /* there is no room to doubt one more */
    progress_shelf_doubt(shelf, hash, false);
    progress_shelf_doubt(shelf, hash, false);
    assert_false(progress_shelf_doubts(shelf, hash));
    assert_false(progress_shelf_doubts(shelf, name));
    progress_shelf_free(shelf);
}

static void *put_later(void *arg)
{
    struct progress_shelf *shelf = arg;
    struct progress *p = named('g', 100);
    char name[SHA256_HEX_SIZE];
    memcpy(name, p->sha256, sizeof name);
    progress_shelf_put(shelf, p);
    progress_shelf_end(shelf, name);
    return NULL;
}

/* A client is back before it was missed. */
static void one_under_way_is_waited_for(void **s)
{
    (void)s;
    struct progress_shelf *shelf = progress_shelf_new();
    char name[SHA256_HEX_SIZE] = {0};
    pthread_t other;
    memset(name, 'g', sizeof name - 1);
    progress_shelf_begin(shelf, name);
    assert_int_equal(pthread_create(&other, NULL, put_later, shelf), 0);
    struct progress *p = progress_shelf_take(shelf, name, 50);
    assert_non_null(p);
    progress_free(p);
    pthread_join(other, NULL);
    assert_null(progress_shelf_take(shelf, name, 50)); /* nothing is under way: at once */
    progress_shelf_free(shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pieces_of_any_size),
        cmocka_unit_test(goes_on_from_anywhere),
        cmocka_unit_test(other_bytes_do_not_pass),
        cmocka_unit_test(what_was_never_sent_is_not_reached),
        cmocka_unit_test(what_is_long_ago_is_forgotten),
        cmocka_unit_test(the_shelf_keeps_the_latest),
        cmocka_unit_test(one_under_way_is_waited_for),
        cmocka_unit_test(a_try_that_came_to_nothing_takes_nothing),
        cmocka_unit_test(the_oldest_mark_stays_while_one_goes_back),
        cmocka_unit_test(a_file_is_doubted_until_it_was_right),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
