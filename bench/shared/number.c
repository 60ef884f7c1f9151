#include "shared/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/str.h"

int number_parse(const char *what, const char *text, double min, double max, double *out, struct err *e)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(v) || v < min || v > max)
        return err_set(e, ERR_INVALID, "--%s is \"%s\"; it must be a number from %g to %g", what, text, min,
                       max);
    *out = v;
    return 0;
}

int number_parse_count(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                       struct err *e)
{
    uint64_t v;
    if (str_to_u64(str_of(text), max, &v) != 0 || v < min)
        return err_set(e, ERR_INVALID, "--%s is \"%s\"; it must be a number from %llu to %llu", what, text,
                       (unsigned long long)min, (unsigned long long)max);
    *out = v;
    return 0;
}
