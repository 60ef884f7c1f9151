/* What a device demands before it installs anything: that the director's decision and the vendor's signed
   entry are about the same bytes, and that they are for a device like this one, now. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/verifier.h"
#include "trust/custom.h"

static struct str filename_of(struct str path)
{
    size_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    return (struct str){.p = path.p + at, .n = path.n - at};
}

static bool beside(struct str path, struct str other)
{
    return str_eq((struct str){.p = path.p, .n = path.n - filename_of(path).n},
                  (struct str){.p = other.p, .n = other.n - filename_of(other).n});
}

/* Of several files of a release the one of that name: a mix of releases is what nobody built. */
static int find_file(const struct tuf_doc *director, const char *filename, struct tuf_target *out,
                     struct err *e)
{
    struct tuf_target_iter it;
    size_t count = tuf_target_count(director);
    tuf_target_iter_begin(director, &it);
    if (count == 1)
        return tuf_target_iter_next(&it, out, e);
    if (filename == NULL)
        return err_set(e, ERR_INVALID, "the director names %s targets; this device runs one",
                       client_number(count).text);
    bool found = false;
    struct tuf_target t, first = {0};
    for (size_t i = 0; i < count; i++) {
        int rc = tuf_target_iter_next(&it, &t, e);
        if (rc != 0)
            return rc;
        if (i == 0)
            first = t;
        if (!beside(first.name, t.name))
            return err_set(e, ERR_DENIED, "the director names files of several releases for this device");
        if (!found && str_is(filename_of(t.name), filename)) {
            found = true;
            *out = t;
        }
    }
    return found
               ? 0
               : err_set(e, ERR_DENIED, "the director names %s files for this device to run, and none is %s",
                         client_number(count).text, filename);
}

int wanted_read(const struct tuf_doc *director, const char *filename, struct wanted *out, struct err *e)
{
    struct tuf_target t;
    struct wanted w = {0};
    if (tuf_target_count(director) == 0)
        return err_set(e, ERR_NOT_FOUND, "the director names nothing for this device to run");
    int rc = find_file(director, filename, &t, e);
    if (rc != 0)
        return rc;
    if (t.name.n >= sizeof w.path || memchr(t.name.p, '\0', t.name.n) != NULL || !t.has_sha256)
        return err_set(e, ERR_INVALID, "the director's target has no SHA-256, or a name that is none");
    memcpy(w.path, t.name.p, t.name.n);
    memcpy(w.sha256, t.sha256, sizeof w.sha256);
    memcpy(w.sha512, t.sha512, sizeof w.sha512);
    w.has_sha512 = t.has_sha512;
    w.length = t.length;
    *out = w;
    return 0;
}

/* The same bytes? */
static int agree(const struct wanted *w, const struct tuf_target *image, struct err *e)
{
    if (w->length != image->length)
        return err_set(e, ERR_MISMATCH, "of %s the director says %s bytes, the vendor signed %s", w->path,
                       client_number((uint64_t)w->length).text, client_number((uint64_t)image->length).text);
    if (!image->has_sha256)
        return err_set(e, ERR_INVALID, "the vendor's entry of %s has no SHA-256", w->path);
    bool same = memcmp(w->sha256, image->sha256, sizeof w->sha256) == 0;
    if (w->has_sha512 && image->has_sha512)
        same = same && memcmp(w->sha512, image->sha512, sizeof w->sha512) == 0;
    if (!same)
        return err_set(e, ERR_MISMATCH, "of %s the director has another hash than the vendor signed",
                       w->path);
    return 0;
}

static bool copy_name(struct str s, char out[PQOTA_NAME_SIZE])
{
    if (!str_is_name(s) || s.n >= PQOTA_NAME_SIZE)
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

/* A path belongs to its model: who may sign for one model could otherwise sign for another. */
static int fits_path(const struct wanted *w, const struct trust_custom *c, struct pqota_target *t,
                     struct err *e)
{
    char path[TUF_TARGET_NAME_MAX + 1];
    struct str filename = filename_of(str_of(w->path));
    if (!copy_name(c->name, t->name) || !copy_name(c->version, t->version) ||
        !copy_name(filename, t->filename) ||
        !trust_target_path(c->model, c->name, c->version, filename, path, sizeof path) ||
        strcmp(path, w->path) != 0)
        return err_set(e, ERR_INVALID, "the vendor's entry of %s is not of the release that its path names",
                       w->path);
    return 0;
}

static int fits_device(const struct wanted *w, const struct trust_custom *c, const char *model,
                       const struct pqota_standing *standing, struct err *e)
{
    if (!str_is(c->model, model))
        return err_set(e, ERR_DENIED, "%s is for model %.*s, this device is a %s", w->path, (int)c->model.n,
                       c->model.p, model);
    if (c->sequence < 0 || c->sequence > UINT32_MAX || c->counter < 0 || c->counter > UINT32_MAX ||
        c->upgrade_from < 0 || c->upgrade_from > UINT32_MAX)
        return err_set(e, ERR_INVALID, "the vendor's entry of %s has numbers beyond 32 bits", w->path);
    if ((uint64_t)c->counter < standing->counter)
        return err_set(e, ERR_DENIED, "%s has the anti-rollback counter %s, this device has confirmed %s",
                       w->path, client_number((uint64_t)c->counter).text,
                       client_number(standing->counter).text);
    /* A device that is as it was delivered has nothing to tell its sequence by. */
    if (standing->confirmed && (uint64_t)c->upgrade_from > standing->sequence)
        return err_set(e, ERR_DENIED, "%s is installed from sequence %s on, this device runs %s", w->path,
                       client_number((uint64_t)c->upgrade_from).text,
                       standing->sequence != 0 ? client_number(standing->sequence).text : "an unknown one");
    return 0;
}

int wanted_check(const struct wanted *w, const struct tuf_target *image, const char *model,
                 const struct pqota_standing *standing, struct pqota_target *out, struct err *e)
{
    struct trust_custom c;
    struct pqota_target t = {0};
    int rc = agree(w, image, e);
    if (rc != 0)
        return rc;
    if (image->custom == NULL)
        return err_set(e, ERR_INVALID, "the vendor's entry of %s does not say what it is for", w->path);
    rc = trust_custom_read(image->custom, &c, e);
    if (rc == 0)
        rc = fits_path(w, &c, &t, e);
    if (rc == 0)
        rc = fits_device(w, &c, model, standing, e);
    if (rc != 0)
        return rc;
    hex_encode(image->sha256, TRUST_SHA256_SIZE, t.sha256);
    t.size = (uint64_t)image->length;
    t.sequence = (uint32_t)c.sequence;
    t.counter = (uint32_t)c.counter;
    *out = t;
    return 0;
}
