/*
 * `pqota trust init`: the keys of the update metadata, and the first metadata. All of it is made in a folder
 * of its own, which gets its name last: there is the whole, or nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cmd/init.h"
#include "cmd/trust.h"

#define DAY_S INT64_C(86400)
#define ROOT_KEYS 3
#define ROOT_THRESHOLD 2
#define WALK_DEPTH 8

enum online { TIMESTAMP, SNAPSHOT, DIRECTOR, MANIFEST, ONLINE };
static const char *const online_names[ONLINE] = {"timestamp", "snapshot", "director", "manifest"};

struct making {
    const struct line_args *args;
    const char *dir;   /* DIR */
    const char *final; /* DIR/trust */
    char *folder;      /* where it is made */
    struct arena arena;
    struct passphrase passphrase;
    struct holders root, targets, vendor, online[ONLINE];
    int64_t root_threshold, targets_threshold, now_s;
    struct str image_root, director_root;
    bool operator_told; /* the operator's profile got its roots */
    struct err err;
};

static int no_memory(struct making *m)
{
    return err_set(&m->err, ERR_NOMEM, "no memory for a path or a key");
}

/* --- keys ------------------------------------------------------------------------------------------- */

static int need_passphrase(struct making *m)
{
    return passphrase_make(&m->passphrase, "the offline keys", &m->err);
}

/* Those that were named by --<role>-key, and `wanted` new ones. */
static int make_offline(struct making *m, struct holders *h, const char *role, int64_t wanted)
{
    char option[32];
    size_t i = 0;
    int rc = 0;
    snprintf(option, sizeof option, "%s-key", role);
    for (const char *uri; rc == 0 && (uri = line_each(m->args, option, &i)) != NULL;)
        rc = holders_load(h, uri, &m->passphrase, &m->arena, &m->err);
    if (rc == 0 && wanted > 0)
        rc = need_passphrase(m);
    for (int64_t n = 1; rc == 0 && n <= wanted; n++) {
        const char *file =
            wanted > 1 ? arena_printf(&m->arena, "%s/offline/%s-%lld.key", m->folder, role, (long long)n)
                       : arena_printf(&m->arena, "%s/offline/%s.key", m->folder, role);
        rc = file != NULL ? holders_make(h, HOLDERS_OFFLINE, file, &m->arena, &m->err) : no_memory(m);
    }
    return rc;
}

static int make_one(struct making *m, struct holders *h, enum holders_pair pair, const char *name)
{
    const char *file = arena_printf(&m->arena, "%s/%s.key", m->folder, name);
    return file != NULL ? holders_make(h, pair, file, &m->arena, &m->err) : no_memory(m);
}

static int make_online(struct making *m)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ONLINE; i++) {
        char name[32];
        snprintf(name, sizeof name, "online/%s", online_names[i]);
        rc = make_one(m, &m->online[i], i == MANIFEST ? HOLDERS_MANIFEST : HOLDERS_ONLINE, name);
    }
    return rc;
}

/* New pairs where no key is named; with keys that are named, those alone unless a number is given too. */
static int wanted_keys(const struct making *m, const char *role, int64_t usual, int64_t *out)
{
    char key[32], keys[32];
    size_t i = 0;
    snprintf(key, sizeof key, "%s-key", role);
    snprintf(keys, sizeof keys, "%s-keys", role);
    return line_number(m->args, keys, 0, HOLDERS_MAX, line_each(m->args, key, &i) != NULL ? 0 : usual, out);
}

static int make_keys(struct making *m, int64_t root_keys, int64_t targets_keys)
{
    int rc = make_offline(m, &m->root, "root", root_keys);
    if (rc == 0)
        rc = make_offline(m, &m->targets, "targets", targets_keys);
    if (rc == 0)
        rc = need_passphrase(m);
    if (rc == 0)
        rc = make_one(m, &m->vendor, HOLDERS_MANIFEST, "offline/manifest");
    return rc == 0 ? make_online(m) : rc;
}

static int save_keys(struct making *m)
{
    const struct holders *offline[] = {&m->root, &m->targets, &m->vendor};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof offline / sizeof offline[0]; i++)
        rc = holders_save(offline[i], m->passphrase.text, &m->err);
    for (size_t i = 0; rc == 0 && i < ONLINE; i++)
        rc = holders_save(&m->online[i], NULL, &m->err);
    return rc;
}

/* --- metadata --------------------------------------------------------------------------------------- */

static int make_root_of(struct making *m, const char *repository, const struct make_role roles[4],
                        struct str *out)
{
    auto_json_mut yyjson_mut_doc *doc = NULL;
    const struct holders *const by[] = {&m->root, NULL};
    int rc = make_body(TUF_ROOT, 1, m->now_s + TRUST_ROOT_DAYS * DAY_S, &doc, &m->err);
    if (rc == 0)
        rc = make_root(doc, repository, roles, 4, &m->err);
    if (rc == 0)
        rc = make_root_manifest(doc, &m->vendor.key[0], &m->online[MANIFEST].key[0], &m->err);
    return rc == 0 ? holders_seal(doc, by, &m->arena, out, &m->err) : rc;
}

static int make_roots(struct making *m)
{
    struct make_role image[] = {holders_role("root", &m->root, m->root_threshold),
                                holders_role("targets", &m->targets, m->targets_threshold),
                                holders_role("snapshot", &m->online[SNAPSHOT], 1),
                                holders_role("timestamp", &m->online[TIMESTAMP], 1)};
    struct make_role director[] = {image[0], holders_role("targets", &m->online[DIRECTOR], 1),
                                   holders_role("snapshot", &m->online[DIRECTOR], 1),
                                   holders_role("timestamp", &m->online[DIRECTOR], 1)};
    int rc = make_root_of(m, "image", image, &m->image_root);
    return rc == 0 ? make_root_of(m, "director", director, &m->director_root) : rc;
}

static int make_first_targets(struct making *m, struct str *out)
{
    auto_json_mut yyjson_mut_doc *doc = NULL;
    const struct holders *const by[] = {&m->targets, NULL};
    int rc = make_body(TUF_TARGETS, 1, m->now_s + TRUST_TARGETS_DAYS * DAY_S, &doc, &m->err);
    if (rc == 0)
        rc = make_named(doc, "targets", &m->err);
    return rc == 0 ? holders_seal(doc, by, &m->arena, out, &m->err) : rc;
}

static int put(struct making *m, const char *name, struct str text)
{
    const char *path = arena_printf(&m->arena, "%s/%s", m->folder, name);
    return path != NULL ? file_create_atomic(path, text.p, text.n, 0644, &m->err) : no_memory(m);
}

/* Who is who among key ids, for --keep; nothing in it is secret. */
static int save_ids(struct making *m)
{
    const struct {
        const char *role;
        const struct holders *h;
    } all[] = {{"root", &m->root},
               {"targets", &m->targets},
               {"manifest (vendor)", &m->vendor},
               {"timestamp", &m->online[TIMESTAMP]},
               {"snapshot", &m->online[SNAPSHOT]},
               {"director", &m->online[DIRECTOR]},
               {"manifest (director)", &m->online[MANIFEST]}};
    auto_free char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (to == NULL)
        return no_memory(m);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (size_t n = 0; n < all[i].h->own_count; n++) {
            const char *file = all[i].h->file[n];
            fprintf(to, "%s: %s\n", all[i].role,
                    file != NULL ? file + strlen(m->folder) + 1 : "a key that was there");
            holders_print_ids(&all[i].h->own[n], to);
        }
    if (fclose(to) != 0)
        return no_memory(m);
    return put(m, "keys.txt", (struct str){.p = text, .n = size});
}

static int save_metadata(struct making *m)
{
    struct str targets = {0};
    int rc = make_roots(m);
    if (rc == 0)
        rc = make_first_targets(m, &targets);
    const struct {
        const char *name;
        struct str text;
    } files[] = {
        {"image/1.root.json", m->image_root},
        {"image/1.targets.json", targets},
        {"director/1.root.json", m->director_root},
        {"device/image.root.json", m->image_root},
        {"device/director.root.json", m->director_root},
        {"device/manifest-vendor.pem", str_of(m->vendor.key[0].public_text)},
        {"device/manifest-director.pem", str_of(m->online[MANIFEST].key[0].public_text)},
    };
    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof files[0]; i++)
        rc = put(m, files[i].name, files[i].text);
    return rc == 0 ? save_ids(m) : rc;
}

/* --- folders ---------------------------------------------------------------------------------------- */

static int make_folders(struct making *m)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {
        {"offline", 0700}, {"online", 0700}, {"image", 0755}, {"director", 0755}, {"device", 0755}};
    int rc = init_check_owner(m->dir, "trust init", &m->err);
    if (rc == 0)
        rc = file_mkdirs(m->dir, 0755, &m->err);
    if (rc != 0)
        return rc;
    char *folder = arena_printf(&m->arena, "%s/.trust.XXXXXX", m->dir);
    if (folder == NULL)
        return no_memory(m);
    if (mkdtemp(folder) == NULL)
        return err_errno(&m->err, errno, "cannot make a folder in %s", m->dir);
    m->folder = folder;
    for (size_t i = 0; rc == 0 && i < sizeof folders / sizeof folders[0]; i++) {
        const char *path = arena_printf(&m->arena, "%s/%s", folder, folders[i].name);
        rc = path != NULL ? file_mkdirs(path, folders[i].mode, &m->err) : no_memory(m);
    }
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* From now on it is there, whole. */
static int give_name(struct making *m)
{
    if (chmod(m->folder, 0755) != 0)
        return err_errno(&m->err, errno, "cannot set the mode of %s", m->folder);
    if (renameat2(AT_FDCWD, m->folder, AT_FDCWD, m->final, RENAME_NOREPLACE) != 0)
        return err_errno(&m->err, errno, "cannot rename %s to %s", m->folder, m->final);
    m->folder = NULL;
    return file_fsync_dir(m->dir, &m->err);
}

/* By which the first operator's commands know what the server serves (cmd/trust_repo.h). */
static int tell_operator(struct making *m)
{
    const char *people = arena_printf(&m->arena, "%s/operator", m->dir);
    const char *folder = arena_printf(&m->arena, "%s/operator/trust", m->dir);
    const char *image = arena_printf(&m->arena, "%s/operator/trust/image.root.json", m->dir);
    const char *director = arena_printf(&m->arena, "%s/operator/trust/director.root.json", m->dir);
    if (people == NULL || folder == NULL || image == NULL || director == NULL)
        return no_memory(m);
    if (!file_exists(people))
        return 0;
    int rc = file_mkdirs(folder, 0700, &m->err);
    if (rc == 0)
        rc = file_create_atomic(image, m->image_root.p, m->image_root.n, 0644, &m->err);
    if (rc == 0)
        rc = file_create_atomic(director, m->director_root.p, m->director_root.n, 0644, &m->err);
    if (rc != 0)
        return err_context(&m->err, "%s is made, but %s/device/*.root.json could not be copied to %s",
                           m->final, m->final, folder);
    m->operator_told = true;
    return 0;
}

/* --- the verb --------------------------------------------------------------------------------------- */

static void say(const struct making *m)
{
    const char *t = m->final;
    printf("%s\n"
           "  offline/   the vendor's keys, encrypted: whoever has enough of them decides what devices run\n"
           "  online/    the server's keys\n"
           "  image/, director/   the first metadata; the server reads them when it starts\n"
           "  device/    what devices must be given\n"
           "  keys.txt   which ids each key has; no secret: keep a copy\n"
           "\n"
           "Take the keys in %s/offline to where no network is, each holder's to another place,\n"
           "and then delete them here. The server needs none of them.\n"
           "\n"
           "A device needs %s/device/image.root.json and director.root.json\n"
           "([trust] image_root and director_root in its agent's settings); a microcontroller needs\n"
           "%s/device/manifest-vendor.pem and manifest-director.pem in its firmware.\n",
           t, t, t, t);
    if (m->operator_told)
        printf("The operator's profile in %s/operator has its roots already.\n", m->dir);
    else
        printf("An operator needs device/*.root.json in the folder trust/ beside the profile.\n");
    printf("\nNext: start the server, or send it SIGHUP; then\n"
           "  pqota firmware publish ...   makes a release and a signing request,\n"
           "  pqota trust sign FILE --key KEY   signs it where the keys are,\n"
           "  pqota trust upload FILE   brings it to the server.\n");
}

static int run(struct making *m, int64_t root_keys, int64_t targets_keys)
{
    const char *stale = arena_printf(&m->arena, "%s/operator/trust", m->dir);
    if (m->final == NULL || stale == NULL)
        return no_memory(m);
    const char *there = file_exists(m->final) ? m->final : file_exists(stale) ? stale : NULL;
    if (there != NULL)
        return err_set(&m->err, ERR_CONFLICT,
                       "%s exists already; keys are changed with `pqota trust rotate`, not made again",
                       there);
    int rc = make_folders(m);
    if (rc == 0)
        rc = make_keys(m, root_keys, targets_keys);
    if (rc == 0)
        rc = save_keys(m);
    if (rc == 0)
        rc = save_metadata(m);
    if (rc == 0)
        rc = give_name(m);
    return rc == 0 ? tell_operator(m) : rc;
}

static void making_fini(struct making *m)
{
    if (m->folder != NULL)
        (void)nftw(m->folder, remove_one, WALK_DEPTH, FTW_DEPTH | FTW_PHYS);
    holders_fini(&m->root);
    holders_fini(&m->targets);
    holders_fini(&m->vendor);
    for (size_t i = 0; i < ONLINE; i++)
        holders_fini(&m->online[i]);
    passphrase_fini(&m->passphrase);
    arena_fini(&m->arena);
}

int trust_verb_init(struct line_args *args)
{
    struct making m = {.args = args, .now_s = (int64_t)time(NULL)};
    int64_t root_keys, targets_keys;
    if (wanted_keys(&m, "root", ROOT_KEYS, &root_keys) != 0 ||
        wanted_keys(&m, "targets", 1, &targets_keys) != 0 ||
        line_number(args, "root-threshold", 1, HOLDERS_MAX, ROOT_THRESHOLD, &m.root_threshold) != 0 ||
        line_number(args, "targets-threshold", 1, HOLDERS_MAX, 1, &m.targets_threshold) != 0)
        return CMD_USAGE;
    arena_init(&m.arena, TRUST_ARENA_MAX);
    passphrase_init(&m.passphrase, line_get(args, "passphrase-file"));
    size_t n = strlen(args->operands[0]);
    while (n > 1 && args->operands[0][n - 1] == '/')
        n--;
    m.dir = arena_dup(&m.arena, args->operands[0], n);
    m.final = m.dir != NULL ? arena_printf(&m.arena, "%s/trust", m.dir) : NULL;
    int rc = run(&m, root_keys, targets_keys);
    if (rc == 0)
        say(&m);
    int code = rc == 0 ? CMD_OK : cmd_fail(args->name, &m.err);
    making_fini(&m);
    return code;
}
