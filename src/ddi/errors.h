/* Errors as hawkBit tells them. */
#ifndef PQOTA_DDI_ERRORS_H
#define PQOTA_DDI_ERRORS_H

#include "http/message.h"

/* {"exceptionClass", "errorCode", "message"}: what scripts written for hawkBit look at. For
   route_table.refuse. */
void ddi_error_body(struct http_response *r, struct arena *a, int status, const struct err *e);
/* After http_reply_file: a refusal (412, 416) in this form; what else is told of the file stays. */
void ddi_error_of_file(struct http_response *r, struct arena *a);

#endif
