#include "net/cached.h"

#include <sys/mman.h>
#include <unistd.h>

#define PAGE_MIN 4096

size_t cached_ahead(int fd, uint64_t offset, size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char present[CACHED_MAX / PAGE_MIN + 1];
    size_t before = offset % page, count = 0;
    if (page < PAGE_MIN)
        return 0;
    if (n > CACHED_MAX - before)
        n = CACHED_MAX - before;
    void *map = mmap(NULL, before + n, PROT_READ, MAP_SHARED, fd, (off_t)(offset - before));
    if (map == MAP_FAILED)
        return 0;
    size_t pages = (before + n + page - 1) / page;
    if (mincore(map, before + n, present) == 0)
        while (count < pages && (present[count] & 1) != 0)
            count++;
    munmap(map, before + n);
    if (count == 0)
        return 0;
    return count == pages ? n : count * page - before;
}
