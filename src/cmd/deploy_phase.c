/* The phases of `pqota deploy`: "name=canary,count=10,success=90,errors=5%". */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/deploy.h"
#include "model/deployment.h"

#define COUNT_MAX 1000000000 /* devices */

struct reading {
    yyjson_mut_doc *doc;
    yyjson_mut_val *phase;
    struct err *e;
};

static int wrong(struct reading *r, const char *key, struct str value, const char *wanted)
{
    return err_set(r->e, ERR_INVALID, "%s=%.*s: it must be %s", key, (int)(value.n < 64 ? value.n : 64),
                   value.p, wanted);
}

/* Digits, and a percent sign if there may be one; *percent tells. */
static int read_number(struct reading *r, const char *key, struct str value, uint64_t most, bool *percent,
                       const char *wanted)
{
    uint64_t n;
    struct str digits = value;
    *percent = digits.n > 0 && digits.p[digits.n - 1] == '%';
    if (*percent)
        digits.n--;
    if (str_to_u64(digits, *percent ? 100 : most, &n) != 0)
        return wrong(r, key, value, wanted);
    const char *member = strcmp(key, "count") == 0     ? "count"
                         : strcmp(key, "percent") == 0 ? "percent"
                         : strcmp(key, "success") == 0 ? "success_percent"
                         : *percent                    ? "error_percent"
                                                       : "error_count";
    return yyjson_mut_obj_add_uint(r->doc, r->phase, member, n)
               ? 0
               : err_set(r->e, ERR_NOMEM, "no memory for the request");
}

static int read_text(struct reading *r, const char *key, struct str value)
{
    if (value.n == 0)
        return wrong(r, key, value, "a text");
    return yyjson_mut_obj_add_strncpy(r->doc, r->phase, key, value.p, value.n)
               ? 0
               : err_set(r->e, ERR_NOMEM, "no memory for the request");
}

enum { NAME, FILTER, PERCENT, COUNT, SUCCESS, ERRORS, KEYS };
static const char *const keys[KEYS] = {"name", "filter", "percent", "count", "success", "errors"};

static int read_member(struct reading *r, unsigned key, struct str value)
{
    bool percent;
    switch (key) {
    case NAME:
    case FILTER:
        return read_text(r, keys[key], value);
    case COUNT:
        if (value.n > 0 && value.p[value.n - 1] == '%')
            return wrong(r, keys[key], value, "a number of devices; a share is percent=");
        return read_number(r, keys[key], value, COUNT_MAX, &percent, "a number of devices");
    case ERRORS:
        return read_number(r, keys[key], value, COUNT_MAX, &percent,
                           "a number of devices, or a share such as 5%");
    default:
        return read_number(r, keys[key], value, 100, &percent, "a share from 0 to 100");
    }
}

static int unknown(struct reading *r, struct str key)
{
    const char *near = str_nearest(key, keys, KEYS);
    return err_set(r->e, ERR_INVALID,
                   "\"%.*s\" means nothing in a phase%s%s%s; it has name=, filter= (as its last), percent=, "
                   "count=, success= and errors=",
                   (int)(key.n < 64 ? key.n : 64), key.p, near != NULL ? " (did you mean " : "",
                   near != NULL ? near : "", near != NULL ? "=?)" : "");
}

int deploy_read_phase(struct str text, yyjson_mut_doc *doc, yyjson_mut_val *phase, bool *takes, struct err *e)
{
    struct reading r = {doc, phase, e};
    struct str rest = text, part;
    unsigned seen = 0;
    while (rest.p != NULL) {
        struct str before = rest, value;
        if (!str_split(&rest, ',', &part))
            break;
        const char *eq = part.n > 0 ? memchr(part.p, '=', part.n) : NULL;
        if (eq == NULL)
            return err_set(e, ERR_INVALID, "\"%.*s\" lacks its =, as in count=10",
                           (int)(part.n < 64 ? part.n : 64), part.p != NULL ? part.p : "");
        struct str key = {.p = part.p, .n = (size_t)(eq - part.p)};
        value = (struct str){.p = eq + 1, .n = part.n - key.n - 1};
        unsigned k = 0;
        while (k < KEYS && !str_is(key, keys[k]))
            k++;
        if (k == KEYS)
            return unknown(&r, key);
        if ((seen & (1u << k)) != 0)
            return err_set(e, ERR_INVALID, "%s= is there twice", keys[k]);
        seen |= 1u << k;
        if (k == FILTER) { /* it may have commas of its own: all that follows */
            value.n = before.n - key.n - 1;
            rest.p = NULL;
        }
        int rc = read_member(&r, k, value);
        if (rc != 0)
            return rc;
    }
    *takes = (seen & (1u << FILTER | 1u << PERCENT | 1u << COUNT)) != 0;
    return 0;
}

int deploy_add_phases(const struct line_args *args, yyjson_mut_doc *doc, yyjson_mut_val *body)
{
    if (!line_has(args, "phase"))
        return 0;
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, body, "phases"), *phase;
    struct err e = {0};
    size_t i = 0, n = 0;
    bool takes = false;
    int rc = 0;
    for (const char *text; rc == 0 && (text = line_each(args, "phase", &i)) != NULL;) {
        n++;
        phase = yyjson_mut_arr_add_obj(doc, list);
        rc = phase != NULL ? deploy_read_phase(str_of(text), doc, phase, &takes, &e)
                           : err_set(&e, ERR_NOMEM, "no memory for the request");
    }
    if (rc != 0)
        return line_wrong(args, "--phase, number %zu: %s", n, e.text);
    if (takes && ((phase = yyjson_mut_arr_add_obj(doc, list)) == NULL ||
                  !yyjson_mut_obj_add_str(doc, phase, "name", "rest")))
        return line_wrong(args, "no memory for the request");
    return 0;
}
