/* A view of bytes that somebody else owns; not NUL-terminated. */
#ifndef PQOTA_BASE_STR_H
#define PQOTA_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){.p = (literal), .n = sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
    return (struct str){.p = z, .n = z != NULL ? strlen(z) : 0};
}
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(struct str a, const char *z)
{
    return str_eq(a, str_of(z));
}
/* NULL for an empty text: where settings say "" for what is not given. */
static inline const char *str_or_null(const char *z)
{
    return z[0] != '\0' ? z : NULL;
}
/* NUL-terminated, cut to size: for what is copied at each request, where snprintf's time would show. */
static inline void str_copy(struct str s, char *out, size_t size)
{
    size_t n = s.n < size ? s.n : size - 1;
    if (n > 0)
        memcpy(out, s.p, n);
    out[n] = '\0';
}
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
struct str str_trim(struct str s);              /* without leading and trailing spaces and tabs */

/* Cuts the part before the first `sep` off *rest; returns false when nothing is left. */
bool str_split(struct str *rest, char sep, struct str *part);

/* Decimal digits only, the whole of s, at most max; no sign, no space. */
int str_to_u64(struct str s, uint64_t max, uint64_t *out) MUST_CHECK;

/* Percent-encoding (RFC 3986 section 2.1): letters, digits and `marks` stay, every other byte becomes %XX.
   NUL-terminated; *n: its bytes. ERR_TOO_LARGE: it does not fit, and what out holds is of no use. */
#define STR_UNRESERVED "-._~" /* the marks that stay in a URL's segment (section 2.3) */
int str_percent(struct str s, const char *marks, char *out, size_t size, size_t *n) MUST_CHECK;

/* Compares in time that depends on n alone. */
bool mem_eq_consttime(const void *a, const void *b, size_t n);

/* The two name forms of the product (ids and path segments), both at most 64 and 128 bytes:
   [A-Za-z0-9][A-Za-z0-9._:-]{0,63} and [A-Za-z0-9][A-Za-z0-9._+~-]{0,127}. */
bool str_is_device_id(struct str s);
bool str_is_name(struct str s);
bool str_is_utf8(struct str s); /* RFC 3629; control characters too */
/* Valid UTF-8 (RFC 3629) without control characters other than tab and newline. */
bool str_is_text(struct str s);
size_t str_characters(struct str s); /* how many UTF-8 has */

/* The one of the names that `given` was most likely meant to be (few letters added, left out, exchanged or
   swapped), or NULL when none is near. */
const char *str_nearest(struct str given, const char *const *names, size_t count);

#endif
