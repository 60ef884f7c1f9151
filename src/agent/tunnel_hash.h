/*
 * SHA-256 over a file that comes in order, though perhaps in several requests: what was hashed of it stays,
 * with the state at each of its last blocks, so that a client that goes on where its connection broke gets
 * the rest of bytes whose whole has the right hash, or not the end of it.
 *
 * A client that says "from N on" has N bytes that it got here. The state at N itself is not there; the
 * states at the blocks' edges around N are. So the block around N is fetched once more, and must lead to the
 * same state as before: only then are the client's bytes those that were hashed. What was known stays until
 * then: a server that is away meanwhile takes nothing of it.
 */
#ifndef PQOTA_AGENT_TUNNEL_HASH_H
#define PQOTA_AGENT_TUNNEL_HASH_H

#include <openssl/types.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/hex.h"

#define PROGRESS_BLOCK 65536
#define PROGRESS_MARKS 512                 /* blocks that one may go back: 32 MiB, more than sockets hold */
#define PROGRESS_ROOM (PROGRESS_MARKS + 1) /* with the one at the end of what was hashed */
#define PROGRESS_KEPT 4                    /* files that were cut off, and may go on */
#define PROGRESS_OUT 64                    /* that are under way */
#define PROGRESS_DOUBTED 64                /* whose bytes were wrong */
#define PROGRESS_WAIT_MS 2000 /* for one under way: its client may be back before it was missed */

struct progress_mark {
    uint64_t at;
    EVP_MD_CTX *state;
};

struct progress {
    char sha256[SHA256_HEX_SIZE]; /* what the whole must have */
    uint64_t size;                /* of the whole, bytes */
    uint64_t at;                  /* bytes hashed */
    EVP_MD_CTX *now;
    struct progress_mark marks[PROGRESS_ROOM];
    size_t first, count; /* of the marks, a ring in ascending order */
};

int progress_new(const char *sha256, uint64_t size, struct progress **out, struct err *e) MUST_CHECK;
void progress_free(struct progress *p);
int progress_add(struct progress *p, const void *data, size_t n, struct err *e) MUST_CHECK;
/* All of it was added and the hash is right. */
bool progress_is_right(const struct progress *p);

struct progress_check { /* what must be so once `to` bytes are hashed again */
    uint64_t to;
    unsigned char state[SHA256_SIZE];
};
bool progress_reaches(const struct progress *p, uint64_t from);
/* Goes back to the last block's edge at or before `from`, which progress_reaches: p->at says where. Where
   p->at == out->to there is nothing to check. */
int progress_rewind(struct progress *p, uint64_t from, struct progress_check *out, struct err *e) MUST_CHECK;
/* With p->at == c->to. What was hashed behind that is forgotten. */
bool progress_passes(struct progress *p, const struct progress_check *c);

/* The files that were cut off. For all threads. */
struct progress_shelf;
struct progress_shelf *progress_shelf_new(void); /* NULL: no memory */
void progress_shelf_free(struct progress_shelf *s);
/* Owned by the shelf from now on; in place of one of the same file, or of the oldest. One without a byte
   takes nobody's place. */
void progress_shelf_put(struct progress_shelf *s, struct progress *p);
/* A file is under way from begin to end; at its end it may be on the shelf. */
void progress_shelf_begin(struct progress_shelf *s, const char *sha256);
void progress_shelf_end(struct progress_shelf *s, const char *sha256);
/* The caller's; NULL when there is none that reaches so far. Waits a moment while the file is under way. */
struct progress *progress_shelf_take(struct progress_shelf *s, const char *sha256, uint64_t from);

/* The server sent other bytes of that file, or at last a whole that was right. */
void progress_shelf_doubt(struct progress_shelf *s, const char *sha256, bool doubted);
/* With PROGRESS_DOUBTED of them, every file is doubted. */
bool progress_shelf_doubts(struct progress_shelf *s, const char *sha256);

#endif
