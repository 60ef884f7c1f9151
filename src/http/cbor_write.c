/* Writing, over libcbor's encoders of single heads. */
#include <cbor/encoding.h>
#include <float.h>
#include <math.h>

#include "base/buf.h"
#include "http/cbor.h"

#define HEAD_MAX 9

static int write_value(struct buf *b, yyjson_mut_val *v, int depth, struct err *e);

static int too_large(struct err *e)
{
    return err_set(e, ERR_TOO_LARGE, "the answer as CBOR has more than %d bytes", CBOR_OUT_MAX);
}

static int add(struct buf *b, const void *p, size_t n, struct err *e)
{
    return n > 0 && buf_add(b, p, n) != 0 ? too_large(e) : 0;
}

static int write_text(struct buf *b, yyjson_mut_val *v, struct err *e)
{
    unsigned char head[HEAD_MAX];
    struct str s = {.p = yyjson_mut_get_str(v), .n = yyjson_mut_get_len(v)};
    if (!str_is_utf8(s))
        return err_set(e, ERR_INTERNAL, "an answer's text is not UTF-8, so CBOR cannot have it");
    int rc = add(b, head, cbor_encode_string_start(s.n, head, sizeof head), e);
    return rc != 0 ? rc : add(b, s.p, s.n, e);
}

static int write_number(struct buf *b, yyjson_mut_val *v, struct err *e)
{
    unsigned char head[HEAD_MAX];
    size_t n = 0;
    if (yyjson_mut_is_real(v)) {
        double real = yyjson_mut_get_real(v);
        if (!isfinite(real))
            return err_set(e, ERR_INTERNAL, "an answer has a number that is none, or is infinite");
        bool exact = fabs(real) <= (double)FLT_MAX && (double)(float)real == real;
        n = exact ? cbor_encode_single((float)real, head, sizeof head)
                  : cbor_encode_double(real, head, sizeof head);
    } else if (yyjson_mut_is_sint(v) && yyjson_mut_get_sint(v) < 0) {
        n = cbor_encode_negint((uint64_t)(-1 - yyjson_mut_get_sint(v)), head, sizeof head);
    } else {
        n = cbor_encode_uint(yyjson_mut_get_uint(v), head, sizeof head);
    }
    return add(b, head, n, e);
}

static int write_array(struct buf *b, yyjson_mut_val *v, int depth, struct err *e)
{
    unsigned char head[HEAD_MAX];
    int rc = add(b, head, cbor_encode_array_start(yyjson_mut_arr_size(v), head, sizeof head), e);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(v);
    yyjson_mut_val *item;
    while (rc == 0 && (item = yyjson_mut_arr_iter_next(&it)) != NULL)
        rc = write_value(b, item, depth, e);
    return rc;
}

static int write_map(struct buf *b, yyjson_mut_val *v, int depth, struct err *e)
{
    unsigned char head[HEAD_MAX];
    int rc = add(b, head, cbor_encode_map_start(yyjson_mut_obj_size(v), head, sizeof head), e);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    yyjson_mut_val *key;
    while (rc == 0 && (key = yyjson_mut_obj_iter_next(&it)) != NULL) {
        rc = write_text(b, key, e);
        if (rc == 0)
            rc = write_value(b, yyjson_mut_obj_iter_get_val(key), depth, e);
    }
    return rc;
}

/* Recursion is bounded by the depth. */
static int write_value(struct buf *b, yyjson_mut_val *v, int depth, struct err *e)
{
    unsigned char head[HEAD_MAX];
    if (yyjson_mut_is_ctn(v) && depth == JSON_DEPTH_MAX)
        return err_set(e, ERR_TOO_LARGE, "the answer nests deeper than %d levels", JSON_DEPTH_MAX);
    if (yyjson_mut_is_obj(v))
        return write_map(b, v, depth + 1, e);
    if (yyjson_mut_is_arr(v))
        return write_array(b, v, depth + 1, e);
    if (yyjson_mut_is_str(v))
        return write_text(b, v, e);
    if (yyjson_mut_is_num(v))
        return write_number(b, v, e);
    if (yyjson_mut_is_bool(v))
        return add(b, head, cbor_encode_bool(yyjson_mut_get_bool(v), head, sizeof head), e);
    if (yyjson_mut_is_null(v))
        return add(b, head, cbor_encode_null(head, sizeof head), e);
    return err_set(e, ERR_INTERNAL, "an answer has a value that CBOR cannot have");
}

int cbor_from_json(const yyjson_mut_doc *doc, struct arena *a, struct str *out, struct err *e)
{
    auto_buf struct buf b;
    buf_init(&b, CBOR_OUT_MAX);
    int rc = write_value(&b, doc->root, 0, e);
    if (rc != 0)
        return rc;
    char *copy = arena_dup(a, b.p, b.n);
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory for an answer of %zu bytes as CBOR", b.n);
    *out = (struct str){.p = copy, .n = b.n};
    return 0;
}
