/* `pqota trust sign`: on a machine without network, beside the keys. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cmd/sign_with.h"
#include "cmd/trust.h"

struct work {
    struct line_args *args;
    struct arena arena;
    struct sign_with with;
    struct signing signing;
    struct err err;
};

static bool has_signature(const struct tuf_doc *doc, const char *keyid)
{
    size_t i, max;
    yyjson_val *sig;
    yyjson_arr_foreach(doc->signatures, i, max, sig)
    {
        if (yyjson_equals_str(yyjson_obj_get(sig, "keyid"), keyid))
            return true;
    }
    return false;
}

/* What a holder signed before is shown by the base that carries this very signature. A base without it may
   have been put there to hide what changes. */
static void warn_of_base(struct work *w)
{
    for (size_t i = 0; i < w->signing.count; i++) {
        const struct signing_item *item = &w->signing.items[i];
        bool mine = false, known = item->base == NULL;
        for (size_t f = 0; f < w->with.count; f++)
            for (size_t k = 0; k < w->with.keys[f].count; k++) {
                const char *keyid = w->with.keys[f].key[k].keyid;
                mine = mine || signing_may(item, keyid);
                known = known || has_signature(item->base, keyid);
            }
        if (mine && !known)
            printf("Note: none of your keys signed version %lld of %s, with which it is compared here.\n",
                   (long long)item->base->version,
                   signing_escape(str_of(item->document->role), w->signing.arena));
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
        sign_with_check(&w->with, &w->signing, &w->err) != 0 ||
        signing_print(&w->signing, stdout, &w->err) != 0)
        return cmd_fail(w->args->name, &w->err);
    warn_of_base(w);
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
