#include "pqfleet/result.h"

#include "base/json.h"
#include "pqfleet/draw.h"
#include "shared/errors.h"
#include "shared/latency.h"
#include "shared/line.h"

static bool add_counts(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct counts *c)
{
    const struct {
        const char *name;
        uint64_t n;
    } rows[] = {
        {"requests", c->requests}, {"polls", c->polls},
        {"offers", c->offers},     {"consents", c->consents},
        {"configs", c->configs},   {"reports", c->reports},
        {"repeats", c->repeats},   {"downloads", c->downloads},
        {"settled", c->settled},   {"download_bytes", c->download_bytes},
        {"opened", c->opened},     {"connections_max", c->open_max},
        {"stale", c->stale},       {"refused", c->refused},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ok = ok && yyjson_mut_obj_add_uint(doc, root, rows[i].name, rows[i].n);
    yyjson_mut_val *outcomes = yyjson_mut_obj_add_obj(doc, root, "outcomes");
    for (size_t i = 0; i < OUTCOMES; i++)
        ok = ok && yyjson_mut_obj_add_uint(doc, outcomes, outcome_names[i], c->outcomes[i]);
    return ok;
}

int result_print(const struct options *o, const struct counts *c, const char *ended, FILE *out, struct err *e)
{
    double seconds = c->elapsed_ns > 0 ? (double)c->elapsed_ns / 1e9 : 1;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    yyjson_mut_doc_set_root(doc, root);
    const struct errors errors = {c->error_count, error_names, c->errors,
                                  ERROR_KINDS,    c->samples,  c->sample_count};
    bool ok = yyjson_mut_obj_add_str(doc, root, "protocol", o->protocol == PROTOCOL_DDI ? "ddi" : "native") &&
              yyjson_mut_obj_add_uint(doc, root, "devices", o->devices) &&
              yyjson_mut_obj_add_str(doc, root, "ended", ended) &&
              yyjson_mut_obj_add_bool(doc, root, "done", c->settled == o->devices) &&
              yyjson_mut_obj_add_real(doc, root, "seconds", seconds) &&
              yyjson_mut_obj_add_real(doc, root, "requests_per_second", (double)c->requests / seconds) &&
              yyjson_mut_obj_add_real(doc, root, "polls_per_second", (double)c->polls / seconds) &&
              add_counts(doc, root, c) && latency_add(doc, root, "poll", &c->poll) &&
              latency_add(doc, root, "report", &c->report) && latency_add(doc, root, "late", &c->late) &&
              yyjson_mut_obj_add_real(doc, root, "own_cpu_share", (double)c->cpu_us / (seconds * 1e6)) &&
              errors_add(doc, root, "errors", &errors);
    if (!ok)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    return line_print(doc, out, e);
}

int result_print_plan(const struct options *o, FILE *out, struct err *e)
{
    for (uint64_t number = o->first; number < o->first + o->devices; number++) {
        for (uint32_t attempt = 1; attempt <= o->plan; attempt++)
            fprintf(out, "%s%07u %u %s %s\n", o->id_prefix, (unsigned)number, (unsigned)attempt,
                    fate_names[draw_fate(&o->rates, o->seed, number, attempt)],
                    draw_denial(&o->rates, o->seed, number, attempt) ? "deny" : "confirm");
    }
    return fflush(out) != 0 || ferror(out) ? err_set(e, ERR_IO, "the plan could not be written") : 0;
}
