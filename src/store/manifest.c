#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define LINE_MAX_BYTES 128
#define SIZE_TEXT_MAX 20

static int path_of(const char *dir, char path[PATH_MAX], struct err *e)
{
    return file_join(path, PATH_MAX, dir, "manifest") == 0
               ? 0
               : err_set(e, ERR_TOO_LARGE, "the path of the backup %s is too long", dir);
}

static EVP_MD_CTX *digest_new(void)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1)
        return md;
    EVP_MD_CTX_free(md);
    return NULL;
}

static int digest_hex(EVP_MD_CTX *md, char out[SHA256_HEX_SIZE])
{
    unsigned char raw[SHA256_SIZE];
    if (EVP_DigestFinal_ex(md, raw, NULL) != 1)
        return ERR_CRYPTO;
    hex_encode(raw, sizeof raw, out);
    return 0;
}

/* ---- writing ---- */

static PRINTF_LIKE(3, 4) int put_line(struct manifest_writer *w, struct err *e, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line)
        return err_set(e, ERR_INTERNAL, "a line of the backup's manifest is too long");
    if (EVP_DigestUpdate(w->md, line, (size_t)n) != 1)
        return err_set(e, ERR_CRYPTO, "cannot hash the backup's manifest");
    if (fwrite(line, 1, (size_t)n, w->f) != (size_t)n)
        return err_errno(e, errno, "cannot write the backup's manifest");
    return 0;
}

int manifest_begin(struct manifest_writer *w, const char *dir, const struct manifest *m, struct err *e)
{
    char path[PATH_MAX];
    *w = (struct manifest_writer){0};
    int rc = path_of(dir, path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    w->f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (w->f == NULL)
        return err_errno(e, errno, "cannot make %s", path);
    take_fd(&fd);
    w->md = digest_new();
    if (w->md == NULL)
        return err_set(e, ERR_CRYPTO, "cannot set up SHA-256");
    rc = put_line(w, e, "pqota-backup 1\n");
    if (rc == 0)
        rc = put_line(w, e, "schema %d\n", m->schema);
    if (rc == 0)
        rc = put_line(w, e, "created %s\n", m->created);
    if (rc == 0)
        rc = put_line(w, e, "database %s %" PRIu64 "\n", m->database_sha256, m->database_size);
    return rc;
}

int manifest_blob(struct manifest_writer *w, const char *sha256, uint64_t size, struct err *e)
{
    int rc = put_line(w, e, "blob %s %" PRIu64 "\n", sha256, size);
    if (rc == 0)
        w->blobs++;
    return rc;
}

int manifest_end(struct manifest_writer *w, struct err *e)
{
    char sum[SHA256_HEX_SIZE];
    if (digest_hex(w->md, sum) != 0)
        return err_set(e, ERR_CRYPTO, "cannot hash the backup's manifest");
    if (fprintf(w->f, "end %" PRIu64 " %s\n", w->blobs, sum) < 0 || fflush(w->f) != 0 ||
        fsync(fileno(w->f)) != 0)
        return err_errno(e, errno, "cannot write the backup's manifest");
    return 0;
}

void manifest_writer_fini(struct manifest_writer *w)
{
    if (w->f != NULL)
        fclose(w->f);
    EVP_MD_CTX_free(w->md);
    *w = (struct manifest_writer){0};
}

/* ---- reading ---- */

struct reader {
    FILE *f;
    EVP_MD_CTX *md;
    const char *dir;
    unsigned long long line;
    char text[LINE_MAX_BYTES];
};

static int damaged(const struct reader *r, struct err *e)
{
    return err_set(e, ERR_CORRUPT, "the manifest of the backup %s is damaged in line %llu", r->dir, r->line);
}

/* The next line begins with word and a space; *rest is what follows. */
static int next(struct reader *r, const char *word, struct str *rest, struct err *e)
{
    r->line++;
    size_t n = strlen(word);
    if (fgets(r->text, sizeof r->text, r->f) == NULL)
        return damaged(r, e);
    size_t len = strlen(r->text);
    if (len < n + 2 || r->text[len - 1] != '\n' || strncmp(r->text, word, n) != 0 || r->text[n] != ' ')
        return damaged(r, e);
    if (strcmp(word, "end") != 0 && EVP_DigestUpdate(r->md, r->text, len) != 1)
        return err_set(e, ERR_CRYPTO, "cannot hash the backup's manifest");
    *rest = (struct str){.p = r->text + n + 1, .n = len - n - 2};
    return 0;
}

static int hash_and_size(const struct reader *r, struct str rest, char sha256[SHA256_HEX_SIZE],
                         uint64_t *size, struct err *e)
{
    if (rest.n < SHA256_HEX_SIZE + 1 || rest.p[SHA256_HEX_SIZE - 1] != ' ')
        return damaged(r, e);
    struct str number = {.p = rest.p + SHA256_HEX_SIZE, .n = rest.n - SHA256_HEX_SIZE};
    for (size_t i = 0; i < SHA256_HEX_SIZE - 1; i++)
        if (strchr("0123456789abcdef", rest.p[i]) == NULL)
            return damaged(r, e);
    if (number.n > SIZE_TEXT_MAX || str_to_u64(number, INT64_MAX, size) != 0)
        return damaged(r, e);
    memcpy(sha256, rest.p, SHA256_HEX_SIZE - 1);
    sha256[SHA256_HEX_SIZE - 1] = '\0';
    return 0;
}

static int read_head(struct reader *r, struct manifest *m, struct err *e)
{
    struct str rest;
    uint64_t number = 0;
    int rc = next(r, "pqota-backup", &rest, e);
    if (rc == 0 && !str_is(rest, "1"))
        return err_set(e, ERR_UNSUPPORTED, "the backup %s is of a form that this pqota does not know",
                       r->dir);
    if (rc == 0)
        rc = next(r, "schema", &rest, e);
    if (rc == 0 && str_to_u64(rest, INT_MAX, &number) != 0)
        rc = damaged(r, e);
    if (rc == 0)
        rc = next(r, "created", &rest, e);
    if (rc == 0 && rest.n >= sizeof m->created)
        rc = damaged(r, e);
    if (rc != 0)
        return rc;
    m->schema = (int)number;
    memcpy(m->created, rest.p, rest.n);
    rc = next(r, "database", &rest, e);
    return rc == 0 ? hash_and_size(r, rest, m->database_sha256, &m->database_size, e) : rc;
}

static int read_end(struct reader *r, struct str rest, const struct manifest *m, struct err *e)
{
    char sum[SHA256_HEX_SIZE];
    struct str count;
    uint64_t number = 0;
    if (digest_hex(r->md, sum) != 0)
        return err_set(e, ERR_CRYPTO, "cannot hash the backup's manifest");
    if (!str_split(&rest, ' ', &count) || str_to_u64(count, UINT64_MAX, &number) != 0 || number != m->blobs ||
        !str_is(rest, sum) || getc(r->f) != EOF)
        return damaged(r, e);
    return 0;
}

static int read_blobs(struct reader *r, struct manifest *m, struct err *e)
{
    for (;;) {
        char sha256[SHA256_HEX_SIZE];
        uint64_t size = 0;
        struct str rest;
        int c = getc(r->f);
        if (c != EOF)
            ungetc(c, r->f);
        int rc = next(r, c == 'e' ? "end" : "blob", &rest, e);
        if (rc == 0 && c == 'e')
            return read_end(r, rest, m, e);
        if (rc == 0)
            rc = hash_and_size(r, rest, sha256, &size, e);
        if (rc != 0)
            return rc;
        m->blobs++;
    }
}

int manifest_read(const char *dir, struct manifest *out, struct err *e)
{
    char path[PATH_MAX];
    int rc = path_of(dir, path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "%s is no backup: it has no file \"manifest\"", dir);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(e, errno, "cannot open %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CORRUPT, "%s is not a regular file", path);
    auto_fclose FILE *f = fdopen(fd, "r");
    if (f == NULL)
        return err_errno(e, errno, "cannot open %s", path);
    take_fd(&fd);
    struct reader r = {.f = f, .md = digest_new(), .dir = dir};
    struct manifest m = {0};
    if (r.md == NULL)
        return err_set(e, ERR_CRYPTO, "cannot set up SHA-256");
    rc = read_head(&r, &m, e);
    if (rc == 0)
        rc = read_blobs(&r, &m, e);
    EVP_MD_CTX_free(r.md);
    if (rc == 0)
        *out = m;
    return rc;
}
