#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
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

/* ---- writing ---- */

int manifest_begin(const char *dir, const struct manifest *m, FILE **out, struct err *e)
{
    char path[PATH_MAX];
    int rc = path_of(dir, path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL)
        return err_errno(e, errno, "cannot make %s", path);
    take_fd(&fd);
    if (fprintf(f, "pqota-backup 1\nschema %d\ncreated %s\ndatabase %s %" PRIu64 "\n", m->schema, m->created,
                m->database_sha256, m->database_size) < 0) {
        rc = err_errno(e, errno, "cannot write %s", path);
        fclose(f);
        return rc;
    }
    *out = f;
    return 0;
}

int manifest_blob(FILE *f, const char *sha256, uint64_t size, struct err *e)
{
    return fprintf(f, "blob %s %" PRIu64 "\n", sha256, size) > 0
               ? 0
               : err_errno(e, errno, "cannot write the backup's manifest");
}

int manifest_end(FILE *f, uint64_t blobs, struct err *e)
{
    int rc = 0;
    if (fprintf(f, "end %" PRIu64 "\n", blobs) < 0 || fflush(f) != 0 || fsync(fileno(f)) != 0)
        rc = err_errno(e, errno, "cannot write the backup's manifest");
    if (fclose(f) != 0 && rc == 0)
        rc = err_errno(e, errno, "cannot write the backup's manifest");
    return rc;
}

/* ---- reading ---- */

struct reader {
    FILE *f;
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
    *rest = (struct str){.p = r->text + n + 1, .n = len - n - 2};
    return 0;
}

static int hash_and_size(const struct reader *r, struct str rest, char sha256[SHA256_HEX_SIZE], uint64_t *size,
                         struct err *e)
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
        return err_set(e, ERR_UNSUPPORTED, "the backup %s is of a form that this pqota does not know", r->dir);
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

static int read_blobs(struct reader *r, struct manifest *m, struct err *e)
{
    for (;;) {
        char sha256[SHA256_HEX_SIZE];
        uint64_t size = 0, count = 0;
        int c = getc(r->f);
        if (c == EOF)
            return damaged(r, e);
        ungetc(c, r->f);
        struct str rest;
        int rc = next(r, c == 'e' ? "end" : "blob", &rest, e);
        if (rc != 0)
            return rc;
        if (c == 'e')
            return str_to_u64(rest, UINT64_MAX, &count) == 0 && count == m->blobs && getc(r->f) == EOF
                       ? 0
                       : damaged(r, e);
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
    struct reader r = {.f = f, .dir = dir};
    struct manifest m = {0};
    rc = read_head(&r, &m, e);
    if (rc == 0)
        rc = read_blobs(&r, &m, e);
    if (rc == 0)
        *out = m;
    return rc;
}
