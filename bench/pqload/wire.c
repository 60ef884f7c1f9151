#include "pqload/wire.h"

#include <linux/tcp.h> /* glibc's <netinet/tcp.h>, which libuv includes, knows less of tcp_info */
#include <netinet/in.h>
#include <sys/socket.h>

bool wire_bytes(int fd, uint64_t *in, uint64_t *out)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0)
        return false;
    *in = info.tcpi_bytes_received;
    *out = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
    return true;
}
