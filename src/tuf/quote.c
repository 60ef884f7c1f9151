#include "tuf/quote.h"

#include <limits.h>
#include <stdio.h>

#include "base/file.h"

int quote_path(const char *dir, struct str name, const char *ending, char *out, size_t size, struct err *e)
{
    char file[NAME_MAX + 1];
    bool dots = str_is(name, ".") || str_is(name, "..");
    size_t room = sizeof file - strlen(ending);
    size_t n = 0;
    int rc = dots ? 0 : str_percent(name, STR_UNRESERVED, file, room, &n);
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
