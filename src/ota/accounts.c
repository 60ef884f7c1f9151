#include "ota/accounts.h"

#include <string.h>

#include "model/operator.h"
#include "ota/ota.h"
#include "store/accounts.h"
#include "store/events.h"
#include "store/sessions.h"

/* Whom identity_name and the server's own work name in events. */
static bool is_reserved(const char *name)
{
    return strcmp(name, "server") == 0 || strcmp(name, "local") == 0 || strcmp(name, "anyone") == 0;
}

int ota_account_hash(struct account_password *p, struct err *e)
{
    struct str password = p->given;
    int rc = 0;
    if (password.n == 0) {
        rc = password_make(p->made, e);
        password = (struct str){.p = p->made, .n = PASSWORD_MADE};
    }
    return rc == 0 ? password_hash(password, p->phc, e) : rc;
}

int ota_account_check(const char *name, const char *role, struct err *e)
{
    enum who unused;
    if (!account_is_name(str_of(name)))
        return err_set(e, ERR_INVALID,
                       "\"%.128s\" is no account's name: that is letters, digits and . _ @ + - (at most %d), "
                       "and begins with a letter or digit",
                       name, ACCOUNT_NAME_MAX);
    if (is_reserved(name))
        return err_set(e, ERR_INVALID,
                       "\"%s\" means something else in the record of events; take another name", name);
    return role_parse(str_of(role), &unused, e);
}

static int tell(struct db *db, struct arena *a, int64_t now, const struct identity *who, const char *kind,
                const char *name, const char *detail, struct err *e)
{
    const char *subject = arena_printf(a, "account/%s", name);
    if (subject == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note what became of an account");
    return store_event_add(db, now, kind, identity_name(who), subject, detail, e);
}

static const char *role_detail(struct arena *a, const char *role)
{
    const char *text = arena_printf(a, "role %s", role);
    return text != NULL ? text : "";
}

int ota_account_create(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *name, const char *role, const struct account_password *p,
                       struct account *out, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    struct account account = {.name = name,
                              .role = role,
                              .password = p->phc,
                              .created_at = now,
                              .created_by = identity_name(who),
                              .changed_at = now};
    int rc = ota_account_check(name, role, e);
    if (rc == 0)
        rc = store_account_add(db, &account, &account.pk, e);
    if (rc == 0)
        rc = tell(db, a, now, who, "account.created", name, role_detail(a, role), e);
    if (rc == 0)
        *out = account;
    return rc;
}

int ota_account_list(struct db *db, struct arena *a, const char *after, size_t limit, struct account **out,
                     size_t *count, struct err *e)
{
    return store_account_list(db, a, after, limit, out, count, e);
}

/* Grows also where the clock went back. Sessions of another changed_at are over, and so are links that wait
   to become one. */
static int change(struct db *db, struct account *account, int64_t now, struct err *e)
{
    account->changed_at = now > account->changed_at ? now : account->changed_at + 1;
    int rc = store_account_change(db, account, e);
    return rc == 0 ? store_links_remove(db, account->pk, e) : rc;
}

int ota_account_set_password(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                             const char *name, const struct account_password *p, struct account *out,
                             struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    struct account account;
    int rc = store_account_by_name(db, a, name, &account, e);
    if (rc != 0)
        return rc;
    account.password = p->phc;
    rc = change(db, &account, now, e);
    if (rc == 0)
        rc = tell(db, a, now, who, "account.password", name, NULL, e);
    if (rc == 0)
        *out = account;
    return rc;
}

int ota_account_set_role(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                         const char *name, const char *role, struct account *out, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    struct account account;
    enum who unused;
    int rc = role_parse(str_of(role), &unused, e);
    if (rc == 0)
        rc = store_account_by_name(db, a, name, &account, e);
    if (rc != 0)
        return rc;
    if (strcmp(account.role, role) != 0) {
        account.role = role;
        rc = change(db, &account, now, e);
        if (rc == 0)
            rc = tell(db, a, now, who, "account.role", name, role_detail(a, role), e);
    }
    if (rc == 0)
        *out = account;
    return rc;
}

int ota_account_disable(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *name, bool disabled, struct account *out, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    struct account account;
    int rc = store_account_by_name(db, a, name, &account, e);
    if (rc != 0)
        return rc;
    if ((account.disabled_at != 0) != disabled) {
        account.disabled_at = disabled ? now : 0;
        rc = change(db, &account, now, e);
        if (rc == 0)
            rc = tell(db, a, now, who, disabled ? "account.disabled" : "account.enabled", name, NULL, e);
    }
    if (rc == 0)
        *out = account;
    return rc;
}

int ota_account_remove(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *name, struct err *e)
{
    struct account account;
    int rc = store_account_by_name(db, a, name, &account, e);
    if (rc == 0)
        rc = store_account_remove(db, account.pk, e);
    return rc == 0 ? tell(db, a, clock_unix_ms(ota->clock), who, "account.removed", name, NULL, e) : rc;
}

int ota_account_role(struct db *db, struct arena *a, const char *name, enum who *out, struct err *e)
{
    struct account account;
    int rc = store_account_by_name(db, a, name, &account, e);
    if (rc == ERR_NOT_FOUND || (rc == 0 && account.disabled_at != 0))
        return err_set(e, ERR_UNAUTHENTICATED, "the account \"%s\" does not count any more", name);
    return rc == 0 ? role_parse(str_of(account.role), out, e) : rc;
}
