#include "tuf/quote.h"

#include <limits.h>
#include <stdio.h>

#include "base/file.h"

static bool unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int quote(struct str name, bool keep_slash, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool plain = unreserved(c) || (keep_slash && c == '/');
        if (size - n <= (plain ? 1U : 3U))
            return ERR_TOO_LARGE;
        if (plain) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    out[n] = '\0';
    return 0;
}

int quote_path(const char *dir, struct str name, const char *ending, char *out, size_t size, struct err *e)
{
    char file[NAME_MAX + 1];
    bool dots = str_is(name, ".") || str_is(name, "..");
    size_t room = sizeof file - strlen(ending);
    int rc = dots ? 0 : quote(name, false, file, room);
    if (dots)
        snprintf(file, sizeof file, "%s", name.n == 1 ? "%2E" : "%2E%2E");
    if (rc == 0 && name.n == 0)
        return err_set(e, ERR_INVALID, "an empty name names no file in %s", dir);
    if (rc == 0) {
        memcpy(file + strlen(file), ending, strlen(ending) + 1);
        rc = file_join(out, size, dir, file);
    }
    if (rc != 0)
        return err_set(e, ERR_TOO_LARGE, "the name " STR_FMT " is too long for a file in %s",
                       (int)(name.n < 64 ? name.n : 64), name.p, dir);
    return 0;
}
