#include "ota/sessions.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/rand.h"
#include "model/operator.h"
#include "ota/accounts.h"
#include "ota/ota.h"
#include "store/accounts.h"
#include "store/events.h"
#include "store/sessions.h"

static int over(struct err *e)
{
    return err_set(e, ERR_UNAUTHENTICATED, "the session is over: sign in again");
}

int ota_session_hash(struct str token, char hash[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char raw[SESSION_TOKEN_BYTES], digest[SHA256_SIZE];
    if (hex_decode(token, raw, sizeof raw) != 0)
        return err_set(e, ERR_INVALID, "that is no session and no link");
    if (EVP_Digest(raw, sizeof raw, digest, NULL, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_CRYPTO, "cannot hash a session");
    hex_encode(digest, sizeof digest, hash);
    return 0;
}

static int make_token(char token[SESSION_TOKEN_SIZE], char hash[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char raw[SESSION_TOKEN_BYTES];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    hex_encode(raw, sizeof raw, token);
    return ota_session_hash(str_of(token), hash, e);
}

int ota_session_find(struct ota *ota, struct db *db, struct arena *a, const char *hash, struct session *out,
                     enum who *role, struct err *e)
{
    struct session found;
    int rc = store_session_by_hash(db, a, hash, &found, e);
    if (rc == ERR_NOT_FOUND)
        return over(e);
    if (rc != 0)
        return rc;
    int64_t now = clock_unix_ms(ota->clock);
    if (found.expires_at <= now || found.created_at > now + SESSION_AHEAD_MAX_MS ||
        found.account.disabled_at != 0 || found.account.changed_at != found.account_changed)
        return over(e);
    rc = role_parse(str_of(found.account.role), role, e);
    if (rc == 0)
        *out = found;
    return rc;
}

static int tell(struct db *db, struct arena *a, int64_t now, const char *who, const char *kind,
                const char *name, const char *detail, struct err *e)
{
    const char *subject = arena_printf(a, "account/%s", name);
    if (subject == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note who signed in");
    return store_event_add(db, now, kind, who, subject, detail, e);
}

int ota_session_open(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *name, const char *phc, int64_t seconds, char token[SESSION_TOKEN_SIZE],
                     struct session *out, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    char hash[SHA256_HEX_SIZE];
    struct session s = {.by_link = phc == NULL, .created_at = now, .expires_at = now + seconds * 1000};
    int rc = store_account_by_name(db, a, name, &s.account, e);
    if (rc == ERR_NOT_FOUND ||
        (rc == 0 && (s.account.disabled_at != 0 || (phc != NULL && strcmp(phc, s.account.password) != 0))))
        return err_set(e, ERR_UNAUTHENTICATED, "the account was changed just now: sign in again");
    s.account_changed = s.account.changed_at;
    if (rc == 0)
        rc = make_token(token, hash, e);
    if (rc == 0) /* before it is there: where the clock went back it is not the newest */
        rc = store_session_prune(db, now, s.account.pk, SESSIONS_PER_ACCOUNT - 1, e);
    if (rc == 0)
        rc = store_session_add(db, hash, &s, who->address, e);
    if (rc == 0)
        rc = tell(db, a, now, name, "session.opened", name,
                  phc != NULL ? "signed in with a password" : "signed in by a one-time link", e);
    s.account.password = NULL;
    if (rc == 0)
        *out = s;
    return rc;
}

int ota_session_close(struct ota *ota, struct db *db, struct arena *a, const struct identity *who, bool all,
                      struct err *e)
{
    struct session s;
    enum who role;
    int rc = ota_session_find(ota, db, a, who->token, &s, &role, e);
    if (rc == 0)
        rc = all ? store_session_remove_all(db, s.account.pk, e) : store_session_remove(db, who->token, e);
    if (rc == 0)
        rc = tell(db, a, clock_unix_ms(ota->clock), who->id, "session.closed", who->id,
                  all ? "signed out everywhere" : "signed out", e);
    return rc;
}

int ota_session_set_password(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                             const char *old_phc, const char *new_phc, struct err *e)
{
    struct session s;
    struct account now;
    enum who role;
    struct account_password p = {.given = {0}};
    int rc = ota_session_find(ota, db, a, who->token, &s, &role, e);
    if (rc == 0)
        rc = store_account_by_name(db, a, who->id, &now, e);
    if (rc != 0)
        return rc;
    bool proven = old_phc != NULL ? strcmp(old_phc, now.password) == 0 : s.by_link;
    if (!proven)
        return err_set(e, ERR_DENIED, "say the old password too");
    memcpy(p.phc, new_phc, strnlen(new_phc, sizeof p.phc - 1));
    rc = ota_account_set_password(ota, db, a, who, who->id, &p, &now, e);
    return rc == 0 ? store_session_rebind(db, who->token, now.changed_at, e) : rc;
}

int ota_sign_in_link(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *name, const char *role, const char *made, char token[SESSION_TOKEN_SIZE],
                     int64_t *expires_at, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock), until = now + SIGN_IN_LINK_SECONDS * 1000;
    char hash[SHA256_HEX_SIZE];
    struct account account;
    struct account_password p = {.given = {0}};
    memcpy(p.phc, made, strnlen(made, sizeof p.phc - 1));
    int rc = store_account_by_name(db, a, name, &account, e);
    if (rc == ERR_NOT_FOUND)
        rc = ota_account_create(ota, db, a, who, name, role != NULL ? role : "admin", &p, &account, e);
    if (rc != 0)
        return rc;
    if (account.disabled_at != 0)
        return err_set(e, ERR_CONFLICT, "the account \"%s\" is disabled: pqota account enable %s", name,
                       name);
    if (role != NULL && strcmp(role, account.role) != 0)
        return err_set(e, ERR_CONFLICT,
                       "the account \"%s\" is there already, as %s: pqota account role %s %s", name,
                       account.role, name, role);
    rc = make_token(token, hash, e);
    if (rc == 0)
        rc = store_session_prune(db, now, account.pk, SESSIONS_PER_ACCOUNT, e);
    if (rc == 0)
        rc = store_link_add(db, hash, account.pk, now, until, identity_name(who), e);
    if (rc == 0)
        rc = tell(db, a, now, identity_name(who), "link.created", name, "a one-time link to sign in", e);
    if (rc == 0)
        *expires_at = until;
    return rc;
}

static int no_link(int rc, struct err *e)
{
    if (rc == ERR_NOT_FOUND || rc == ERR_INVALID)
        return err_set(e, ERR_UNAUTHENTICATED,
                       "the link was used already, or its time is over: ask for another (pqota console)");
    return rc;
}

int ota_sign_in_link_check(struct ota *ota, struct db *db, struct arena *a, struct str token, struct err *e)
{
    char hash[SHA256_HEX_SIZE];
    const char *name = NULL;
    int rc = ota_session_hash(token, hash, e);
    if (rc == 0)
        rc = store_link_find(db, a, hash, clock_unix_ms(ota->clock), &name, e);
    return no_link(rc, e);
}

int ota_sign_in_link_take(struct ota *ota, struct db *db, struct arena *a, struct str token,
                          const char **name, struct err *e)
{
    char hash[SHA256_HEX_SIZE];
    int rc = ota_session_hash(token, hash, e);
    if (rc == 0)
        rc = store_link_take(db, a, hash, clock_unix_ms(ota->clock), name, e);
    return no_link(rc, e);
}
