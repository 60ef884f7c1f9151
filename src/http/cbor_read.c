/*
 * Reading, over libcbor's decoder of single items: it neither allocates nor recurses and keeps within the
 * bytes. (Its cbor_load does both by what the input declares.) The stack of open arrays and maps is ours.
 */
#include <cbor/callbacks.h>
#include <cbor/streaming.h>
#include <math.h>

#include "http/cbor.h"

enum kind {
    UNSIGNED,
    NEGATIVE, /* -1 - number */
    REAL,
    BOOLEAN,
    NOTHING, /* null */
    TEXT,
    TEXT_PIECES, /* of indefinite length */
    ARRAY,
    MAP,
    BREAK,
    BYTES,
    TAG,
    UNDEFINED,
};

/* The head of one item, and a text's bytes. */
struct item {
    enum kind kind;
    uint64_t number; /* an integer, or how many items or pairs follow */
    bool indefinite; /* array or map: until a break */
    bool truth;
    double real;
    struct str text; /* a view into the input */
};

/* An array or map that is not over. */
struct frame {
    yyjson_mut_val *box, *key; /* key: read, and its value not yet */
    uint64_t left;             /* items or pairs */
    bool map, indefinite;
};

struct reader {
    struct str bytes;
    size_t at;
    yyjson_mut_doc *doc;
    yyjson_mut_val *root; /* set once the item begins */
    struct frame stack[JSON_DEPTH_MAX];
    size_t depth;
    struct arena *a;
    struct err *e;
};

static void on_number(void *ctx, uint64_t v)
{
    *(struct item *)ctx = (struct item){.kind = UNSIGNED, .number = v};
}
static void on_uint8(void *ctx, uint8_t v)
{
    on_number(ctx, v);
}
static void on_uint16(void *ctx, uint16_t v)
{
    on_number(ctx, v);
}
static void on_uint32(void *ctx, uint32_t v)
{
    on_number(ctx, v);
}
static void on_negative(void *ctx, uint64_t v)
{
    *(struct item *)ctx = (struct item){.kind = NEGATIVE, .number = v};
}
static void on_negint8(void *ctx, uint8_t v)
{
    on_negative(ctx, v);
}
static void on_negint16(void *ctx, uint16_t v)
{
    on_negative(ctx, v);
}
static void on_negint32(void *ctx, uint32_t v)
{
    on_negative(ctx, v);
}
static void on_double(void *ctx, double v)
{
    *(struct item *)ctx = (struct item){.kind = REAL, .real = v};
}
static void on_float(void *ctx, float v)
{
    on_double(ctx, (double)v);
}
static void on_bool(void *ctx, bool v)
{
    *(struct item *)ctx = (struct item){.kind = BOOLEAN, .truth = v};
}
static void on_null(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = NOTHING};
}
static void on_undefined(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = UNDEFINED};
}
static void on_text(void *ctx, cbor_data p, uint64_t n)
{
    *(struct item *)ctx = (struct item){.kind = TEXT, .text = {.p = (const char *)p, .n = (size_t)n}};
}
static void on_pieces(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = TEXT_PIECES};
}
static void on_bytes(void *ctx, cbor_data p, uint64_t n)
{
    (void)p;
    (void)n;
    *(struct item *)ctx = (struct item){.kind = BYTES};
}
static void on_bytes_start(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = BYTES};
}
static void on_array(void *ctx, uint64_t n)
{
    *(struct item *)ctx = (struct item){.kind = ARRAY, .number = n};
}
static void on_open_array(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = ARRAY, .indefinite = true};
}
static void on_map(void *ctx, uint64_t n)
{
    *(struct item *)ctx = (struct item){.kind = MAP, .number = n};
}
static void on_open_map(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = MAP, .indefinite = true};
}
static void on_tag(void *ctx, uint64_t v)
{
    *(struct item *)ctx = (struct item){.kind = TAG, .number = v};
}
static void on_break(void *ctx)
{
    *(struct item *)ctx = (struct item){.kind = BREAK};
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_number,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negative,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_pieces,
    .indef_array_start = on_open_array,
    .array_start = on_array,
    .indef_map_start = on_open_map,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_undefined,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_break,
};

static int refuse(const struct reader *r, size_t at, const char *why)
{
    return err_set(r->e, ERR_INVALID, "CBOR, byte %zu: %s", at + 1, why);
}

static int next_item(struct reader *r, struct item *item)
{
    struct cbor_decoder_result res =
        cbor_stream_decode((cbor_data)r->bytes.p + r->at, r->bytes.n - r->at, &callbacks, item);
    if (res.status == CBOR_DECODER_NEDATA)
        return refuse(r, r->at, "the item goes on past the end of the body");
    if (res.status != CBOR_DECODER_FINISHED || res.read == 0 || res.read > r->bytes.n - r->at)
        return refuse(r, r->at, "not well-formed, or a simple value that is not taken here");
    r->at += res.read;
    return 0;
}

/* A text in pieces (RFC 8949 section 3.2.3): each of definite length and valid by itself. */
static int join(struct reader *r, struct str *text)
{
    size_t first = r->at, begin = r->at, total = 0;
    struct item piece = {.kind = TEXT};
    while (piece.kind == TEXT) {
        begin = r->at;
        int rc = next_item(r, &piece);
        if (rc != 0)
            return rc;
        if (piece.kind == TEXT && !str_is_utf8(piece.text))
            return refuse(r, begin, "a text that is not UTF-8");
        total += piece.kind == TEXT ? piece.text.n : 0;
    }
    if (piece.kind != BREAK)
        return refuse(r, begin, "a text of indefinite length has pieces of text only, of definite length");
    char *joined = arena_alloc(r->a, total + 1);
    if (joined == NULL)
        return err_set(r->e, ERR_NOMEM, "there is no memory for a text of %zu bytes", total);
    *text = (struct str){.p = joined, .n = 0};
    r->at = first;
    for (;;) {
        int rc = next_item(r, &piece);
        if (rc != 0 || piece.kind == BREAK)
            return rc;
        if (piece.text.n > 0)
            memcpy(joined + text->n, piece.text.p, piece.text.n);
        text->n += piece.text.n;
    }
}

static int make_number(struct reader *r, size_t at, const struct item *item, yyjson_mut_val **v)
{
    if (item->kind == NEGATIVE && item->number > INT64_MAX)
        return refuse(r, at, "an integer below -2^63");
    if (item->kind == REAL && !isfinite(item->real))
        return refuse(r, at, "a float that is not a number or is infinite"); /* section 6.1: JSON has none */
    if (item->kind == REAL)
        *v = yyjson_mut_real(r->doc, item->real);
    else if (item->kind == NEGATIVE)
        *v = yyjson_mut_sint(r->doc, -1 - (int64_t)item->number);
    else
        *v = yyjson_mut_uint(r->doc, item->number);
    return 0;
}

/* An array or map becomes the top of the stack once it stands in the one around it. */
static int check_box(struct reader *r, size_t at, const struct item *item)
{
    if (r->depth == JSON_DEPTH_MAX)
        return refuse(r, at, "nested deeper than 32 levels");
    /* What follows takes a byte an item at least: a count that cannot be true is not counted down. */
    uint64_t bytes = r->bytes.n - r->at;
    if (!item->indefinite && item->number > (item->kind == MAP ? bytes / 2 : bytes))
        return refuse(r, at, "more items are declared than there are bytes");
    return 0;
}

/* The value of an item; *text is for a key too. */
static int make_value(struct reader *r, size_t at, struct item *item, yyjson_mut_val **v)
{
    int rc = 0;
    switch (item->kind) {
    case UNSIGNED:
    case NEGATIVE:
    case REAL:
        rc = make_number(r, at, item, v);
        break;
    case BOOLEAN:
        *v = yyjson_mut_bool(r->doc, item->truth);
        break;
    case NOTHING:
        *v = yyjson_mut_null(r->doc);
        break;
    case TEXT_PIECES:
        rc = join(r, &item->text);
        if (rc == 0)
            *v = yyjson_mut_strn(r->doc, item->text.p, item->text.n);
        break;
    case TEXT:
        if (!str_is_utf8(item->text))
            return refuse(r, at, "a text that is not UTF-8");
        *v = yyjson_mut_strn(r->doc, item->text.n > 0 ? item->text.p : "", item->text.n);
        break;
    case ARRAY:
    case MAP:
        rc = check_box(r, at, item);
        if (rc == 0)
            *v = item->kind == MAP ? yyjson_mut_obj(r->doc) : yyjson_mut_arr(r->doc);
        break;
    case BYTES:
        return refuse(r, at, "a byte string, which is not taken here: write text");
    case TAG:
        return refuse(r, at, "a tag, which is not taken here");
    case UNDEFINED:
        return refuse(r, at, "undefined, which is not taken here: write null");
    case BREAK:
        return refuse(r, at, "a break where nothing of indefinite length is open");
    }
    if (rc == 0 && *v == NULL)
        return err_set(r->e, ERR_NOMEM, "there is no memory to read the CBOR item");
    return rc;
}

/* Puts the value where it belongs: it is the whole, a key, or in the array or map on top. */
static int place(struct reader *r, size_t at, yyjson_mut_val *v)
{
    if (r->depth == 0) {
        r->root = v;
        return 0;
    }
    struct frame *top = &r->stack[r->depth - 1];
    bool done = true;
    if (top->map && top->key == NULL) {
        if (!yyjson_mut_is_str(v))
            return refuse(r, at, "a map's key that is not text");
        top->key = v;
        return 0;
    }
    if (top->map)
        done = yyjson_mut_obj_add(top->box, top->key, v);
    else
        done = yyjson_mut_arr_append(top->box, v);
    if (!done)
        return err_set(r->e, ERR_INTERNAL, "a CBOR item could not be kept");
    top->key = NULL;
    top->left -= top->indefinite ? 0 : 1;
    return 0;
}

/* A break ends what is on top (section 3.2.1), a map only between pairs. */
static int end_top(struct reader *r, size_t at)
{
    struct frame *top = r->depth > 0 ? &r->stack[r->depth - 1] : NULL;
    if (top == NULL || !top->indefinite)
        return refuse(r, at, "a break where nothing of indefinite length is open");
    if (top->key != NULL)
        return refuse(r, at, "a map ends behind a key without its value");
    r->depth--;
    return 0;
}

static int step(struct reader *r)
{
    struct item item = {.kind = UNDEFINED};
    size_t at = r->at;
    int rc = next_item(r, &item);
    if (rc != 0)
        return rc;
    if (item.kind == BREAK)
        return end_top(r, at);
    yyjson_mut_val *v = NULL;
    rc = make_value(r, at, &item, &v);
    if (rc == 0)
        rc = place(r, at, v);
    if (rc == 0 && (item.kind == ARRAY || item.kind == MAP))
        r->stack[r->depth++] = (struct frame){
            .box = v, .left = item.number, .map = item.kind == MAP, .indefinite = item.indefinite};
    return rc;
}

int cbor_to_json(struct str bytes, struct arena *a, struct str *json, struct err *e)
{
    if (bytes.n > CBOR_IN_MAX)
        return err_set(e, ERR_TOO_LARGE, "the CBOR item has %zu bytes, more than %d", bytes.n, CBOR_IN_MAX);
    if (bytes.n == 0)
        return err_set(e, ERR_INVALID, "CBOR: the body is empty");
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (doc == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory to read the CBOR item");
    struct reader r = {.bytes = bytes, .doc = doc, .a = a, .e = e};
    do {
        int rc = step(&r);
        if (rc != 0)
            return rc;
        while (r.depth > 0 && !r.stack[r.depth - 1].indefinite && r.stack[r.depth - 1].left == 0)
            r.depth--;
    } while (r.depth > 0);
    if (r.at != bytes.n)
        return refuse(&r, r.at, "more bytes stand behind the item");
    yyjson_mut_doc_set_root(doc, r.root);
    struct str text = json_write(doc, a);
    if (text.p == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory for the CBOR item as JSON");
    /* The rules for what comes from outside stand in one place. */
    auto_json yyjson_doc *checked = NULL;
    int rc = json_parse(text, &checked, e);
    if (rc != 0)
        return err_context(e, "CBOR, as JSON");
    *json = text;
    return 0;
}
