/* What every test here begins with. */
#ifndef PQOTA_TEST_HTTP_CHECK_H
#define PQOTA_TEST_HTTP_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/message.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static inline void request_header(struct http_request *r, const char *name, const char *value)
{
    assert_true(r->header_count < HTTP_HEADERS_MAX);
    r->headers[r->header_count++] = (struct http_header){.name = str_of(name), .value = str_of(value)};
}

/* The value of a response's header, or NULL; a test's values are all NUL-terminated. */
static inline const char *response_header(const struct http_response *r, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, str_of(name))) {
            assert_null(found);
            found = r->headers[i].value.p;
        }
    return found;
}

#endif
