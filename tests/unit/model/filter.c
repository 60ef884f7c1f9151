/* What filters say of one device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "model/filter.h"

#define NOW 1800000000000 /* 2027-01-15T08:00:00Z */
#define DAY 86400000

static const struct str tags[] = {{"canary", 6}, {"site:ber/1", 10}, {"a*b", 3}};
static const struct filter_attribute attributes[] = {
    {{"hw", 2}, {"rev-C", 5}},   {{"ram", 3}, {"512", 3}},          {{"temp", 4}, {"-0.50", 5}},
    {{"empty", 5}, {"", 0}},     {{"My Key", 6}, {"it's", 4}},      {{"a=b", 3}, {"\"q\"", 3}},
    {{"path", 4}, {"C:\\x", 4}}, {{"words", 5}, {"512 MiB", 7}},    {{"stars", 5}, {"**", 2}},
    {{"set", 3}, {"[a-c]?", 6}}, {{"city", 4}, {"K\xc3\xb6ln", 5}},
};
static const struct filter_device gateway = {
    .id = {"gw-0001", 7},
    .model = {"gw", 2},
    .version = {"1.10.0", 6},
    .name = {"Hall 3, left", 12},
    .created_at = NOW - 30 * (int64_t)DAY,
    .last_seen_at = NOW - 3600000,
    .tags = tags,
    .tag_count = sizeof tags / sizeof tags[0],
    .attributes = attributes,
    .attribute_count = sizeof attributes / sizeof attributes[0],
};
/* Nothing is known of it but that it is there. */
static const struct filter_device blank = {.id = {"x", 1}, .model = {"gw", 2}, .created_at = NOW};

static bool holds(const char *text, const struct filter_device *d)
{
    auto_arena struct arena a;
    arena_init(&a, FILTER_MEMORY_MAX);
    const struct filter *f = NULL;
    struct err e = {0};
    if (filter_parse(str_of(text), &a, &f, &e) != 0)
        fail_msg("%s: %s", text, e.text);
    return filter_match(f, d, NOW);
}

struct row {
    const char *text;
    bool gateway, blank;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (holds(rows[i].text, &gateway) != rows[i].gateway)
            fail_msg("%s: %d for the gateway", rows[i].text, !rows[i].gateway);
        if (holds(rows[i].text, &blank) != rows[i].blank)
            fail_msg("%s: %d for the blank one", rows[i].text, !rows[i].blank);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof(rows)[0])

static void test_texts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", true, true},
        {"   ", true, true},
        {"id==gw-0001", true, false},
        {"id==GW-0001", false, false},
        {"ID==gw-0001", true, false},
        {"controllerId==gw-0001", true, false},
        {"CONTROLLERID == \"gw-0001\"", true, false},
        {"id!=gw-0001", false, true},
        {"id==gw-*", true, false},
        {"id==*1", true, false},
        {"id==*-*0*1", true, false},
        {"id==g*2", false, false},
        {"id==gw-0001*", true, false},
        {"id==*****", true, true},
        {"id=='gw-\\*'", false, false},
        {"id==gw-000", false, false},
        {"id==w-0001", false, false},
        {"id=in=(a,gw-0001,b)", true, false},
        {"id=in=( a , 'gw-0001' )", true, false},
        {"id=IN=gw-0001", true, false},
        {"id=out=(a,gw-0001)", false, true},
        {"id=in=(y*,x)", false, true},
        {"model==gw", true, true},
        {"targettype.key==gw", true, true},
        {"version==1.10.0", true, false},
        {"installedds.version==1.10.*", true, false},
        {"version==''", false, true},
        {"version!=''", true, false},
        {"version==*", true, true},
        {"version!=2", true, true},
        {"version=in=(2,'')", false, true},
        {"name=='Hall 3, left'", true, false},
        {"name=='hall 3, left'", false, false},
        {"name==\"Hall*\"", true, false},
        {"name==\"\"", false, true},
    };
    CHECK(rows);
}

static void test_tags_and_attributes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"tag==canary", true, false},
        {"tag!=canary", false, true},
        {"tag==can", false, false},
        {"tag==site:*", true, false},
        {"tag==*", true, false},
        {"tag!=*", false, true},
        {"tag=in=(x,canary)", true, false},
        {"tag=out=(x,canary)", false, true},
        {"tag=out=(x,y)", true, true},
        {"tag==a\\*b", true, false},
        {"tag==a\\*", false, false},
        {"attribute.hw==rev-C", true, false},
        {"Attribute.hw==rev-C", true, false},
        {"attribute.HW==rev-C", false, false},
        {"attribute.hw==rev-c", false, false},
        {"attribute.hw!=rev-C", false, true},
        {"attribute.none!=x", true, true},
        {"attribute.none==''", false, false},
        {"attribute.none!=''", true, true},
        {"attribute.empty==''", true, false},
        {"attribute.empty==*", true, false},
        {"attribute.hw==*", true, false},
        {"attribute.hw!=*", false, true},
        {"attribute.hw=in=(rev-A,rev-B*,*-C)", true, false},
        {"attribute.hw=out=(rev-A,rev-B)", true, true},
        {"attribute.'My Key'=='it\\'s'", true, false},
        {"attribute.\"My Key\"==\"it's\"", true, false},
        {"attribute.'a=b'=='\"q\"'", true, false},
        {"attribute.path==C:\\\\x", true, false},
        {"attribute.path=='C:\\\\*'", true, false},
        {"attribute.stars==\\*\\*", true, false},
        {"attribute.stars==\\*", false, false},
        {"attribute.set==[a-c]?", true, false},
        {"attribute.set==[a-c]*", true, false},
        {"attribute.set==a?", false, false},
        {"attribute.city==K\xc3\xb6ln", true, false},
        {"attribute.city==K*ln", true, false},
        {"attribute.city==*\xc3\xb6*", true, false},
    };
    CHECK(rows);
}

static void test_numbers_and_times(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"attribute.ram>511", true, false},
        {"attribute.ram>512", false, false},
        {"attribute.ram>=512.000", true, false},
        {"attribute.ram<=512", true, false},
        {"attribute.ram<512.001", true, false},
        {"attribute.ram=gt=60", true, false},
        {"attribute.ram=ge=\"60\"", true, false},
        {"attribute.ram=lt=6000", true, false},
        {"attribute.ram=le=60", false, false},
        {"attribute.temp<0", true, false},
        {"attribute.temp>-0.5", false, false},
        {"attribute.temp>=-0.5", true, false},
        {"attribute.temp>-0.51", true, false},
        {"attribute.hw>0", false, false},
        {"attribute.hw<=0", false, false},
        {"attribute.words>0", false, false},
        {"attribute.empty<1", false, false},
        {"attribute.none<1", false, false},
        {"last_seen>-2h", true, false},
        {"last_seen>-59m", false, false},
        {"last_seen>=-3600s", true, false},
        {"last_seen>-3600s", false, false},
        {"last_seen<=-60m", true, true},
        {"last_seen<-1d", false, true},
        {"last_seen<=0", false, true},
        {"last_seen>0", true, false},
        {"lastControllerRequestAt<2027-01-15T07:00:00.001Z", true, true},
        {"LASTCONTROLLERREQUESTAT<2027-01-15T07:00:00Z", false, true},
        {"last_seen>=2027-01-15T08:00:00+01:00", true, false},
        {"last_seen<=1799996400000", true, true},
        {"last_seen<1799996400000", false, true},
        {"created<-4w", true, false},
        {"created<-5w", false, false},
        {"createdAt>=2027-01-15T08:00:00Z", false, true},
        {"created<=-0s", true, true},
    };
    CHECK(rows);
}

static void test_joints(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"model==gw;tag==canary", true, false},
        {"model==gw and tag==canary", true, false},
        {"model==x,tag==canary", true, false},
        {"model==x or tag==canary", true, false},
        {"id==x,id==gw-0001;tag==none", false, true},
        {"tag==none;id==gw-0001,id==x", false, true},
        {"(id==x,id==gw-0001);model==gw", true, true},
        {"(id==x,id==gw-0001);tag==canary", true, false},
        {" ( id == x or id == gw-0001 ) and tag == canary ", true, false},
        {"((((id==x))))", false, true},
        {"(id==x)or(id==gw-0001)", true, true},
        {"id==x AND model==gw", false, true},
        {"id==x or model==gw and tag==canary or id==y", true, true},
        {"(id==x or model==gw) and (tag==canary or id==y)", true, false},
        {"id==and or id==x", false, true},
    };
    CHECK(rows);
}

static void test_needs_and_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned needs;
        bool all;
    } rows[] = {
        {"", 0, true},
        {" ", 0, true},
        {"id==*", 0, true},
        {"((id==*))", 0, true},
        {"version=in=(1,*)", 0, true},
        {"id==a*", 0, false},
        {"id!=*", 0, false},
        {"tag==*", FILTER_TAGS, false},
        {"attribute.x==*", FILTER_ATTRIBUTES, false},
        {"last_seen>=0", FILTER_SEEN, false},
        {"id==a;(tag==b,attribute.c!=d)", FILTER_TAGS | FILTER_ATTRIBUTES, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_arena struct arena a;
        arena_init(&a, FILTER_MEMORY_MAX);
        const struct filter *f = NULL;
        struct err e = {0};
        assert_int_equal(filter_parse(str_of(rows[i].text), &a, &f, &e), 0);
        if (filter_needs(f) != rows[i].needs || filter_is_all(f) != rows[i].all)
            fail_msg("%s: needs %u, all %d", rows[i].text, filter_needs(f), filter_is_all(f));
    }
}

static void test_ids(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *ids; /* each with a blank after it; NULL: not by ids */
    } rows[] = {
        {"", NULL},
        {"model==gw", NULL},
        {"id==a", "a "},
        {"id==''", " "},
        {"id=in=(c,a,b,a)", "a b c "},
        {"id==a*", NULL},
        {"id=in=(a,b*)", NULL},
        {"id=='a\\*'", "a* "},
        {"id!=a", NULL},
        {"id=out=(a,b)", NULL},
        {"model==gw;id==a", "a "},
        {"id=in=(a,b);model==gw;id=in=(c);id==*", "c "},
        {"id==a,model==gw", NULL},
        {"id==b,id=in=(a,b)", "a b "},
        {"(id==b;tag==x),(tag==y;(id==a,id==ab))", "a ab b "},
        {"(id==b,tag==x);tag==y", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_arena struct arena a;
        arena_init(&a, FILTER_MEMORY_MAX);
        const struct filter *f = NULL;
        const struct str *ids = NULL;
        size_t count = 99;
        struct err e = {0};
        char said[256] = "";
        assert_int_equal(filter_parse(str_of(rows[i].text), &a, &f, &e), 0);
        bool by_ids = filter_ids(f, &ids, &count);
        for (size_t k = 0; by_ids && k < count; k++)
            snprintf(said + strlen(said), sizeof said - strlen(said), STR_FMT " ", STR_ARG(ids[k]));
        if (by_ids != (rows[i].ids != NULL) || (by_ids && strcmp(said, rows[i].ids) != 0))
            fail_msg("%s: %d, %s", rows[i].text, by_ids, said);
    }
}

/* The text may go before the filter does. */
static void test_text_goes(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, FILTER_MEMORY_MAX);
    char text[] = "id==gw-0001;attribute.hw=in=(rev-A,rev*);attribute.ram>1";
    const struct filter *f = NULL;
    struct err e = {0};
    assert_int_equal(filter_parse(str_of(text), &a, &f, &e), 0);
    memset(text, '?', sizeof text);
    assert_true(filter_match(f, &gateway, NOW));
    assert_false(filter_match(f, &blank, NOW));
}

/* Stars cost the product of both lengths at most. */
static void test_many_stars(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, FILTER_MEMORY_MAX);
    static char text[FILTER_TEXT_MAX + 1], value[100000];
    size_t n = (size_t)snprintf(text, sizeof text, "attribute.x==");
    while (n < FILTER_TEXT_MAX - 3)
        n += (size_t)snprintf(text + n, sizeof text - n, "*a");
    snprintf(text + n, sizeof text - n, "*b");
    memset(value, 'a', sizeof value);
    const struct filter_attribute x = {{"x", 1}, {value, sizeof value}};
    const struct filter_device d = {.attributes = &x, .attribute_count = 1};
    const struct filter *f = NULL;
    struct err e = {0};
    assert_int_equal(filter_parse(str_of(text), &a, &f, &e), 0);
    assert_false(filter_match(f, &d, NOW));
    value[sizeof value - 1] = 'b';
    assert_true(filter_match(f, &d, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_tags_and_attributes),
        cmocka_unit_test(test_joints),    cmocka_unit_test(test_numbers_and_times),
        cmocka_unit_test(test_ids),       cmocka_unit_test(test_needs_and_all),
        cmocka_unit_test(test_text_goes), cmocka_unit_test(test_many_stars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
