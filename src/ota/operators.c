#include "ota/operators.h"

#include <string.h>

#include "ota/ota.h"
#include "ota/principal.h"
#include "store/certificates.h"
#include "store/events.h"
#include "store/operators.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to register an operator");
}

/* Whom identity_name and the server's own work name in events. */
static bool is_reserved(const char *name)
{
    return strcmp(name, "server") == 0 || strcmp(name, "local") == 0 || strcmp(name, "anyone") == 0;
}

static const char *subject_of(struct arena *a, const char *name)
{
    return arena_printf(a, "operator/%s", name);
}

static int find_or_add(struct db *db, struct arena *a, const char *name, const char *role, int64_t now_ms,
                       int64_t *pk, struct err *e)
{
    struct operator_account have;
    int rc = store_operator_by_name(db, a, name, &have, e);
    if (rc == ERR_NOT_FOUND)
        return store_operator_add(db, name, role, now_ms, pk, e);
    if (rc != 0)
        return rc;
    if (have.revoked_at != 0)
        return err_set(e, ERR_CONFLICT,
                       "operator \"%s\" was revoked; names are not given twice, choose another", name);
    if (strcmp(have.role, role) != 0)
        return err_set(e, ERR_CONFLICT,
                       "operator \"%s\" has the role %s; to give another, revoke and register a new name",
                       name, have.role);
    *pk = have.pk;
    return 0;
}

/* One that was registered before SHA-1s were kept, by which a proxy names certificates, gets its own when it
   is registered again. */
static int add_or_complete(struct db *db, const struct certificate *c, int64_t pk, struct err *e)
{
    struct err other = {0};
    bool added = false;
    int rc = store_certificate_add(db, c, 0, pk, e);
    if (rc != ERR_CONFLICT || c->sha1 == NULL)
        return rc;
    int again =
        store_certificate_add_sha1(db, c->issuer, c->serial, c->fingerprint, pk, c->sha1, &added, &other);
    if (again == 0 && !added)
        return rc; /* with what the first one said */
    if (e != NULL)
        *e = other;
    return again;
}

int ota_operator_check_name(const char *name, struct err *e)
{
    if (is_reserved(name))
        return err_set(e, ERR_INVALID, "no operator may be called \"%s\": events name others so", name);
    if (!str_is_name(str_of(name)))
        return err_set(
            e, ERR_INVALID,
            "an operator's name begins with a letter or digit, then letters, digits and . _ + ~ -, 128 "
            "bytes at most");
    return 0;
}

static int add(struct db *db, struct arena *a, const char *who, const char *name, const char *role,
               const struct pki_cert *cert, int64_t now_ms, struct err *e)
{
    enum who bit;
    int64_t pk = 0;
    int rc = ota_operator_check_name(name, e);
    if (rc == 0)
        rc = role_parse(str_of(role), &bit, e);
    if (rc == 0 && cert->issuer_key[0] == '\0')
        rc = err_set(e, ERR_INTERNAL, "an operator's certificate was registered without its issuer");
    if (rc == 0)
        rc = find_or_add(db, a, name, role, now_ms, &pk, e);
    if (rc != 0)
        return rc;
    const struct certificate c = {
        .issuer = cert->issuer_key,
        .serial = cert->serial,
        .fingerprint = cert->fingerprint,
        .sha1 = str_or_null(cert->sha1),
        .key_id = cert->key_id,
        .not_before = cert->not_before * 1000,
        .not_after = cert->not_after * 1000,
        .issued_at = now_ms,
        .algorithm = cert->algorithm,
    };
    rc = add_or_complete(db, &c, pk, e);
    if (rc != 0)
        return rc;
    char end[CLOCK_TEXT_MAX];
    const char *subject = subject_of(a, name);
    const char *detail = arena_printf(a, "role %s, certificate %s until %s", role, cert->serial,
                                      clock_format(c.not_after, end));
    if (subject == NULL || detail == NULL)
        return no_memory(e);
    return store_event_add(db, now_ms, "operator.registered", who, subject, detail, e);
}

int ota_operator_add(struct db *db, const char *name, const char *role, const struct pki_cert *cert,
                     int64_t now_ms, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 65536);
    return add(db, &a, "server", name, role, cert, now_ms, e);
}

int ota_operator_check(struct ota *ota, struct registration *r, struct err *e)
{
    return pki_cert_verify(r->pem, ota->operator_roots_file, PKI_CLIENT, clock_unix_ms(ota->clock) / 1000,
                           &r->cert, e);
}

static int with_certificates(struct db *db, struct arena *a, struct operator_account *o, struct err *e)
{
    return store_certificate_by_operator(db, a, o->pk, &o->certificates, &o->certificate_count, e);
}

int ota_operator_register(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                          struct registration *r, struct err *e)
{
    int rc = add(db, a, identity_name(who), r->name, r->role, &r->cert, clock_unix_ms(ota->clock), e);
    if (rc == 0)
        rc = store_operator_by_name(db, a, r->name, &r->account, e);
    return rc != 0 ? rc : with_certificates(db, a, &r->account, e);
}

int ota_operator_admit(struct ota *ota, const struct registration *r, struct err *e)
{
    enum who role;
    int rc = role_parse(str_of(r->role), &role, e);
    if (rc != 0)
        return rc;
    return principals_add_operator(ota->principals, r->cert.issuer_key, r->cert.serial, r->cert.fingerprint,
                                   r->name, role, e);
}

int ota_operator_list(struct db *db, struct arena *a, const char *after, size_t limit,
                      struct operator_account **out, size_t *count, struct err *e)
{
    int rc = store_operator_list(db, a, after, limit, out, count, e);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        rc = with_certificates(db, a, &(*out)[i], e);
    return rc;
}

static int may_revoke(struct db *db, const struct identity *who, const struct operator_account *o,
                      int64_t now, struct err *e)
{
    if (who->who != WHO_LOCAL && strcmp(who->id, o->name) == 0)
        return err_set(e, ERR_CONFLICT, "nobody revokes themselves; let another admin do it");
    if (strcmp(o->role, "admin") != 0 || o->revoked_at != 0)
        return 0;
    int64_t others = 0;
    int rc = store_operator_admins(db, o->pk, now, &others, e);
    if (rc == 0 && others == 0)
        return err_set(e, ERR_CONFLICT, "\"%s\" is the last admin; register another one first", o->name);
    return rc;
}

int ota_operator_revoke(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *name, struct err *e)
{
    struct operator_account o;
    int64_t now = clock_unix_ms(ota->clock);
    int rc = store_operator_by_name(db, a, name, &o, e);
    if (rc == 0)
        rc = may_revoke(db, who, &o, now, e);
    const char *subject = subject_of(a, name);
    if (rc == 0 && subject == NULL)
        rc = no_memory(e);
    if (rc == 0 && o.revoked_at == 0) {
        rc = store_operator_revoke(db, o.pk, now, e);
        if (rc == 0)
            rc = store_event_add(db, now, "operator.revoked", identity_name(who), subject, NULL, e);
    }
    for (size_t count = 1; rc == 0 && count > 0;) {
        struct certificate *list;
        rc = store_certificate_live(db, a, 0, o.pk, 0, &list, &count, e);
        for (size_t i = 0; rc == 0 && i < count; i++) {
            rc = store_certificate_revoke(db, list[i].issuer, list[i].serial, now, "revoked", e);
            if (rc == 0)
                rc = principals_revoke(ota->principals, list[i].issuer, list[i].serial,
                                       list[i].not_after / 1000, now / 1000, e);
        }
        if (rc != 0)
            principals_mark_stale(ota->principals); /* undone here, but maybe not in memory */
    }
    return rc;
}
