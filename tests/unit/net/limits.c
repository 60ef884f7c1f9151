#include "net/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct address_key ipv4(uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct sockaddr_storage ss = {0};
    memcpy(&ss, &in, sizeof in);
    return address_key_of(&ss);
}

static struct address_key ipv6(const char *text)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    struct sockaddr_storage ss = {0};
    memcpy(&ss, &in6, sizeof in6);
    return address_key_of(&ss);
}

static void stops_at_the_limit(void **state)
{
    (void)state;
    struct address_counts *c = address_counts_new();
    struct address_key a = ipv4(0x7f000001), b = ipv4(0x7f000002);
    for (int i = 0; i < 3; i++)
        assert_true(address_counts_take(c, &a, 3));
    assert_false(address_counts_take(c, &a, 3));
    assert_true(address_counts_take(c, &b, 3)); /* another address is not concerned */
    address_counts_drop(c, &a);
    assert_true(address_counts_take(c, &a, 3));
    assert_false(address_counts_take(c, &a, 3));
    address_counts_free(c);
}

static void counts_a_customers_ipv6_network_as_one(void **state)
{
    (void)state;
    struct address_counts *c = address_counts_new();
    struct address_key a = ipv6("2001:db8:1:2::1"), same = ipv6("2001:db8:1:2:ffff::9"),
                       other = ipv6("2001:db8:1:3::1");
    assert_true(address_counts_take(c, &a, 1));
    assert_false(address_counts_take(c, &same, 1));
    assert_true(address_counts_take(c, &other, 1));
    address_counts_free(c);
}

/* Against a plain array: many addresses, taken and dropped at random, never lose or gain a count. */
static void agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { ADDRESSES = 3000, STEPS = 200000, MAX = 4 };
    struct address_counts *c = address_counts_new();
    unsigned *counts = calloc(ADDRESSES, sizeof *counts);
    uint32_t seed = 12345;
    for (int i = 0; i < STEPS; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t which = (seed >> 8) % ADDRESSES;
        struct address_key key = ipv4(0x0a000000u + which);
        if ((seed & 0x80) != 0) {
            bool taken = address_counts_take(c, &key, MAX);
            assert_int_equal(taken, counts[which] < MAX);
            counts[which] += taken ? 1 : 0;
        } else if (counts[which] > 0) {
            address_counts_drop(c, &key);
            counts[which]--;
        }
    }
    for (uint32_t which = 0; which < ADDRESSES; which++) {
        struct address_key key = ipv4(0x0a000000u + which);
        while (counts[which] < MAX) {
            assert_true(address_counts_take(c, &key, MAX));
            counts[which]++;
        }
        assert_false(address_counts_take(c, &key, MAX));
    }
    free(counts);
    address_counts_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(counts_a_customers_ipv6_network_as_one),
        cmocka_unit_test(agrees_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
