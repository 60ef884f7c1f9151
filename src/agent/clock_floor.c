#include "agent/clock_floor.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#define FLOOR_TEXT_MAX 32
#define FLOOR_MOST 253402300799 /* the end of the year 9999: nothing later is a time */

void clock_floor_load(struct clock_floor *f, const char *path, const struct clock *clock)
{
    auto_buf struct buf text;
    buf_init(&text, FLOOR_TEXT_MAX);
    *f = (struct clock_floor){.clock = clock, .path = path, .floor = PQOTA_BUILD_TIME};
    uint64_t stored = 0;
    struct err e = {0};
    int rc = file_read(path, FLOOR_TEXT_MAX, &text, &e);
    if (rc == ERR_NOT_FOUND)
        return;
    struct str line = {.p = text.p, .n = text.n > 0 ? text.n - 1 : 0}; /* without its newline */
    if (rc != 0 || str_to_u64(line, FLOOR_MOST, &stored) != 0) {
        log_warn("clock", "the stored floor cannot be read; going on with the build time",
                 LOG_STR("file", path));
        return;
    }
    if ((int64_t)stored > f->floor)
        f->floor = (int64_t)stored;
}

int64_t clock_floor_now(const struct clock_floor *f)
{
    int64_t now = clock_unix_ms(f->clock) / 1000;
    return now > f->floor ? now : f->floor;
}

void clock_floor_raise(struct clock_floor *f, int64_t at_least)
{
    char text[FLOOR_TEXT_MAX];
    struct err e = {0};
    if (at_least <= f->floor || at_least > FLOOR_MOST)
        return;
    struct clock_floor stored; /* another link of this program may have raised it meanwhile */
    clock_floor_load(&stored, f->path, f->clock);
    f->floor = stored.floor > f->floor ? stored.floor : f->floor;
    if (at_least <= f->floor)
        return;
    int n = snprintf(text, sizeof text, "%lld\n", (long long)at_least);
    if (file_write_atomic(f->path, text, (size_t)n, 0600, &e) != 0) {
        log_warn("clock", "the floor could not be stored", LOG_ERR(&e));
        return;
    }
    f->floor = at_least;
}

void clock_floor_verified(struct clock_floor *f)
{
    int64_t now = clock_unix_ms(f->clock) / 1000;
    if (now >= f->floor + FLOOR_STEP_S)
        clock_floor_raise(f, now);
}
