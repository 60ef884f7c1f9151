#include "tuf/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/rand.h"
#include "tuf/quote.h"

#define CHUNK 65536
#define TARGET_URL_MAX (3 * TUF_TARGET_NAME_MAX + 2 * TRUST_SHA512_SIZE + 2)

/* --- length and hashes --------------------------------------------------------------------------------- */

struct check {
    const struct tuf_target *target;
    EVP_MD_CTX *sha256, *sha512; /* NULL: not said */
    int64_t n;
};

static int check_begin(struct check *c, struct err *e)
{
    const struct tuf_target *t = c->target;
    bool good = t->has_sha256 || t->has_sha512;
    if (!good)
        return err_set(e, ERR_UNSUPPORTED, "no hash that we know is given for " STR_FMT, STR_ARG(t->name));
    if (t->has_sha256) {
        c->sha256 = EVP_MD_CTX_new();
        good = c->sha256 != NULL && EVP_DigestInit_ex2(c->sha256, EVP_sha256(), NULL) == 1;
    }
    if (good && t->has_sha512) {
        c->sha512 = EVP_MD_CTX_new();
        good = c->sha512 != NULL && EVP_DigestInit_ex2(c->sha512, EVP_sha512(), NULL) == 1;
    }
    return good ? 0 : err_set(e, ERR_CRYPTO, "OpenSSL does not begin a hash");
}

static int check_add(struct check *c, const void *data, size_t n, struct err *e)
{
    if (n > (uint64_t)(c->target->length - c->n))
        return err_set(e, ERR_TOO_LARGE, STR_FMT " is longer than the %lld bytes that it should have",
                       STR_ARG(c->target->name), (long long)c->target->length);
    c->n += (int64_t)n;
    if ((c->sha256 != NULL && EVP_DigestUpdate(c->sha256, data, n) != 1) ||
        (c->sha512 != NULL && EVP_DigestUpdate(c->sha512, data, n) != 1))
        return err_set(e, ERR_CRYPTO, "OpenSSL does not hash");
    return 0;
}

static bool same(EVP_MD_CTX *md, const unsigned char *want, size_t size)
{
    unsigned char got[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    return md == NULL || (EVP_DigestFinal_ex(md, got, &n) == 1 && n == size && memcmp(got, want, n) == 0);
}

static int check_end(struct check *c, struct err *e)
{
    const struct tuf_target *t = c->target;
    if (c->n != t->length)
        return err_set(e, ERR_MISMATCH, STR_FMT " has %lld bytes and should have %lld", STR_ARG(t->name),
                       (long long)c->n, (long long)t->length);
    if (!same(c->sha256, t->sha256, sizeof t->sha256) || !same(c->sha512, t->sha512, sizeof t->sha512))
        return err_set(e, ERR_MISMATCH, "the hash of " STR_FMT " is not the one that was signed",
                       STR_ARG(t->name));
    return 0;
}

/* --- what is here --------------------------------------------------------------------------------------- */

static int check_file(int fd, struct check *c, struct err *e)
{
    auto_free unsigned char *chunk = malloc(CHUNK);
    if (chunk == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read a file");
    for (;;) {
        ssize_t n = read(fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, errno, "cannot read the file that is there");
        if (n == 0)
            return check_end(c, e);
        int rc = check_add(c, chunk, (size_t)n, e);
        if (rc != 0)
            return rc;
    }
}

/* 0 when it is there and is the target; what else it is does not matter, for then it is fetched. */
static int is_here(const char *path, const struct tuf_target *t)
{
    struct stat st;
    struct err e = {0};
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != t->length)
        return ERR_NOT_FOUND;
    struct check c = {.target = t};
    int rc = check_begin(&c, &e);
    if (rc == 0)
        rc = check_file(fd, &c, &e);
    EVP_MD_CTX_free(c.sha256);
    EVP_MD_CTX_free(c.sha512);
    return rc;
}

/* --- what is fetched ------------------------------------------------------------------------------------ */

struct incoming {
    int fd;
    const char *name;
    struct check check;
};

static int take(void *ctx, const void *data, size_t n, struct err *e)
{
    struct incoming *in = ctx;
    int rc = check_add(&in->check, data, n, e);
    return rc != 0 ? rc : file_write_all(in->fd, data, n, in->name, e);
}

/* The path below the base: its folder as it is, the file's name with the hash before it. */
static int url_of(const struct target_place *place, const struct tuf_target *t, char out[HTTP_URL_MAX],
                  struct err *e)
{
    char path[TARGET_URL_MAX], hex[2 * TRUST_SHA512_SIZE + 1];
    struct str folder = t->name, file = t->name;
    while (folder.n > 0 && folder.p[folder.n - 1] != '/')
        folder.n--;
    file.p += folder.n;
    file.n -= folder.n;
    size_t n = 0, more = 0;
    int rc = str_percent(folder, STR_UNRESERVED "/", path, sizeof path, &n);
    if (rc == 0 && place->prefixed) {
        if (t->has_sha256)
            hex_encode(t->sha256, sizeof t->sha256, hex);
        else
            hex_encode(t->sha512, sizeof t->sha512, hex);
        n += (size_t)snprintf(path + n, sizeof path - n, "%s.", hex);
    }
    if (rc == 0)
        rc = n < sizeof path ? str_percent(file, STR_UNRESERVED, path + n, sizeof path - n, &more)
                             : ERR_TOO_LARGE;
    if (rc != 0)
        return err_set(e, rc, "the target's name " STR_FMT " is too long", STR_ARG(t->name));
    return http_url(place->base_url, path, out, e);
}

static int fetch_into(struct http *h, const char *url, struct incoming *in, struct err *e)
{
    int rc = check_begin(&in->check, e);
    if (rc == 0)
        rc = http_get(h, url, false, (struct http_sink){.ctx = in, .take = take}, e);
    if (rc == 0)
        rc = check_end(&in->check, e);
    EVP_MD_CTX_free(in->check.sha256);
    EVP_MD_CTX_free(in->check.sha512);
    return rc != 0 ? rc : file_fsync(in->fd, in->name, e);
}

static int fetch(struct http *h, const struct target_place *place, const struct tuf_target *t,
                 const char *path, struct err *e)
{
    char url[HTTP_URL_MAX], tmp[PATH_MAX], hex[17];
    unsigned char raw[8];
    int rc = url_of(place, t, url, e);
    if (rc == 0)
        rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    hex_encode(raw, sizeof raw, hex);
    if (snprintf(tmp, sizeof tmp, "%s/.pqota-tuf.%s.tmp", place->dir, hex) >= (int)sizeof tmp)
        return err_set(e, ERR_TOO_LARGE, "the path of the folder %s is too long", place->dir);
    auto_close int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(e, errno, "cannot create %s", tmp);
    struct incoming in = {.fd = fd, .name = tmp, .check = {.target = t}};
    rc = fetch_into(h, url, &in, e);
    if (rc == 0 && rename(tmp, path) != 0)
        rc = err_errno(e, errno, "cannot rename %s to %s", tmp, path);
    if (rc != 0)
        unlink(tmp);
    return rc != 0 ? rc : file_fsync_dir(place->dir, e);
}

int target_get(struct http *h, const struct target_place *place, const struct tuf_target *t, char *path,
               bool *fetched, struct err *e)
{
    int rc = quote_path(place->dir, t->name, "", path, PATH_MAX, e);
    if (rc != 0)
        return rc;
    *fetched = is_here(path, t) != 0;
    return *fetched ? fetch(h, place, t, path, e) : 0;
}
