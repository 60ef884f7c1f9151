/*
 * Routes: one row says method, path, who may, how the body is taken, and the steps that answer. A step names
 * the lane it runs in; its handler is plain synchronous code that takes no lock.
 */
#ifndef PQOTA_HTTP_ROUTE_H
#define PQOTA_HTTP_ROUTE_H

#include "base/err.h"
#include "base/identity.h"
#include "http/message.h"

struct ota;    /* the domain; see ota/ota.h */
struct db;     /* one database connection; see store/db.h */
struct server; /* the process; for the server's own routes (health, metrics) alone */

enum lane {
    LANE_END = 0,  /* no more steps */
    LANE_HEAD,     /* as READ, before the body is sent: a first step that may refuse */
    LANE_READ,     /* loop thread, read-only db: unique-index lookups, at most 64 rows */
    LANE_QUERY,    /* reader thread, read-only db: lists, searches, reports */
    LANE_WRITE,    /* the writer thread, db inside a transaction; the reply goes out once it is durable */
    LANE_SIGN,     /* worker thread for signatures, no db */
    LANE_FILE,     /* worker thread for disk work, no db */
    LANE_PASSWORD, /* worker thread for passwords (64 MiB and a fifth of a second each), no db */
};

/* How a table's clients say who they are, and what a refusal looks like to them. */
enum face {
    FACE_NATIVE = 0, /* certificates; problem+json */
    FACE_DDI,        /* hawkBit's device protocol: tokens, certificates, a proxy's header fields */
    FACE_MANAGEMENT, /* hawkBit's management interface: accounts by HTTP Basic, operators' certificates */
    FACE_CONSOLE,    /* the console's pages and what they alone need: accounts by a cookie; problem+json */
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
    const struct http_spool *spool;    /* BODY_SPOOL only; the file goes after the reply if no step took it */
    const char *base_url;              /* "https://host:port" by which the client came, for links */
    const char *file_url;              /* FACE_DDI: what links to files begin with */
    const char *plain_url;             /* FACE_DDI: the same without TLS; NULL: there is no such way */
    struct ota *ota;
    struct server *server;
    struct db *db; /* as the lane has it, NULL in SIGN and FILE */
    bool writing;  /* db is the writer's; set too when a READ step runs again after CALL_UPGRADE */
    void *carry;   /* what one step hands to the next, in the arena */
    void (*carry_free)(void *carry); /* called with it at the end of the request, if it is set */
    int status;                      /* of a refusal, where its error's code does not tell; 0: the code's */
    bool usual; /* the refusal is one that the client's protocol brings about: not worth a line in the log */
    struct err err;
};

#define CALL_NEXT 0    /* this step is done; after the last one res must be filled */
#define CALL_UPGRADE 1 /* READ only: run this step again in WRITE */
#define CALL_REPLY 2   /* res is filled: skip the steps that are left */
#define CALL_KEEP 3    /* the server's own handlers: somebody else has the request now, and will answer it */
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

/* What a path must look like to have a chance with a row: where mask has bits, they are those of want. */
struct route_key {
    uint64_t want, mask;
};

struct route_table {
    const struct route *rows;
    const struct route_key *keys; /* one a row, as route_keys made them; NULL: each row is tried */
    struct route_key common;      /* what is the same in all of them */
    size_t count;
    enum face face;
    http_error_body *refuse; /* writes the body of a refusal; NULL: problem+json */
};

/* What was found: the row and its table. With ERR_UNSUPPORTED the row is NULL, and the table the first that
   has the path. */
struct route_found {
    const struct route_table *table;
    const struct route *row;
    struct str param[CALL_PARAMS_MAX];
    const char *allow; /* "GET, HEAD, PUT", in the arena, for ERR_UNSUPPORTED */
};

/* Fills one key for each of the table's rows, and has the table use them. */
void route_keys(struct route_table *table, struct route_key *out);

/* Finds the row. ERR_NOT_FOUND: no such path. ERR_UNSUPPORTED: the path is there with other methods, for 405.
   ERR_INVALID: a bad escape, an encoded slash or NUL. */
int route_find(const struct route_table *tables, size_t table_count, const struct http_request *req,
               struct arena *a, struct route_found *out, struct err *e) MUST_CHECK;

#endif
