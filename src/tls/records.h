/*
 * The record protocol of TLS 1.3 once the handshake is over (RFC 8446 section 5), for one connection: what is
 * said encrypted, what comes decrypted, keys renewed. Bytes only, no I/O. The secrets come from the handshake
 * and the ciphers are OpenSSL's; its own record layer takes thirty times the memory.
 */
#ifndef PQOTA_TLS_RECORDS_H
#define PQOTA_TLS_RECORDS_H

#include <stdint.h>

#include "tls/suite.h"

#define TLS_HEADER_SIZE 5
#define TLS_CONTENT_MAX 16384 /* bytes of content in a record */
#define TLS_SEALED_MAX (TLS_HEADER_SIZE + TLS_CONTENT_MAX + 1 + TLS_TAG_SIZE) /* of a record that we make */

#define TLS_UPDATE_SIZE 5

enum tls_content { TLS_CHANGE_CIPHER_SPEC = 20, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

/* Levels and descriptions of alerts (RFC 8446 section 6). */
enum { ALERT_WARNING = 1, ALERT_FATAL = 2 };
enum {
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_ILLEGAL_PARAMETER = 47,
    ALERT_DECODE_ERROR = 50,
    ALERT_DECRYPT_ERROR = 51,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_USER_CANCELED = 90
};

struct tls_direction {
    unsigned char secret[TLS_SECRET_MAX];
    unsigned char key[TLS_KEY_MAX];
    unsigned char iv[TLS_IV_SIZE];
    uint64_t seq;
};

struct tls_records {
    const struct tls_suite *suite;
    struct tls_direction in, out;
    unsigned char message[TLS_UPDATE_SIZE]; /* a KeyUpdate that is arriving */
    unsigned char message_n;
    unsigned char idle; /* records since the last that brought data */
};

/* Both secrets are in r->in and r->out already, as long as the suite says. in_seq, out_seq: how many records
   were sealed under them so far. */
int tls_records_begin(struct tls_records *r, const struct tls_suite *suite, uint64_t in_seq,
                      uint64_t out_seq) MUST_CHECK;
/* One direction (r->in or r->out) goes on with another secret. */
int tls_records_turn(struct tls_records *r, struct tls_direction *d, const unsigned char *secret) MUST_CHECK;
void tls_records_wipe(struct tls_records *r);

/* How long the record is that begins there, header and all; 0 while n bytes do not tell. */
size_t tls_record_length(const unsigned char *p, size_t n);

struct tls_content_found {
    enum tls_content type;
    unsigned char *p; /* within the record */
    size_t n;
};
/* Opens a whole record (length is what tls_record_length says) in place. Answers 0, or the alert that ends
   the connection. */
int tls_records_open(struct tls_records *r, unsigned char *record, size_t length,
                     struct tls_content_found *out) MUST_CHECK;
/* The content of a handshake record: only KeyUpdate may come. Answers as tls_records_open; *answer is set
   when the peer wants ours renewed too (tls_records_renew). */
int tls_records_message(struct tls_records *r, const struct tls_content_found *found,
                        bool *answer) MUST_CHECK;

/* Seals n (1 to TLS_CONTENT_MAX) bytes into out, which takes TLS_SEALED_MAX; *out_n bytes of it are used. */
int tls_records_seal(struct tls_records *r, enum tls_content type, const unsigned char *p, size_t n,
                     unsigned char *out, size_t *out_n) MUST_CHECK;
/* Whether our key has sealed as much as it may. */
bool tls_records_is_worn(const struct tls_records *r);
/* Seals a KeyUpdate and goes on with our next key. */
int tls_records_renew(struct tls_records *r, unsigned char *out, size_t *out_n) MUST_CHECK;
/* The same in two, where somebody else seals: the KeyUpdate, and our next key once that is said. */
extern const unsigned char tls_key_update[TLS_UPDATE_SIZE];
int tls_records_go_on(struct tls_records *r) MUST_CHECK;
/* Nothing more may be sealed with our key, whatever it is for. */
bool tls_records_is_spent(const struct tls_records *r);

#endif
