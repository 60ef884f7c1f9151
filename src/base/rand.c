#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"

int rand_bytes(void *out, size_t n, struct err *e)
{
    char *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "the kernel gave no random bytes");
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

uint32_t rand_spread(void)
{
    uint32_t v;
    return rand_bytes(&v, sizeof v, NULL) == 0 ? v : (uint32_t)clock_mono_ms(&clock_system);
}
