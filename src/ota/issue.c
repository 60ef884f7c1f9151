#include "ota/issue.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "ota/principal.h"
#include "store/certificates.h"

CLEANUP_DEFINE(csr, struct pki_csr, pki_csr_free);
CLEANUP_DEFINE(ca, struct pki_ca, pki_ca_free);

int issue_check(struct str csr, char key_id[SHA256_HEX_SIZE], struct err *e)
{
    CLEANUP(csr_cleanup) struct pki_csr *parsed = NULL;
    int rc = pki_csr_parse(csr, &parsed, e);
    if (rc != 0)
        return rc;
    snprintf(key_id, SHA256_HEX_SIZE, "%s", pki_csr_key_id(parsed));
    return 0;
}

int issue_sign(struct ota *ota, struct arena *a, struct str csr, const char *id, struct str *pem,
               struct pki_cert *cert, struct err *e)
{
    CLEANUP(csr_cleanup) struct pki_csr *parsed = NULL;
    int rc = pki_csr_parse(csr, &parsed, e);
    if (rc != 0)
        return rc;
    CLEANUP(ca_cleanup) struct pki_ca *ca = ota->device_ca(ota->device_ca_ctx);
    int64_t now_s = clock_unix_ms(ota->clock) / 1000;
    const struct pki_issue what = {
        .purpose = PKI_CLIENT,
        .common_name = id,
        .not_before = now_s - ISSUE_BACKDATE_S,
        .not_after = now_s + ota->device_days * 86400,
    };
    rc = pki_issue_cert(ca, parsed, NULL, &what, a, pem, cert, e);
    /* Nothing that was asked for can be wrong any more: an authority that has ended, a broken token. */
    if (rc == ERR_INVALID) {
        if (e != NULL)
            e->code = ERR_INTERNAL;
        (void)err_context(e, "the device authority cannot issue");
        return ERR_INTERNAL;
    }
    return rc;
}

bool issue_is_unused(const struct certificate *c, int64_t now_ms)
{
    return c->first_used_at == 0 && c->revoked_at == 0 && c->pem != NULL && c->not_after > now_ms;
}

void issue_again(const struct certificate *c, struct str *pem, struct pki_cert *cert)
{
    *pem = str_of(c->pem);
    *cert = (struct pki_cert){.not_before = c->not_before / 1000, .not_after = c->not_after / 1000};
    snprintf(cert->serial, sizeof cert->serial, "%s", c->serial);
    snprintf(cert->issuer_key, sizeof cert->issuer_key, "%s", c->issuer);
    snprintf(cert->fingerprint, sizeof cert->fingerprint, "%s", c->fingerprint);
    snprintf(cert->key_id, sizeof cert->key_id, "%s", c->key_id);
}

int issue_store(struct ota *ota, struct db *db, struct arena *a, int64_t device, const char *not_serial,
                struct str *pem, struct pki_cert *cert, bool *again, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    struct certificate have;
    int rc = store_certificate_for_key(db, a, device, cert->key_id, &have, e);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == 0 && issue_is_unused(&have, now) && !str_is(str_of(have.serial), not_serial)) {
        issue_again(&have, pem, cert);
        *again = true;
        return 0;
    }
    const char *text = arena_dup_str(a, *pem);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a certificate");
    const struct certificate c = {
        .issuer = cert->issuer_key,
        .serial = cert->serial,
        .fingerprint = cert->fingerprint,
        .sha1 = str_or_null(cert->sha1),
        .key_id = cert->key_id,
        .pem = text,
        .not_before = cert->not_before * 1000,
        .not_after = cert->not_after * 1000,
        .issued_at = now,
        .algorithm = cert->algorithm,
    };
    rc = store_certificate_add(db, &c, device, 0, e);
    if (rc == 0)
        rc = principals_add_pending(ota->principals, c.issuer, c.serial, e);
    return rc;
}
