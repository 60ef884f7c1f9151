/* Who vouches for an offer: the director for that it is meant for this device, the vendor for what it is. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/verifier.h"
#include "trust/custom.h"

static int update(struct verifier *v, struct err *e)
{
    char name[128];
    if (strcmp(v->repository, "image") == 0)
        return tuf_client_refresh(&v->tuf, e);
    snprintf(name, sizeof name, "%s/targets.json", v->set.device);
    return tuf_client_refresh_director(&v->tuf, name, str_of(v->set.device), e);
}

/* Once more from the configured root when the stored one is no good. */
static int refresh(struct verifier *v, const char *repository, struct err *e)
{
    int rc = verifier_open(v, repository, e);
    if (rc == 0)
        rc = update(v, e);
    if (rc != ERR_CORRUPT)
        return rc;
    rc = verifier_begin(v, e);
    return rc == 0 ? update(v, e) : rc;
}

static int ask_director(struct verifier *v, const char *filename, struct wanted *out, struct err *e)
{
    int rc = refresh(v, "director", e);
    if (rc == 0)
        rc = wanted_read(&v->tuf.targets, filename, out, e);
    verifier_close(v);
    return rc;
}

/* A file need not say which role's it is, and the vendor may sign all with the same keys: an old one of the
   model's role, served as the top-level role's, would bring back what was withdrawn. So for a model that has
   a role that one alone signs. */
static int check_signer(const struct verifier *v, const struct wanted *w, struct err *e)
{
    char role[TUF_ROLE_NAME_MAX], file[TUF_ROLE_NAME_MAX + sizeof ".json"];
    struct tuf_target entry;
    struct tuf_meta meta;
    if (!trust_model_role(str_of(v->set.model), role, sizeof role))
        return err_set(e, ERR_INVALID, "the device's model is none");
    snprintf(file, sizeof file, "%s.json", role);
    if (tuf_target_find(&v->tuf.targets, str_of(w->path), &entry, NULL) != 0 ||
        tuf_meta_find(&v->tuf.snapshot, str_of(file), &meta, NULL) != 0)
        return 0;
    return err_set(e, ERR_DENIED, "image: targets.json names %s, which is for the role %s to do", w->path,
                   role);
}

static int ask_image(struct verifier *v, const struct wanted *w, const struct pqota_standing *standing,
                     struct pqota_target *out, struct err *e)
{
    struct tuf_target entry;
    int rc = refresh(v, "image", e);
    if (rc == 0) {
        rc = tuf_client_target(&v->tuf, str_of(w->path), &entry, e);
        if (rc == ERR_NOT_FOUND)
            err_set(e, rc, "the director names %s, which the vendor has not signed", w->path);
    }
    if (rc == 0)
        rc = check_signer(v, w, e);
    if (rc == 0)
        rc = wanted_check(w, &entry, v->set.model, standing, out, e);
    verifier_close(v);
    return rc;
}

static enum pqota_vouch answer_of(int rc)
{
    switch (rc) {
    case 0:
        return PQOTA_VOUCHED;
    case ERR_IO: /* of the network or of the storage */
    case ERR_BUSY:
    case ERR_FULL:
    case ERR_CRYPTO:
        return PQOTA_VOUCH_LATER;
    case ERR_GONE:      /* it has expired; a new one may be under way */
    case ERR_NOT_FOUND: /* not there yet */
    case ERR_TIMEOUT:   /* it trickles */
        return PQOTA_VOUCH_STALE;
    default:
        return PQOTA_VOUCH_REFUSED;
    }
}

enum pqota_vouch verifier_vouch(void *ctx, const struct pqota_target *hint,
                                const struct pqota_standing *standing, struct pqota_target *out,
                                char why[PQOTA_TEXT_SIZE])
{
    struct verifier *v = ctx;
    struct wanted wanted;
    struct err e = {0};
    /* Whoever answers polls may say anything: at most which of the files that are signed for. */
    int rc = ask_director(v, v->set.several_files ? hint->filename : NULL, &wanted, &e);
    if (rc == 0)
        rc = ask_image(v, &wanted, standing, out, &e);
    if (rc != 0)
        client_text(why, PQOTA_TEXT_SIZE, e.text);
    return answer_of(rc);
}
