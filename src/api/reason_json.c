#include "api/reason_json.h"

void reason_put(yyjson_mut_doc *doc, yyjson_mut_val *obj, enum reason r, const char *text, int64_t deployment)
{
    yyjson_mut_obj_add_str(doc, obj, "reason", reason_word(r));
    yyjson_mut_obj_add_str(doc, obj, "text", text);
    api_put_some(doc, obj, "deployment", deployment);
}

void reason_put_last(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const struct device *d)
{
    if (d->reason_at == 0) {
        yyjson_mut_obj_add_null(doc, obj, key);
        return;
    }
    enum reason r = (enum reason)d->reason;
    yyjson_mut_val *it = yyjson_mut_obj_add_obj(doc, obj, key);
    reason_put(doc, it, r, reason_text(r), d->reason_deployment);
    api_put_time(doc, it, "since", d->reason_at);
}
