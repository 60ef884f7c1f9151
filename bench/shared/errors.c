#include "shared/errors.h"

#include "base/str.h"

bool errors_add(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *name, const struct errors *errors)
{
    yyjson_mut_val *v = yyjson_mut_obj_add_obj(doc, root, name);
    bool ok = yyjson_mut_obj_add_uint(doc, v, "count", errors->count);
    yyjson_mut_val *kinds = yyjson_mut_obj_add_obj(doc, v, "kinds");
    for (size_t i = 0; i < errors->kind_count; i++) {
        if (errors->kinds[i] > 0)
            ok = ok && yyjson_mut_obj_add_uint(doc, kinds, errors->names[i], errors->kinds[i]);
    }
    /* A server's own words may be in it, cut anywhere, which no JSON text may be. */
    yyjson_mut_val *samples = yyjson_mut_obj_add_arr(doc, v, "samples");
    for (size_t i = 0; i < errors->sample_count; i++) {
        const char *text = errors->samples[i];
        ok = ok && yyjson_mut_arr_add_str(doc, samples, str_is_text(str_of(text)) ? text : "(no text)");
    }
    return ok;
}
