/* `pqota trust sign`: on a machine without network, beside the keys. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "cmd/sign_with.h"
#include "cmd/trust.h"

struct work {
    struct line_args *args;
    struct arena arena;
    struct sign_with with;
    struct signing signing;
    struct err err;
};

/* That very key's signature, whatever id it stands under: ids are the file's own words. */
static bool has_signed(const struct tuf_doc *doc, const struct sign_key *key)
{
    unsigned char sig[TRUST_SIG_MAX];
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(doc->signatures, i, max, v)
    {
        struct str hex = json_text(yyjson_obj_get(v, "sig"));
        if (hex.n > 0 && hex.n % 2 == 0 && hex.n / 2 <= sizeof sig && hex_decode(hex, sig, hex.n / 2) == 0 &&
            keys_signed(key, doc->canon, (struct str){.p = (const char *)sig, .n = hex.n / 2}))
            return true;
    }
    return false;
}

/* What a document is compared with comes with the file, and so do the roots by which that is signed: false
   ones could have what is new already, and it would not be shown. The holder's own signature is not. */
static void doubt_bases(struct work *w)
{
    for (size_t i = 0; i < w->signing.count; i++) {
        struct signing_item *item = &w->signing.items[i];
        bool mine = false, known = item->base == NULL;
        for (size_t f = 0; f < w->with.count; f++)
            for (size_t k = 0; k < w->with.keys[f].count; k++) {
                const struct sign_key *key = &w->with.keys[f].key[k];
                mine = mine || signing_may(item, key->keyid) ||
                       (item->doc.type == TUF_TARGETS && signing_is_vendor_key(&w->signing, key->keyid));
                known = known || has_signed(item->base, key);
            }
        item->base_strange = mine && !known;
    }
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
    const struct sign_with *with = &w->with;
    printf("Signed: %zu signature%s", with->signatures, with->signatures == 1 ? "" : "s");
    if (with->entries > 0)
        printf(", %zu entr%s for microcontrollers", with->entries, with->entries == 1 ? "y" : "ies");
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
    if (read_request(w, path) != 0 || sign_with_open(&w->with, w->args, "key", &w->arena, &w->err) != 0 ||
        sign_with_check(&w->with, &w->signing, &w->err) != 0)
        return cmd_fail(w->args->name, &w->err);
    doubt_bases(w);
    if (signing_print(&w->signing, stdout, &w->err) != 0)
        return cmd_fail(w->args->name, &w->err);
    int code = confirm(w);
    if (code != 0)
        return code;
    if (sign_with_sign(&w->with, &w->signing, &w->err) != 0 || save(w, path, &text) != 0 ||
        say_rest(w, text) != 0)
        return cmd_fail(w->args->name, &w->err);
    return CMD_OK;
}

int trust_verb_sign(struct line_args *args)
{
    struct work w = {.args = args};
    arena_init(&w.arena, TRUST_ARENA_MAX);
    int code = run(&w);
    sign_with_close(&w.with);
    signing_close(&w.signing);
    arena_fini(&w.arena);
    return code;
}
