#include "pqfleet/ddi_read.h"

#define FIELD(obj, name) yyjson_obj_get((obj), (name))

/* "HH:MM:SS", which is what clients take and nothing else. */
static int read_sleep(struct str s, uint32_t *out, struct err *e)
{
    struct str parts[3];
    uint64_t v[3] = {0};
    bool fine = s.p != NULL && s.n == 8 && s.p[2] == ':' && s.p[5] == ':';
    for (size_t i = 0; i < 3 && fine; i++) {
        parts[i] = (struct str){s.p + 3 * i, 2};
        fine = str_to_u64(parts[i], i == 0 ? 23 : 59, &v[i]) == 0;
    }
    if (!fine)
        return err_set(e, ERR_INVALID, "config.polling.sleep is not HH:MM:SS");
    *out = (uint32_t)(v[0] * 3600 + v[1] * 60 + v[2]);
    return 0;
}

/* The last part of base "/TENANT/controller/v1/ID/" and what follows it. */
static bool below(struct str path, struct str base, struct str *rest)
{
    const char *slash = memchr(base.p + 1, '/', base.n - 1);
    size_t tenant = slash != NULL ? (size_t)(slash - base.p) : base.n;
    if (path.n <= base.n + 1 || path.p[base.n] != '/' ||
        !str_eq_nocase((struct str){path.p, tenant}, (struct str){base.p, tenant}) ||
        memcmp(path.p + tenant, base.p + tenant, base.n - tenant) != 0)
        return false;
    *rest = (struct str){path.p + base.n + 1, path.n - base.n - 1};
    return true;
}

/* Takes the link of that name, if it is there: ".../NAME/ACTION[?query]". */
static int read_action_link(yyjson_val *links, const char *name, struct str base, bool query,
                            struct ddi_poll *p, int64_t *action, struct err *e)
{
    yyjson_val *link = FIELD(links, name);
    if (link == NULL)
        return 0;
    struct str href = json_text(FIELD(link, "href")), path, rest;
    int rc =
        href.p == NULL ? err_set(e, ERR_INVALID, "_links.%s has no href", name) : offer_path(href, &path, e);
    if (rc != 0)
        return rc;
    size_t n = strlen(name);
    uint64_t v;
    if (!below(path, base, &rest) || rest.n <= n + 1 || memcmp(rest.p, name, n) != 0 || rest.p[n] != '/')
        return err_set(e, ERR_INVALID, "_links.%s leads to %.*s", name, (int)path.n, path.p);
    rest = (struct str){rest.p + n + 1, rest.n - n - 1};
    const char *mark = memchr(rest.p, '?', rest.n);
    if (mark != NULL && !query)
        return err_set(e, ERR_INVALID, "_links.%s has a query, to which clients append a path", name);
    if (mark != NULL)
        rest.n = (size_t)(mark - rest.p);
    if (str_to_u64(rest, OFFER_ACTION_MAX, &v) != 0 || v == 0)
        return err_set(e, ERR_INVALID, "_links.%s names no action that fits in 31 bits", name);
    if (p->path.p != NULL)
        return err_set(e, ERR_INVALID,
                       "a poll has more than one of deploymentBase, confirmationBase and "
                       "cancelAction");
    p->path = path;
    *action = (int64_t)v;
    return 0;
}

static int read_config_link(yyjson_val *links, struct str base, struct ddi_poll *p, struct err *e)
{
    yyjson_val *link = FIELD(links, "configData");
    if (link == NULL)
        return 0;
    struct str href = json_text(FIELD(link, "href")), path, rest;
    int rc = href.p == NULL ? err_set(e, ERR_INVALID, "_links.configData has no href")
                            : offer_path(href, &path, e);
    if (rc == 0 && (!below(path, base, &rest) || !str_is(rest, "configData")))
        rc = err_set(e, ERR_INVALID, "_links.configData leads to %.*s", (int)path.n, path.p);
    if (rc == 0)
        p->config = true;
    return rc;
}

int ddi_read_poll(yyjson_val *root, struct str base, struct ddi_poll *out, struct err *e)
{
    struct ddi_poll p = {0};
    yyjson_val *links = FIELD(root, "_links");
    int rc = read_sleep(json_text(FIELD(FIELD(FIELD(root, "config"), "polling"), "sleep")), &p.sleep, e);
    if (rc == 0 && links != NULL && !yyjson_is_obj(links))
        rc = err_set(e, ERR_INVALID, "_links is no object");
    if (rc == 0)
        rc = read_action_link(links, "deploymentBase", base, true, &p, &p.deployment, e);
    if (rc == 0)
        rc = read_action_link(links, "confirmationBase", base, true, &p, &p.confirmation, e);
    if (rc == 0)
        rc = read_action_link(links, "cancelAction", base, false, &p, &p.cancel, e);
    if (rc == 0)
        rc = read_config_link(links, base, &p, e);
    if (rc == 0)
        *out = p;
    return rc;
}

static int read_id(yyjson_val *v, const char *name, int64_t *out, struct err *e)
{
    struct str text = json_text(v);
    uint64_t n;
    if (text.p == NULL || str_to_u64(text, OFFER_ACTION_MAX, &n) != 0 || n == 0)
        return err_set(e, ERR_INVALID, "%s is no text of digits that fits in 31 bits", name);
    *out = (int64_t)n;
    return 0;
}

static int read_chunk(yyjson_val *chunk, struct offer *o, struct err *e)
{
    yyjson_val *files = FIELD(chunk, "artifacts"), *file;
    size_t i, n;
    if (json_text(FIELD(chunk, "part")).n == 0 || json_text(FIELD(chunk, "name")).n == 0)
        return err_set(e, ERR_INVALID, "a chunk lacks its part or name");
    if (!yyjson_is_arr(files))
        return err_set(e, ERR_INVALID, "a chunk's artifacts are no list");
    yyjson_arr_foreach(files, i, n, file)
    {
        yyjson_val *links = FIELD(file, "_links"), *hashes = FIELD(file, "hashes");
        yyjson_val *link = FIELD(links, "download-http");
        struct str href = json_text(FIELD(link != NULL ? link : FIELD(links, "download"), "href"));
        if (json_text(FIELD(file, "filename")).n == 0 || json_text(FIELD(hashes, "sha1")).n != 2 * SHA1_SIZE)
            return err_set(e, ERR_INVALID, "an artifact lacks its filename or its sha1, which clients need");
        int rc = offer_add(o, href, FIELD(file, "size"), json_text(FIELD(hashes, "sha256")), e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* download and update are "skip", "attempt" or "forced"; *on: not "skip". */
static int read_handling(yyjson_val *v, const char *name, bool *on, struct err *e)
{
    struct str text = json_text(v);
    bool skip = str_is(text, "skip");
    if (!skip && !str_is(text, "attempt") && !str_is(text, "forced"))
        return err_set(e, ERR_INVALID, "%s is neither skip, attempt nor forced", name);
    *on = !skip;
    return 0;
}

int ddi_read_offer(yyjson_val *root, const char *key, struct offer *out, struct err *e)
{
    struct offer o = {0};
    yyjson_val *body = FIELD(root, key), *chunks = FIELD(body, "chunks"), *chunk;
    size_t i, n;
    int rc = read_id(FIELD(root, "id"), "id", &o.action, e);
    if (rc == 0)
        rc = read_handling(FIELD(body, "download"), "download", &o.download, e);
    if (rc == 0)
        rc = read_handling(FIELD(body, "update"), "update", &o.install, e);
    if (rc == 0 && o.install && !o.download)
        rc = err_set(e, ERR_INVALID, "update without download");
    if (rc == 0 && (!yyjson_is_arr(chunks) || yyjson_arr_size(chunks) == 0))
        rc = err_set(e, ERR_INVALID, "chunks is no list with something in it");
    if (rc == 0)
        rc = offer_version(FIELD(yyjson_arr_get_first(chunks), "version"), &o.version, e);
    if (rc != 0)
        return rc;
    yyjson_arr_foreach(chunks, i, n, chunk)
    {
        rc = read_chunk(chunk, &o, e);
        if (rc != 0)
            return rc;
    }
    o.window = FIELD(body, "maintenanceWindow") != NULL;
    *out = o;
    return 0;
}

int ddi_read_cancel(yyjson_val *root, int64_t *out, struct err *e)
{
    int64_t id, stop;
    int rc = read_id(FIELD(root, "id"), "id", &id, e);
    if (rc == 0)
        rc = read_id(FIELD(FIELD(root, "cancelAction"), "stopId"), "cancelAction.stopId", &stop, e);
    if (rc == 0)
        *out = stop;
    return rc;
}
