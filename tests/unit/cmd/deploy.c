/* What the options of `pqota deploy` become in the request. */
#include "cmd/deploy.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check.h"

#define NOW 1800000000000 /* 2027-01-15T08:00:00Z */

static int never(struct line_args *args)
{
    (void)args;
    return CMD_OK;
}

static const struct line_sub subs[] = {
    {"", "RELEASE", 1, 2, LINE_SERVER | LINE_JSON, deploy_options, never, "send", NULL},
    {.name = NULL},
};
static const struct line_verb verb = {"deploy", "Sends.", subs};

/* The body as text; NULL where the options are refused. To be freed. */
static char *body_of(const char *const *words)
{
    char *argv[32] = {(char *)"deploy", (char *)"gw@1"};
    int argc = 2, code = 0;
    while (*words != NULL)
        argv[argc++] = (char *)*words++;
    struct line_args args;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    char *text = NULL;
    if (line_parse(&verb, argc, argv, &args, &code) == 0 && deploy_add_policy(&args, NOW, doc, root) == 0 &&
        deploy_add_phases(&args, doc, root) == 0)
        text = yyjson_mut_write(doc, 0, NULL);
    yyjson_mut_doc_free(doc);
    return text;
}

struct row {
    const char *words[12];
    const char *body; /* NULL: refused */
};

static const struct row rows[] = {
    {{NULL}, "{}"},
    {{"--static", NULL}, "{\"dynamic\":false}"},
    {{"--dynamic", NULL}, "{\"dynamic\":true}"},
    {{"--static", "--dynamic", NULL}, NULL},
    {{"--consent", "--approval", "--allow-downgrade", NULL},
     "{\"allow_downgrade\":true,\"consent\":true,\"approval\":true}"},
    {{"--mode", "soft", NULL}, "{\"mode\":\"soft\"}"},
    {{"--mode", "download-only", NULL}, "{\"mode\":\"download_only\"}"},
    {{"--mode", "time-forced", NULL}, NULL},
    {{"--mode", "soft", "--force-at", "+1h", NULL}, NULL},
    {{"--force-at", "+1h", NULL}, "{\"mode\":\"time_forced\",\"force_at\":\"2027-01-15T09:00:00.000Z\"}"},
    {{"--start-at", "2027-01-15T02:00:00+02:00", NULL}, "{\"start_at\":\"2027-01-15T00:00:00.000Z\"}"},
    {{"--start-at", "tomorrow", NULL}, NULL},
    {{"--start-at", "+", NULL}, NULL},
    {{"--priority", "1000", "--per-minute", "60", NULL}, "{\"priority\":1000,\"per_minute\":60}"},
    {{"--priority", "1001", NULL}, NULL},
    {{"--priority", "-1", NULL}, NULL},
    {{"--deadline", "90s", NULL}, "{\"deadline_seconds\":90}"},
    {{"--deadline", "2d", "--retries", "2", "--retry-after", "15m", NULL},
     "{\"retries\":2,\"retry_seconds\":900,\"deadline_seconds\":172800}"},
    {{"--deadline", "0s", NULL}, NULL},
    {{"--deadline", "4 h", NULL}, NULL},
    {{"--deadline", "367d", NULL}, NULL},
    {{"--retry-after", "25h", NULL}, NULL},
    {{"--window", "0 0 2 * * ?", "--window-duration", "02:30:00", "--window-zone", "+02:00", NULL},
     "{\"window\":{\"schedule\":\"0 0 2 * * ?\",\"seconds\":9000,\"zone\":\"+02:00\"}}"},
    {{"--window", "0 0 2 * * ?", "--window-duration", "90m", "--window-zone", "device", NULL},
     "{\"window\":{\"schedule\":\"0 0 2 * * ?\",\"seconds\":5400,\"zone\":\"device\"}}"},
    {{"--window", "0 0 2 * * ?", NULL}, NULL},
    {{"--window-duration", "90m", NULL}, NULL},
    {{"--window-zone", "+02:00", NULL}, NULL},
    {{"--window", "0 0 2 * * ?", "--window-duration", "8d", NULL}, NULL},
    {{"--window", "0 0 2 * * ?", "--window-duration", "25:61:00", NULL}, NULL},
    {{"--window", "0 0 2 * * ?", "--window-duration", "90m", "--window-zone", "Berlin", NULL}, NULL},
    {{"--phase", "name=canary,count=10,success=90,errors=5%", "--phase", "name=rest", NULL},
     "{\"phases\":[{\"name\":\"canary\",\"count\":10,\"success_percent\":90,\"error_percent\":5},"
     "{\"name\":\"rest\"}]}"},
    {{"--phase", "percent=20%,errors=3", NULL},
     "{\"phases\":[{\"percent\":20,\"error_count\":3},{\"name\":\"rest\"}]}"},
    {{"--phase", "errors=3,success=100%,filter=tag==a,tag==b", NULL},
     "{\"phases\":[{\"error_count\":3,\"success_percent\":100,\"filter\":\"tag==a,tag==b\"},"
     "{\"name\":\"rest\"}]}"},
    {{"--phase", "", NULL}, NULL},
    {{"--phase", "count=10,", NULL}, NULL},
    {{"--phase", "count", NULL}, NULL},
    {{"--phase", "count=", NULL}, NULL},
    {{"--phase", "count=10%", NULL}, NULL},
    {{"--phase", "count=1,count=2", NULL}, NULL},
    {{"--phase", "percent=101", NULL}, NULL},
    {{"--phase", "errors=101%", NULL}, NULL},
    {{"--phase", "errors=-1", NULL}, NULL},
    {{"--phase", "name=,count=1", NULL}, NULL},
    {{"--phase", "succes=90", NULL}, NULL},
};

static void options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *body = body_of(rows[i].words);
        if (rows[i].body == NULL && body != NULL)
            fail_msg("row %zu: %s", i, body);
        if (rows[i].body != NULL && body == NULL)
            fail_msg("row %zu was refused", i);
        if (body != NULL)
            assert_string_equal(body, rows[i].body);
        free(body);
    }
}

static void phase_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"succes=90", "success="},
        {"count=ten", "count=ten: it must be a number of devices"},
        {"count=10%", "a share is percent="},
        {"count=1,count=2", "count= is there twice"},
        {"canary", "\"canary\" lacks its ="},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
        struct err e = {0};
        bool takes;
        assert_int_equal(deploy_read_phase(str_of(wrong[i].text), doc, yyjson_mut_obj(doc), &takes, &e),
                         ERR_INVALID);
        assert_non_null(strstr(e.text, wrong[i].says));
        yyjson_mut_doc_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options), cmocka_unit_test(phase_errors)};
    return RUN(tests);
}
