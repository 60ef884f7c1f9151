#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pki/internal.h"

int pki_err(struct err *e, int code, const char *fmt, ...)
{
    unsigned long why = ERR_peek_last_error();
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        e->code = code;
        const char *reason = why != 0 ? ERR_reason_error_string(why) : NULL;
        size_t n = strlen(e->text);
        if (reason != NULL)
            snprintf(e->text + n, sizeof e->text - n, " (OpenSSL: %s)", reason);
    }
    ERR_clear_error();
    return code;
}
