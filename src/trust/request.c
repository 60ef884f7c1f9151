#include "trust/request.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "trust/manifest_make.h"

#define FORM 1

static const char *const repositories[] = {"image", "director"};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a signing request");
}

/* --- documents -------------------------------------------------------------------------------------- */

static const char *known_repository(const char *name)
{
    for (size_t i = 0; i < sizeof repositories / sizeof repositories[0]; i++)
        if (strcmp(repositories[i], name) == 0)
            return repositories[i];
    return NULL;
}

/* Roots first, delegated ones last: each is checked by one before it. */
static int rank_of(const char *role)
{
    return strcmp(role, "root") == 0 ? 0 : strcmp(role, "targets") == 0 ? 1 : 2;
}

static int check_role(const char *repository, const char *role, struct err *e)
{
    size_t n = strlen(role);
    if (known_repository(repository) == NULL)
        return err_set(e, ERR_INVALID, "\"%.64s\" is no repository: there are image and director",
                       repository);
    if (n == 0 || n >= TUF_ROLE_NAME_MAX || strcmp(role, "snapshot") == 0 || strcmp(role, "timestamp") == 0)
        return err_set(e, ERR_INVALID, "the role \"%.64s\" is not signed offline", role);
    if (rank_of(role) != 0 && strcmp(repository, "image") != 0)
        return err_set(e, ERR_INVALID,
                       "of the director repository only the root is signed offline, not %.64s", role);
    return 0;
}

static bool has(const struct request_document *list, size_t count, const char *repository, const char *role)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].repository, repository) == 0 && strcmp(list[i].role, role) == 0)
            return true;
    return false;
}

static int add(struct request_document *list, size_t *count, const char *repository, const char *role,
               struct str text, struct err *e)
{
    int rc = check_role(repository, role, e);
    if (rc != 0)
        return rc;
    if (has(list, *count, repository, role))
        return err_set(e, ERR_CONFLICT, "the document %s of the %s repository is there twice", role,
                       repository);
    if (*count == REQUEST_DOCUMENTS_MAX)
        return err_set(e, ERR_TOO_LARGE, "a signing request has at most %d documents", REQUEST_DOCUMENTS_MAX);
    list[(*count)++] = (struct request_document){.repository = known_repository(repository),
                                                 .role = role,
                                                 .type = rank_of(role) == 0 ? TUF_ROOT : TUF_TARGETS,
                                                 .text = text};
    return 0;
}

int request_add(struct trust_request *r, const char *repository, const char *role, struct str text,
                struct err *e)
{
    if (r->document_count > 0 && rank_of(role) < rank_of(r->documents[r->document_count - 1].role))
        return err_set(e, ERR_INVALID, "documents must be in the order root, targets, delegated ones");
    return add(r->documents, &r->document_count, repository, role, text, e);
}

int request_add_base(struct trust_request *r, const char *repository, const char *role, struct str text,
                     struct err *e)
{
    return add(r->base, &r->base_count, repository, role, text, e);
}

int request_open(const struct request_document *d, struct trust_space *space, struct tuf_doc *out,
                 struct err *e)
{
    struct err why = {0};
    int rc = tuf_doc_read(d->text, d->type, space, out, &why);
    return rc == 0 ? 0 : err_set(e, rc, "%s of the %s repository: %s", d->role, d->repository, why.text);
}

/* --- signatures and entries ------------------------------------------------------------------------- */

static bool put_signature(yyjson_mut_doc *doc, yyjson_mut_val *sigs, const char *keyid, const char *hex)
{
    yyjson_mut_val *one = yyjson_mut_obj(doc), *v;
    if (one == NULL || !yyjson_mut_obj_add_strcpy(doc, one, "keyid", keyid) ||
        !yyjson_mut_obj_add_strcpy(doc, one, "sig", hex))
        return false;
    size_t i, max;
    yyjson_mut_arr_foreach(sigs, i, max, v)
    {
        if (yyjson_mut_equals_str(yyjson_mut_obj_get(v, "keyid"), keyid))
            return yyjson_mut_arr_replace(sigs, i, one) != NULL;
    }
    return yyjson_mut_arr_append(sigs, one);
}

int request_put_signature(struct request_document *d, const char *keyid, struct str sig, struct arena *a,
                          struct err *e)
{
    auto_json yyjson_doc *read = NULL;
    int rc = json_parse_object(d->text, &read, e);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = yyjson_doc_mut_copy(read, NULL);
    auto_free char *hex = malloc(2 * sig.n + 1);
    if (doc == NULL || hex == NULL)
        return no_memory(e);
    hex_encode(sig.p, sig.n, hex);
    yyjson_mut_val *sigs = yyjson_mut_obj_get(yyjson_mut_doc_get_root(doc), "signatures");
    if (!yyjson_mut_is_arr(sigs))
        return err_set(e, ERR_INVALID, "%s of the %s repository has no place for signatures", d->role,
                       d->repository);
    if (!put_signature(doc, sigs, keyid, hex))
        return no_memory(e);
    if (yyjson_mut_arr_size(sigs) > TUF_SIGNATURES_MAX)
        return err_set(e, ERR_TOO_LARGE, "%s of the %s repository has more than %d signatures", d->role,
                       d->repository, TUF_SIGNATURES_MAX);
    struct str text = json_write(doc, a);
    if (text.p == NULL)
        return no_memory(e);
    d->text = text;
    return 0;
}

static int have_entries(struct trust_request *r, struct arena *a, struct err *e)
{
    if (r->entries == NULL)
        r->entries = arena_array(a, struct request_entry, REQUEST_ENTRIES_MAX);
    return r->entries != NULL ? 0 : no_memory(e);
}

static int add_entry(struct trust_request *r, const char *target, struct str cose, struct err *e)
{
    if (r->entry_count == REQUEST_ENTRIES_MAX)
        return err_set(e, ERR_TOO_LARGE, "a signing request has at most %d entries for manifests",
                       REQUEST_ENTRIES_MAX);
    r->entries[r->entry_count++] = (struct request_entry){.target = target, .cose = cose};
    return 0;
}

int request_put_entry(struct trust_request *r, const char *target, struct str cose, struct arena *a,
                      struct err *e)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        if (strcmp(r->entries[i].target, target) != 0)
            continue;
        r->entries[i].cose = cose;
        return 0;
    }
    int rc = have_entries(r, a, e);
    return rc == 0 ? add_entry(r, target, cose, e) : rc;
}

/* --- reading ---------------------------------------------------------------------------------------- */

static const char *take_text(yyjson_val *obj, const char *key, size_t max, struct arena *a, struct err *e)
{
    struct str s;
    if (json_get_str(obj, key, max, &s, e) != 0)
        return NULL;
    if (s.p == NULL) {
        (void)err_set(e, ERR_INVALID, "\"%s\" is missing", key);
        return NULL;
    }
    const char *copy = arena_dup_str(a, s);
    if (copy == NULL)
        (void)no_memory(e);
    return copy;
}

/* A metadata file that stands inside, as a text of its own. */
static int take_document(yyjson_val *v, const char *what, struct arena *a, struct str *out, struct err *e)
{
    if (!yyjson_is_obj(v))
        return err_set(e, ERR_INVALID, "%s is no object", what);
    size_t n = 0;
    auto_free char *text = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, &n);
    const char *copy = text != NULL ? arena_dup(a, text, n) : NULL;
    if (copy == NULL)
        return no_memory(e);
    *out = (struct str){.p = copy, .n = n};
    return 0;
}

static int read_documents(yyjson_val *list, const char *name, bool base, struct arena *a,
                          struct trust_request *r, struct err *e)
{
    if (list != NULL && !yyjson_is_arr(list))
        return err_set(e, ERR_INVALID, "\"%s\" must be an array", name);
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, max, v)
    {
        struct err why = {0};
        struct str text;
        const char *role = take_text(v, "role", TUF_ROLE_NAME_MAX, a, &why);
        const char *repository = role != NULL ? take_text(v, "repository", 16, a, &why) : NULL;
        int rc = repository != NULL
                     ? take_document(yyjson_obj_get(v, "document"), "\"document\"", a, &text, &why)
                     : why.code;
        if (rc == 0)
            rc = base ? request_add_base(r, repository, role, text, &why)
                      : request_add(r, repository, role, text, &why);
        if (rc != 0)
            return err_set(e, rc, "\"%s\", number %zu: %s", name, i + 1, why.text);
    }
    return 0;
}

static int read_entry(yyjson_val *v, struct arena *a, struct trust_request *r, struct err *e)
{
    struct str text;
    const char *target = take_text(v, "target", TUF_TARGET_NAME_MAX, a, e);
    if (target == NULL)
        return e->code;
    int rc = json_get_str(v, "cose", base64_size(MANIFEST_ENTRY_MAX), &text, e);
    if (rc != 0)
        return rc;
    size_t n = 0;
    char *cose = arena_alloc(a, text.n + 1);
    if (cose == NULL)
        return no_memory(e);
    if (text.n == 0 || base64_decode(text, cose, &n) != 0)
        return err_set(e, ERR_INVALID, "\"cose\" is not base64 (RFC 4648)");
    return add_entry(r, target, (struct str){.p = cose, .n = n}, e);
}

static int compare_entries(const void *x, const void *y)
{
    const struct request_entry *a = x, *b = y;
    return strcmp(a->target, b->target);
}

static int read_entries(yyjson_val *list, struct arena *a, struct trust_request *r, struct err *e)
{
    if (list == NULL || (yyjson_is_arr(list) && yyjson_arr_size(list) == 0))
        return 0;
    if (!yyjson_is_arr(list))
        return err_set(e, ERR_INVALID, "\"entries\" must be an array");
    int rc = have_entries(r, a, e);
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, max, v)
    {
        struct err why = {0};
        if (rc == 0 && (rc = read_entry(v, a, r, &why)) != 0)
            (void)err_set(e, rc, "\"entries\", number %zu: %s", i + 1, why.text);
    }
    if (rc != 0)
        return rc;
    qsort(r->entries, r->entry_count, sizeof *r->entries, compare_entries);
    for (i = 1; i < r->entry_count; i++)
        if (strcmp(r->entries[i - 1].target, r->entries[i].target) == 0)
            return err_set(e, ERR_INVALID, "\"entries\" name %.128s twice", r->entries[i].target);
    return 0;
}

static int read_root(yyjson_val *context, const char *repository, struct arena *a, struct str *out,
                     struct err *e)
{
    yyjson_val *v = yyjson_obj_get(context, repository);
    return v != NULL ? take_document(v, "a root in \"context\"", a, out, e) : 0;
}

int request_read(struct str text, struct arena *a, struct trust_request *out, struct err *e)
{
    if (text.n > REQUEST_MAX)
        return err_set(e, ERR_TOO_LARGE, "a signing request is at most %u bytes", REQUEST_MAX);
    auto_json yyjson_doc *doc = NULL;
    struct err why = {0};
    int rc = json_parse_object(text, &doc, &why);
    if (rc != 0)
        return err_set(e, rc, "no signing request: %s", why.text);
    yyjson_val *root = yyjson_doc_get_root(doc), *context = yyjson_obj_get(root, "context");
    int64_t form;
    if (json_get_i64(root, "pqota-trust", FORM, FORM, 0, &form, NULL) != 0 || form != FORM)
        return err_set(e, ERR_INVALID, "no signing request: \"pqota-trust\": %d is missing", FORM);
    struct trust_request *r = arena_new(a, struct trust_request);
    if (r == NULL)
        return no_memory(e);
    rc = read_documents(yyjson_obj_get(root, "documents"), "documents", false, a, r, e);
    if (rc == 0)
        rc = read_entries(yyjson_obj_get(root, "entries"), a, r, e);
    if (rc == 0)
        rc = read_documents(yyjson_obj_get(context, "base"), "base", true, a, r, e);
    if (rc == 0)
        rc = read_root(context, "image", a, &r->image_root, e);
    if (rc == 0)
        rc = read_root(context, "director", a, &r->director_root, e);
    if (rc == 0 && r->document_count == 0)
        rc = err_set(e, ERR_INVALID, "the signing request has no documents");
    if (rc == 0)
        *out = *r;
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------------- */

static bool write_documents(yyjson_mut_doc *doc, yyjson_mut_val *list, const struct request_document *d,
                            size_t count)
{
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        yyjson_mut_val *v = yyjson_mut_arr_add_obj(doc, list);
        ok = v != NULL && yyjson_mut_obj_add_str(doc, v, "repository", d[i].repository) &&
             yyjson_mut_obj_add_str(doc, v, "role", d[i].role) &&
             yyjson_mut_obj_add_val(doc, v, "document", yyjson_mut_rawn(doc, d[i].text.p, d[i].text.n));
    }
    return ok;
}

static bool write_entries(yyjson_mut_doc *doc, yyjson_mut_val *list, const struct trust_request *r)
{
    bool ok = list != NULL;
    char text[(MANIFEST_ENTRY_MAX + 2) / 3 * 4 + 1];
    for (size_t i = 0; ok && i < r->entry_count; i++) {
        const struct request_entry *x = &r->entries[i];
        yyjson_mut_val *v = yyjson_mut_arr_add_obj(doc, list);
        ok = v != NULL && x->cose.n <= MANIFEST_ENTRY_MAX;
        if (!ok)
            break;
        base64_encode(x->cose.p, x->cose.n, text);
        ok = yyjson_mut_obj_add_str(doc, v, "target", x->target) &&
             yyjson_mut_obj_add_strcpy(doc, v, "cose", text);
    }
    return ok;
}

static bool write_root(yyjson_mut_doc *doc, yyjson_mut_val *context, const char *name, struct str text)
{
    return text.p == NULL || yyjson_mut_obj_add_val(doc, context, name, yyjson_mut_rawn(doc, text.p, text.n));
}

int request_write(const struct trust_request *r, struct arena *a, struct str *out, struct err *e)
{
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL)
        return no_memory(e);
    yyjson_mut_doc_set_root(doc, root);
    bool ok = yyjson_mut_obj_add_int(doc, root, "pqota-trust", FORM) &&
              write_documents(doc, yyjson_mut_obj_add_arr(doc, root, "documents"), r->documents,
                              r->document_count) &&
              write_entries(doc, yyjson_mut_obj_add_arr(doc, root, "entries"), r);
    yyjson_mut_val *context = ok ? yyjson_mut_obj_add_obj(doc, root, "context") : NULL;
    ok = context != NULL && write_root(doc, context, "image", r->image_root) &&
         write_root(doc, context, "director", r->director_root) &&
         write_documents(doc, yyjson_mut_obj_add_arr(doc, context, "base"), r->base, r->base_count);
    struct str text = ok ? json_write(doc, a) : (struct str){.p = NULL, .n = 0};
    if (text.p == NULL)
        return no_memory(e);
    if (text.n > REQUEST_MAX)
        return err_set(e, ERR_TOO_LARGE, "the signing request takes %zu bytes; at most %u are possible",
                       text.n, REQUEST_MAX);
    *out = text;
    return 0;
}
