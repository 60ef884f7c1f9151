/* The header fields of a part; multipart.c's own. */
#ifndef PQOTA_HTTP_MULTIPART_HEAD_H
#define PQOTA_HTTP_MULTIPART_HEAD_H

#include "http/multipart.h"

/* Of head_n bytes in `head`, the empty line included, which it may change. *part's views are into it. */
int multipart_read_head(char *head, size_t head_n, struct multipart_part *part, struct err *e) MUST_CHECK;

bool multipart_is_boundary(struct str s);

#endif
