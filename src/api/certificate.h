/* What replies that hand out a certificate have in common. */
#ifndef PQOTA_API_CERTIFICATE_H
#define PQOTA_API_CERTIFICATE_H

#include <yyjson.h>

#include "http/route.h"
#include "model/certificate.h"

#define API_CSR_MAX 32768 /* bytes of PEM; an ML-DSA-87 request takes about 10000 */

/* The text of a PEM bundle, in the arena. Touches the disk: for SIGN and FILE. */
int api_read_bundle(struct call *c, const char *file, struct str *out) MUST_CHECK;

/* A certificate as its owner's page shows it. */
void api_put_certificates(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct certificate *list,
                          size_t count);

/* certificate, roots, not_after. */
void api_put_issued(yyjson_mut_doc *doc, yyjson_mut_val *obj, struct str pem, struct str roots,
                    int64_t not_after_s);

#endif
