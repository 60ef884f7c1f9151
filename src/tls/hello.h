/* What a ClientHello asks for, looked at before anything is computed for it. */
#ifndef PQOTA_TLS_HELLO_H
#define PQOTA_TLS_HELLO_H

#include <stddef.h>

#include "tls/session_store.h"

/* Whether the n bytes, a whole record as it came, are a ClientHello that offers a session which the store
   has. It is a hint and proves nothing: OpenSSL reads the same bytes afterwards, and checks the offer. */
bool tls_hello_resumes(const unsigned char *record, size_t n, struct tls_sessions *sessions);

#endif
