/* `pqota firmware publish` and `download`: files to the server and back. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cmd/digest.h"
#include "cmd/firmware.h"
#include "cmd/publish_signed.h"
#include "cmd/text.h"
#include "model/release.h"

#define NOTES_MAX 4096 /* bytes: they travel in the request's address */
#define MODELS_MAX 64
#define HTTP_CREATED 201
#define HASH_PROGRESS_MIN (64 << 20) /* below this, hashing is over before a bar could be read */

/* --- publish -------------------------------------------------------------------------------------------- */

static int joined_models(struct operate *op, const char **out)
{
    const char *all = NULL, *m;
    size_t i = 0, n = 0;
    while ((m = line_each(op->args, "model", &i)) != NULL) {
        if (++n > MODELS_MAX)
            return err_set(&op->err, ERR_TOO_LARGE, "more than %d models", MODELS_MAX);
        all = all != NULL ? arena_printf(&op->arena, "%s,%s", all, m) : arena_dup_str(&op->arena, str_of(m));
        if (all == NULL)
            return err_set(&op->err, ERR_NOMEM, "no memory for the models");
    }
    *out = all;
    return 0;
}

static int read_notes(struct operate *op, const char **out)
{
    const char *text = line_get(op->args, "notes"), *path = line_get(op->args, "notes-file");
    auto_buf struct buf b;
    buf_init(&b, NOTES_MAX);
    if (path != NULL) {
        int rc = file_read(path, NOTES_MAX, &b, &op->err);
        if (rc != 0)
            return rc;
        text = b.p;
    }
    if (text == NULL)
        return 0;
    struct str s = path != NULL ? buf_str(&b) : str_of(text);
    if (s.n > NOTES_MAX || !str_is_text(s))
        return err_set(&op->err, ERR_INVALID, "the notes must be UTF-8 text of at most %d bytes", NOTES_MAX);
    *out = arena_dup_str(&op->arena, s);
    return *out != NULL ? 0 : err_set(&op->err, ERR_NOMEM, "no memory for the notes");
}

static int open_image(struct operate *op, const char *path, int *fd, int64_t *size)
{
    struct stat st;
    auto_close int f = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (f < 0 || fstat(f, &st) != 0)
        return err_errno(&op->err, errno, "cannot open %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(&op->err, ERR_INVALID, "%s is not a regular file", path);
    if (st.st_size == 0)
        return err_set(&op->err, ERR_INVALID, "%s is empty", path);
    *size = st.st_size;
    *fd = take_fd(&f);
    return 0;
}

static int hash_image(struct operate *op, int fd, const char *name, int64_t size, char sha[SHA256_HEX_SIZE])
{
    struct progress bar;
    const char *label = arena_printf(&op->arena, "hashing %s", name);
    progress_start(&bar, &clock_system, label != NULL ? label : "hashing", size, 0);
    int rc = digest_file(fd, name, size, size >= HASH_PROGRESS_MIN ? &bar : NULL, sha, &op->err);
    progress_end(&bar);
    return rc;
}

/* PUT /api/firmware/{name}/{version}/{filename}?sha256=...&model=... */
static int publish_path(struct operate *op, const char *filename, const char *sha)
{
    const char *models = NULL, *notes = NULL;
    int rc = joined_models(op, &models);
    if (rc == 0)
        rc = read_notes(op, &notes);
    if (rc == 0)
        rc = operate_path(op, "/api/firmware", line_get(op->args, "name"), line_get(op->args, "version"),
                          filename, NULL);
    if (rc == 0)
        rc = operate_query(op, "sha256", sha);
    if (rc == 0)
        rc = operate_query(op, "model", models);
    if (rc == 0)
        rc = operate_query(op, "type", line_get(op->args, "type"));
    if (rc == 0)
        rc = operate_query(op, "notes", notes);
    return rc;
}

#define TYPE_USUAL "os"

static int check_publish_line(const struct line_args *args, const char *filename)
{
    if (line_has(args, "signed") && line_has(args, "sign-with"))
        return line_wrong(args, "--signed and --sign-with exclude each other");
    if (line_has(args, "notes") && line_has(args, "notes-file"))
        return line_wrong(args, "--notes and --notes-file exclude each other");
    if (!str_is_name(str_of(line_get(args, "name"))))
        return line_wrong(args, "--name must be letters, digits and . _ + ~ - (at most 128)");
    if (!str_is_name(str_of(line_get(args, "version"))))
        return line_wrong(args, "--version must be letters, digits and . _ + ~ - (at most 128)");
    if (!str_is_name(str_of(filename)))
        return line_wrong(args,
                          "\"%s\" cannot be a file's name for devices: give it one that begins with a letter "
                          "or digit and has letters, digits and . _ + ~ -",
                          filename);
    return 0;
}

static void say_published(const struct line_args *args, long long id, int64_t size, bool fresh)
{
    const char *name = line_get(args, "name"), *version = line_get(args, "version");
    char text[TEXT_SHORT_MAX];
    if (fresh)
        fprintf(stderr, "Published %s %s as release %lld (%s). Next: pqota deploy %s@%s --model MODEL\n",
                name, version, id, text_size(size, text), name, version);
    else
        fprintf(stderr, "%s %s was there already with the same bytes, as release %lld.\n", name, version, id);
}

/* all: for each model of the release. demanded: by the server, of what devices are to be given. */
static int look_signed(struct operate *op, yyjson_val *release, bool *all, bool *demanded)
{
    auto_json yyjson_doc *standing = NULL;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)operate_int(release, "id"));
    int rc = operate_path(op, "/api/trust/releases", id, NULL);
    if (rc == 0)
        rc = operate_call(op, "GET", NULL, &standing);
    if (rc != 0)
        return rc;
    yyjson_val *models = yyjson_obj_get(yyjson_doc_get_root(standing), "models"), *row;
    size_t i, max;
    *all = yyjson_arr_size(models) > 0;
    yyjson_arr_foreach(models, i, max, row)
    {
        *all = *all && yyjson_is_true(yyjson_obj_get(row, "signed"));
    }
    *demanded = yyjson_is_false(yyjson_obj_get(yyjson_doc_get_root(standing), "unsigned_allowed"));
    return 0;
}

/* A draft wants signatures in any case. What is published without one wants it where the server demands them,
   or keys were given. What is signed wants none: saying the same again is no error. */
static int wants_signing(struct operate *op, const struct line_args *args, yyjson_val *release, bool *wants)
{
    bool all = false, demanded = true;
    int rc = str_is(operate_str(release, "state"), "draft") ? 0 : look_signed(op, release, &all, &demanded);
    *wants = !all && (demanded || line_has(args, "sign-with"));
    return rc;
}

static int64_t size_of(const struct publish_files *files)
{
    int64_t size = 0;
    for (size_t i = 0; i < files->count; i++)
        size += files->list[i].size;
    return size;
}

static int finish(struct operate *op, struct line_args *args, const struct publish_files *files,
                  yyjson_val *release, bool fresh, bool wants)
{
    auto_json yyjson_doc *signed_doc = NULL;
    if (wants) {
        int code = publish_signed(args, release, files, &signed_doc);
        if (code != CMD_OK || signed_doc == NULL)
            return code;
        release = yyjson_doc_get_root(signed_doc);
        fresh = true;
    }
    if (!op->json)
        say_published(args, (long long)operate_int(release, "id"), size_of(files), fresh);
    return firmware_show(op, release);
}

/* Without folders. */
static const char *called(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int firmware_publish(struct line_args *args)
{
    const char *path = args->operands[0], *filename = line_get(args, "filename");
    const char *type = line_get(args, "type");
    struct publish_file file = {.filename = filename != NULL ? filename : called(path),
                                .type = str_of(type != NULL ? type : TYPE_USUAL)};
    struct publish_files what = {.list = &file, .count = 1};
    int code = check_publish_line(args, file.filename);
    if (code == 0)
        code = publish_signed_line(args, &what.terms);
    if (code != 0)
        return code;
    auto_operate struct operate op;
    auto_close int fd = -1;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 || open_image(&op, path, &fd, &file.size) != 0 ||
        hash_image(&op, fd, path, file.size, file.sha256) != 0 ||
        publish_path(&op, file.filename, file.sha256) != 0)
        return operate_fail(&op);
    struct progress bar;
    progress_start(&bar, &clock_system, file.filename, file.size, 0);
    struct rest_file sent = {.fd = fd, .name = path, .size = file.size, .progress = &bar};
    int rc = rest_upload(op.rest, op.path.p, &sent, &doc, &op.err);
    progress_end(&bar);
    yyjson_val *release = yyjson_doc_get_root(doc);
    bool fresh = rc == 0 && rest_status(op.rest) == HTTP_CREATED, wants;
    if (rc != 0 || wants_signing(&op, args, release, &wants) != 0)
        return operate_fail(&op);
    return finish(&op, args, &what, release, fresh, wants);
}

/* --- sign ----------------------------------------------------------------------------------------------- */

static int read_files(struct operate *op, struct publish_file *list)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < op->args->operand_count; i++) {
        const char *path = op->args->operands[i];
        auto_close int fd = -1;
        rc = open_image(op, path, &fd, &list[i].size);
        if (rc == 0)
            rc = hash_image(op, fd, path, list[i].size, list[i].sha256);
    }
    return rc;
}

static const struct publish_file *find_file(const struct publish_file *list, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, list[i].filename))
            return &list[i];
    return NULL;
}

/* All of the release's files, and as they are on the server, which would refuse else what holders signed. */
static int check_files(struct operate *op, const struct publish_files *files, yyjson_val *release)
{
    size_t found = 0, i, max;
    yyjson_val *there;
    for (size_t k = 0; k < files->count; k++)
        if (find_file(files->list, k, str_of(files->list[k].filename)) != NULL)
            return err_set(&op->err, ERR_INVALID, "two files are called %s: they cannot both be signed",
                           files->list[k].filename);
    yyjson_arr_foreach(yyjson_obj_get(release, "artifacts"), i, max, there)
    {
        struct str name = operate_str(there, "filename");
        const struct publish_file *f = find_file(files->list, files->count, name);
        if (f == NULL)
            return err_set(&op->err, ERR_CONFLICT,
                           "the release has the file " STR_FMT " too: name all its files, they are signed "
                           "together",
                           (int)(name.n < 128 ? name.n : 128), name.p != NULL ? name.p : "");
        if (!str_is(operate_str(there, "sha256"), f->sha256))
            return err_set(&op->err, ERR_CONFLICT, "the server has %s with other bytes than it has here",
                           f->filename);
        found++;
    }
    return found == files->count ? 0
                                 : err_set(&op->err, ERR_CONFLICT,
                                           "the release has %zu files, and %zu were named: `pqota firmware "
                                           "show` tells which it has",
                                           found, files->count);
}

static int say_signed(struct operate *op, yyjson_val *release)
{
    if (!op->json)
        fprintf(stderr, "%s %s is signed already, as release %lld.\n", line_get(op->args, "name"),
                line_get(op->args, "version"), (long long)operate_int(release, "id"));
    return firmware_show(op, release);
}

/* One type for all, or one for each in their order. */
static int read_types(const struct line_args *args, struct publish_file *list, size_t count)
{
    const char *type;
    size_t at = 0, n = 0;
    for (size_t i = 0; i < count; i++)
        list[i].type = STR(TYPE_USUAL);
    while ((type = line_each(args, "type", &at)) != NULL) {
        for (size_t i = n; i < (n == 0 ? count : n + 1) && i < count; i++)
            list[i].type = str_of(type);
        n++;
    }
    return n <= 1 || n == count ? 0 : line_wrong(args, "--type: once, or once for each file");
}

int firmware_sign(struct line_args *args)
{
    struct publish_file list[RELEASE_ARTIFACTS_MAX];
    struct publish_files what = {.list = list, .count = (size_t)args->operand_count};
    int code = publish_signed_line(args, &what.terms);
    for (size_t i = 0; code == 0 && i < what.count; i++) {
        list[i] = (struct publish_file){.filename = called(args->operands[i])};
        code = check_publish_line(args, list[i].filename);
    }
    if (code == 0)
        code = read_types(args, list, what.count);
    if (code != 0)
        return code;
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    yyjson_val *release;
    bool all, demanded;
    const struct firmware_name name = {.name = line_get(args, "name"), .version = line_get(args, "version")};
    if (operate_init(&op, args) != 0 || read_files(&op, list) != 0 ||
        firmware_find_named(&op, &name, &doc, &release) != 0 || check_files(&op, &what, release) != 0 ||
        look_signed(&op, release, &all, &demanded) != 0)
        return operate_fail(&op);
    return all ? say_signed(&op, release) : finish(&op, args, &what, release, false, true);
}

/* --- download ------------------------------------------------------------------------------------------- */

struct download {
    struct str filename;
    char sha[SHA256_HEX_SIZE];
    int64_t size;
    const char *target; /* where the whole file goes */
    const char *part;   /* where it grows: named after its hash, so never the beginning of another file */
};

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int describe_download(struct operate *op, yyjson_val *release, struct download *d)
{
    unsigned char hash[SHA256_SIZE];
    struct str sha = operate_str(release, "sha256");
    d->filename = operate_str(release, "filename");
    d->size = operate_int(release, "size");
    if (hex_decode(sha, hash, sizeof hash) != 0 || d->size < 0 || !str_is_name(d->filename))
        return err_set(&op->err, ERR_INVALID, "the server does not say what file this release has");
    hex_encode(hash, sizeof hash, d->sha);
    const char *output = line_get(op->args, "output");
    if (output == NULL)
        d->target = arena_dup_str(&op->arena, d->filename);
    else if (is_dir(output))
        d->target = arena_printf(&op->arena, "%s/" STR_FMT, output, STR_ARG(d->filename));
    else
        d->target = output;
    d->part = d->target != NULL ? arena_printf(&op->arena, "%s.%.12s.part", d->target, d->sha) : NULL;
    return d->part != NULL ? 0 : err_set(&op->err, ERR_NOMEM, "no memory for the file's name");
}

static int hash_matches(struct operate *op, int fd, const struct download *d)
{
    char sha[SHA256_HEX_SIZE];
    int rc = hash_image(op, fd, d->part, d->size, sha);
    if (rc != 0)
        return rc;
    if (strcmp(sha, d->sha) == 0)
        return 0;
    if (unlink(d->part) != 0)
        return err_errno(&op->err, errno, "%s is damaged and cannot be removed", d->part);
    return err_set(&op->err, ERR_MISMATCH,
                   "what arrived is damaged (SHA-256 %s, not %s); it was thrown away, run this "
                   "again",
                   sha, d->sha);
}

/* What is missing behind the first `have` bytes. */
static int fetch_rest(struct operate *op, const char *id, const struct download *d, int fd, int64_t have)
{
    int rc = operate_path(op, "/api/firmware", id, "file", NULL);
    if (rc != 0)
        return rc;
    struct progress bar;
    progress_start(&bar, &clock_system, d->target, d->size, have);
    struct rest_file file = {.fd = fd, .name = d->part, .size = d->size, .progress = &bar};
    rc = rest_download(op->rest, op->path.p, d->sha, have, &file, &op->err);
    progress_end(&bar);
    struct stat st;
    if (rc == 0 || fstat(fd, &st) != 0)
        return rc;
    if (st.st_size == 0)
        (void)unlink(d->part);
    else
        fprintf(stderr, "pqota %s: what arrived is kept in %s; run this again and it goes on from there\n",
                op->args->name, d->part);
    return rc;
}

static int fetch(struct operate *op, yyjson_val *release, const struct download *d)
{
    struct stat st;
    auto_close int fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(&op->err, errno, "cannot write %s", d->part);
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)operate_int(release, "id"));
    int rc = 0;
    if (st.st_size != d->size)
        rc = fetch_rest(op, id, d, fd, st.st_size < d->size ? st.st_size : 0);
    if (rc == 0)
        rc = hash_matches(op, fd, d);
    if (rc == 0)
        rc = file_fsync(fd, d->part, &op->err);
    if (rc == 0 && rename(d->part, d->target) != 0)
        rc = err_errno(&op->err, errno, "cannot name the file %s", d->target);
    return rc;
}

int firmware_download(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    yyjson_val *release = NULL;
    struct download d = {0};
    if (operate_init(&op, args) != 0 || firmware_find(&op, &doc, &release) != 0 ||
        describe_download(&op, release, &d) != 0)
        return operate_fail(&op);
    if (file_exists(d.target) && !line_has(args, "force")) {
        (void)err_set(&op.err, ERR_CONFLICT, "%s is there already; --force replaces it", d.target);
        return operate_fail(&op);
    }
    if (fetch(&op, release, &d) != 0)
        return operate_fail(&op);
    char size[TEXT_SHORT_MAX];
    fprintf(stderr, "%s: %s, SHA-256 as announced.\n", d.target, text_size(d.size, size));
    return CMD_OK;
}
