#include "pqtrust/result.h"

#include "base/json.h"
#include "shared/line.h"

#define MILLION 1e6

struct field {
    const char *name;
    double value;
};

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static bool add_fields(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct field *fields, size_t count)
{
    bool ok = obj != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = yyjson_mut_obj_add_real(doc, obj, fields[i].name, fields[i].value);
    return ok;
}

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static bool add_object(yyjson_mut_doc *doc, const char *name, const struct field *fields, size_t count)
{
    yyjson_mut_val *obj = yyjson_mut_obj_add_obj(doc, yyjson_mut_doc_get_root(doc), name);
    return add_fields(doc, obj, fields, count);
}

static bool add_refresh(yyjson_mut_doc *doc, const char *name, const struct refresh_result *r)
{
    const struct probe *p = &r->probe;
    uint64_t told = p->verify_ns[TRUST_POST_QUANTUM] + p->verify_ns[TRUST_CLASSICAL] + p->hash_ns +
                    r->read_ns + r->canon_ns;
    const struct field fields[] = {
        {"cpu_ms", ms(r->median_ns)},
        {"cpu_ms_least", ms(r->least_ns)},
        {"requests", (double)r->requests},
        {"bytes", (double)r->bytes},
        {"ml_dsa_verified", (double)p->verified[TRUST_POST_QUANTUM]},
        {"classical_verified", (double)p->verified[TRUST_CLASSICAL]},
        {"ml_dsa_ms", ms(p->verify_ns[TRUST_POST_QUANTUM])},
        {"classical_ms", ms(p->verify_ns[TRUST_CLASSICAL])},
        {"hash_ms", ms(p->hash_ns)},
        {"json_ms", ms(r->read_ns)},
        {"canon_ms", ms(r->canon_ns)},
        {"rest_ms", ms(r->total_ns > told ? r->total_ns - told : 0)},
    };
    return add_object(doc, name, fields, COUNT(fields));
}

static bool add_memory(yyjson_mut_doc *doc, const struct options *o, const struct memory_result *m)
{
    const struct field fields[] = {
        {"delegations", (double)o->delegations}, {"targets", (double)(o->delegations * o->targets)},
        {"client_bytes", (double)m->client},     {"client_bytes_least", (double)m->least},
        {"stack_bytes", (double)m->stack},       {"heap_bytes", (double)m->heap},
        {"resident_bytes", (double)m->resident}, {"process_bytes", (double)m->process},
    };
    return add_object(doc, "memory", fields, COUNT(fields));
}

static bool add_signing(yyjson_mut_doc *doc, const struct signing_result *s)
{
    const struct field fields[] = {
        {"targets", (double)s->targets},
        {"roles", (double)s->roles},
        {"signatures", (double)s->signatures},
        {"bytes", (double)s->bytes},
        {"make_ms", ms(s->make_ns)},
        {"canon_ms", ms(s->canon_ns)},
        {"sign_ms", ms(s->sign_ns)},
        {"write_ms", ms(s->write_ns)},
        {"cpu_ms", ms(s->make_ns + s->canon_ns + s->sign_ns + s->write_ns)},
    };
    return add_object(doc, "signing", fields, COUNT(fields));
}

static bool add_fleet(yyjson_mut_doc *doc, const struct fleet_result *f)
{
    double decision_us = (double)f->first_ns / 1e3 / (double)f->decisions;
    double bytes = (double)f->stored_bytes / (double)f->devices;
    const struct field fields[] = {
        {"devices", (double)f->devices},
        {"polls", (double)f->polls},
        {"decisions", (double)f->decisions},
        {"signatures", (double)f->signatures},
        {"decision_cpu_us", decision_us},
        {"fetch_cpu_us", (double)f->again_ns / 1e3 / (double)(f->polls - f->devices)},
        {"stored_bytes_per_device", bytes},
        {"million_cpu_minutes", decision_us * MILLION / 6e7},
        {"million_stored_gb", bytes * MILLION / 1e9},
    };
    return add_object(doc, "director", fields, COUNT(fields));
}

static bool add_sizes(yyjson_mut_doc *doc, const struct sizes_result *s)
{
    const struct field fields[] = {
        {"root", (double)s->root},
        {"timestamp", (double)s->timestamp},
        {"snapshot", (double)s->snapshot},
        {"snapshot_each_role", (double)s->snapshot_role},
        {"targets", (double)s->targets},
        {"targets_each_role", (double)s->targets_role},
        {"delegated", (double)s->delegated},
        {"delegated_each_target", (double)s->delegated_target},
        {"director", (double)s->director},
        {"manifest", (double)s->manifest},
        {"manifest_entry", (double)s->entry},
    };
    return add_object(doc, "sizes", fields, COUNT(fields));
}

int result_print(const struct options *o, const struct results *r, FILE *out, struct err *e)
{
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    yyjson_mut_doc_set_root(doc, root);
    bool ok = add_refresh(doc, "first", &r->first) && add_refresh(doc, "steady", &r->steady) &&
              add_refresh(doc, "first_87", &r->first_87) && add_refresh(doc, "steady_87", &r->steady_87) &&
              add_memory(doc, o, &r->memory) && add_signing(doc, &r->signing) && add_fleet(doc, &r->fleet) &&
              add_sizes(doc, &r->sizes);
    return ok ? line_print(doc, out, e) : err_set(e, ERR_NOMEM, "no memory for the result");
}
