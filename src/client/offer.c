/* What an offer must look like (the answer to GET /api/update). */
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "client/client.h"

#define OFFER_MEMBERS_MAX 64 /* of one object that is read */
#define PADDING 4            /* bytes that yyjson's in-place reader needs after the text */

/* A name that is there twice could be read in two ways: refused. */
static bool unique_members(yyjson_val *obj)
{
    if (!yyjson_is_obj(obj) || yyjson_obj_size(obj) > OFFER_MEMBERS_MAX)
        return false;
    yyjson_obj_iter outer = yyjson_obj_iter_with(obj);
    yyjson_val *a;
    while ((a = yyjson_obj_iter_next(&outer)) != NULL) {
        yyjson_obj_iter inner = outer;
        yyjson_val *b;
        while ((b = yyjson_obj_iter_next(&inner)) != NULL)
            if (yyjson_equals_strn(a, yyjson_get_str(b), yyjson_get_len(b)))
                return false;
    }
    return true;
}

static bool take_name(yyjson_val *obj, const char *key, char out[PQOTA_NAME_SIZE])
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    struct str s = {.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
    if (!yyjson_is_str(v) || !str_is_name(s))
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

/* The path of "https://host/path" or "/path". The host in it does not matter: the request goes to the one
   server that is known and trusted, under whatever name it is reached from here. */
static bool take_path(yyjson_val *obj, char out[CLIENT_PATH_SIZE])
{
    yyjson_val *v = yyjson_obj_get(obj, "url");
    struct str s = {.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
    if (!yyjson_is_str(v))
        return false;
    if (s.n > 8 && memcmp(s.p, "https://", 8) == 0) {
        const char *slash = memchr(s.p + 8, '/', s.n - 8);
        if (slash == NULL)
            return false;
        s = (struct str){.p = slash, .n = s.n - (size_t)(slash - s.p)};
    }
    if (s.n < 2 || s.n >= CLIENT_PATH_SIZE || s.p[0] != '/' || s.p[1] == '/')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7F || s.p[i] == '#' || s.p[i] == '\\')
            return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static enum client_offer unusable(char *why, const char *text)
{
    snprintf(why, PQOTA_TEXT_SIZE, "%s", text);
    return OFFER_UNUSABLE;
}

static enum client_offer take_artifact(yyjson_val *root, uint64_t most, struct client_state *st, char *why)
{
    yyjson_val *list = yyjson_obj_get(root, "artifacts"), *one = yyjson_arr_get(list, 0);
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) != 1)
        return unusable(why, "this client installs releases of exactly one artifact");
    if (!unique_members(one) || !take_name(one, "filename", st->filename) || !take_path(one, st->path))
        return unusable(why, "the offered artifact's file name or address is not usable");
    yyjson_val *hash = yyjson_obj_get(one, "sha256"), *size = yyjson_obj_get(one, "size");
    struct str hex = {.p = yyjson_get_str(hash), .n = yyjson_get_len(hash)};
    if (!yyjson_is_str(hash) || !client_is_sha256(hex))
        return unusable(why, "the offered artifact has no SHA-256");
    memcpy(st->sha256, hex.p, hex.n);
    if (!yyjson_is_uint(size) || yyjson_get_uint(size) == 0)
        return unusable(why, "the offered artifact has no size");
    if (yyjson_get_uint(size) > most)
        return unusable(why, "the offered artifact is larger than this client takes");
    st->size = yyjson_get_uint(size);
    return OFFER_GOOD;
}

/* Whether it is only to be downloaded for now. A word that is not known says at least that it is not to be
   installed as ever. */
static bool is_held(yyjson_val *root, bool wait_if_free)
{
    yyjson_val *install = yyjson_obj_get(root, "install"); /* older servers do not say */
    if (install == NULL || yyjson_equals_str(install, "forced"))
        return false;
    return !yyjson_equals_str(install, "attempt") || wait_if_free;
}

static enum client_offer read_root(yyjson_val *root, const struct client_offer_limits *limits,
                                   struct client_state *st, char *why)
{
    yyjson_val *action = yyjson_obj_get(root, "action");
    if (!unique_members(root) || !yyjson_is_uint(action) || yyjson_get_uint(action) == 0 ||
        yyjson_get_uint(action) > INT32_MAX)
        return OFFER_BROKEN;
    st->action = (uint32_t)yyjson_get_uint(action);
    yyjson_val *release = yyjson_obj_get(root, "release");
    if (!unique_members(release) || !take_name(release, "name", st->name) ||
        !take_name(release, "version", st->version))
        return unusable(why, "the offered release has no usable name or version");
    if (yyjson_equals_str(yyjson_obj_get(root, "state"), "waiting"))
        return OFFER_WAITING;
    st->hold = is_held(root, limits->wait_if_free);
    return take_artifact(root, limits->artifact_most, st, why);
}

enum client_offer client_offer_read(char *body, size_t n, void *pool, size_t pool_size,
                                    const struct client_offer_limits *limits, struct client_state *out,
                                    char *why)
{
    yyjson_alc alc;
    if (!yyjson_alc_pool_init(&alc, pool, pool_size))
        return OFFER_BROKEN;
    memset(body + n, 0, PADDING);
    /* In place and from the pool: nothing is allocated, and nothing needs to be freed. */
    yyjson_doc *doc = yyjson_read_opts(body, n, YYJSON_READ_INSITU, &alc, NULL);
    struct client_state st = {.state = PQOTA_IDLE};
    enum client_offer found =
        doc == NULL ? OFFER_BROKEN : read_root(yyjson_doc_get_root(doc), limits, &st, why);
    if (found != OFFER_BROKEN)
        *out = st;
    return found;
}
