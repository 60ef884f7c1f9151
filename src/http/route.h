/*
 * Routes: one row says method, path, who may, how the body is taken, and the steps that answer. A step names
 * the lane it runs in; its handler is plain synchronous code that takes no lock.
 */
#ifndef PQOTA_HTTP_ROUTE_H
#define PQOTA_HTTP_ROUTE_H

#include "base/err.h"
#include "http/message.h"

struct ota; /* the domain; see ota/ota.h */
struct db;  /* one database connection; see store/db.h */

enum lane {
    LANE_END = 0, /* no more steps */
    LANE_READ,    /* loop thread, read-only db: unique-index lookups, at most 64 rows */
    LANE_QUERY,   /* reader thread, read-only db: lists, searches, reports */
    LANE_WRITE,   /* the writer thread, db inside a transaction; the reply goes out once it is durable */
    LANE_SIGN,    /* worker thread for signatures, no db */
    LANE_FILE,    /* worker thread for disk work, no db */
};

/* Who may call; a bit set. */
enum who {
    WHO_ANYONE = 1 << 0,  /* no certificate either */
    WHO_DEVICE = 1 << 1,
    WHO_VIEWER = 1 << 2,  /* operator, reads only */
    WHO_OPERATOR = 1 << 3, /* operator: publishes, deploys, tags, makes tokens */
    WHO_ADMIN = 1 << 4,   /* operator: also revokes and deletes */
    WHO_EXPIRED = 1 << 5, /* a device whose certificate expired less than 90 days ago: renewal alone */
    WHO_LOCAL = 1 << 6,   /* came over the Unix socket without a proxy's header */
};
#define WHO_READERS (WHO_VIEWER | WHO_OPERATOR | WHO_ADMIN)
#define WHO_WRITERS (WHO_OPERATOR | WHO_ADMIN)

#define IDENTITY_ID_MAX 129

/* Who is at the other end of a connection, as of this request. */
struct identity {
    enum who who;              /* exactly one bit */
    char id[IDENTITY_ID_MAX];  /* device id or operator name, "" for WHO_ANYONE and WHO_LOCAL */
    char issuer[SHA256_HEX_SIZE];
    char serial[65];
    char fingerprint[SHA256_HEX_SIZE];
    int64_t not_after; /* Unix seconds, 0 without certificate */
    char address[64];  /* peer, for logs and events */
};

enum body_kind {
    BODY_NONE,  /* a body is refused with 413 */
    BODY_JSON,  /* Content-Type application/json, in memory up to the row's limit */
    BODY_BYTES, /* in memory, any type */
    BODY_SPOOL, /* to a temporary file of the blob store, hashed as it arrives */
};

#define CALL_PARAMS_MAX 4

/* One request on its way through its steps. Lives in the request's arena. */
struct call {
    const struct http_request *req;
    struct http_response *res;
    struct arena *arena;
    const struct identity *who;
    struct str param[CALL_PARAMS_MAX]; /* the path's {}, decoded, in order */
    const struct http_spool *spool;    /* BODY_SPOOL only; its file is removed after the reply if it is still there */
    const char *base_url;              /* "https://host:port" by which the client came, for links */
    struct ota *ota;
    struct db *db;    /* as the lane has it, NULL in SIGN and FILE */
    bool writing;     /* db is the writer's: a READ step that answered CALL_UPGRADE runs again with this set */
    void *carry;      /* what one step hands to the next, in the arena */
    struct err err;
};

#define CALL_NEXT 0       /* this step is done; after the last one res must be filled */
#define CALL_UPGRADE 1    /* READ only: run this step again in WRITE */
#define CALL_REPLY 2      /* res is filled: skip the steps that are left */
/* or a negative enum err_code with c->err filled: a problem is answered (and a WRITE step is undone) */
typedef int call_handler(struct call *c);

struct route_step {
    enum lane lane;
    call_handler *run;
};
#define ROUTE_STEPS_MAX 5

struct route {
    enum http_method method; /* a GET row also answers HEAD */
    const char *path;        /* "/api/firmware/{}/file": each {} is one segment */
    unsigned who;
    enum body_kind body;
    uint64_t body_max; /* bytes; 0 for BODY_SPOOL is the configured upload limit */
    struct route_step steps[ROUTE_STEPS_MAX];
};

struct route_table {
    const struct route *rows;
    size_t count;
};

/* Finds the row. ERR_NOT_FOUND: no such path. ERR_UNSUPPORTED: the path is there with other methods, then
   *allow ("GET, HEAD, PUT") is in the arena for 405. ERR_INVALID: a bad escape, an encoded slash or NUL. */
int route_find(const struct route_table *tables, size_t table_count, const struct http_request *req,
               struct arena *a, const struct route **row, struct str param[CALL_PARAMS_MAX], const char **allow,
               struct err *e) MUST_CHECK;

#endif
