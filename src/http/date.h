/* HTTP dates (RFC 9110 section 5.6.7): the one form to send is clock_format_http; all three are read. */
#ifndef PQOTA_HTTP_DATE_H
#define PQOTA_HTTP_DATE_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Unix seconds. IMF-fixdate, RFC 850 with its two-digit year (70..99 are 19xx, the rest 20xx), asctime. */
int http_date_parse(struct str s, int64_t *unix_s) MUST_CHECK;

#endif
