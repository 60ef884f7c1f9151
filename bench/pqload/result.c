#include "pqload/result.h"

#include "base/arena.h"
#include "base/json.h"
#include "shared/errors.h"
#include "shared/latency.h"

#define JSON_MAX 32768

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

static size_t sample_count(const struct counts *c)
{
    return c->error_count < LOAD_SAMPLES ? (size_t)c->error_count : LOAD_SAMPLES;
}

static int print_json(const struct options *o, const struct counts *c, FILE *out, struct err *e)
{
    struct figures f = figures_of(o, c);
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    yyjson_mut_doc_set_root(doc, root);
    const struct errors errors = {c->error_count, error_names, c->errors,
                                  ERROR_KINDS,    c->samples,  sample_count(c)};
    bool ok = yyjson_mut_obj_add_str(doc, root, "mode", mode_names[o->mode]) &&
              yyjson_mut_obj_add_bool(doc, root, "mutual", o->cert != NULL) &&
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
         errors_add(doc, root, &errors);
    if (!ok)
        return err_set(e, ERR_NOMEM, "no memory for the result");
    struct arena arena;
    arena_init(&arena, JSON_MAX);
    struct str text = json_write(doc, &arena);
    int rc = text.p == NULL || fprintf(out, STR_FMT "\n", STR_ARG(text)) < 0
                 ? err_set(e, ERR_IO, "the result could not be written")
                 : 0;
    arena_fini(&arena);
    return rc;
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
    fprintf(out, "%-11s %.1f a second: %llu in %.2f s, %zu connections, %s\n", mode_names[o->mode],
            f.per_second, (unsigned long long)f.operations, f.seconds, o->connections,
            o->cert != NULL ? "with a client certificate" : "without a client certificate");
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
    if (c->error_count > 0)
        fprintf(out, "errors      %llu\n", (unsigned long long)c->error_count);
    for (size_t i = 0; i < sample_count(c); i++)
        fprintf(out, "            %s\n", c->samples[i]);
    return fflush(out) != 0 || ferror(out) ? err_set(e, ERR_IO, "the result could not be written") : 0;
}

int result_print(const struct options *o, const struct counts *c, FILE *out, struct err *e)
{
    return o->json ? print_json(o, c, out, e) : print_text(o, c, out, e);
}
