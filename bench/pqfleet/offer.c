#include "pqfleet/offer.h"

#define AUTHORITY_MAX 300

static struct str without_name(struct str href)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (href.n <= n || memcmp(href.p, schemes[i], n) != 0)
            continue;
        struct str rest = {href.p + n, href.n - n};
        const char *slash = memchr(rest.p, '/', rest.n < AUTHORITY_MAX ? rest.n : AUTHORITY_MAX);
        if (slash != NULL && slash > rest.p)
            return (struct str){slash, rest.n - (size_t)(slash - rest.p)};
    }
    return href;
}

int offer_path(struct str href, struct str *out, struct err *e)
{
    struct str path = without_name(href);
    if (path.n == 0 || path.p[0] != '/' || path.n >= OFFER_PATH_MAX || (path.n > 1 && path.p[1] == '/'))
        return err_set(e, ERR_INVALID, "a link is neither an http URL nor a path: %.*s",
                       (int)(href.n < 100 ? href.n : 100), href.n > 0 ? href.p : "");
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= ' ' || path.p[i] > '~')
            return err_set(e, ERR_INVALID, "a link has a character that no URL may have");
    *out = path;
    return 0;
}

int offer_add(struct offer *o, struct str href, yyjson_val *size, struct str sha256, struct err *e)
{
    struct offer_file f;
    if (o->file_count == OFFER_ARTIFACTS_MAX)
        return err_set(e, ERR_TOO_LARGE, "more than %d artifacts are offered", OFFER_ARTIFACTS_MAX);
    if (!yyjson_is_uint(size))
        return err_set(e, ERR_INVALID, "an artifact's size is no number of bytes");
    f.size = yyjson_get_uint(size);
    if (sha256.p == NULL || hex_decode(sha256, f.sha256, sizeof f.sha256) != 0)
        return err_set(e, ERR_INVALID, "an artifact's sha256 is not 64 hex digits");
    int rc =
        href.p == NULL ? err_set(e, ERR_INVALID, "an artifact has no link") : offer_path(href, &f.path, e);
    if (rc == 0)
        o->files[o->file_count++] = f;
    return rc;
}

int offer_version(yyjson_val *v, struct str *out, struct err *e)
{
    struct str version = json_text(v);
    if (version.p == NULL || !str_is_name(version))
        return err_set(e, ERR_INVALID, "the version that is offered is no text that a version may be");
    *out = version;
    return 0;
}
