#include "play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err e;

void play_begin(struct play *p, enum protocol_kind protocol)
{
    *p = (struct play){.options = {.protocol = protocol,
                                   .tenant = "DEFAULT",
                                   .id_prefix = "fleet-",
                                   .version = "1.0",
                                   .devices = 1,
                                   .first = 1,
                                   .seed = 1,
                                   .interval = 10,
                                   .jitter = 0.1,
                                   .backoff = 5}};
    p->sim = (struct sim){.options = &p->options, .counts = &p->counts};
    p->sim.fates = open_memstream(&p->fates, &p->fates_n);
    assert_non_null(p->sim.fates);
    uint16_t version;
    assert_int_equal(names_number(&p->sim.names, STR("1.0"), &version, &e), 0);
    device_init(&p->device, &p->sim, 1);
}

/* Whether it asked that, and not something else. */
static void expect(struct play *p, const char *asks, const char *body)
{
    struct ask a;
    char line[OFFER_PATH_MAX + 16];
    assert_int_not_equal(p->device.step, STEP_GONE);
    assert_int_equal(device_ask(&p->sim, &p->device, &a, &e), 0);
    snprintf(line, sizeof line, "%s %s", a.method, a.path);
    assert_string_equal(line, asks);
    if (body == NULL) {
        assert_int_equal(a.body_n, 0);
        return;
    }
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse_object((struct str){a.body, a.body_n}, &doc, &e), 0);
    if (strstr(a.body, body) == NULL)
        fail_msg("%s sends %s, not %s", asks, a.body, body);
}

static void give(struct play *p, const struct answer *a)
{
    struct err why = {0};
    int rc = device_take(&p->sim, &p->device, a, &why);
    if (rc == 0)
        return;
    counts_error(&p->counts, rc == ERR_BUSY ? ERROR_STATUS : ERROR_REPLY, why.text);
    device_failed(&p->sim, &p->device);
}

void play(struct play *p, const char *asks, const char *body, int status, const char *answer)
{
    expect(p, asks, body);
    give(p, &(struct answer){.status = status, .body = str_of(answer != NULL ? answer : "")});
}

void play_fetch(struct play *p, const char *asks, int status, uint64_t length, const char *sha256)
{
    struct answer a = {.status = status, .length = length};
    expect(p, asks, NULL);
    assert_int_equal(hex_decode(str_of(sha256), a.sha256, sizeof a.sha256), 0);
    give(p, &a);
}

void play_lost(struct play *p, const char *asks)
{
    struct ask a;
    char line[OFFER_PATH_MAX + 16];
    assert_int_equal(device_ask(&p->sim, &p->device, &a, &e), 0);
    snprintf(line, sizeof line, "%s %s", a.method, a.path);
    assert_string_equal(line, asks);
    device_failed(&p->sim, &p->device);
    assert_true(p->device.wait > 0 && p->device.wait < 7500000000U); /* at most --backoff, and half of it */
}

void play_fates(struct play *p, const char *lines)
{
    fflush(p->sim.fates);
    assert_string_equal(p->fates, lines);
}

void play_end(struct play *p)
{
    device_end(&p->sim, &p->device);
    device_fini(&p->device);
    names_fini(&p->sim.names);
    fclose(p->sim.fates);
    free(p->fates);
}
