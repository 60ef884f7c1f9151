#include "trust/internal.h"

struct shown trust_number(int64_t v)
{
    struct shown s;
    char digits[20];
    size_t n = 0, at = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[n++] = (char)('0' + u % 10);
        u /= 10;
    } while (u != 0);
    if (v < 0)
        s.z[at++] = '-';
    while (n > 0)
        s.z[at++] = digits[--n];
    s.z[at] = '\0';
    return s;
}

struct shown trust_show(struct str name)
{
    struct shown s;
    size_t room = SHOWN_SIZE - 4, n = name.n < room ? name.n : room;
    for (size_t i = 0; i < n; i++)
        s.z[i] = name.p[i] > 0x20 && name.p[i] < 0x7F ? name.p[i] : '?';
    memcpy(s.z + n, name.n > room ? "..." : "", name.n > room ? 4 : 1);
    return s;
}

struct str trust_text_at(yyjson_val *obj, const char *key)
{
    return json_text(yyjson_obj_get(obj, key));
}

bool trust_is_count(yyjson_val *v, int64_t min, int64_t *out)
{
    if (!yyjson_is_int(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX) ||
        yyjson_get_sint(v) < min)
        return false;
    *out = yyjson_get_sint(v);
    return true;
}
