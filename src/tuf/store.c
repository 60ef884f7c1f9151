#include "tuf/store.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/file.h"
#include "tuf/quote.h"

static int path_of(void *ctx, struct str role, char out[PATH_MAX], struct err *e)
{
    union {
        void *ctx;
        const char *dir;
    } u = {.ctx = ctx};
    return quote_path(u.dir, role, ".json", out, PATH_MAX, e);
}

static int load(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    char path[PATH_MAX];
    auto_buf struct buf text;
    buf_init(&text, size);
    int rc = path_of(ctx, role, path, e);
    if (rc == 0)
        rc = file_read(path, size, &text, e);
    if (rc == ERR_NOT_FOUND) {
        *n = 0;
        return 0;
    }
    if (rc != 0)
        return rc;
    memcpy(buf, text.p, text.n);
    *n = text.n;
    return 0;
}

static int save(void *ctx, struct str role, struct str text, struct err *e)
{
    char path[PATH_MAX];
    int rc = path_of(ctx, role, path, e);
    return rc != 0 ? rc : file_write_atomic(path, text.p, text.n, 0644, e);
}

static int drop(void *ctx, struct str role, struct err *e)
{
    char path[PATH_MAX];
    int rc = path_of(ctx, role, path, e);
    if (rc == 0 && unlink(path) != 0 && errno != ENOENT)
        return err_errno(e, errno, "cannot remove %s", path);
    return rc;
}

struct tuf_store store_folder(const char *dir)
{
    union {
        const char *dir;
        void *ctx;
    } u = {.dir = dir};
    return (struct tuf_store){.ctx = u.ctx, .load = load, .save = save, .drop = drop};
}
