/* What pqload is told on its command line. */
#ifndef BENCH_PQLOAD_OPTIONS_H
#define BENCH_PQLOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define OPTIONS_PIDS_MAX 64
#define OPTIONS_CONNECTIONS_MAX 20000
#define OPTIONS_HEADERS_MAX 16
#define OPTIONS_OPERATIONS_MAX 1000000000
#define OPTIONS_RATE_MAX 1e6
#define OPTIONS_SECONDS_MAX 3600.0

enum mode {
    MODE_FULL,     /* connect, full handshake, one request, close */
    MODE_RESUMED,  /* the same with the session of the connection before */
    MODE_KEEP,     /* requests on connections that stay */
    MODE_DOWNLOAD, /* the same; what counts are the bytes */
    MODE_IDLE,     /* connections that stay and do nothing until told on standard input */
    MODES
};

extern const char *const mode_names[MODES];

/* Whether a connection carries more than one operation. */
static inline bool mode_stays(enum mode m)
{
    return m != MODE_FULL && m != MODE_RESUMED;
}

struct options {
    enum mode mode;
    char host[254];
    char port[6];
    const char *path;    /* from "/" on */
    const char *address; /* connects here instead of to the host; NULL: to the host */
    const char *ca, *cert, *key, *kem, *sig;
    const char *identities;    /* file; NULL: all are the one of cert and key */
    const char *method, *body; /* body: a file; NULL: none */
    const char *headers[OPTIONS_HEADERS_MAX];
    size_t header_count;
    uint64_t connections;
    bool open_first, await;
    uint64_t operations; /* so many, then it ends; 0: as many as the time gives */
    double retry;        /* s, about which one that was turned away waits; 0: it has failed */
    double rate;         /* operations a second; 0: as many as there can be */
    double warmup, seconds, timeout;
    uint64_t expect; /* status */
    bool allow_errors, json;
    pid_t pids[OPTIONS_PIDS_MAX]; /* whose processor time is measured */
    size_t pid_count;
};

/* Whether it may stand in a request's first line: it begins with "/". */
bool options_path_ok(const char *path);
/* Of a command "poll RATE SECONDS" in idle mode, what stands after the word. */
int options_parse_stretch(const char *text, double *rate, double *seconds, struct err *e) MUST_CHECK;
/* 0, 1 when help was printed, or an error. */
int options_parse(int argc, char **argv, struct options *out, struct err *e) MUST_CHECK;

#endif
