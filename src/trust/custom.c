#include "trust/custom.h"

#include <stdio.h>

#include "trust/document.h"
#include "trust/internal.h"

#define ROLE_PREFIX "model-"

static int take_name(yyjson_val *custom, const char *key, bool needed, struct str *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(custom, key);
    if (v == NULL && !needed)
        return 0;
    struct str s = json_text(v);
    if (!yyjson_is_str(v) || !str_is_name(s))
        return err_set(e, ERR_INVALID, "\"custom\": \"%s\" is missing or no name", key);
    *out = s;
    return 0;
}

static int take_number(yyjson_val *custom, const char *key, int64_t min, int64_t *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(custom, key);
    if (v == NULL && min == 0)
        return 0;
    if (!trust_is_count(v, min, out))
        return err_set(e, ERR_INVALID, "\"custom\": \"%s\" is missing or no integer from %d up", key,
                       (int)min);
    return 0;
}

static int take_texts(yyjson_val *custom, struct trust_custom *c, struct err *e)
{
    yyjson_val *security = yyjson_obj_get(custom, "security"), *advisory = yyjson_obj_get(custom, "advisory");
    if (security != NULL && !yyjson_is_bool(security))
        return err_set(e, ERR_INVALID, "\"custom\": \"security\" is neither true nor false");
    c->security = yyjson_get_bool(security);
    if (advisory == NULL)
        return 0;
    struct str s = json_text(advisory);
    if (!yyjson_is_str(advisory) || s.n > TRUST_ADVISORY_MAX || !str_is_text(s))
        return err_set(e, ERR_INVALID, "\"custom\": \"advisory\" is no text of at most %d bytes",
                       TRUST_ADVISORY_MAX);
    c->advisory = s;
    return 0;
}

int trust_custom_read(yyjson_val *custom, struct trust_custom *out, struct err *e)
{
    const struct {
        const char *key;
        bool needed;
    } names[] = {{"name", true}, {"version", true}, {"model", true}, {"type", false}};
    struct trust_custom c = {.sequence = 0};
    struct str *const to[] = {&c.name, &c.version, &c.model, &c.type};
    if (!yyjson_is_obj(custom))
        return err_set(e, ERR_INVALID, "\"custom\" is missing or no object");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof names[0]; i++)
        rc = take_name(custom, names[i].key, names[i].needed, to[i], e);
    if (rc == 0)
        rc = take_number(custom, "sequence", 1, &c.sequence, e);
    if (rc == 0)
        rc = take_number(custom, "unpacked_size", 0, &c.unpacked_size, e);
    if (rc == 0)
        rc = take_number(custom, "upgrade_from", 0, &c.upgrade_from, e);
    if (rc == 0)
        rc = take_number(custom, "counter", 0, &c.counter, e);
    if (rc == 0)
        rc = take_texts(custom, &c, e);
    if (rc == 0)
        *out = c;
    return rc;
}

bool trust_target_path(struct str model, struct str name, struct str version, struct str filename, char *out,
                       size_t size)
{
    if (!str_is_name(model) || !str_is_name(name) || !str_is_name(version) || !str_is_name(filename))
        return false;
    size_t n = model.n + name.n + version.n + filename.n + 3;
    if (n >= size || n > TUF_TARGET_NAME_MAX)
        return false;
    snprintf(out, size, STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(model), STR_ARG(name),
             STR_ARG(version), STR_ARG(filename));
    return true;
}

bool trust_model_role(struct str model, char *out, size_t size)
{
    if (!str_is_name(model) || model.n + sizeof ROLE_PREFIX > size)
        return false;
    snprintf(out, size, ROLE_PREFIX STR_FMT, STR_ARG(model));
    return true;
}

struct str trust_role_model(struct str role)
{
    static const size_t n = sizeof ROLE_PREFIX - 1;
    struct str none = {.p = NULL, .n = 0};
    if (role.n <= n || memcmp(role.p, ROLE_PREFIX, n) != 0)
        return none;
    struct str model = {.p = role.p + n, .n = role.n - n};
    return str_is_name(model) ? model : none;
}
