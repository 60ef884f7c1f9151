/* Who the peer is, from its verified chain. */
#ifndef PQOTA_TLS_IDENTITY_H
#define PQOTA_TLS_IDENTITY_H

#include <openssl/x509.h>

#include "tls/tls.h"

/* chain: leaf first, as verified. expired and present are set; a serial that fits no record is an error. */
int tls_peer_from_chain(const STACK_OF(X509) * chain, bool expired, struct tls_peer *out,
                        struct err *e) MUST_CHECK;
/* Unix seconds of a certificate's time; -1 when it is none. */
int64_t tls_time(const ASN1_TIME *t);
/* Common name of a subject or issuer into out, "" if there is none that is fit to show. */
void tls_common_name(const X509_NAME *name, char *out, size_t size);
/* The DNS names and addresses a certificate is for, "a, b, 127.0.0.1", cut to size. */
void tls_names(const X509 *cert, char *out, size_t size);

#endif
