/* `pqota trust sign`: on a machine without network, beside the keys. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cmd/signing.h"
#include "cmd/trust.h"

#define KEY_FILES_MAX 16

struct work {
    struct line_args *args;
    struct arena arena;
    struct passphrase passphrase;
    struct sign_keys keys[KEY_FILES_MAX];
    const char *uri[KEY_FILES_MAX]; /* where each is from */
    size_t key_files;
    struct signing signing;
    size_t signatures, entries;
    struct err err;
};

static int load_keys(struct work *w)
{
    struct keys_passphrase asker = passphrase_asker(&w->passphrase);
    size_t i = 0;
    int rc = 0;
    for (const char *uri; rc == 0 && (uri = line_each(w->args, "key", &i)) != NULL;) {
        if (w->key_files == KEY_FILES_MAX)
            return err_set(&w->err, ERR_TOO_LARGE, "more than %d keys at once", KEY_FILES_MAX);
        w->uri[w->key_files] = uri;
        rc = keys_load(uri, &asker, &w->arena, &w->keys[w->key_files], &w->err);
        w->key_files += rc == 0;
    }
    return rc;
}

static bool may_sign(const struct signing_item *item, const char *keyid)
{
    for (size_t i = 0; i < item->role_count; i++)
        if (signing_role_has(&item->roles[i].role, keyid))
            return true;
    return false;
}

static bool is_wanted(const struct work *w, const char *keyid)
{
    for (size_t i = 0; i < w->signing.count; i++)
        if (may_sign(&w->signing.items[i], keyid))
            return true;
    return signing_is_vendor_key(&w->signing, keyid);
}

/* A key that is none of the roles' is a mistake, and is told before anything is signed. */
static int check_keys(struct work *w)
{
    for (size_t i = 0; i < w->key_files; i++) {
        bool any = false;
        for (size_t k = 0; k < w->keys[i].count; k++)
            any = any || is_wanted(w, w->keys[i].key[k].keyid);
        if (!any)
            return err_set(&w->err, ERR_INVALID,
                           "the keys in %s belong to no role that signs these documents; nothing was signed",
                           w->uri[i]);
    }
    return 0;
}

/* What a holder signed before is shown by the base that carries this very signature. A base without it may
   have been put there to hide what changes. */
static void warn_of_base(struct work *w)
{
    for (size_t i = 0; i < w->signing.count; i++) {
        const struct signing_item *item = &w->signing.items[i];
        bool known = item->base == NULL || item->base->version == 0;
        for (size_t f = 0; !known && f < w->key_files; f++)
            for (size_t k = 0; !known && k < w->keys[f].count; k++) {
                size_t at, max;
                yyjson_val *sig;
                yyjson_arr_foreach(item->base->signatures, at, max, sig)
                {
                    known = known || yyjson_equals_str(yyjson_obj_get(sig, "keyid"), w->keys[f].key[k].keyid);
                }
            }
        if (!known)
            printf("Note: none of your keys signed version %lld of %s, with which it is compared here.\n",
                   (long long)item->base->version,
                   signing_escape(str_of(item->document->role), w->signing.arena));
    }
}

static int sign_one(struct work *w, struct signing_item *item, const struct sign_key *key)
{
    struct str sig;
    int rc = keys_sign(key, item->doc.canon, &w->arena, &sig, &w->err);
    if (rc == 0)
        rc = request_put_signature(item->document, key->keyid, sig, &w->arena, &w->err);
    w->signatures += rc == 0;
    return rc;
}

static int sign_all(struct work *w)
{
    int rc = 0;
    for (size_t f = 0; f < w->key_files; f++)
        for (size_t k = 0; rc == 0 && k < w->keys[f].count; k++) {
            const struct sign_key *key = &w->keys[f].key[k];
            for (size_t i = 0; rc == 0 && i < w->signing.count; i++)
                if (may_sign(&w->signing.items[i], key->keyid))
                    rc = sign_one(w, &w->signing.items[i], key);
            size_t made = 0;
            if (rc == 0 && signing_is_vendor_key(&w->signing, key->keyid))
                rc = signing_entries_make(&w->signing, key, &made, &w->err);
            w->entries += made;
        }
    return rc;
}

static int save(struct work *w, const char *path, struct str *text)
{
    struct stat st;
    mode_t mode = stat(path, &st) == 0 ? st.st_mode & 0777 : 0644;
    int rc = request_write(&w->signing.request, &w->arena, text, &w->err);
    return rc == 0 ? file_write_atomic(path, text->p, text->n, mode, &w->err) : rc;
}

/* Reads what was written, so that what is said is what the next one will see. */
static int say_rest(struct work *w, struct str text)
{
    auto_signing struct signing now;
    bool complete = false;
    printf("Signed: %zu signature%s", w->signatures, w->signatures == 1 ? "" : "s");
    if (w->entries > 0)
        printf(", %zu entr%s for microcontrollers", w->entries, w->entries == 1 ? "y" : "ies");
    printf(".\n");
    int rc = signing_open(&now, text, &w->arena, &w->err);
    if (rc == 0)
        rc = signing_print_wanted(&now, stdout, &complete, &w->err);
    if (rc == 0 && complete)
        printf("Complete. Next, where the server can be reached: pqota trust upload %s\n",
               w->args->operands[0]);
    return rc;
}

static int confirm(struct work *w)
{
    struct operate op = {.args = w->args};
    fflush(stdout);
    return operate_confirm(&op, "Sign?");
}

static int read_request(struct work *w, const char *path)
{
    auto_buf struct buf text;
    buf_init(&text, REQUEST_MAX);
    int rc = file_read(path, REQUEST_MAX, &text, &w->err);
    if (rc != 0)
        return rc;
    rc = signing_open(&w->signing, buf_str(&text), &w->arena, &w->err);
    return rc == 0 ? 0 : err_context(&w->err, "%s", path);
}

static int run(struct work *w)
{
    const char *path = w->args->operands[0];
    struct str text;
    if (read_request(w, path) != 0 || load_keys(w) != 0 || check_keys(w) != 0 ||
        signing_print(&w->signing, stdout, &w->err) != 0)
        return cmd_fail(w->args->name, &w->err);
    warn_of_base(w);
    int code = confirm(w);
    if (code != 0)
        return code;
    if (sign_all(w) != 0 || save(w, path, &text) != 0 || say_rest(w, text) != 0)
        return cmd_fail(w->args->name, &w->err);
    return CMD_OK;
}

int trust_verb_sign(struct line_args *args)
{
    struct work w = {.args = args};
    arena_init(&w.arena, TRUST_ARENA_MAX);
    passphrase_init(&w.passphrase, line_get(args, "passphrase-file"));
    int code = run(&w);
    for (size_t i = 0; i < w.key_files; i++)
        keys_fini(&w.keys[i]);
    signing_close(&w.signing);
    passphrase_fini(&w.passphrase);
    arena_fini(&w.arena);
    return code;
}
