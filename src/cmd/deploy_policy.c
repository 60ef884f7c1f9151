/* The policy of `pqota deploy`: how, when, how fast, and what if it fails. */
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/deploy.h"
#include "cmd/text.h"
#include "model/deployment.h"
#include "model/window.h"

#define SPAN_MAX (366 * 86400) /* seconds */
#define NUMBER_MAX 1000000

struct adding {
    const struct line_args *args;
    int64_t now_ms;
    yyjson_mut_doc *doc;
    yyjson_mut_val *body;
};

static int no_memory(const struct adding *a)
{
    return line_wrong(a->args, "no memory for the request");
}

static int add_number(const struct adding *a, const char *option, const char *member, int64_t most)
{
    int64_t n;
    if (!line_has(a->args, option))
        return 0;
    int code = line_number(a->args, option, 0, most, 0, &n);
    if (code != 0)
        return code;
    return yyjson_mut_obj_add_sint(a->doc, a->body, member, n) ? 0 : no_memory(a);
}

static int add_flag(const struct adding *a, const char *option, const char *member, bool value)
{
    if (!line_has(a->args, option))
        return 0;
    return yyjson_mut_obj_add_bool(a->doc, a->body, member, value) ? 0 : no_memory(a);
}

static int add_span(const struct adding *a, const char *option, const char *member, int64_t most)
{
    int64_t s;
    const char *text = line_get(a->args, option);
    if (text == NULL)
        return 0;
    if (text_parse_duration(text, most, &s) != 0)
        return line_wrong(a->args,
                          "--%s \"%s\" is no time that long; as in 90s, 15m, 4h or 2d, at most %lld %s",
                          option, text, (long long)(most % 86400 == 0 ? most / 86400 : most / 3600),
                          most % 86400 == 0 ? (most == 86400 ? "day" : "days") : "hours");
    return yyjson_mut_obj_add_sint(a->doc, a->body, member, s) ? 0 : no_memory(a);
}

/* A time of day and date, or "+4h" from now. */
static int add_time(const struct adding *a, const char *option, const char *member)
{
    int64_t at = 0, s;
    char text[CLOCK_TEXT_MAX];
    const char *given = line_get(a->args, option);
    if (given == NULL)
        return 0;
    if (given[0] == '+' && text_parse_duration(given + 1, SPAN_MAX, &s) == 0)
        at = a->now_ms + 1000 * s;
    else if (text_parse_time(str_of(given), &at) != 0)
        return line_wrong(a->args,
                          "--%s \"%s\" is no time; as in 2026-12-01T02:00:00Z, 2026-12-01T02:00:00+01:00, or "
                          "+4h for four hours from now",
                          option, given);
    clock_format(at, text);
    return yyjson_mut_obj_add_strcpy(a->doc, a->body, member, text) ? 0 : no_memory(a);
}

static int add_mode(const struct adding *a)
{
    const char *mode = line_get(a->args, "mode");
    bool timed = line_has(a->args, "force-at");
    if (mode == NULL)
        mode = timed ? "time-forced" : "";
    if ((strcmp(mode, "time-forced") == 0) != timed)
        return line_wrong(a->args, timed ? "--force-at goes with --mode time-forced alone"
                                         : "--mode time-forced needs --force-at TIME");
    if (mode[0] == '\0')
        return 0;
    if (strcmp(mode, "time-forced") == 0)
        mode = "time_forced";
    if (strcmp(mode, "download-only") == 0)
        mode = "download_only";
    return yyjson_mut_obj_add_str(a->doc, a->body, "mode", mode) ? 0 : no_memory(a);
}

static int add_window(const struct adding *a)
{
    const char *schedule = line_get(a->args, "window"), *duration = line_get(a->args, "window-duration"),
               *zone = line_get(a->args, "window-zone");
    struct err e = {0};
    int64_t s = 0;
    int minutes;
    if (schedule == NULL && duration == NULL && zone == NULL)
        return 0;
    if (schedule == NULL || duration == NULL)
        return line_wrong(a->args, "a maintenance window needs both --window \"0 0 2 * * ?\" and "
                                   "--window-duration 02:00:00");
    if (strchr(duration, ':') == NULL ? text_parse_duration(duration, 7 * 86400, &s) != 0
                                      : window_parse_duration(str_of(duration), &s, &e) != 0)
        return line_wrong(a->args, "--window-duration \"%s\" is no time up to a week; as in 02:30:00 or 90m",
                          duration);
    if (zone != NULL && strcmp(zone, "device") != 0 && window_parse_zone(str_of(zone), &minutes, &e) != 0)
        return line_wrong(a->args, "--window-zone \"%s\": %s; or \"device\" for each device's own", zone,
                          e.text);
    yyjson_mut_val *w = yyjson_mut_obj_add_obj(a->doc, a->body, "window");
    bool ok = w != NULL && yyjson_mut_obj_add_str(a->doc, w, "schedule", schedule) &&
              yyjson_mut_obj_add_sint(a->doc, w, "seconds", s) &&
              (zone == NULL || yyjson_mut_obj_add_str(a->doc, w, "zone", zone));
    return ok ? 0 : no_memory(a);
}

int deploy_add_policy(const struct line_args *args, int64_t now_ms, yyjson_mut_doc *doc, yyjson_mut_val *body)
{
    const struct adding a = {args, now_ms, doc, body};
    if (line_has(args, "static") && line_has(args, "dynamic"))
        return line_wrong(args, "--static and --dynamic exclude each other");
    int code = add_flag(&a, "allow-downgrade", "allow_downgrade", true);
    if (code == 0)
        code = add_flag(&a, "static", "dynamic", false);
    if (code == 0)
        code = add_flag(&a, "dynamic", "dynamic", true);
    if (code == 0)
        code = add_flag(&a, "consent", "consent", true);
    if (code == 0)
        code = add_flag(&a, "approval", "approval", true);
    if (code == 0)
        code = add_mode(&a);
    if (code == 0)
        code = add_time(&a, "force-at", "force_at");
    if (code == 0)
        code = add_time(&a, "start-at", "start_at");
    if (code == 0)
        code = add_number(&a, "priority", "priority", DEPLOYMENT_PRIORITY_MAX);
    if (code == 0)
        code = add_number(&a, "per-minute", "per_minute", NUMBER_MAX);
    if (code == 0)
        code = add_number(&a, "retries", "retries", 100);
    if (code == 0)
        code = add_span(&a, "retry-after", "retry_seconds", DEPLOYMENT_RETRY_SECONDS_MAX);
    if (code == 0)
        code = add_span(&a, "deadline", "deadline_seconds", SPAN_MAX);
    return code != 0 ? code : add_window(&a);
}

const struct line_option deploy_options[] = {
    {.name = "device", .letter = 'd', .value = "ID", .help = "to one device"},
    {.name = "tag", .letter = 't', .value = "TAG", .help = "to the devices with that tag"},
    {.name = "model", .letter = 'm', .value = "MODEL", .help = "to the devices of that model"},
    {.name = "filter", .letter = 'f', .value = "FILTER", .help = "to the devices that match it"},
    {.name = "all", .letter = 'a', .help = "to all devices that the release fits"},
    {.name = "static", .help = "only to devices that match now"},
    {.name = "dynamic", .help = "also to devices that come to match later"},
    {.name = "allow-downgrade", .help = "also to devices that run something newer"},
    {.name = "phase",
     .repeats = true,
     .value = "PHASE",
     .help = "a part of the devices, as name=canary,count=10,success=90,errors=5%"},
    {.name = "start-at", .value = "TIME", .help = "not before, as 2026-12-01T02:00:00Z or +4h"},
    {.name = "per-minute", .value = "NUMBER", .help = "so many devices may begin in a minute"},
    {.name = "window", .value = "SCHEDULE", .help = "only in a window that opens then, as \"0 0 2 * * ?\""},
    {.name = "window-duration", .value = "TIME", .help = "for so long, as 02:30:00 or 90m"},
    {.name = "window-zone", .value = "OFFSET", .help = "by the clock of +02:00; else each device's own"},
    {.name = "mode",
     .value = "MODE",
     .choices = "forced soft download-only time-forced",
     .help = "how far devices must go"},
    {.name = "force-at", .value = "TIME", .help = "when time-forced becomes forced"},
    {.name = "consent", .help = "only when the device's user agrees"},
    {.name = "approval", .help = "only when another operator approves"},
    {.name = "priority", .value = "NUMBER", .help = "of several deployments the highest goes first (500)"},
    {.name = "deadline", .value = "TIME", .help = "an attempt that takes longer has failed, as 4h"},
    {.name = "retries", .value = "NUMBER", .help = "a device that failed tries so often again (0)"},
    {.name = "retry-after", .value = "TIME", .help = "after so long, doubled each time (1h)"},
    {.name = "rollback", .value = "RELEASE", .help = "what errors that stop it take its devices back to"},
    {.name = NULL},
};
