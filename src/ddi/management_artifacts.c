/* /rest/v1/softwaremodules/{}/artifacts: a module's files. One comes as the part "file" of a form, which was
   spooled whole: the part is copied out of it into a file of its own. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ddi/ddi.h"
#include "ddi/management_json.h"
#include "http/multipart.h"
#include "ota/catalogue.h"

#define PART "file"
#define READ_SIZE (256u << 10)

/* What the head says, and then the file. */
struct upload {
    int64_t module;
    struct str boundary;
    struct str filename, sha256, sha1, md5; /* as the query has them; .p NULL: not said */
    struct received *received;              /* in the FILE lane alone */
    struct received_file file;
    const char *name;
};

static int check_room(struct call *c, int64_t module)
{
    bool locked, full;
    int rc = ota_module_room(c->db, c->arena, module, &locked, &full, &c->err);
    if (rc == 0 && locked)
        rc =
            management_refuse(c, 423,
                              err_set(&c->err, ERR_CONFLICT,
                                      "the software module %lld is locked: it was assigned to devices or "
                                      "signed, or came with a firmware; make another one, or another version",
                                      (long long)module));
    else if (rc == 0 && full)
        rc = management_refuse(c, 429,
                               err_set(&c->err, ERR_CONFLICT,
                                       "a distribution set has at most %d files, and one with the software "
                                       "module %lld has so many",
                                       RELEASE_ARTIFACTS_MAX, (long long)module));
    return rc;
}

static int read_query(struct call *c, const char *name, struct str *out)
{
    struct str s;
    int rc = http_query_get(c->req, name, c->arena, &s, &c->err);
    if (rc == 0)
        *out = s.n > 0 ? s : (struct str){.p = NULL, .n = 0};
    return rc;
}

static int early(struct call *c)
{
    struct upload *u = arena_new(c->arena, struct upload);
    if (u == NULL)
        return management_no_memory(c);
    int rc = management_id(c, 0, &u->module);
    if (rc == 0)
        rc = check_room(c, u->module);
    if (rc == 0)
        rc = multipart_boundary(http_header_get(c->req, "Content-Type"), &u->boundary, &c->err);
    if (rc == 0)
        rc = read_query(c, "filename", &u->filename);
    if (rc == 0)
        rc = read_query(c, "sha256sum", &u->sha256);
    if (rc == 0)
        rc = read_query(c, "sha1sum", &u->sha1);
    if (rc == 0)
        rc = read_query(c, "md5sum", &u->md5);
    c->carry = u;
    return rc;
}

/* --- in the FILE lane -------------------------------------------------------------------------------- */

static int begin(struct call *c, struct upload *u, const struct multipart_part *part)
{
    struct str name = u->filename.p != NULL ? u->filename : part->filename;
    if (u->received != NULL)
        return err_set(&c->err, ERR_INVALID, "there is more than one part \"" PART "\": one file at a time");
    if (name.p == NULL || !str_is_name(name))
        return err_set(&c->err, ERR_INVALID,
                       "the file's name begins with a letter or digit and has at most 128 of letters, digits "
                       "and ._+~- (or say another one: ?filename=)");
    u->name = arena_dup_str(c->arena, name);
    return u->name != NULL ? received_new(c->ota, &u->received, &c->err) : management_no_memory(c);
}

struct reading {
    struct multipart m;
    bool within; /* the part that is wanted */
    char piece[READ_SIZE];
};

static int feed(struct call *c, struct upload *u, struct reading *r, struct str fed)
{
    struct str piece;
    int rc = 0;
    while (rc == 0) {
        switch (multipart_next(&r->m, &fed, &piece, &c->err)) {
        case MULTIPART_MORE:
            return 0;
        case MULTIPART_PART:
            r->within = str_is(r->m.part.name, PART);
            rc = r->within ? begin(c, u, &r->m.part) : 0;
            break;
        case MULTIPART_DATA:
            rc = r->within ? received_write(u->received, piece.p, piece.n, &c->err) : 0;
            break;
        case MULTIPART_PART_END:
            r->within = false;
            break;
        case MULTIPART_BAD:
            return c->err.code;
        }
    }
    return rc;
}

static int copy_out(struct call *c, struct upload *u, struct reading *r)
{
    auto_close int fd = open(c->spool->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(&c->err, errno, "cannot open what was received");
    int rc = multipart_init(&r->m, u->boundary, &c->err);
    while (rc == 0) {
        ssize_t n = read(fd, r->piece, sizeof r->piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(&c->err, errno, "cannot read what was received");
        if (n == 0)
            break;
        rc = feed(c, u, r, (struct str){.p = r->piece, .n = (size_t)n});
    }
    if (rc == 0)
        rc = multipart_end(&r->m, &c->err);
    if (rc == 0 && u->received == NULL)
        rc = err_set(&c->err, ERR_INVALID, "there is no part \"" PART "\": send the file as that");
    return rc;
}

static bool differs(struct str said, const char *is)
{
    return said.p != NULL && !str_eq_nocase(said, str_of(is));
}

static int take(struct call *c, struct upload *u)
{
    auto_free struct reading *r = calloc(1, sizeof *r);
    if (r == NULL)
        return management_no_memory(c);
    int rc = copy_out(c, u, r);
    if (rc == 0)
        rc = received_finish(u->received, &u->file, &c->err);
    if (rc == 0 && u->file.size == 0)
        rc = err_set(&c->err, ERR_INVALID, "the file is empty: nothing was kept");
    if (rc == 0 && (differs(u->sha256, u->file.is.sha256) || differs(u->sha1, u->file.is.sha1) ||
                    differs(u->md5, u->file.is.md5)))
        rc = err_set(&c->err, ERR_INVALID,
                     "the file that came has SHA-256 %s: that is another one than the sum that was given",
                     u->file.is.sha256);
    return rc != 0 ? rc : received_keep(c->ota, u->received, &c->err);
}

static int keep(struct call *c)
{
    struct upload *u = c->carry;
    int rc = take(c, u);
    received_free(u->received);
    u->received = NULL;
    return rc;
}

/* --- and the rest ------------------------------------------------------------------------------------ */

static int reply(struct call *c, int status, const struct module_artifact *f)
{
    auto_json_mut yyjson_mut_doc *doc = management_doc(c, false);
    if (doc == NULL)
        return c->err.code;
    management_put_file(c, doc, yyjson_mut_doc_get_root(doc), f);
    http_reply_json(c->res, c->arena, status, doc);
    return 0;
}

static int add(struct call *c)
{
    struct upload *u = c->carry;
    struct module_artifact f = {
        .module = u->module,
        .filename = u->name,
        .sha256 = u->file.is.sha256,
        .sha1 = u->file.is.sha1,
        .md5 = u->file.is.md5,
        .size = (int64_t)u->file.size,
    };
    int rc = check_room(c, u->module);
    if (rc == 0)
        rc = ota_module_add_file(c->ota, c->db, c->arena, c->who->id, &f, &c->err);
    return rc != 0 ? rc : reply(c, 201, &f);
}

static int list(struct call *c)
{
    int64_t id;
    struct module_artifact *found;
    size_t count = 0;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = ota_module_files(c->db, c->arena, id, &found, &count, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, true) : NULL;
    if (doc == NULL)
        return c->err.code;
    for (size_t i = 0; i < count; i++)
        management_put_file(c, doc, yyjson_mut_arr_add_obj(doc, yyjson_mut_doc_get_root(doc)), &found[i]);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static int find(struct call *c, struct module_artifact *out)
{
    int64_t module, artifact;
    int rc = management_id(c, 0, &module);
    if (rc == 0)
        rc = management_id(c, 1, &artifact);
    return rc != 0 ? rc : ota_module_file(c->db, c->arena, module, artifact, out, &c->err);
}

static int show(struct call *c)
{
    struct module_artifact f;
    int rc = find(c, &f);
    return rc != 0 ? rc : reply(c, 200, &f);
}

static int find_download(struct call *c)
{
    struct module_artifact *f = arena_new(c->arena, struct module_artifact);
    c->carry = f;
    return f != NULL ? find(c, f) : management_no_memory(c);
}

static int download(struct call *c)
{
    const struct module_artifact *f = c->carry;
    const struct artifact artifact = {.filename = f->filename, .sha256 = f->sha256, .size = f->size};
    struct http_file file = {
        .done = ota_catalogue_close,
        .owner = c->ota,
        .size = (uint64_t)f->size,
        .etag = arena_printf(c->arena, "\"%s\"", f->sha256),
        .modified_ms = f->created_at,
        .content_type = "application/octet-stream",
        .filename = f->filename,
    };
    if (file.etag == NULL)
        return management_no_memory(c);
    int rc = ota_catalogue_open(c->ota, &artifact, &file.fd, &c->err);
    if (rc != 0)
        return rc;
    http_reply_file(c->req, c->res, c->arena, &file);
    ddi_error_of_file(c->res, c->arena);
    return 0;
}

static int delete(struct call *c)
{
    struct module_artifact f;
    int rc = find(c, &f);
    if (rc == 0) {
        bool locked, full;
        rc = ota_module_room(c->db, c->arena, f.module, &locked, &full, &c->err);
        if (rc == 0 && locked)
            rc = check_room(c, f.module);
    }
    if (rc == 0)
        rc = ota_module_remove_file(c->ota, c->db, c->arena, c->who->id, f.module, f.pk, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/softwaremodules/{}/artifacts", WHO_READERS, BODY_NONE, 0, {{LANE_READ, list}}},
    {HTTP_POST,
     "/rest/v1/softwaremodules/{}/artifacts",
     WHO_WRITERS,
     BODY_SPOOL,
     0,
     {{LANE_HEAD, early}, {LANE_FILE, keep}, {LANE_WRITE, add}}},
    {HTTP_GET, "/rest/v1/softwaremodules/{}/artifacts/{}", WHO_READERS, BODY_NONE, 0, {{LANE_READ, show}}},
    {HTTP_GET,
     "/rest/v1/softwaremodules/{}/artifacts/{}/download",
     WHO_READERS,
     BODY_NONE,
     0,
     {{LANE_READ, find_download}, {LANE_FILE, download}}},
    {HTTP_DELETE,
     "/rest/v1/softwaremodules/{}/artifacts/{}",
     WHO_WRITERS,
     BODY_NONE,
     0,
     {{LANE_WRITE, delete}}},
};
const struct route_table ddi_artifacts_routes = MANAGEMENT_TABLE(rows);
