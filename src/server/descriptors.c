/* How many connections the process has descriptors for, and how many files beside them. */
#include <sys/resource.h>

#include "base/log.h"
#include "server/server.h"

#define DESCRIPTORS_KEPT 128 /* for the database's files, the log, what threads and libraries open */
#define DESCRIPTORS_LOOP 16  /* a loop's own: what it waits with, its listeners, its database connection */
#define FILES_PART 8         /* this part of all is for files that are sent and received */
#define FILES_LEAST 64

static rlim_t kept_for(const struct server_config *c)
{
    return DESCRIPTORS_KEPT + DESCRIPTORS_LOOP * (rlim_t)server_loops(c);
}

/* The process's limit, raised as far as it goes for the connections that are wanted. */
static rlim_t limit_for(const struct server_config *c)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return RLIM_INFINITY;
    rlim_t wanted = (rlim_t)c->connections + kept_for(c);
    rlim_t needed = wanted + wanted / (FILES_PART - 1) + FILES_LEAST;
    rlim_t before = limit.rlim_cur;
    if (before >= needed)
        return before;
    limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

static rlim_t files_of(rlim_t limit)
{
    rlim_t part = limit / FILES_PART;
    return part > FILES_LEAST ? part : FILES_LEAST < limit / 4 ? FILES_LEAST : limit / 4;
}

/* However many fetch a file, it is open once: what is counted are distinct ones, and those received. */
size_t server_files_max(const struct server_config *c)
{
    return (size_t)files_of(limit_for(c));
}

/* Connections past what descriptors are there for would take those that serve the others: files could not be
   opened, and the store would fail. */
size_t server_connections_max(const struct server_config *c)
{
    size_t wanted = (size_t)c->connections;
    rlim_t limit = limit_for(c), files = files_of(limit);
    rlim_t kept = limit / 4 < kept_for(c) ? limit / 4 : kept_for(c);
    if (limit == RLIM_INFINITY || (rlim_t)wanted + files + kept <= limit)
        return wanted;
    size_t possible = (size_t)(limit - files - kept);
    log_warn("server", "fewer connections than limits.connections allows: the process may open too few files",
             LOG_I64("connections", (int64_t)possible), LOG_I64("limits.connections", (int64_t)wanted),
             LOG_I64("files", (int64_t)limit),
             LOG_I64("files_needed", (int64_t)((rlim_t)wanted + files + kept)));
    return possible;
}
