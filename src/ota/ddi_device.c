#include "ota/ddi_device.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/rand.h"
#include "keys/seal.h"
#include "ota/announce.h"
#include "ota/ota.h"
#include "ota/settings.h"
#include "store/device_tokens.h"
#include "store/devices.h"
#include "store/events.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a device");
}

/* --- tokens ----------------------------------------------------------------------------------------- */

int ddi_token_hash(struct str token, char out[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char hash[SHA256_SIZE];
    if (token.n == 0 || token.n > DDI_TOKEN_MAX)
        return err_set(e, ERR_INVALID, "a token has 1 to %d characters", DDI_TOKEN_MAX);
    if (EVP_Digest(token.p, token.n, hash, NULL, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_CRYPTO, "cannot hash a token");
    hex_encode(hash, sizeof hash, out);
    OPENSSL_cleanse(hash, sizeof hash);
    return 0;
}

int ddi_token_check(struct str token, struct err *e)
{
    bool fine = token.n >= DDI_TOKEN_MIN && token.n <= DDI_TOKEN_MAX;
    for (size_t i = 0; fine && i < token.n; i++)
        fine = token.p[i] > ' ' && token.p[i] < 0x7f;
    return fine ? 0
                : err_set(e, ERR_INVALID, "a token has %d to %d letters, digits and signs, without blanks",
                          DDI_TOKEN_MIN, DDI_TOKEN_MAX);
}

/* Bytes past the last whole multiple of 62 are thrown away, so that no character is likelier. */
static int make_token(char out[DDI_TOKEN_SIZE], struct err *e)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof letters - 1, WHOLE = 256 / LETTERS * LETTERS };
    unsigned char raw[DDI_TOKEN_MADE];
    size_t n = 0;
    while (n < DDI_TOKEN_MADE) {
        int rc = rand_bytes(raw, sizeof raw, e);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < sizeof raw && n < DDI_TOKEN_MADE; i++)
            if (raw[i] < WHOLE)
                out[n++] = letters[raw[i] % LETTERS];
    }
    out[n] = '\0';
    OPENSSL_cleanse(raw, sizeof raw);
    return 0;
}

/* Keeps the token that was given, or one that is made. */
static int give_token(struct ota *ota, struct db *db, int64_t pk, const char *id, struct str given,
                      char token[DDI_TOKEN_SIZE], struct err *e)
{
    char hash[SHA256_HEX_SIZE], text[DDI_TOKEN_SIZE];
    auto_buf struct buf sealed;
    buf_init(&sealed, DDI_TOKEN_MAX + SEAL_OVERHEAD);
    int rc = given.n > 0 ? ddi_token_check(given, e) : make_token(text, e);
    if (rc != 0)
        return rc;
    if (given.n > 0) {
        memcpy(text, given.p, given.n);
        text[given.n] = '\0';
    }
    rc = ddi_token_hash(str_of(text), hash, e);
    if (rc == 0)
        rc = seal(ota->sealer, str_of(id), str_of(text), &sealed, e);
    if (rc == 0)
        rc = store_device_token_set(db, pk, hash, buf_str(&sealed), clock_unix_ms(ota->clock), e);
    if (rc == 0)
        memcpy(token, text, DDI_TOKEN_SIZE);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

/* --- who it is -------------------------------------------------------------------------------------- */

/* What is compared are hashes, so that its timing would tell nothing that helps to find a token; constant it
   is nevertheless. */
static bool same_hash(const char *a, const char *b)
{
    return a != NULL && b != NULL && strlen(a) == SHA256_HEX_SIZE - 1 && strlen(b) == SHA256_HEX_SIZE - 1 &&
           CRYPTO_memcmp(a, b, SHA256_HEX_SIZE - 1) == 0;
}

/* One text for all that is wrong with a token: nobody learns which devices there are, and which have one. */
static int wrong_token(const char *id, struct err *e)
{
    return err_set(
        e, ERR_UNAUTHENTICATED,
        "the token is not the one that counts for device \"%s\", or tokens of its kind do not count "
        "here",
        id);
}

/* Whether the way by which it came is on, and its token right. hash: of the device's own, or NULL. */
static int check_way(const struct ddi_settings *s, const struct ddi_claim *c, const char *hash, struct err *e)
{
    switch (c->by) {
    case BY_CERTIFICATE:
        return 0;
    case BY_TARGET_TOKEN:
        return s->target_token && same_hash(hash, c->hash) ? 0 : wrong_token(c->id, e);
    case BY_GATEWAY_TOKEN:
        return s->gateway_token && same_hash(s->gateway_hash, c->hash) ? 0 : wrong_token(c->id, e);
    case BY_HEADER:
        return s->header ? 0
                         : err_set(e, ERR_UNAUTHENTICATED,
                                   "header fields by which a proxy says who a device is do not count here");
    }
    return wrong_token(c->id, e);
}

int ota_ddi_admit(struct ota *ota, struct db *db, struct arena *a, const struct ddi_claim *claim,
                  struct asking *out, struct err *e)
{
    struct ddi_settings s;
    struct asking found = {0};
    settings_get_brief(ota->settings, &s);
    int missing = store_asking(db, a, claim->id, claim->by == BY_TARGET_TOKEN ? ASKING_DDI_TOKEN : ASKING_DDI,
                               &found, e);
    if (missing != 0 && missing != ERR_NOT_FOUND)
        return missing;
    int rc = check_way(&s, claim, found.token_hash, e);
    if (rc != 0 || missing != 0)
        return rc != 0 ? rc : missing;
    if (found.device.revoked_at != 0)
        return err_set(e, ERR_UNAUTHENTICATED, "device \"%s\" is revoked", claim->id);
    if (found.device.certified_at != 0 && claim->by != BY_CERTIFICATE)
        return err_set(e, ERR_UNAUTHENTICATED,
                       "device \"%s\" has a certificate, so that nothing less counts for it; an operator can "
                       "release it (pqota device release)",
                       claim->id);
    *out = found;
    return 0;
}

/* --- registering ------------------------------------------------------------------------------------ */

struct entry {
    const char *id, *model, *name, *description;
    struct str token;
    bool certified, announced; /* by an operator; else it came by itself */
};

static int enter(struct ota *ota, struct db *db, const struct entry *n, char token[DDI_TOKEN_SIZE],
                 int64_t *pk, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    int rc = store_device_add(db, n->id, n->model, now, pk, e);
    if (rc == 0)
        rc = store_device_describe(db, *pk, n->name, n->description, e);
    if (rc == 0)
        rc = store_device_set_interface(db, *pk, true, e);
    if (rc == 0)
        rc = store_device_set_attributes_wanted(db, *pk, ATTRIBUTES_WANTED, e);
    if (rc == 0 && n->certified)
        rc = store_device_set_certified(db, *pk, now, e);
    if (rc == 0)
        rc = give_token(ota, db, *pk, n->id, n->token, token, e);
    return rc;
}

static const char *way_text(enum identity_by by)
{
    return by == BY_CERTIFICATE ? "a certificate"
           : by == BY_HEADER    ? "a proxy's header fields"
                                : "the gateway token";
}

int ota_ddi_register(struct ota *ota, struct db *db, struct arena *a, const struct ddi_claim *claim,
                     struct err *e)
{
    char token[DDI_TOKEN_SIZE];
    struct ddi_settings s;
    int64_t pk;
    settings_get(ota->settings, &s);
    const char *description = arena_printf(a, "Plug and Play target: %s", claim->id);
    const char *detail = arena_printf(a, "model %s, by %s", s.model, way_text(claim->by));
    if (description == NULL || detail == NULL)
        return no_memory(e);
    const struct entry n = {.id = claim->id,
                            .model = s.model,
                            .name = claim->id,
                            .description = description,
                            .certified = claim->by == BY_CERTIFICATE};
    int rc = enter(ota, db, &n, token, &pk, e);
    OPENSSL_cleanse(token, sizeof token); /* who may asks for it */
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.registered", claim->id, claim->id, detail,
                             e);
    return rc == 0 ? announce_device(ota, db, pk, e) : rc;
}

static int check_new(const struct ddi_new *n, const char *model, struct err *e)
{
    if (!str_is_device_id(str_of(n->id)))
        return err_set(
            e, ERR_INVALID,
            "a device id begins with a letter or digit, then letters, digits and . _ : -, 64 bytes "
            "at most");
    if (!str_is_name(str_of(model)))
        return err_set(e, ERR_INVALID,
                       "a model begins with a letter or digit, then letters, digits and . _ + ~ -, 128 bytes "
                       "at most");
    if (n->name != NULL && (strlen(n->name) > DDI_NAME_MAX || !str_is_text(str_of(n->name))))
        return err_set(e, ERR_INVALID, "a device's name is text of at most %d bytes", DDI_NAME_MAX);
    if (n->description != NULL &&
        (strlen(n->description) > DDI_DESCRIPTION_MAX || !str_is_text(str_of(n->description))))
        return err_set(e, ERR_INVALID, "a device's description is text of at most %d bytes",
                       DDI_DESCRIPTION_MAX);
    return 0;
}

int ota_ddi_create(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                   const struct ddi_new *n, char token[DDI_TOKEN_SIZE], struct err *e)
{
    struct ddi_settings s;
    int64_t pk;
    settings_get(ota->settings, &s);
    const struct entry entry = {.id = n->id,
                                .model = n->model != NULL ? n->model : s.model,
                                .name = n->name != NULL ? n->name : n->id,
                                .description = n->description,
                                .token = n->token};
    int rc = check_new(n, entry.model, e);
    if (rc == 0)
        rc = enter(ota, db, &entry, token, &pk, e);
    const char *detail = arena_printf(a, "model %s", entry.model);
    if (rc == 0 && detail == NULL)
        rc = no_memory(e);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.added", identity_name(who), n->id, detail,
                             e);
    return rc == 0 ? announce_device(ota, db, pk, e) : rc;
}

/* --- what operators do with them -------------------------------------------------------------------- */

int ota_ddi_token_set(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *id, struct str given, char token[DDI_TOKEN_SIZE], struct err *e)
{
    struct device_standing d;
    int rc = store_device_standing(db, a, id, &d, e);
    if (rc == 0)
        rc = give_token(ota, db, d.pk, id, given, token, e);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.token", identity_name(who), id,
                             "it has another token", e);
    return rc;
}

int ota_ddi_release(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                    const char *id, struct err *e)
{
    struct device_standing d;
    int rc = store_device_standing(db, a, id, &d, e);
    if (rc != 0 || d.certified_at == 0)
        return rc;
    rc = store_device_set_certified(db, d.pk, 0, e);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.released", identity_name(who), id,
                             "a token counts for it again", e);
    return rc;
}

int ota_ddi_token_show(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *id, char token[DDI_TOKEN_SIZE], struct err *e)
{
    struct device_standing d = {0};
    struct str sealed;
    auto_wiped_buf struct buf plain;
    buf_init(&plain, DDI_TOKEN_MAX);
    if ((who->who & WHO_WRITERS) == 0)
        return err_set(e, ERR_DENIED, "a device's token is shown to operators and admins alone");
    int rc = store_device_standing(db, a, id, &d, e);
    if (rc == 0)
        rc = store_device_token_sealed(db, a, d.pk, &sealed, e);
    if (rc == ERR_NOT_FOUND && d.pk != 0)
        return err_set(e, rc, "device \"%s\" has no token; a new one can be set", id);
    if (rc == 0 && unseal(ota->sealer, str_of(id), sealed, &plain, e) != 0) {
        (void)err_context(
            e, "the token of device \"%s\" cannot be shown; it counts still, and another can be set", id);
        rc = ERR_CONFLICT; /* with the secret key that is there now: a person can do something */
        if (e != NULL)
            e->code = rc;
    }
    if (rc != 0)
        return rc;
    memcpy(token, plain.p, plain.n);
    token[plain.n] = '\0';
    return 0;
}
