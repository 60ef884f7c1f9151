#include "world.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

int world_hit(struct world *w)
{
    w->hits++;
    if (w->stop_at == 0 || w->hits != w->stop_at)
        return 0;
    if (w->end == WORLD_FAIL)
        return PQOTA_E_AGAIN;
    assert_true(w->armed);
    longjmp(w->out, w->end == WORLD_POWER ? 2 : 1);
}

/* --- storage --- */

static int s_load(void *ctx, void *buf, size_t size, size_t *n)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    assert_true(w->state_n <= size);
    memcpy(buf, w->state, w->state_n);
    *n = w->state_n;
    return PQOTA_OK;
}

static int s_save(void *ctx, const void *buf, size_t n)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    assert_true(n <= sizeof w->state);
    memcpy(w->state, buf, n);
    w->state_n = n;
    return world_hit(w);
}

static int s_prepare(void *ctx, uint64_t size)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    if (w->full || size > WORLD_FILE_MAX)
        return PQOTA_E_FULL;
    w->artifact_n = w->synced_n = 0;
    return world_hit(w);
}

static int s_size(void *ctx, uint64_t *n)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc == 0)
        *n = w->artifact_n;
    return rc;
}

static int s_write(void *ctx, uint64_t offset, const void *data, size_t n)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    assert_true(offset == w->artifact_n && offset + n <= WORLD_FILE_MAX);
    memcpy(w->artifact + offset, data, n);
    w->artifact_n += n;
    return world_hit(w);
}

static int s_read(void *ctx, uint64_t offset, void *data, size_t n)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    assert_true(offset + n <= w->artifact_n);
    memcpy(data, w->artifact + offset, n);
    return PQOTA_OK;
}

static int s_truncate(void *ctx, uint64_t n)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    if (n < w->artifact_n)
        w->artifact_n = (size_t)n;
    if (w->synced_n > w->artifact_n)
        w->synced_n = w->artifact_n;
    return world_hit(w);
}

static int s_sync(void *ctx)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    w->synced_n = w->artifact_n;
    return world_hit(w);
}

static int s_discard(void *ctx)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    w->artifact_n = w->synced_n = 0;
    return PQOTA_OK;
}

/* --- hash --- */

static int h_begin(void *ctx)
{
    struct world *w = ctx;
    if (w->md == NULL)
        w->md = EVP_MD_CTX_new();
    return EVP_DigestInit_ex2(w->md, EVP_sha256(), NULL) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int h_update(void *ctx, const void *data, size_t n)
{
    struct world *w = ctx;
    return EVP_DigestUpdate(w->md, data, n) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int h_finish(void *ctx, unsigned char out[32])
{
    struct world *w = ctx;
    return EVP_DigestFinal_ex(w->md, out, NULL) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

/* --- installer --- */

static int i_version(void *ctx, char out[PQOTA_NAME_SIZE])
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0 || w->version_unknown)
        return PQOTA_E_AGAIN;
    snprintf(out, PQOTA_NAME_SIZE, "%s", w->running);
    return PQOTA_OK;
}

static enum pqota_install i_install(void *ctx, const struct pqota_artifact *a, char why[PQOTA_TEXT_SIZE])
{
    struct world *w = ctx;
    world_hit(w); /* only deaths count here: an answer of its own says what failed */
    w->installs++;
    /* Whatever happened before: what comes here is what was published. */
    assert_int_equal(a->size, w->artifact_n);
    assert_memory_equal(w->artifact, w->file, w->artifact_n);
    assert_string_equal(a->sha256, w->vouched.sha256);
    assert_string_equal(a->filename, w->vouched.filename);
    assert_int_equal(a->size, w->vouched.size);
    if (w->install_answer == PQOTA_INSTALL_FAILED) {
        snprintf(why, PQOTA_TEXT_SIZE, "exit code 3:\n\tno \"space\" \xff left");
        return PQOTA_INSTALL_FAILED;
    }
    snprintf(w->needs_reboot ? w->next : w->running, sizeof w->next, "%s", a->version);
    world_hit(w);
    return w->needs_reboot ? PQOTA_INSTALL_REBOOT : PQOTA_INSTALL_DONE;
}

static int i_reboot(void *ctx, char why[PQOTA_TEXT_SIZE])
{
    struct world *w = ctx;
    w->reboots++;
    if (w->reboot_broken) {
        snprintf(why, PQOTA_TEXT_SIZE, "no reboot today");
        return PQOTA_E_AGAIN;
    }
    assert_true(w->armed);
    longjmp(w->out, 2);
}

static enum pqota_confirm i_confirm(void *ctx, const struct pqota_artifact *a, uint32_t *wait_s,
                                    char why[PQOTA_TEXT_SIZE])
{
    struct world *w = ctx;
    world_hit(w);
    w->confirms++;
    if (w->confirm_waits > 0) {
        w->confirm_waits--;
        *wait_s = 3;
        return PQOTA_CONFIRM_WAIT;
    }
    if (w->bad || strcmp(w->running, a->version) != 0) {
        snprintf(w->running, sizeof w->running, "1.0");
        world_hit(w);
        snprintf(why, PQOTA_TEXT_SIZE, "the health command failed; returned to 1.0");
        return PQOTA_CONFIRM_RETURNED;
    }
    world_hit(w);
    return PQOTA_CONFIRM_GOOD;
}

/* --- trust --- */

static enum pqota_vouch t_vouch(void *ctx, const struct pqota_target *hint,
                                const struct pqota_standing *standing, struct pqota_target *out,
                                char why[PQOTA_TEXT_SIZE])
{
    struct world *w = ctx;
    if (world_hit(w) != 0)
        return PQOTA_VOUCH_LATER;
    w->vouches++;
    w->standing = *standing;
    snprintf(why, PQOTA_TEXT_SIZE, "%s", w->vouch_why != NULL ? w->vouch_why : "");
    if (w->vouch_answer != PQOTA_VOUCHED)
        return w->vouch_answer;
    *out = w->vouch_as.size != 0 ? w->vouch_as : *hint;
    out->sequence = w->sequence;
    out->counter = w->counter;
    w->vouched = *out;
    world_hit(w);
    return PQOTA_VOUCHED;
}

/* --- platform --- */

static uint32_t p_random(void *ctx)
{
    struct world *w = ctx;
    w->random = w->random * 1664525u + 1013904223u;
    return w->random >> 7;
}

static int p_boot_id(void *ctx, char out[PQOTA_BOOT_SIZE])
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc == 0)
        snprintf(out, PQOTA_BOOT_SIZE, "boot-%d", w->boot);
    return rc;
}

static void p_log(void *ctx, enum pqota_log level, const char *text)
{
    struct world *w = ctx;
    size_t n = strlen(w->log);
    (void)level;
    if (n + strlen(text) + 2 > sizeof w->log)
        n = 0;
    snprintf(w->log + n, sizeof w->log - n, "%s\n", text);
}

struct pqota_ops world_ops(struct world *w)
{
    return (struct pqota_ops){
        .transport = {.ctx = w, .request = world_request},
        .storage = {.ctx = w,
                    .load = s_load,
                    .save = s_save,
                    .prepare = s_prepare,
                    .size = s_size,
                    .write = s_write,
                    .read = s_read,
                    .truncate = s_truncate,
                    .sync = s_sync,
                    .discard = s_discard},
        .sha256 = {.ctx = w, .begin = h_begin, .update = h_update, .finish = h_finish},
        .installer = {.ctx = w,
                      .running_version = i_version,
                      .install = i_install,
                      .reboot = i_reboot,
                      .confirm = i_confirm},
        .trust = {.ctx = w, .vouch = t_vouch},
        .platform = {.ctx = w, .random = p_random, .boot_id = p_boot_id, .log = p_log},
    };
}

void world_init(struct world *w, const char *running)
{
    memset(w, 0, sizeof *w);
    snprintf(w->running, sizeof w->running, "%s", running);
    w->settings = (struct pqota_settings){.segment_bytes = 8000, .checkpoint_bytes = 3000};
    w->install_answer = PQOTA_INSTALL_DONE;
}

void world_fini(struct world *w)
{
    EVP_MD_CTX_free(w->md);
}

void world_offer(struct world *w, const char *version, size_t n)
{
    unsigned char raw[32];
    char hex[65];
    for (size_t i = 0; i < n; i++)
        w->file[i] = (unsigned char)(i * 7 + i / 251);
    w->file_n = n;
    assert_int_equal(EVP_Digest(w->file, n, raw, NULL, EVP_sha256(), NULL), 1);
    hex_encode(raw, sizeof raw, hex);
    snprintf(w->offer, sizeof w->offer,
             "{\"action\":7,\"deployment\":3,\"state\":\"offered\",\"release\":{\"id\":12,\"name\":\"gw\","
             "\"version\":"
             "\"%s\",\"notes\":\"a "
             "\\\"note\\\"\\n\"},\"artifacts\":[{\"filename\":\"gw.bin\",\"size\":%zu,\"sha256\":"
             "\"%s\",\"url\":\"https://ota.example:8443/api/firmware/12/file\"}],\"poll\":300}",
             version, n, hex);
}

int world_start(struct world *w)
{
    struct pqota_ops ops = world_ops(w);
    w->client = NULL;
    return pqota_client_init(w->memory, sizeof w->memory, &ops, &w->settings, &w->client);
}

void world_power(struct world *w)
{
    w->boot++;
    memset(w->artifact + w->synced_n, 0xEE, w->artifact_n - w->synced_n);
    if (w->next[0] != '\0')
        memcpy(w->running, w->next, sizeof w->running);
    w->next[0] = '\0';
}

enum pqota_next world_run(struct world *w, int most)
{
    volatile int steps = 0;
    volatile bool start = w->client == NULL;
    int died = setjmp(w->out);
    if (died == 2)
        world_power(w);
    if (died != 0) {
        w->client = NULL; /* its memory died with the program */
        start = true;
    }
    w->armed = true;
    enum pqota_next next = PQOTA_AGAIN;
    while (steps < most && next != PQOTA_WAIT_POLL) {
        uint32_t wait_s;
        steps = steps + 1;
        if (start && world_start(w) != PQOTA_OK)
            continue; /* as a supervisor starts it again */
        start = false;
        next = pqota_client_step(w->client, &wait_s);
    }
    w->armed = false;
    return next;
}

enum pqota_next world_step(struct world *w, uint32_t *wait_s)
{
    return pqota_client_step(w->client, wait_s);
}

int world_count(const struct world *w, const char *state)
{
    int n = 0;
    for (int i = 0; i < w->reports_n; i++)
        n += strcmp(w->reports[i].state, state) == 0;
    return n;
}

const struct world_report *world_last(const struct world *w)
{
    assert_true(w->reports_n > 0);
    return &w->reports[w->reports_n - 1];
}

bool world_run_cut(struct world *w, int most, long at, enum world_end end)
{
    w->stop_at = at;
    w->end = end;
    assert_int_equal(world_run(w, most), PQOTA_WAIT_POLL);
    w->stop_at = 0;
    return w->hits >= at;
}
