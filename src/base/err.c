#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        e->code = code;
    }
    return code;
}

int err_context(struct err *e, const char *fmt, ...)
{
    if (e == NULL)
        return ERR_INTERNAL;
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", e->text);
    memcpy(e->text, text, sizeof text);
    return e->code;
}

static int code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

int err_errno(struct err *e, int errno_value, const char *fmt, ...)
{
    int code = code_of_errno(errno_value);
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof e->text)
            snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", strerror(errno_value));
        e->code = code;
    }
    return code;
}

const char *err_word(int code)
{
    static const char *const words[] = {
        "ok",      "invalid",   "unauthenticated", "denied",   "not-found", "conflict",
        "gone",    "too-large", "unsupported",     "mismatch", "busy",      "disk-full",
        "timeout", "io",        "crypto",          "corrupt",  "no-memory", "internal",
    };
    if (code > 0 || code < ERR_INTERNAL)
        return "unknown";
    return words[-code];
}
