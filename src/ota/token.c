#include "ota/token.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/rand.h"
#include "ota/ota.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/tokens.h"

#define TEXT_MAX 256

int ota_token_hash(struct str text, char out[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char hash[SHA256_SIZE];
    if (text.n == 0 || text.n > TEXT_MAX)
        return err_set(e, ERR_INVALID, "\"token\" must be an enrolment token (pqota token new makes one)");
    if (EVP_Digest(text.p, text.n, hash, NULL, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_CRYPTO, "cannot hash an enrolment token");
    hex_encode(hash, sizeof hash, out);
    return 0;
}

static int make_text(char text[TOKEN_TEXT_SIZE], struct err *e)
{
    unsigned char raw[TOKEN_RANDOM];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    memcpy(text, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1);
    hex_encode(raw, sizeof raw, text + sizeof TOKEN_PREFIX - 1);
    return 0;
}

static int check(struct db *db, struct arena *a, const struct identity *who, const struct token_request *r,
                 struct err *e)
{
    if (!str_is_name(str_of(r->model)))
        return err_set(
            e, ERR_INVALID,
            "\"model\" must begin with a letter or digit, then letters, digits and . _ + ~ -, 128 bytes "
            "at most");
    if (r->note != NULL && strlen(r->note) > TOKEN_NOTE_MAX)
        return err_set(e, ERR_INVALID, "\"note\" is longer than %d bytes", TOKEN_NOTE_MAX);
    if (r->uses < 1 || r->uses > TOKEN_USES_MAX)
        return err_set(e, ERR_INVALID, "\"count\" must be from 1 to %d", TOKEN_USES_MAX);
    if (r->seconds < 1 || r->seconds > TOKEN_SECONDS_MAX)
        return err_set(e, ERR_INVALID, "\"expires_in\" must be from 1 to %d seconds", TOKEN_SECONDS_MAX);
    if (r->device == NULL)
        return 0;
    if (!str_is_device_id(str_of(r->device)))
        return err_set(
            e, ERR_INVALID,
            "\"device\" is no device id: it begins with a letter or digit, then letters, digits and "
            ". _ : -, 64 bytes at most");
    if (r->uses != 1)
        return err_set(e, ERR_INVALID, "a token for one device has \"count\" 1");
    struct device d;
    int rc = store_device_by_id(db, a, r->device, &d, e);
    if (rc == ERR_NOT_FOUND)
        return 0; /* it will be made */
    if (rc == 0 && strcmp(d.model, r->model) != 0)
        return err_set(e, ERR_CONFLICT, "device \"%s\" is of model \"%s\", not \"%s\"", d.id, d.model,
                       r->model);
    /* Such a token takes the revocation back, which is an admin's. */
    if (rc == 0 && d.revoked_at != 0 && who->who != WHO_ADMIN)
        return err_set(e, ERR_DENIED,
                       "device \"%s\" is revoked: only an admin makes a token that readmits it", d.id);
    return rc;
}

static int tell(struct db *db, struct arena *a, const struct token *t, int64_t now, struct err *e)
{
    char end[CLOCK_TEXT_MAX];
    const char *subject = arena_printf(a, "token/%lld", (long long)t->id);
    const char *detail =
        arena_printf(a, "model %s, %lld use%s until %s%s%s", t->model, (long long)t->uses_max,
                     t->uses_max == 1 ? "" : "s", clock_format(t->expires_at, end),
                     t->device_id != NULL ? ", for device " : "", t->device_id != NULL ? t->device_id : "");
    if (subject == NULL || detail == NULL)
        return err_set(e, ERR_NOMEM, "no memory to make a token");
    return store_event_add(db, now, "token.created", t->created_by, subject, detail, e);
}

int ota_token_new(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                  const struct token_request *request, char text[TOKEN_TEXT_SIZE], struct token *out,
                  struct err *e)
{
    char made[TOKEN_TEXT_SIZE], hash[SHA256_HEX_SIZE];
    int64_t now = clock_unix_ms(ota->clock);
    int rc = check(db, a, who, request, e);
    if (rc == 0)
        rc = make_text(made, e);
    if (rc == 0)
        rc = ota_token_hash(str_of(made), hash, e);
    if (rc != 0)
        return rc;
    struct token t = {
        .hash = hash,
        .model = request->model,
        .device_id = request->device,
        .note = request->note,
        .uses_max = request->uses,
        .created_at = now,
        .expires_at = now + request->seconds * 1000,
        .created_by = identity_name(who),
    };
    rc = store_token_add(db, &t, &t.id, e);
    if (rc == 0)
        rc = tell(db, a, &t, now, e);
    if (rc != 0)
        return rc;
    t.hash = NULL;
    memcpy(text, made, sizeof made);
    *out = t;
    return 0;
}

int ota_token_list(struct db *db, struct arena *a, int64_t before, size_t limit, struct token **out,
                   size_t *count, struct err *e)
{
    return store_token_list(db, a, before, limit, out, count, e);
}

int ota_token_revoke(struct ota *ota, struct db *db, struct arena *a, const struct identity *who, int64_t id,
                     struct err *e)
{
    struct token t;
    int64_t now = clock_unix_ms(ota->clock);
    int rc = store_token_by_id(db, a, id, &t, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no token %lld", (long long)id);
    if (rc != 0 || t.revoked_at != 0)
        return rc;
    const char *subject = arena_printf(a, "token/%lld", (long long)id);
    if (subject == NULL)
        return err_set(e, ERR_NOMEM, "no memory to revoke a token");
    rc = store_token_revoke(db, id, now, e);
    return rc != 0 ? rc : store_event_add(db, now, "token.revoked", identity_name(who), subject, NULL, e);
}
