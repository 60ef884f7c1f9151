/*
 * One line per event, logfmt or JSON, to a descriptor (standard error by default). Values are escaped so
 * that nothing a peer sends can forge a line. Never give it a secret: no token, key, password or cookie.
 *
 *   log_info("net", "connection closed", LOG_STR("peer", addr), LOG_I64("bytes", n));
 *
 * The logger is the one piece of process-wide state: set up before threads start, and again by a reload;
 * every call is thread-safe and writes its line with one write(2).
 */
#ifndef PQOTA_BASE_LOG_H
#define PQOTA_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *key; /* NULL ends the list */
    enum { LOG_FIELD_STR, LOG_FIELD_I64 } kind;
    struct str s;
    int64_t i;
};

#define LOG_S(k, str_) ((struct log_field){.key = (k), .kind = LOG_FIELD_STR, .s = (str_)})
#define LOG_STR(k, z) LOG_S(k, str_of(z))
#define LOG_I64(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_I64, .i = (v)})
#define LOG_ERR(e) LOG_STR("error", (e)->text)

void log_setup(enum log_level least, enum log_format format, int fd);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *area, const char *message, const struct log_field *fields);

/* The end of the list is always there, so that no macro here is ever called with an empty "...". */
#define LOG_END_ ((struct log_field){.key = NULL})
#define LOG_WRITE_(level, area, message, ...)                                                                \
    log_write(level, area, message, (const struct log_field[]){__VA_ARGS__})
#define log_at(level, area, ...)                                                                             \
    do {                                                                                                     \
        if (log_enabled(level))                                                                              \
            LOG_WRITE_(level, area, __VA_ARGS__, LOG_END_);                                                  \
    } while (0)
#define log_debug(area, ...) log_at(LOG_DEBUG, area, __VA_ARGS__)
#define log_info(area, ...) log_at(LOG_INFO, area, __VA_ARGS__)
#define log_warn(area, ...) log_at(LOG_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_at(LOG_ERROR, area, __VA_ARGS__)

#endif
