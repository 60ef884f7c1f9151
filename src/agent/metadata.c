#include "agent/metadata.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"

int metadata_open(struct metadata *m, const struct files *f, bool make, struct err *e)
{
    if (file_join(m->image, sizeof m->image, f->dir, "trust/image") != 0 ||
        file_join(m->director, sizeof m->director, f->dir, "trust/director") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the state folder %s is too long", f->dir);
    if (!make)
        return 0;
    int rc = file_mkdirs(m->image, 0700, e);
    if (rc == 0)
        rc = file_mkdirs(m->director, 0700, e);
    if (rc != 0)
        return rc;
    files_sweep(m->image);
    files_sweep(m->director);
    return 0;
}

/* No dot and no slash gets through, and two roles never share a file: "%" is always followed by two hex
   digits in upper case, or by "h" and a hash. */
static int safe_name(const char *role, char out[METADATA_NAME_MAX + 1], struct err *e)
{
    unsigned char raw[SHA256_SIZE];
    size_t n;
    if (role[0] == '\0')
        return err_set(e, ERR_INVALID, "a role's name is empty");
    if (str_percent(str_of(role), "-_", out, METADATA_NAME_MAX + 1, &n) == 0)
        return 0;
    if (EVP_Digest(role, strlen(role), raw, NULL, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_CRYPTO, "the hash of a role's name failed");
    memcpy(out, "%h", 2);
    hex_encode(raw, sizeof raw, out + 2);
    return 0;
}

int metadata_path(const struct metadata *m, const char *repository, const char *role, char out[PATH_MAX],
                  struct err *e)
{
    char name[METADATA_NAME_MAX + 1];
    int rc = safe_name(role, name, e);
    if (rc != 0)
        return rc;
    const char *dir = strcmp(repository, "image") == 0 ? m->image : m->director;
    if (snprintf(out, PATH_MAX, "%s/%s.json", dir, name) >= PATH_MAX)
        return err_set(e, ERR_TOO_LARGE, "the path of the state folder is too long for %s", dir);
    return 0;
}

static int failed(const struct err *e)
{
    log_error("trust", "the metadata on this device cannot be used", LOG_ERR(e));
    return e->code == ERR_FULL || e->code == ERR_TOO_LARGE ? PQOTA_E_FULL : PQOTA_E_AGAIN;
}

static int md_load(void *ctx, const char *repository, const char *role, void *data, size_t size, size_t *n)
{
    char path[PATH_MAX];
    auto_buf struct buf text;
    buf_init(&text, size);
    struct err e = {0};
    *n = 0;
    int rc = metadata_path(ctx, repository, role, path, &e);
    if (rc == 0)
        rc = file_read(path, size, &text, &e);
    if (rc == ERR_NOT_FOUND)
        return PQOTA_OK;
    if (rc != 0)
        return failed(&e);
    memcpy(data, text.p, text.n);
    *n = text.n;
    return PQOTA_OK;
}

static int md_save(void *ctx, const char *repository, const char *role, const void *data, size_t n)
{
    char path[PATH_MAX];
    struct err e = {0};
    int rc = metadata_path(ctx, repository, role, path, &e);
    if (rc == 0)
        rc = file_write_atomic(path, data, n, 0600, &e);
    return rc == 0 ? PQOTA_OK : failed(&e);
}

static int md_drop(void *ctx, const char *repository, const char *role)
{
    char path[PATH_MAX];
    struct err e = {0};
    int rc = metadata_path(ctx, repository, role, path, &e);
    if (rc == 0 && unlink(path) != 0 && errno != ENOENT)
        rc = err_errno(&e, errno, "cannot remove %s", path);
    return rc == 0 ? PQOTA_OK : failed(&e);
}

struct pqota_metadata metadata_callbacks(struct metadata *m)
{
    return (struct pqota_metadata){.ctx = m, .load = md_load, .save = md_save, .drop = md_drop};
}
