#include "ota/renew.h"

#include <inttypes.h>

#include "ota/issue.h"
#include "ota/principal.h"
#include "store/certificates.h"
#include "store/devices.h"
#include "store/events.h"

int ota_renew_check(struct renewal *r, struct err *e)
{
    return issue_check(r->csr, r->key_id, e);
}

/* From when on the certificate that is shown renews, Unix seconds. One that the database does not know (it
   was issued after the backup that was restored) is taken to be of the usual length. */
static int renews_from(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       int64_t device, int64_t *from, struct err *e)
{
    struct certificate c;
    int64_t owner = 0;
    int rc = store_certificate_get(db, a, who->issuer, who->serial, &c, &owner, e);
    if (rc == ERR_NOT_FOUND) {
        *from = who->not_after - ota->device_days * 86400 / 3;
        return 0;
    }
    if (rc != 0)
        return rc;
    if (owner != device || c.revoked_at != 0)
        return err_set(e, ERR_UNAUTHENTICATED, "this certificate is not device \"%s\"'s any more", who->id);
    *from = (c.not_after - (c.not_after - c.not_before) / 3) / 1000;
    return 0;
}

int ota_renew_look(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                   struct renewal *r, struct err *e)
{
    struct device d;
    int rc = store_device_by_id(db, a, who->id, &d, e);
    if (rc == ERR_NOT_FOUND || (rc == 0 && d.revoked_at != 0))
        return err_set(e, ERR_UNAUTHENTICATED,
                       "device \"%s\" is %s here; it must enrol again with a token that names it", who->id,
                       rc == 0 ? "revoked" : "not known");
    int64_t now = clock_unix_ms(ota->clock), from = 0, pending = 0;
    if (rc == 0)
        rc = renews_from(ota, db, a, who, d.pk, &from, e);
    if (rc != 0)
        return rc;
    char when[CLOCK_TEXT_MAX];
    if (now / 1000 < from)
        return err_set(e, ERR_CONFLICT, "this certificate renews from %s on",
                       clock_format(from * 1000, when));
    r->device = d.pk;
    r->id = d.id;
    struct certificate c;
    rc = store_certificate_for_key(db, a, d.pk, r->key_id, &c, e);
    if (rc == 0 && issue_is_unused(&c, now) && strcmp(c.serial, who->serial) != 0) {
        issue_again(&c, &r->pem, &r->cert);
        r->again = true;
        return 0;
    }
    if (rc == 0 || rc == ERR_NOT_FOUND)
        rc = store_certificate_pending_count(db, d.pk, now, &pending, e);
    if (rc == 0 && pending >= RENEW_PENDING_MAX)
        return err_set(e, ERR_CONFLICT,
                       "device \"%s\" was given %" PRId64
                       " certificates and used none of them; use one, or ask "
                       "again with the key of one",
                       d.id, pending);
    return rc;
}

int ota_renew_sign(struct ota *ota, struct arena *a, struct renewal *r, struct err *e)
{
    if (r->again)
        return 0;
    return issue_sign(ota, a, r->csr, r->id, &r->pem, &r->cert, e);
}

int ota_renew_store(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                    struct renewal *r, struct err *e)
{
    if (r->again)
        return 0;
    struct device d;
    int rc = store_device_by_pk(db, a, r->device, &d, e);
    if (rc == ERR_NOT_FOUND || (rc == 0 && d.revoked_at != 0))
        return err_set(e, ERR_UNAUTHENTICATED, "device \"%s\" was revoked just now", r->id);
    if (rc == 0)
        rc = issue_store(ota, db, a, r->device, who->serial, &r->pem, &r->cert, &r->again, e);
    if (rc != 0 || r->again)
        return rc;
    char end[CLOCK_TEXT_MAX];
    const char *detail = arena_printf(a, "certificate %s until %s", r->cert.serial,
                                      clock_format(r->cert.not_after * 1000, end));
    if (detail == NULL)
        return err_set(e, ERR_NOMEM, "no memory to renew a certificate");
    return store_event_add(db, clock_unix_ms(ota->clock), "device.renewed", d.id, d.id, detail, e);
}

/* Revokes what was issued or used before the certificate that is used now (or the clock went back between).
   These go into the next revocation list,
   but do not hurry it: nobody lost a key. */
static int supersede(struct db *db, struct ota *ota, int64_t device, int64_t issued_at, const char *issuer,
                     const char *serial, int64_t now, struct err *e)
{
    for (;;) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct certificate *list;
        size_t count = 0, revoked = 0;
        int rc = store_certificate_live(db, &a, device, 0, issued_at, &list, &count, e);
        for (size_t i = 0; i < count && rc == 0; i++) {
            if (strcmp(list[i].serial, serial) == 0 && strcmp(list[i].issuer, issuer) == 0)
                continue;
            rc = store_certificate_revoke(db, list[i].issuer, list[i].serial, now, "superseded", e);
            if (rc == 0)
                rc = principals_revoke(ota->principals, list[i].issuer, list[i].serial,
                                       list[i].not_after / 1000, now / 1000, e);
            revoked++;
        }
        if (rc != 0 || revoked == 0)
            return rc;
    }
}

int ota_certificate_used(struct db *db, struct ota *ota, const char *issuer, const char *serial,
                         struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock), device = 0, issued_at = 0;
    int rc = store_certificate_used(db, issuer, serial, now, &device, &issued_at, e);
    if (rc != 0 || device == 0)
        return rc;
    rc = supersede(db, ota, device, issued_at, issuer, serial, now, e);
    if (rc != 0)
        principals_mark_stale(ota->principals); /* undone here, but maybe not in memory */
    return rc;
}
