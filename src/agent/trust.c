#include "agent/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tunnel_trust.h"
#include "base/file.h"
#include "base/log.h"
#include "keys/keys.h"
#include "trust/client.h"

static int cb_verify(void *ctx, enum pqota_scheme scheme, const void *key, size_t key_n, const void *msg,
                     size_t msg_n, const void *sig, size_t sig_n)
{
    (void)ctx;
    int rc =
        keys_crypto.verify(keys_crypto.ctx, (enum trust_scheme)scheme, key, key_n, msg, msg_n, sig, sig_n);
    return rc == 0 ? PQOTA_OK : rc == ERR_MISMATCH ? PQOTA_E_INVALID : PQOTA_E_AGAIN;
}

static int cb_hash(void *ctx, enum pqota_hash which, const void *data, size_t n, unsigned char *out)
{
    (void)ctx;
    int rc = keys_crypto.hash(keys_crypto.ctx, (enum trust_hash)which, data, n, out);
    return rc == 0 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int64_t cb_now(void *ctx)
{
    return clock_floor_now(ctx);
}

int agent_trust_model(const struct agent_config *c, const struct files *f, char out[PQOTA_NAME_SIZE],
                      struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, PQOTA_NAME_SIZE + 1);
    struct str model = str_of(c->model);
    if (model.n == 0) {
        int rc = file_read(f->model, PQOTA_NAME_SIZE, &text, e);
        if (rc == ERR_NOT_FOUND)
            return err_set(e, rc,
                           "the model of this device is not known (it was enrolled by an older agent): set "
                           "[agent] model to what the server calls it");
        if (rc != 0)
            return rc;
        model = (struct str){.p = text.p, .n = strcspn(text.p, "\n")};
    }
    if (!str_is_name(model) || model.n >= PQOTA_NAME_SIZE)
        return err_set(e, ERR_INVALID, "\"%.*s\" is no model: set [agent] model",
                       (int)(model.n < 64 ? model.n : 64), model.p);
    memcpy(out, model.p, model.n);
    out[model.n] = '\0';
    return 0;
}

/* Once there is a stored root the file is needed no more, unless it is newer. */
static int read_root(struct agent_trust *t, const char *repository, const char *path, struct buf *out,
                     struct err *e)
{
    char stored[PATH_MAX];
    struct err missing = {0};
    buf_init(out, TUF_ROOT_SIZE_MAX);
    if (file_read(path, TUF_ROOT_SIZE_MAX, out, &missing) == 0)
        return 0;
    int rc = metadata_path(&t->metadata, repository, "root", stored, e);
    if (rc != 0)
        return rc;
    if (!file_exists(stored))
        return err_set(e, missing.code, "[trust] %s_root: %s; pqota trust init wrote it under trust/device",
                       repository, missing.text);
    log_warn("trust", "a root could not be read; going on with the stored one",
             LOG_STR("repository", repository), LOG_ERR(&missing));
    return file_read(stored, TUF_ROOT_SIZE_MAX, out, e);
}

static enum pqota_vouch cb_vouch(void *ctx, const struct pqota_target *hint,
                                 const struct pqota_standing *standing, struct pqota_target *out,
                                 char why[PQOTA_TEXT_SIZE])
{
    const struct agent_trust *t = ctx;
    struct pqota_standing both = *standing;
    if (t->counter > both.counter)
        both.counter = t->counter;
    return t->metadata_says.vouch(t->metadata_says.ctx, hint, &both, out, why);
}

int agent_trust_open(struct agent_trust *t, const struct agent_config *c, const struct files *f,
                     const char *device, bool several, struct link *link, struct err *e)
{
    memset(t, 0, sizeof *t);
    if (c->insecure_unsigned) {
        log_warn("trust", "updates are taken unsigned: whoever has the server has this device "
                          "([trust] insecure_unsigned = yes)");
        t->callback = (struct pqota_trust){.vouch = pqota_vouch_insecure};
        return 0;
    }
    snprintf(t->device, sizeof t->device, "%s", device);
    int rc = agent_trust_model(c, f, t->model, e);
    if (rc == 0)
        rc = metadata_open(&t->metadata, f, true, e);
    if (rc == 0)
        rc = read_root(t, "image", c->image_root, &t->image_root, e);
    if (rc == 0)
        rc = read_root(t, "director", c->director_root, &t->director_root, e);
    if (rc != 0)
        return rc;
    const struct pqota_trust_settings set = {.device = t->device,
                                             .model = t->model,
                                             .transport = {.ctx = link, .request = link_request},
                                             .metadata = metadata_callbacks(&t->metadata),
                                             .crypto = {.verify = cb_verify, .hash = cb_hash},
                                             .now = cb_now,
                                             .now_ctx = link->set.floor,
                                             .image_root = t->image_root.p,
                                             .image_root_size = t->image_root.n,
                                             .director_root = t->director_root.p,
                                             .director_root_size = t->director_root.n,
                                             .slow_s = ((uint32_t)c->request_seconds + 1) / 2,
                                             .several_files = several};
    char why[PQOTA_TEXT_SIZE] = "";
    t->memory = aligned_alloc(16, AGENT_TRUST_MEMORY); /* pages that are never used are never there */
    if (t->memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the update metadata");
    if (pqota_trust_init(t->memory, AGENT_TRUST_MEMORY, &set, &t->metadata_says, why) != PQOTA_OK)
        return err_set(e, ERR_INVALID, "%.480s", why);
    t->counter = tunnel_standing_counter(f);
    t->callback = (struct pqota_trust){.ctx = t, .vouch = cb_vouch};
    return 0;
}

void agent_trust_close(struct agent_trust *t)
{
    free(t->memory);
    buf_fini(&t->image_root);
    buf_fini(&t->director_root);
    memset(t, 0, sizeof *t);
}
