#include "ota/trust_accept.h"

#include <stdlib.h>

#include "ota/accept_impl.h"
#include "ota/trust_view.h"
#include "store/db.h"
#include "store/events.h"
#include "trust/custom.h"

#define IN_FORCE_MOST ((size_t)40 << 20) /* bytes of what a file follows on */
/* Bytes of lists that are as long whatever the file says, of roots in force, and of what is read about the
   releases that are published. */
#define LISTS_MOST ((size_t)32 << 20)
/* Of one file being accepted. Twice: what is noted of a target, its place among all and its texts, is no
   longer than the target. */
#define ACCEPT_BYTES (2 * (IN_FORCE_MOST + REQUEST_MAX) + LISTS_MOST)
#define ONLINE_AND_ROOT 3 /* roles beside those that sign targets */
#define SPACE_TIMES 8     /* what reading a document takes, times its text */
#define SPACE_LEAST ((size_t)1 << 22)
#define SPACE_MOST ((size_t)1 << 28)

/* Of a release that is published: its notes, its names twice, its event. */
#define RELEASE_BYTES ((size_t)RELEASE_NOTES_MAX + 4096 + 2 * (size_t)RELEASE_MODELS_MAX * 160)
#define ROUNDED 160 /* what the texts of one thing take in an arena beyond their bytes */
_Static_assert(ACCEPT_FRESH_MAX * (sizeof(struct accept_target) + ROUNDED) +
                       REQUEST_ENTRIES_MAX * (sizeof(struct accept_entry) + ROUNDED) +
                       ACCEPT_RELEASES_MAX * RELEASE_BYTES + 2 * ACCEPT_ROOT_MAX +
                       4 * METADATA_ROLES_MAX * (sizeof(struct metadata) + TUF_ROLE_NAME_MAX) <
                   LISTS_MOST,
               "the bounds of what one file may take add up");

int accept_new(struct ota *ota, struct trust_accept **out, struct err *e)
{
    struct trust_accept *t = calloc(1, sizeof *t);
    if (t == NULL)
        return accept_no_memory(e);
    t->ota = ota;
    arena_init(&t->arena, ACCEPT_BYTES);
    *out = t;
    return 0;
}

void accept_free(struct trust_accept *t)
{
    if (t == NULL)
        return;
    if (t->entered)
        trust_accept_leave(t->ota);
    arena_fini(&t->arena);
    free(t->memory);
    free(t);
}

/* --- looking -------------------------------------------------------------------------------------------- */

static struct metadata *find_item(struct trust_accept *t, const char *role)
{
    for (size_t i = 0; i < t->was.count; i++)
        if (strcmp(t->was.items[i].role, role) == 0)
            return &t->was.items[i];
    return NULL;
}

static bool is_role(const char *role)
{
    return strcmp(role, "targets") == 0 || trust_role_model(str_of(role)).p != NULL;
}

static int note_document(struct trust_accept *t, const struct request_document *r, struct err *e)
{
    static const struct metadata none = {0};
    struct accept_doc *d = &t->docs[t->doc_count];
    *d = (struct accept_doc){.role = r->role, .type = r->type};
    if (repository_parse(str_of(r->repository), &d->repository) != 0)
        return err_set(e, ERR_INVALID, "there is no repository \"%s\"", r->repository);
    bool image = d->repository == REPOSITORY_IMAGE;
    if (d->type == TUF_ROOT)
        d->before = image ? &t->was.root : &t->director;
    else if (image && is_role(d->role))
        d->before = find_item(t, d->role);
    else
        return err_set(e, ERR_INVALID,
                       "%s %s: only roots, and in the image repository targets and model-MODEL, are signed "
                       "elsewhere",
                       r->repository, r->role);
    size_t most = d->type == TUF_ROOT ? ACCEPT_ROOT_MAX : ACCEPT_TARGETS_MAX;
    if (r->text.n > most)
        return err_set(e, ERR_TOO_LARGE, "%s %s: it has %zu bytes; devices take %zu", r->repository, r->role,
                       r->text.n, most);
    if (d->before == NULL)
        d->before = &none;
    t->doc_count++;
    return 0;
}

static bool is_followed(const struct trust_accept *t, const struct metadata *m)
{
    for (size_t i = 0; i < t->doc_count; i++)
        if (t->docs[i].before == m)
            return true;
    return strcmp(m->role, "targets") == 0;
}

/* Bodies of what the file follows on; when it brings delegations, of all that they name. */
static int read_bodies(struct trust_accept *t, struct db *db, struct err *e)
{
    bool all = false;
    int64_t left = IN_FORCE_MOST;
    for (size_t i = 0; i < t->doc_count; i++)
        all = all || strcmp(t->docs[i].role, "targets") == 0;
    int rc = store_metadata_current(db, &t->arena, REPOSITORY_DIRECTOR, "root", true, &t->director, e);
    for (size_t i = 0; rc == 0 && i < t->was.count; i++) {
        struct metadata *m = &t->was.items[i];
        if (!all && !is_followed(t, m))
            continue;
        left -= m->size;
        rc = left < 0
                 ? err_set(e, ERR_TOO_LARGE,
                           "what the file follows on has more than %zu bytes, too many to be checked at once",
                           IN_FORCE_MOST)
                 : store_metadata_get(db, &t->arena, m->repository, m->role, m->version, true, m, e);
    }
    return rc;
}

static int look(struct trust_accept *t, struct db *db, struct err *e)
{
    int rc = online_read(db, &t->arena, &t->was, e);
    for (size_t i = 0; rc == 0 && i < t->request.document_count; i++)
        rc = note_document(t, &t->request.documents[i], e);
    return rc != 0 ? rc : read_bodies(t, db, e);
}

static int look_at_once(struct trust_accept *t, struct db *db, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = look(t, db, e);
    db_read_end(db);
    return rc;
}

static int check_who(const struct trust_accept *t, const struct identity *who, struct err *e)
{
    for (size_t i = 0; i < t->request.document_count; i++)
        if (t->request.documents[i].type == TUF_ROOT && who->who != WHO_ADMIN)
            return err_set(e, ERR_DENIED,
                           "the file has a new root of the repository \"%s\": that takes an admin",
                           t->request.documents[i].repository);
    return 0;
}

int accept_look_request(struct trust_accept *t, struct db *db, const struct identity *who, struct err *e)
{
    int rc = check_who(t, who, e);
    if (rc == 0 && t->request.document_count == 0)
        rc = err_set(e, ERR_INVALID, "the file has no documents");
    return rc != 0 ? rc : look_at_once(t, db, e);
}

int accept_look(struct trust_accept *t, struct db *db, struct str file, const struct identity *who,
                struct err *e)
{
    t->entered = t->entered || trust_accept_enter(t->ota);
    if (!t->entered)
        return err_set(
            e, ERR_BUSY,
            "another signed file is being checked, and that happens one at a time: upload this one "
            "again in a moment");
    int rc = request_read(file, &t->arena, &t->request, e);
    return rc != 0 ? rc : accept_look_request(t, db, who, e);
}

/* --- checking ------------------------------------------------------------------------------------------- */

/* Of what is looked at beside each other: roles that stay as they are come one after the other. */
static size_t bytes_at_once(const struct trust_accept *t)
{
    size_t bytes = t->was.root.body.n + t->director.body.n, largest = 0;
    for (size_t i = 0; i < t->was.count; i++) {
        size_t n = t->was.items[i].body.n;
        if (is_followed(t, &t->was.items[i]))
            bytes += n;
        else if (n > largest)
            largest = n;
    }
    for (size_t i = 0; i < t->doc_count; i++)
        bytes += t->request.documents[i].text.n;
    return bytes + largest;
}

static int make_space(struct trust_accept *t, struct err *e)
{
    size_t size = SPACE_LEAST + bytes_at_once(t) * SPACE_TIMES;
    if (size > SPACE_MOST)
        return err_set(e, ERR_TOO_LARGE,
                       "the file and what it follows on are too large to be checked at once");
    t->memory = malloc(size);
    if (t->memory == NULL)
        return accept_no_memory(e);
    space_init(&t->space, t->memory, size);
    return 0;
}

static int by_role(const void *a, const void *b)
{
    return strcmp(((const struct metadata *)a)->role, ((const struct metadata *)b)->role);
}

static int make_one(struct trust_accept *t, struct accept_doc *d, struct err *e)
{
    unsigned char hash[TRUST_SHA256_SIZE];
    char *hex = arena_alloc(&t->arena, SHA256_HEX_SIZE);
    if (hex == NULL)
        return accept_no_room(e);
    int rc = keys_crypto.hash(keys_crypto.ctx, TRUST_SHA256, d->doc.text.p, d->doc.text.n, hash);
    if (rc != 0)
        return err_set(e, rc, "cannot hash the metadata of %s", d->role);
    hex_encode(hash, sizeof hash, hex);
    d->made = (struct metadata){
        .repository = d->repository,
        .role = d->role,
        .version = d->doc.version,
        .expires_at = d->doc.expires_s * 1000,
        .size = (int64_t)d->doc.text.n,
        .sha256 = hex,
        .body = d->doc.text,
    };
    return 0;
}

/* What is in force once the file is: what the snapshot is over. */
static int make_set(struct trust_accept *t, struct err *e)
{
    t->set = t->was;
    t->set.items = arena_array(&t->arena, struct metadata, t->was.count + t->doc_count + 1);
    if (t->set.items == NULL)
        return accept_no_room(e);
    for (size_t i = 0; i < t->was.count; i++)
        t->set.items[i] = t->was.items[i];
    for (size_t i = 0; i < t->doc_count; i++) {
        struct accept_doc *d = &t->docs[i];
        int rc = make_one(t, d, e);
        if (rc != 0)
            return rc;
        if (d->repository == REPOSITORY_DIRECTOR)
            continue;
        if (d->type == TUF_ROOT)
            t->set.root = d->made;
        else if (d->before->version != 0)
            t->set.items[d->before - t->was.items] = d->made;
        else
            t->set.items[t->set.count++] = d->made;
    }
    qsort(t->set.items, t->set.count, sizeof *t->set.items, by_role);
    if (t->set.count > METADATA_ROLES_MAX - ONLINE_AND_ROOT)
        return err_set(e, ERR_TOO_LARGE,
                       "the image repository would have more than %d roles that sign targets",
                       METADATA_ROLES_MAX - ONLINE_AND_ROOT);
    return 0;
}

static bool touches_image(const struct trust_accept *t)
{
    for (size_t i = 0; i < t->doc_count; i++)
        if (t->docs[i].repository == REPOSITORY_IMAGE)
            return true;
    return false;
}

static int check_all(struct trust_accept *t, struct err *e)
{
    int rc = accept_verify(t, e);
    if (rc == ERR_NOMEM) /* of t->space, which is all that it takes */
        rc = accept_no_room(e);
    if (rc == 0)
        rc = accept_targets(t, e);
    if (rc == 0)
        rc = accept_entries(t, e);
    return rc != 0 ? rc : make_set(t, e);
}

int accept_check(struct trust_accept *t, struct err *e)
{
    int rc = make_space(t, e);
    if (rc == 0)
        rc = check_all(t, e);
    /* The first files are served once this server has signed over them, which may be later. */
    if (rc != 0 || t->first || !touches_image(t) || t->set.root.version == 0 || t->set.count == 0)
        return rc;
    rc = online_make(t->ota, &t->set, &t->arena, &t->snapshot, &t->timestamp, e);
    t->renewed = rc == 0;
    if (rc == ERR_NOT_FOUND && e != NULL)
        e->code = rc = ERR_CONFLICT; /* a key is missing here, nothing in the request */
    return rc;
}

/* --- writing -------------------------------------------------------------------------------------------- */

static int check_unchanged(struct trust_accept *t, struct db *db, struct err *e)
{
    struct metadata director;
    int rc = online_check(db, &t->was, e);
    if (rc == 0)
        rc = store_metadata_current(db, &t->arena, REPOSITORY_DIRECTOR, "root", false, &director, e);
    if (rc == 0 && director.version != t->director.version)
        rc = err_set(e, ERR_CONFLICT, "the director's root was changed meanwhile: try again");
    return rc;
}

static int add_event(struct trust_accept *t, struct db *db, const struct accept_doc *d, const char *who,
                     int64_t now, struct err *e)
{
    char end[CLOCK_TEXT_MAX];
    const char *subject = arena_printf(&t->arena, "%s/%s", repository_word(d->repository), d->role);
    const char *detail =
        arena_printf(&t->arena, "version %lld, good until %s, sha256 %s", (long long)d->made.version,
                     clock_format(d->made.expires_at, end), d->made.sha256);
    if (subject == NULL || detail == NULL)
        return accept_no_room(e);
    return store_event_add(db, now, "trust.updated", who, subject, detail, e);
}

int accept_write(struct trust_accept *t, struct db *db, const char *who, struct err *e)
{
    int64_t now = clock_unix_ms(t->ota->clock);
    int rc = check_unchanged(t, db, e);
    for (size_t i = 0; rc == 0 && i < t->doc_count; i++) {
        rc = store_metadata_add(db, &t->docs[i].made, now, e);
        if (rc == 0)
            rc = add_event(t, db, &t->docs[i], who, now, e);
    }
    if (rc == 0)
        rc = accept_releases(t, db, who, e);
    if (rc == 0 && t->renewed)
        rc = store_metadata_add(db, &t->snapshot, now, e);
    if (rc == 0 && t->renewed)
        rc = store_metadata_add(db, &t->timestamp, now, e);
    if (rc == 0)
        trust_view_touch(trust_view_of(t->ota), false);
    return rc;
}

/* --- the answer ----------------------------------------------------------------------------------------- */

int accept_documents(const struct trust_accept *t, struct arena *a, const struct metadata **out,
                     size_t *count, struct err *e)
{
    struct metadata *list = arena_array(a, struct metadata, t->doc_count + 2);
    size_t n = 0;
    if (list == NULL)
        return accept_no_memory(e);
    for (size_t i = 0; i < t->doc_count; i++)
        list[n++] = t->docs[i].made;
    if (t->renewed) {
        list[n++] = t->snapshot;
        list[n++] = t->timestamp;
    }
    *out = list;
    *count = n;
    return 0;
}

size_t accept_published(const struct trust_accept *t, const struct release **out)
{
    *out = t->published;
    return t->published_count;
}
