/*
 * Errors. A fallible function returns 0 or a negative `enum err_code`, must be checked, leaves its
 * outputs untouched on failure, and fills a `struct err` with a sentence for a person: what failed,
 * on which thing, and what to do about it. A NULL `struct err` means the caller wants the code only.
 */
#ifndef PQOTA_BASE_ERR_H
#define PQOTA_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err_code {
    ERR_INVALID = -1,         /* what the caller sent is malformed */
    ERR_UNAUTHENTICATED = -2, /* no identity, or one that does not count any more */
    ERR_DENIED = -3,          /* an identity that may not do this */
    ERR_NOT_FOUND = -4,
    ERR_CONFLICT = -5,    /* it clashes with what is there */
    ERR_GONE = -6,        /* it was there and is over */
    ERR_TOO_LARGE = -7,   /* past a named limit on size */
    ERR_UNSUPPORTED = -8, /* understood, but not something we do */
    ERR_MISMATCH = -9,    /* a hash or length differs from what was announced */
    ERR_BUSY = -10,       /* past a named limit on how much at once: try again */
    ERR_FULL = -11,       /* no space left on the disk */
    ERR_TIMEOUT = -12,
    ERR_IO = -13,
    ERR_CRYPTO = -14,
    ERR_CORRUPT = -15, /* stored data is not what it was */
    ERR_NOMEM = -16,
    ERR_INTERNAL = -17,
};

#define ERR_TEXT_MAX 512

struct err {
    int code; /* 0 or an enum err_code */
    char text[ERR_TEXT_MAX];
};

/* Fills *e (may be NULL) and returns code, so that `return err_set(e, ...)` ends a function. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text already in *e and returns its code. */
int err_context(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* err_set with ": <strerror(errno_value)>" appended; ENOSPC and EDQUOT become ERR_FULL, ENOENT ERR_NOT_FOUND,
   ENOMEM ERR_NOMEM, all else ERR_IO. */
int err_errno(struct err *e, int errno_value, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A short stable word for a code: "invalid", "not-found", ... */
const char *err_word(int code);

#endif
