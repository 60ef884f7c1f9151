/*
 * A cipher context for each thread and direction: to make one takes as long as to seal a small answer. None
 * stands for a key: each record sets its own, and what the last one left is wiped when its connection ends.
 */
#ifndef PQOTA_TLS_THREAD_CIPHER_H
#define PQOTA_TLS_THREAD_CIPHER_H

#include "tls/suite.h"

/* Ready for one record under this key and nonce; borrowed, until the thread asks again. NULL: OpenSSL's error
   queue says why. */
EVP_CIPHER_CTX *tls_thread_cipher(const struct tls_suite *suite, const unsigned char *key,
                                  const unsigned char nonce[TLS_IV_SIZE], bool encrypt);
/* Wipes the keys that this thread's contexts hold. */
void tls_thread_cipher_forget(void);

#endif
