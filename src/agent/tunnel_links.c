#include "agent/tunnel_links.h"

#include <stdio.h>
#include <string.h>

/* Where the path of a link begins; NULL: it is no link to a path. */
static const char *path_of(struct str href)
{
    static const char *const schemes[] = {"https://", "http://"};
    const char *end = href.p + href.n;
    if (href.n == 0 || href.n > LINKS_HREF_MAX || memchr(href.p, '\0', href.n) != NULL)
        return NULL;
    if (href.p[0] == '/')
        return href.n > 1 && href.p[1] == '/' ? NULL : href.p;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i]);
        if (href.n > n && str_eq_nocase((struct str){.p = href.p, .n = n}, str_of(schemes[i])))
            return memchr(href.p + n, '/', (size_t)(end - href.p) - n);
    }
    return NULL;
}

static int rewrite_href(yyjson_mut_doc *doc, yyjson_mut_val *value, const char *base_url, struct err *e)
{
    struct str href = {.p = yyjson_mut_get_str(value), .n = yyjson_mut_get_len(value)};
    char text[LINKS_HREF_MAX + 512];
    const char *path = href.p != NULL ? path_of(href) : NULL;
    if (path == NULL)
        return err_set(e, ERR_INVALID, "the server's answer has a link that is none");
    int n = snprintf(text, sizeof text, "%s%.*s", base_url, (int)(href.p + href.n - path), path);
    yyjson_mut_val *copy = n > 0 && (size_t)n < sizeof text ? yyjson_mut_strncpy(doc, text, (size_t)n) : NULL;
    return copy != NULL && yyjson_mut_set_strn(value, yyjson_mut_get_str(copy), (size_t)n)
               ? 0
               : err_set(e, ERR_NOMEM, "there is no memory for a link");
}

static yyjson_mut_val *other_link(yyjson_mut_doc *doc, yyjson_mut_val *like)
{
    yyjson_mut_val *href = yyjson_mut_obj_get(like, "href");
    yyjson_mut_val *link = yyjson_mut_obj(doc);
    return href != NULL && link != NULL &&
                   yyjson_mut_obj_add_val(doc, link, "href", yyjson_mut_val_mut_copy(doc, href))
               ? link
               : NULL;
}

/* A client takes the one it knows, or the one for its scheme: here both are the same. */
static int pair(yyjson_mut_doc *doc, yyjson_mut_val *links, const char *name, const char *plain,
                struct err *e)
{
    yyjson_mut_val *one = yyjson_mut_obj_get(links, name), *two = yyjson_mut_obj_get(links, plain);
    if ((one == NULL) == (two == NULL))
        return 0;
    yyjson_mut_val *added = other_link(doc, one != NULL ? one : two);
    if (added != NULL && yyjson_mut_obj_add_val(doc, links, one != NULL ? plain : name, added))
        return 0;
    return err_set(e, ERR_NOMEM, "there is no memory for a link");
}

/* Depth is what json_parse let through: JSON_DEPTH_MAX. */
static int walk(yyjson_mut_doc *doc, yyjson_mut_val *v, const char *base_url, struct err *e)
{
    size_t i, max;
    yyjson_mut_val *key, *value;
    int rc = 0;
    if (yyjson_mut_is_arr(v)) {
        yyjson_mut_arr_foreach(v, i, max, value)
        {
            rc = rc == 0 ? walk(doc, value, base_url, e) : rc;
        }
        return rc;
    }
    if (!yyjson_mut_is_obj(v))
        return 0;
    yyjson_mut_val *links = NULL;
    yyjson_mut_obj_foreach(v, i, max, key, value)
    {
        if (rc == 0 && yyjson_mut_equals_str(key, "href"))
            rc = rewrite_href(doc, value, base_url, e);
        else if (rc == 0)
            rc = walk(doc, value, base_url, e);
        if (yyjson_mut_equals_str(key, "_links") && yyjson_mut_is_obj(value))
            links = value;
    }
    if (rc == 0 && links != NULL)
        rc = pair(doc, links, "download", "download-http", e);
    if (rc == 0 && links != NULL)
        rc = pair(doc, links, "md5sum", "md5sum-http", e);
    return rc;
}

int links_rewrite(struct str text, const char *base_url, struct arena *a, struct str *out, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    struct err why = {0};
    if (json_parse(text, &doc, &why) != 0)
        return err_set(e, ERR_INVALID, "the server's answer is not as JSON must be: %.400s", why.text);
    auto_json_mut yyjson_mut_doc *mut = yyjson_doc_mut_copy(doc, NULL);
    if (mut == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory for the server's answer");
    int rc = walk(mut, yyjson_mut_doc_get_root(mut), base_url, e);
    if (rc != 0)
        return rc;
    struct str written = json_write(mut, a);
    if (written.p == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory for the server's answer");
    *out = written;
    return 0;
}

/* --- what an answer names ------------------------------------------------------------------------------- */

/* ".../softwaremodules/MODULE/artifacts/..." */
static bool module_of(yyjson_val *artifact, char out[32])
{
    static const char before[] = "/softwaremodules/";
    yyjson_val *links = yyjson_obj_get(artifact, "_links");
    yyjson_val *link = yyjson_obj_get(links, "download");
    struct str href =
        json_text(yyjson_obj_get(link != NULL ? link : yyjson_obj_get(links, "download-http"), "href"));
    const char *at = href.p != NULL && href.n > 0 ? memmem(href.p, href.n, before, sizeof before - 1) : NULL;
    if (at == NULL)
        return false;
    struct str rest = {.p = at + sizeof before - 1,
                       .n = (size_t)(href.p + href.n - at) - (sizeof before - 1)};
    struct str module;
    if (!str_split(&rest, '/', &module) || module.n == 0 || module.n >= 32)
        return false;
    memcpy(out, module.p, module.n);
    out[module.n] = '\0';
    return true;
}

static bool read_file(yyjson_val *artifact, struct links_file *out)
{
    struct str name = json_text(yyjson_obj_get(artifact, "filename"));
    struct str sha256 = json_text(yyjson_obj_get(yyjson_obj_get(artifact, "hashes"), "sha256"));
    yyjson_val *size = yyjson_obj_get(artifact, "size");
    unsigned char raw[SHA256_SIZE];
    if (!str_is_name(name) || name.n >= sizeof out->filename || !yyjson_is_uint(size) || sha256.p == NULL ||
        hex_decode(sha256, raw, sizeof raw) != 0 || !module_of(artifact, out->module))
        return false;
    memcpy(out->filename, name.p, name.n);
    out->filename[name.n] = '\0';
    hex_encode(raw, sizeof raw, out->sha256);
    out->size = yyjson_get_uint(size);
    return true;
}

size_t links_files(struct str text, struct links_file out[LINKS_FILES_MAX])
{
    static const char *const names[] = {"deployment", "confirmation"};
    auto_json yyjson_doc *doc = NULL;
    size_t count = 0, i, max, k, most;
    if (json_parse_object(text, &doc, NULL) != 0)
        return 0;
    yyjson_val *root = yyjson_doc_get_root(doc), *what = NULL, *chunk, *artifact;
    for (size_t n = 0; n < sizeof names / sizeof *names && what == NULL; n++)
        what = yyjson_obj_get(root, names[n]);
    yyjson_arr_foreach(yyjson_obj_get(what, "chunks"), i, max, chunk)
    {
        yyjson_arr_foreach(yyjson_obj_get(chunk, "artifacts"), k, most, artifact)
        {
            if (count < LINKS_FILES_MAX && read_file(artifact, &out[count]))
                count++;
        }
    }
    return count;
}

bool links_is_success(struct str text)
{
    /* SWUpdate sends lines with raw ends in strings, which JSON forbids: it is to be understood anyway. */
    auto_json yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)text.p, text.n, YYJSON_READ_ALLOW_INVALID_UNICODE, NULL, NULL);
    yyjson_val *status = yyjson_obj_get(yyjson_doc_get_root(doc), "status");
    struct str execution = json_text(yyjson_obj_get(status, "execution"));
    struct str finished = json_text(yyjson_obj_get(yyjson_obj_get(status, "result"), "finished"));
    return str_is(execution, "closed") && (str_is(finished, "success") || str_is(finished, "none"));
}
