/* `pqota trust renew`: what is signed offline gets a new life. */
#include <string.h>

#include "base/file.h"
#include "cmd/trust_prepare.h"

static int renew_root(struct prepare *p, const char *repository)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = prepare_root(p, repository, &body);
    return rc == 0 ? prepare_add(p, repository, STR("root"), body) : rc;
}

static int renew(struct prepare *p, bool roots)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = roots ? renew_root(p, "image") : 0;
    if (rc == 0 && roots)
        rc = renew_root(p, "director");
    if (rc == 0)
        rc = prepare_targets(p, &p->image.client.targets, &body);
    if (rc == 0)
        rc = prepare_add(p, "image", STR("targets"), body);
    return rc == 0 ? prepare_add_roles(p, NULL, NULL) : rc;
}

int trust_verb_renew(struct line_args *args)
{
    const char *output = line_get(args, "output");
    if (output == NULL)
        output = "trust-renew.json";
    if (file_exists(output))
        return line_wrong(args, "%s is there already; name another file by --output", output);
    auto_prepare struct prepare p;
    if (prepare_open(&p, args, true) != 0 || renew(&p, !line_has(args, "no-root")) != 0 ||
        prepare_write(&p, output) != 0)
        return operate_fail(&p.op);
    return CMD_OK;
}
