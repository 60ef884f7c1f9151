#include "ddi/errors.h"

#include "base/json.h"

#define REPOSITORY "org.eclipse.hawkbit.repository.exception."

/* By what the status means to hawkBit's clients; several of its exceptions share one. */
static const struct row {
    int status;
    const char *exception, *code;
} rows[] = {
    {400, "jakarta.validation.ConstraintViolationException", "hawkbit.server.error.repo.constraintViolation"},
    {401, "org.springframework.security.authentication.BadCredentialsException",
     "hawkbit.server.error.unauthorized"},
    {403, REPOSITORY "InsufficientPermissionException", "hawkbit.server.error.insufficientPermission"},
    {404, REPOSITORY "EntityNotFoundException", "hawkbit.server.error.repo.entityNotFound"},
    {405, REPOSITORY "CancelActionNotAllowedException", "hawkbit.server.error.action.notCancelable"},
    {409, REPOSITORY "EntityAlreadyExistsException", "hawkbit.server.error.repo.entityAlreadyExists"},
    {413, REPOSITORY "FileSizeQuotaExceededException", "hawkbit.server.error.quota.fileSizeExceeded"},
    {415, "org.springframework.web.HttpMediaTypeNotSupportedException",
     "hawkbit.server.error.rest.body.notReadable"},
    {422, REPOSITORY "ArtifactUploadFailedException", "hawkbit.server.error.artifact.uploadFailed"},
    {423, REPOSITORY "LockedException", "hawkbit.server.error.locked"},
    {429, REPOSITORY "AssignmentQuotaExceededException", "hawkbit.server.error.quota.tooManyEntries"},
    {507, REPOSITORY "StorageQuotaExceededException", "hawkbit.server.error.quota.storageExceeded"},
};
static const struct row other = {0, REPOSITORY "GenericRepositoryException",
                                 "hawkbit.server.error.repo.genericError"};

static const struct row no_method = {405, "org.springframework.web.HttpRequestMethodNotSupportedException",
                                     "hawkbit.server.error.repo.genericError"};

static const struct row *row_of(int status, const struct err *e)
{
    if (status == no_method.status && e->code == 0)
        return &no_method; /* the path is served with other methods: no handler was asked */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return &rows[i];
    return &other;
}

void ddi_error_body(struct http_response *r, struct arena *a, int status, const struct err *e)
{
    const struct row *row = row_of(status, e);
    /* Bytes that are no UTF-8 cannot be told in JSON. */
    const char *message = str_is_text(str_of(e->text)) ? e->text : http_status_text(status);
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    if (root == NULL || !yyjson_mut_obj_add_str(doc, root, "exceptionClass", row->exception) ||
        !yyjson_mut_obj_add_str(doc, root, "errorCode", row->code) ||
        !yyjson_mut_obj_add_str(doc, root, "message", message)) {
        http_reply_no_memory(r);
        return;
    }
    http_reply_json(r, a, status, doc);
}

void ddi_error_of_file(struct http_response *r, struct arena *a)
{
    struct err e = {0};
    if (r->status == 412)
        err_set(&e, ERR_MISMATCH, "the file is not the one that the request's condition names");
    else if (r->status == 416)
        err_set(&e, ERR_INVALID, "no byte of the file lies in the range that was asked for");
    else
        return;
    ddi_error_body(r, a, r->status, &e);
}
