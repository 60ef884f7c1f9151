#include "ota/trust_named.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ota/ota.h"
#include "ota/trust_online.h"
#include "store/metadata.h"
#include "trust/document.h"

int trust_named_init(struct trust_named_kept *k)
{
    k->last = (struct trust_named){.root = 0};
    return pthread_mutex_init(&k->lock, NULL);
}

void trust_named_fini(struct trust_named_kept *k)
{
    pthread_mutex_destroy(&k->lock);
}

static void copy_id(struct str id, char out[SHA256_HEX_SIZE])
{
    snprintf(out, SHA256_HEX_SIZE, STR_FMT, (int)(id.n < SHA256_HEX_SIZE ? id.n : SHA256_HEX_SIZE - 1),
             id.p != NULL ? id.p : "");
}

static int parse(struct str text, struct trust_space *space, struct trust_named *n, struct err *e)
{
    struct tuf_doc root;
    struct tuf_role role;
    struct tuf_key key;
    int rc = tuf_doc_read(text, TUF_ROOT, space, &root, e);
    if (rc == 0)
        rc = tuf_root_role(&root, TUF_TARGETS, &role, e);
    if (rc != 0)
        return err_context(e, "the director's stored root");
    size_t count = tuf_role_key_count(&role);
    for (size_t i = 0; i < count && n->count < TUF_ROLE_KEYS_MAX; i++)
        if (tuf_role_key_at(&role, i, &key))
            copy_id(key.id, n->role[n->count++]);
    if (tuf_manifest_key(&root, "director", &key))
        copy_id(key.id, n->manifest);
    return 0;
}

static int read_root(struct db *db, struct arena *a, struct trust_named *n, struct err *e)
{
    struct metadata m;
    struct trust_space space;
    int rc = store_metadata_current(db, a, REPOSITORY_DIRECTOR, "root", true, &m, e);
    if (rc != 0)
        return rc;
    auto_free void *memory = malloc(TRUST_SPACE_BYTES);
    if (memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read the director's root");
    space_init(&space, memory, TRUST_SPACE_BYTES);
    return parse(m.body, &space, n, e);
}

int trust_named_read(struct ota *ota, struct db *db, struct arena *a, struct trust_named *out, struct err *e)
{
    struct trust_named_kept *k = trust_named_of(ota);
    struct metadata now;
    int rc = store_metadata_current(db, a, REPOSITORY_DIRECTOR, "root", false, &now, e);
    if (rc != 0)
        return rc;
    struct trust_named made = {.root = now.version};
    if (now.version == 0) {
        *out = made;
        return 0;
    }
    pthread_mutex_lock(&k->lock);
    bool known = k->last.root == now.version && strcmp(k->last.sha256, now.sha256) == 0;
    if (known)
        *out = k->last;
    pthread_mutex_unlock(&k->lock);
    if (known)
        return 0;
    copy_id(str_of(now.sha256), made.sha256);
    rc = read_root(db, a, &made, e);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&k->lock);
    k->last = made;
    pthread_mutex_unlock(&k->lock);
    *out = made;
    return 0;
}

bool trust_named_has(const struct trust_named *n, enum trust_online role, const char *keyid)
{
    if (n->root == 0)
        return true;
    if (role == TRUST_MANIFEST)
        return strcmp(n->manifest, keyid) == 0;
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->role[i], keyid) == 0)
            return true;
    return false;
}

bool trust_named_all(const struct trust_named *n, enum trust_online role, const struct sign_keys *keys)
{
    for (size_t i = 0; keys != NULL && i < keys->count; i++)
        if (!trust_named_has(n, role, keys->key[i].keyid))
            return false;
    return keys != NULL && keys->count > 0;
}

/* Not yet said of this root and key? */
static bool is_news(struct trust_named_kept *k, const struct trust_named *n, enum trust_online role,
                    const char *keyid)
{
    char now[2 * SHA256_HEX_SIZE];
    snprintf(now, sizeof now, "%s %s", n->sha256, keyid);
    pthread_mutex_lock(&k->lock);
    bool news = strcmp(k->told[role], now) != 0;
    memcpy(k->told[role], now, sizeof now);
    pthread_mutex_unlock(&k->lock);
    return news;
}

int trust_named_warn(struct ota *ota, struct db *db, struct arena *a, struct err *e)
{
    static const enum trust_online roles[] = {TRUST_DIRECTOR, TRUST_MANIFEST};
    auto_trust_keys struct trust_keys *keys = trust_keys_get(ota);
    struct trust_named n;
    int rc = trust_named_read(ota, db, a, &n, e);
    for (size_t i = 0; rc == 0 && i < sizeof roles / sizeof roles[0]; i++) {
        const struct sign_keys *own = trust_keys_of(keys, roles[i]);
        if (own == NULL || trust_named_all(&n, roles[i], own) ||
            !is_news(trust_named_of(ota), &n, roles[i], own->key[0].keyid))
            continue;
        log_warn("trust",
                 "the director's root in force does not name this server's key: nothing new is signed for "
                 "devices with it until a root that names it is uploaded",
                 LOG_STR("key", trust_online_word(roles[i])), LOG_STR("keyid", own->key[0].keyid),
                 LOG_I64("root", n.root));
    }
    return rc;
}
