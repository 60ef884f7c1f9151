#include "shared/latency.h"

bool latency_add(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *name, const struct histogram *h)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}};
    yyjson_mut_val *v = yyjson_mut_obj_add_obj(doc, root, name);
    bool ok = yyjson_mut_obj_add_uint(doc, v, "count", h->count) &&
              yyjson_mut_obj_add_real(doc, v, "mean_ms", latency_ms(histogram_mean(h)));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ok = ok && yyjson_mut_obj_add_real(doc, v, rows[i].name, latency_ms(histogram_at(h, rows[i].share)));
    return ok && yyjson_mut_obj_add_real(doc, v, "max_ms", latency_ms(h->max));
}
