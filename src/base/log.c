#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 4096
#define VALUE_MAX_BYTES 1024

/* Atomic, since a reload changes it under the feet of threads that log. */
static struct {
    _Atomic(enum log_level) least;
    _Atomic(enum log_format) format;
    atomic_int fd;
} config = {.least = LOG_INFO, .format = LOG_LOGFMT, .fd = STDERR_FILENO};

struct line {
    bool json; /* for the whole line, whatever happens to the setting meanwhile */
    char p[LINE_MAX_BYTES];
    size_t n;
};

void log_setup(enum log_level least, enum log_format format, int fd)
{
    config.least = least;
    config.format = format;
    config.fd = fd;
}

bool log_enabled(enum log_level level)
{
    return level >= config.least;
}

static void put(struct line *l, const char *p, size_t n)
{
    size_t room = sizeof l->p - 1 - l->n; /* one byte stays for the newline */
    if (n > room)
        n = room;
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_z(struct line *l, const char *z)
{
    put(l, z, strlen(z));
}

/* Both formats quote as JSON does (RFC 8259 section 7); bytes past ASCII are escaped too, so that neither
   broken UTF-8 nor a terminal's control sequences get through. The bound counts what is written, so that a
   value full of escapes does not crowd the rest out of the line. */
static void put_quoted(struct line *l, struct str s)
{
    put_z(l, "\"");
    size_t end = l->n + VALUE_MAX_BYTES;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char esc[8];
        if (l->n >= end) {
            put_z(l, "...");
            break;
        }
        if (c == '"' || c == '\\') {
            put(l, (char[]){'\\', (char)c}, 2);
        } else if (c >= 0x20 && c < 0x7F) {
            put(l, s.p + i, 1);
        } else {
            int n = snprintf(esc, sizeof esc, "\\u%04x", c);
            put(l, esc, (size_t)n);
        }
    }
    put_z(l, "\"");
}

static bool needs_quotes(struct str s)
{
    if (s.n == 0 || s.n > VALUE_MAX_BYTES)
        return true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7F || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return false;
}

static void put_pair(struct line *l, const char *key, struct str value)
{
    bool json = l->json;
    if (l->n > (json ? 1u : 0u))
        put_z(l, json ? "," : " ");
    if (json)
        put_z(l, "\"");
    put_z(l, key);
    put_z(l, json ? "\":" : "=");
    if (json || needs_quotes(value))
        put_quoted(l, value);
    else
        put(l, value.p, value.n);
}

static void put_number(struct line *l, const char *key, int64_t value)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    if (!l->json) {
        put_pair(l, key, (struct str){.p = text, .n = (size_t)n});
        return;
    }
    put_z(l, ",\"");
    put_z(l, key);
    put_z(l, "\":");
    put(l, text, (size_t)n);
}

/* A line cut short at the bound would not be JSON: fields that do not fit are left out whole. */
static void put_field(struct line *l, const struct log_field *f)
{
    struct line with = *l;
    if (f->kind == LOG_FIELD_I64)
        put_number(&with, f->key, f->i);
    else
        put_pair(&with, f->key, f->s);
    if (with.n < sizeof with.p - 2)
        *l = with;
}

void log_write(enum log_level level, const char *area, const char *message, const struct log_field *fields)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char at[CLOCK_TEXT_MAX];
    clock_format(clock_unix_ms(&clock_system), at);

    struct line l = {.json = config.format == LOG_JSON};
    if (l.json)
        put_z(&l, "{");
    put_pair(&l, "time", str_of(at));
    put_pair(&l, "level", str_of(names[level]));
    put_pair(&l, "area", str_of(area));
    put_pair(&l, "msg", str_of(message));
    for (const struct log_field *f = fields; f->key != NULL; f++)
        put_field(&l, f);
    if (l.json)
        put_z(&l, "}");
    l.p[l.n++] = '\n';
    /* A log that cannot be written has nowhere to be reported. */
    ssize_t written = write(config.fd, l.p, l.n);
    (void)written;
}
