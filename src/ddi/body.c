#include "ddi/body.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "http/cbor.h"
#include "http/condition.h"

#define TAG_BYTES 16 /* of the body's SHA-256 */

enum form { FORM_HAL, FORM_JSON, FORM_CBOR };

static const struct {
    struct str type;
    enum form form;
} forms[] = {
    {{.p = "application/hal+json", .n = 20}, FORM_HAL},
    {{.p = "application/json", .n = 16}, FORM_JSON},
    {{.p = "application/cbor", .n = 16}, FORM_CBOR},
};
#define FORMS (sizeof forms / sizeof forms[0])

static int no_memory(struct call *c)
{
    return err_set(&c->err, ERR_NOMEM, "no memory left for this request");
}

/* --- reading ------------------------------------------------------------------------------------------- */

/* Without a type it is taken for JSON. */
static int form_sent(struct call *c, enum form *out)
{
    struct str rest = http_header_get(c->req, "Content-Type"), media;
    *out = FORM_JSON;
    if (!str_split(&rest, ';', &media) || str_trim(media).n == 0)
        return 0;
    for (size_t i = 0; i < FORMS; i++)
        if (str_eq_nocase(str_trim(media), forms[i].type)) {
            *out = forms[i].form;
            return 0;
        }
    return err_set(&c->err, ERR_UNSUPPORTED,
                   "the body must be application/json, application/hal+json or application/cbor");
}

int ddi_body_read(struct call *c, yyjson_doc **out)
{
    auto_json yyjson_doc *doc = NULL;
    enum form form;
    struct str text = c->req->body;
    int rc = form_sent(c, &form);
    if (rc == 0 && form == FORM_CBOR && text.n > 0)
        rc = cbor_to_json(text, c->arena, &text, &c->err);
    if (rc == ERR_TOO_LARGE)
        c->status = 413;
    if (rc == 0)
        rc = json_parse_lenient(text.n > 0 ? text : STR("{}"), &doc, &c->err);
    if (rc == 0 && !yyjson_is_obj(yyjson_doc_get_root(doc)))
        rc = err_set(&c->err, ERR_INVALID, "the body must be an object");
    if (rc != 0)
        return rc;
    *out = doc;
    doc = NULL;
    return 0;
}

/* --- writing ------------------------------------------------------------------------------------------- */

yyjson_mut_doc *ddi_doc(struct call *c)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL) {
        yyjson_mut_doc_free(doc);
        (void)no_memory(c);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, root);
    return doc;
}

/* Thousandths (RFC 9110 section 12.4.2); what is malformed counts as 1. */
static int quality(struct str parameters)
{
    struct str part;
    while (str_split(&parameters, ';', &part)) {
        part = str_trim(part);
        if (part.n < 3 || (part.p[0] != 'q' && part.p[0] != 'Q') || part.p[1] != '=')
            continue;
        if (part.p[2] != '0')
            return part.p[2] == '1' ? 1000 : 0;
        int q = 0, digit = 100;
        for (size_t i = 4; i < part.n && i < 7; i++, digit /= 10)
            q += part.p[i] >= '0' && part.p[i] <= '9' ? (part.p[i] - '0') * digit : 0;
        return q;
    }
    return 1000;
}

/* The one that is wanted most; of several, what the client names first. HAL is what hawkBit sends when
   nothing is said. */
static enum form form_wanted(const struct http_request *req)
{
    struct str rest = http_header_get(req, "Accept"), item;
    enum form best = FORM_HAL;
    int best_quality = 0;
    while (str_split(&rest, ',', &item)) {
        struct str media;
        if (!str_split(&item, ';', &media))
            continue;
        int q = quality(item);
        for (size_t i = 0; i < FORMS; i++)
            if (q > best_quality && str_eq_nocase(str_trim(media), forms[i].type)) {
                best = forms[i].form;
                best_quality = q;
            }
    }
    return best;
}

/* Found once: else OpenSSL looks it up under a lock each time. */
static const EVP_MD *sha256;

static void find_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static int tag_of(struct call *c, struct str body, const char **out)
{
    unsigned char raw[SHA256_SIZE];
    char text[2 * TAG_BYTES + 2];
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_sha256);
    if (sha256 == NULL || EVP_Digest(body.p, body.n, raw, NULL, sha256, NULL) != 1)
        return err_set(&c->err, ERR_CRYPTO, "cannot compute an entity tag");
    hex_encode(raw, TAG_BYTES, text + 1);
    text[0] = text[sizeof text - 1] = '"';
    *out = arena_dup(c->arena, text, sizeof text);
    return *out != NULL ? 0 : no_memory(c);
}

static int write_doc(struct call *c, yyjson_mut_doc *doc, enum form form, struct str *out)
{
    if (form == FORM_CBOR)
        return cbor_from_json(doc, c->arena, out, &c->err);
    *out = json_write(doc, c->arena);
    return out->p != NULL ? 0 : no_memory(c);
}

int ddi_body_reply(struct call *c, yyjson_mut_doc *doc)
{
    enum form form = form_wanted(c->req);
    struct str body;
    const char *tag;
    int rc = write_doc(c, doc, form, &body);
    if (rc != 0)
        return rc;
    http_reply(c->res, 200, forms[form].type.p, body);
    if (c->req->method != HTTP_GET && c->req->method != HTTP_HEAD)
        return CALL_NEXT;
    rc = tag_of(c, body, &tag);
    if (rc != 0)
        return rc;
    enum http_condition condition = http_condition_check(c->req, str_of(tag), HTTP_NO_DATE);
    if (condition == HTTP_COND_FAILED) {
        c->status = 412;
        return err_set(&c->err, ERR_MISMATCH, "it is not what the request's condition names");
    }
    if (condition == HTTP_COND_NOT_MODIFIED)
        http_reply_empty(c->res, 304);
    http_set(c->res, "ETag", tag);
    http_set(c->res, "Cache-Control", "no-cache");
    http_set(c->res, "Vary", "Accept");
    return CALL_NEXT;
}
