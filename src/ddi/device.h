/* What the resources of hawkBit's device protocol share. Handlers in device_*.c, rows in device_routes.c. */
#ifndef PQOTA_DDI_DEVICE_H
#define PQOTA_DDI_DEVICE_H

#include "http/route.h"
#include "ota/ddi_view.h"
#include "ddi/body.h"

/* That of the path: the one tenant that there is, in any case of letters, and the device that asks. */
int device_begin(struct call *c) MUST_CHECK;
/* ".../DEFAULT/controller/v1/ID<rest>" for links; rest begins with a slash. NULL: no memory. */
const char *device_href(struct call *c, const char *base, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A segment of the path that is an id. One that is none is ERR_NOT_FOUND. */
int device_param_id(struct call *c, size_t index, int64_t *out) MUST_CHECK;
/* Of feedback: device_begin, the action in the path, and the body. */
int device_begin_feedback(struct call *c, int64_t *action, yyjson_doc **body) MUST_CHECK;
/* "rel": {"href": href}; href NULL: no memory. */
int device_put_link(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *links, const char *rel,
                    const char *href) MUST_CHECK;
int device_no_memory(struct call *c);
/* What the domain refused: past a quota it is 429. */
int device_refused(struct call *c, int rc) MUST_CHECK;
/* 200 without a body. */
int device_done(struct call *c) MUST_CHECK;

/* device_artifacts.c: a module's files as an array of `obj`, or the root's. */
int device_put_artifacts(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *list,
                         const struct ddi_chunk *chunk) MUST_CHECK;
/* device_deployment.c: {"id", key: {...}, "actionHistory"?} */
int device_show(struct call *c, enum ddi_subject subject, const char *key) MUST_CHECK;

call_handler device_poll;
call_handler device_config;
call_handler device_deployment;
call_handler device_feedback;
call_handler device_cancel, device_cancel_feedback;
call_handler device_installed, device_set_installed;
call_handler device_confirmation, device_confirmation_action, device_confirmation_feedback;
call_handler device_auto_confirm, device_auto_confirm_off;
call_handler device_artifacts, device_artifact_find, device_artifact_send;

#endif
