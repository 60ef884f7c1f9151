/* How many connections the process has descriptors for. */
#include <sys/resource.h>

#include "base/log.h"
#include "server/server.h"

#define DESCRIPTORS_KEPT 256 /* for the database's files, listeners, the log, what libraries open */
#define DESCRIPTORS_EACH 2   /* a socket, and a file that is sent or received over it */

/* Connections past what descriptors are there for would take those that serve the others: files could not be
   opened, and the store would fail. */
size_t server_connections_max(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    rlim_t needed = (rlim_t)wanted * DESCRIPTORS_EACH + DESCRIPTORS_KEPT;
    if (limit.rlim_cur < needed) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = before;
    }
    if (limit.rlim_cur >= needed)
        return wanted;
    rlim_t kept = limit.rlim_cur / 2 < DESCRIPTORS_KEPT ? limit.rlim_cur / 2 : DESCRIPTORS_KEPT;
    size_t possible = (size_t)((limit.rlim_cur - kept) / DESCRIPTORS_EACH);
    log_warn("server", "fewer connections than limits.connections allows: the process may open too few files",
             LOG_I64("connections", (int64_t)possible), LOG_I64("limits.connections", (int64_t)wanted),
             LOG_I64("files", (int64_t)limit.rlim_cur), LOG_I64("files_needed", (int64_t)needed));
    return possible;
}
