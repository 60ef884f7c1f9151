/* Conditional requests (RFC 9110 section 13) on a representation with a strong entity tag and a date. */
#ifndef PQOTA_HTTP_CONDITION_H
#define PQOTA_HTTP_CONDITION_H

#include "http/message.h"

enum http_condition {
    HTTP_COND_PROCEED,
    HTTP_COND_NOT_MODIFIED, /* 304 */
    HTTP_COND_FAILED,       /* 412 */
};

#define HTTP_NO_DATE (-1) /* instead of modified_s: it has none, and conditions on it do not count */

/* Section 13.2.2, steps 1 to 4. etag has its quotes. */
enum http_condition http_condition_check(const struct http_request *req, struct str etag, int64_t modified_s);
/* Step 5: whether Range counts. Without If-Range it does. */
bool http_condition_range(const struct http_request *req, struct str etag, int64_t modified_s);

#endif
