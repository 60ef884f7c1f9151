#include "bench.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"

void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    snprintf(b->dir, sizeof b->dir, "/tmp/pqota-agent-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    agent_config_init(&b->config);
    char state[BENCH_PATH];
    struct err e = {0};
    bench_path(b, "state-dir", state);
    assert_int_equal(agent_config_set(&b->config, "agent", "state_dir", state, &e), 0);
    assert_int_equal(files_open(&b->files, state, true, &e), 0);
    b->now = 1000000;
}

void bench_fini(struct bench *b)
{
    files_close(&b->files);
    bench_sh(b, "rm -rf '%s'", b->dir);
}

const char *bench_path(struct bench *b, const char *name, char out[BENCH_PATH])
{
    snprintf(out, BENCH_PATH, "%s/%s", b->dir, name);
    return out;
}

void bench_write(struct bench *b, const char *name, const char *text)
{
    char path[BENCH_PATH];
    FILE *f = fopen(bench_path(b, name, path), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

const char *bench_script(struct bench *b, const char *name, const char *text, char out[BENCH_PATH])
{
    char whole[8192];
    snprintf(whole, sizeof whole, "#!/bin/sh\ncd '%s' || exit 99\n%s\n", b->dir, text);
    bench_write(b, name, whole);
    assert_int_equal(chmod(bench_path(b, name, out), 0755), 0);
    return out;
}

const char *bench_read(struct bench *b, const char *name)
{
    static char text[65536];
    char path[BENCH_PATH];
    FILE *f = fopen(bench_path(b, name, path), "r");
    text[0] = '\0';
    if (f == NULL)
        return text;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

void bench_set(struct bench *b, const char *key, const char *fmt, ...)
{
    char value[AGENT_VALUE_SIZE];
    struct err e = {0};
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    if (agent_config_set(&b->config, "installer", key, value, &e) != 0)
        fail_msg("%s", e.text);
}

static int64_t now(void *ctx)
{
    struct bench *b = ctx;
    return b->now;
}

void bench_install(struct bench *b, const void *data, size_t n)
{
    struct err e = {0};
    unsigned char raw[32];
    if (installer_init(&b->in, &b->config, &b->files, now, b, &e) != 0)
        fail_msg("%s", e.text);
    struct pqota_storage s = files_storage(&b->files);
    assert_int_equal(s.prepare(s.ctx, n), PQOTA_OK);
    assert_int_equal(s.write(s.ctx, 0, data, n), PQOTA_OK);
    assert_int_equal(s.sync(s.ctx), PQOTA_OK);
    assert_int_equal(EVP_Digest(data, n, raw, NULL, EVP_sha256(), NULL), 1);
    hex_encode(raw, sizeof raw, b->sha256);
    b->artifact = (struct pqota_artifact){
        .name = "gw", .version = "2.0", .filename = "gw.bin", .sha256 = b->sha256, .size = n};
}

void bench_sh(struct bench *b, const char *fmt, ...)
{
    char command[ARGS_TEXT_MAX - 16];
    va_list ap;
    (void)b;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    struct args args = {.n = 0};
    struct err e = {0};
    struct process_result result;
    const struct process p = {.args = &args, .file = -1, .timeout_ms = 60000};
    assert_int_equal(args_add(&args, "/bin/sh", &e), 0);
    assert_int_equal(args_add(&args, "-c", &e), 0);
    assert_int_equal(args_add(&args, command, &e), 0);
    if (process_run(&p, &result, &e) != 0)
        fail_msg("%s", e.text);
    if (result.code != 0 || result.timed_out)
        fail_msg("failed: %s: %s", command, result.output);
}
