#include "pqload/result.h"

#include "base/json.h"
#include "shared/errors.h"
#include "shared/latency.h"
#include "shared/line.h"

struct figures {
    double seconds, per_second, bytes_in, bytes_out, body_per_second, own_share, other_us;
    uint64_t operations;
};

static struct figures figures_of(const struct options *o, const struct counts *c)
{
    struct figures f = {.seconds = (double)c->elapsed_ns / 1e9, .operations = c->operation.count};
    double n = f.operations > 0 ? (double)f.operations : 1.0;
    double seconds = f.seconds > 0 ? f.seconds : 1.0;
    f.per_second = (double)f.operations / seconds;
    f.bytes_in = (double)c->bytes_in / n;
    f.bytes_out = (double)c->bytes_out / n;
    f.body_per_second = (double)c->body / (o->seconds < seconds ? o->seconds : seconds);
    f.own_share = (double)c->own_cpu_us / (seconds * 1e6);
    f.other_us = (double)c->other_cpu_us / n;
    return f;
}

static bool shows_certificate(const struct options *o)
{
    return o->cert != NULL || o->identities != NULL;
}

static size_t sample_count(const struct failures *f)
{
    return f->count < LOAD_SAMPLES ? (size_t)f->count : LOAD_SAMPLES;
}

static bool failures_add(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *name,
                         const struct failures *f)
{
    const struct errors errors = {f->count, error_names, f->kinds, ERROR_KINDS, f->samples, sample_count(f)};
    return errors_add(doc, root, name, &errors);
}

static int print_json(const struct options *o, const struct counts *c, FILE *out, struct err *e)
{
    struct figures f = figures_of(o, c);
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    yyjson_mut_doc_set_root(doc, root);
    bool ok = yyjson_mut_obj_add_str(doc, root, "mode", mode_names[o->mode]) &&
              yyjson_mut_obj_add_bool(doc, root, "mutual", shows_certificate(o)) &&
              yyjson_mut_obj_add_uint(doc, root, "connections", o->connections) &&
              yyjson_mut_obj_add_real(doc, root, "rate", o->rate) &&
              yyjson_mut_obj_add_real(doc, root, "seconds", f.seconds) &&
              yyjson_mut_obj_add_uint(doc, root, "operations", f.operations) &&
              yyjson_mut_obj_add_real(doc, root, "per_second", f.per_second) &&
              latency_add(doc, root, "handshake", &c->handshake) &&
              latency_add(doc, root, "request", &c->request) &&
              latency_add(doc, root, "operation", &c->operation) &&
              yyjson_mut_obj_add_uint(doc, root, "handshakes_full", c->full) &&
              yyjson_mut_obj_add_uint(doc, root, "handshakes_resumed", c->resumed) &&
              yyjson_mut_obj_add_uint(doc, root, "reconnects", c->reconnects) &&
              yyjson_mut_obj_add_real(doc, root, "bytes_to_client", f.bytes_in) &&
              yyjson_mut_obj_add_real(doc, root, "bytes_from_client", f.bytes_out) &&
              yyjson_mut_obj_add_uint(doc, root, "body_bytes", c->body) &&
              yyjson_mut_obj_add_real(doc, root, "body_bytes_per_second", f.body_per_second);
    if (o->pid_count > 0)
        ok = ok && yyjson_mut_obj_add_real(doc, root, "server_cpu_us", f.other_us);
    else
        ok = ok && yyjson_mut_obj_add_null(doc, root, "server_cpu_us");
    ok = ok && yyjson_mut_obj_add_uint(doc, root, "server_cpu_total_us", c->other_cpu_us) &&
         yyjson_mut_obj_add_real(doc, root, "generator_cpu_share", f.own_share) &&
         yyjson_mut_obj_add_bool(doc, root, "generator_limited", f.own_share > RESULT_OWN_CPU_MAX) &&
         failures_add(doc, root, "retries", &c->retries) && failures_add(doc, root, "errors", &c->errors);
    return ok ? line_print(doc, out, e) : err_set(e, ERR_NOMEM, "no memory for the result");
}

int result_print_stretch(const struct load *l, uint64_t undone, FILE *out, struct err *e)
{
    const struct stretch *s = &l->stretch;
    double seconds = (double)(s->end - s->begin) / 1e9;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    yyjson_mut_doc_set_root(doc, root);
    bool ok = yyjson_mut_obj_add_uint(doc, root, "connections", l->options->connections) &&
              yyjson_mut_obj_add_real(doc, root, "seconds", seconds) &&
              yyjson_mut_obj_add_uint(doc, root, "operations", s->operation.count) &&
              yyjson_mut_obj_add_uint(doc, root, "undone", undone) &&
              yyjson_mut_obj_add_uint(doc, root, "errors", l->counts.errors.count - s->errors) &&
              latency_add(doc, root, "operation", &s->operation);
    return ok ? line_print(doc, out, e) : err_set(e, ERR_NOMEM, "no memory for the result");
}

static void print_failures(FILE *out, const char *name, const struct failures *f)
{
    if (f->count > 0)
        fprintf(out, "%-11s %llu\n", name, (unsigned long long)f->count);
    for (size_t i = 0; i < sample_count(f); i++)
        fprintf(out, "            %s\n", f->samples[i]);
}

static void print_latency(FILE *out, const char *name, const struct histogram *h)
{
    if (h->count > 0)
        fprintf(out, "%-11s p50 %.3f ms, p90 %.3f, p99 %.3f, p99.9 %.3f, max %.3f\n", name,
                latency_ms(histogram_at(h, 0.5)), latency_ms(histogram_at(h, 0.9)),
                latency_ms(histogram_at(h, 0.99)), latency_ms(histogram_at(h, 0.999)), latency_ms(h->max));
}

static int print_text(const struct options *o, const struct counts *c, FILE *out, struct err *e)
{
    struct figures f = figures_of(o, c);
    fprintf(out, "%-11s %.1f a second: %llu in %.2f s, %llu connections, %s\n", mode_names[o->mode],
            f.per_second, (unsigned long long)f.operations, f.seconds, (unsigned long long)o->connections,
            shows_certificate(o) ? "with a client certificate" : "without a client certificate");
    print_latency(out, "handshake", &c->handshake);
    print_latency(out, "request", &c->request);
    print_latency(out, "operation", &c->operation);
    fprintf(out, "handshakes  %llu full, %llu resumed; %llu connections made anew\n",
            (unsigned long long)c->full, (unsigned long long)c->resumed, (unsigned long long)c->reconnects);
    fprintf(out, "bytes       %.0f to the client, %.0f from it, each operation; %.3f MB/s of bodies\n",
            f.bytes_in, f.bytes_out, f.body_per_second / 1e6);
    if (o->pid_count > 0)
        fprintf(out, "server cpu  %.1f us each operation\n", f.other_us);
    fprintf(out, "own cpu     %.0f %% of a core%s\n", f.own_share * 100,
            f.own_share > RESULT_OWN_CPU_MAX ? ": THE LOAD, NOT THE SERVER, WAS THE LIMIT" : "");
    print_failures(out, "retries", &c->retries);
    print_failures(out, "errors", &c->errors);
    return fflush(out) != 0 || ferror(out) ? err_set(e, ERR_IO, "the result could not be written") : 0;
}

int result_print(const struct options *o, const struct counts *c, FILE *out, struct err *e)
{
    return o->json ? print_json(o, c, out, e) : print_text(o, c, out, e);
}
