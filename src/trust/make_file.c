/* From a body to the bytes that are signed, to the file that is served. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "trust/canon.h"
#include "trust/make.h"

/* A metadata file is at most 5 000 000 bytes for its readers (struct tuf_limits). */
#define BODY_MAX (16u << 20)
#define WORK_MIN 65536

/* Beside the result, what sorting the members takes. */
static size_t work_size(size_t text_n)
{
    return 4 * text_n + WORK_MIN;
}

static int canon_of(yyjson_doc *doc, size_t text_n, void *work, struct arena *a, struct str *out,
                    struct err *e)
{
    struct trust_space space;
    space_init(&space, work, work_size(text_n));
    struct str canon;
    int rc = canon_write(yyjson_doc_get_root(doc), &space, &canon, e);
    if (rc != 0)
        return rc;
    const char *copy = arena_dup(a, canon.p, canon.n);
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "no memory for new metadata");
    *out = (struct str){.p = copy, .n = canon.n};
    return 0;
}

int make_canon(yyjson_mut_doc *doc, struct arena *a, struct str *out, struct err *e)
{
    size_t n = 0;
    auto_free char *text = yyjson_mut_write(doc, YYJSON_WRITE_NOFLAG, &n);
    if (text == NULL)
        return err_set(e, ERR_INVALID, "new metadata contain text that is not valid UTF-8");
    if (n > BODY_MAX)
        return err_set(e, ERR_TOO_LARGE, "new metadata take %zu bytes; at most %u are possible", n, BODY_MAX);
    auto_json yyjson_doc *read = yyjson_read(text, n, YYJSON_READ_NOFLAG);
    auto_free void *work = malloc(work_size(n));
    if (read == NULL || work == NULL)
        return err_set(e, ERR_NOMEM, "no memory for new metadata");
    return canon_of(read, n, work, a, out, e);
}

/* OLPC's form leaves control characters in strings as they are, and has none elsewhere. */
static char *escape_controls(struct str canon, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < canon.n; i++) {
        unsigned char c = (unsigned char)canon.p[i];
        if (c >= 0x20) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '\\';
        if (c == '\n') {
            *to++ = 'n';
            continue;
        }
        to = stpcpy(to, "u00");
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    return to;
}

static size_t count_controls(struct str canon)
{
    size_t n = 0;
    for (size_t i = 0; i < canon.n; i++)
        n += (unsigned char)canon.p[i] < 0x20;
    return n;
}

#define SIGNATURE_TEXT "{\"keyid\":\"\",\"sig\":\"\"},"
#define ENVELOPE_HEAD "{\"signatures\":["
#define ENVELOPE_MIDDLE "],\"signed\":"

int make_envelope(struct str canon, const struct make_signature *sigs, size_t count, struct arena *a,
                  struct str *out, struct err *e)
{
    if (count > TUF_SIGNATURES_MAX)
        return err_set(e, ERR_TOO_LARGE, "%zu signatures; a file can have at most %d", count,
                       TUF_SIGNATURES_MAX);
    size_t n = sizeof ENVELOPE_HEAD + sizeof ENVELOPE_MIDDLE + 2 + canon.n + 5 * count_controls(canon);
    for (size_t i = 0; i < count; i++)
        n += sizeof SIGNATURE_TEXT + strlen(sigs[i].keyid) + 2 * sigs[i].sig.n;
    char *text = arena_alloc(a, n);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for new metadata");
    char *to = stpcpy(text, ENVELOPE_HEAD);
    for (size_t i = 0; i < count; i++) {
        to = stpcpy(to, i > 0 ? ",{\"keyid\":\"" : "{\"keyid\":\"");
        to = stpcpy(to, sigs[i].keyid);
        to = stpcpy(to, "\",\"sig\":\"");
        hex_encode(sigs[i].sig.p, sigs[i].sig.n, to);
        to = stpcpy(to + 2 * sigs[i].sig.n, "\"}");
    }
    to = escape_controls(canon, stpcpy(to, ENVELOPE_MIDDLE));
    to = stpcpy(to, "}");
    *out = (struct str){.p = text, .n = (size_t)(to - text)};
    return 0;
}
