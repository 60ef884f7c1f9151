#include "api/certificate.h"

#include "api/encode.h"
#include "base/file.h"

#define BUNDLE_MAX 262144 /* as many roots as the server itself takes */

int api_read_bundle(struct call *c, const char *file, struct str *out)
{
    auto_buf struct buf text;
    buf_init(&text, BUNDLE_MAX);
    struct err why = {0};
    if (file_read(file, BUNDLE_MAX, &text, &why) != 0)
        /* Not "not found" to the peer: it is this server that lacks something. */
        return err_set(&c->err, ERR_INTERNAL, "cannot hand out the roots: %s", why.text);
    char *copy = arena_dup(c->arena, text.p, text.n);
    if (copy == NULL)
        return api_no_memory(c);
    *out = (struct str){.p = copy, .n = text.n};
    return 0;
}

void api_put_certificates(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct certificate *list,
                          size_t count)
{
    yyjson_mut_val *items = yyjson_mut_obj_add_arr(doc, obj, "certificates");
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_val *it = yyjson_mut_arr_add_obj(doc, items);
        api_put_text(doc, it, "serial", list[i].serial);
        api_put_text(doc, it, "algorithm", list[i].algorithm);
        api_put_text(doc, it, "fingerprint", list[i].fingerprint);
        api_put_time(doc, it, "not_before", list[i].not_before);
        api_put_time(doc, it, "not_after", list[i].not_after);
        api_put_time(doc, it, "issued", list[i].issued_at);
        api_put_time(doc, it, "first_used", list[i].first_used_at);
        api_put_time(doc, it, "revoked", list[i].revoked_at);
        api_put_text(doc, it, "reason", list[i].reason);
    }
}

void api_put_issued(yyjson_mut_doc *doc, yyjson_mut_val *obj, struct str pem, struct str roots,
                    int64_t not_after_s)
{
    yyjson_mut_obj_add_strn(doc, obj, "certificate", pem.p, pem.n);
    yyjson_mut_obj_add_strn(doc, obj, "roots", roots.p, roots.n);
    api_put_time(doc, obj, "not_after", not_after_s * 1000);
}
