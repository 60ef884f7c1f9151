/*
 * pqota-tuf: TUF's client workflow as a program of its own, with the command line of the public conformance
 * suite. It goes by the keys and rules of the root that it is given, and by nothing of pqota's own.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "keys/keys.h"
#include "trust/client.h"
#include "tuf/http.h"
#include "tuf/store.h"
#include "tuf/target.h"

#define TARGETS_MOST 1024       /* that one command downloads */
#define MEMORY_SIZE (64U << 20) /* bytes; what no file needs is never touched */
#define PATIENCE_S 60
#define PATIENCE_MOST_S 86400

struct options {
    const char *metadata_dir, *metadata_url, *target_dir, *target_base_url, *ca_file;
    const char *targets[TARGETS_MOST];
    size_t target_count;
    long patience_s;
    const char *verb, *root;
};

/* --- the client's effects ------------------------------------------------------------------------------ */

struct source {
    struct http http;
    const char *url;
};

struct room {
    unsigned char *p;
    size_t size, n;
};

static int take(void *ctx, const void *data, size_t n, struct err *e)
{
    struct room *room = ctx;
    if (n > room->size - room->n)
        return err_set(e, ERR_TOO_LARGE, "it is larger than %zu bytes", room->size);
    memcpy(room->p + room->n, data, n);
    room->n += n;
    return 0;
}

static int get(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct source *s = ctx;
    char url[HTTP_URL_MAX];
    struct room room = {.p = buf, .size = size};
    int rc = http_url(s->url, name, url, e);
    if (rc == 0)
        rc = http_get(&s->http, url, true, (struct http_sink){.ctx = &room, .take = take}, e);
    if (rc == ERR_TOO_LARGE)
        return err_context(e, "%s", name);
    if (rc == 0)
        *n = room.n;
    return rc;
}

static int64_t now_s(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

static struct tuf_config config_of(const struct options *o, struct source *s)
{
    return (struct tuf_config){.store = store_folder(o->metadata_dir),
                               .fetch = {.ctx = s, .get = get},
                               .crypto = keys_crypto,
                               .now_s = now_s};
}

/* --- the verbs ------------------------------------------------------------------------------------------ */

static int verb_init(const struct options *o, struct tuf_client *c, struct source *s, struct err *e)
{
    (void)s;
    auto_buf struct buf text;
    buf_init(&text, TUF_ROOT_SIZE_MAX);
    int rc = file_read(o->root, TUF_ROOT_SIZE_MAX, &text, e);
    if (rc == 0)
        rc = file_mkdirs(o->metadata_dir, 0755, e);
    return rc != 0 ? rc : tuf_client_begin(c, buf_str(&text), e);
}

static int verb_refresh(const struct options *o, struct tuf_client *c, struct source *s, struct err *e)
{
    (void)s;
    int rc = tuf_client_refresh(c, e);
    if (rc == 0)
        printf("%s: root %lld, timestamp %lld, snapshot %lld, targets %lld\n", o->metadata_dir,
               (long long)c->root.version, (long long)c->timestamp.version, (long long)c->snapshot.version,
               (long long)c->targets.version);
    return rc;
}

static int verb_download(const struct options *o, struct tuf_client *c, struct source *s, struct err *e)
{
    int rc = tuf_client_refresh(c, e);
    for (size_t i = 0; rc == 0 && i < o->target_count; i++) {
        const struct target_place place = {
            .dir = o->target_dir, .base_url = o->target_base_url, .prefixed = tuf_root_consistent(&c->root)};
        struct tuf_target target;
        char path[PATH_MAX];
        bool fetched = false;
        rc = tuf_client_target(c, str_of(o->targets[i]), &target, e);
        if (rc == 0)
            rc = target_get(&s->http, &place, &target, path, &fetched, e);
        if (rc == 0)
            printf("%s %s\n", path, fetched ? "fetched" : "was there");
    }
    return rc;
}

static const struct verb {
    const char *name;
    int (*run)(const struct options *o, struct tuf_client *c, struct source *s, struct err *e);
    bool remote, targets;
} verbs[] = {
    {"init", verb_init, false, false},
    {"refresh", verb_refresh, true, false},
    {"download", verb_download, true, true},
};

static int run(const struct verb *verb, const struct options *o, struct err *e)
{
    struct source source = {.url = o->metadata_url};
    struct tuf_client client;
    const struct tuf_config config = config_of(o, &source);
    auto_free void *memory = malloc(MEMORY_SIZE);
    if (memory == NULL)
        return err_set(e, ERR_NOMEM, "there are no %u MB of memory", MEMORY_SIZE >> 20);
    int rc = http_open(&source.http, o->patience_s, o->ca_file, e);
    if (rc != 0)
        return rc;
    tuf_client_init(&client, memory, MEMORY_SIZE, &config);
    rc = verb->run(o, &client, &source, e);
    http_close(&source.http);
    return rc;
}

/* --- the command line ----------------------------------------------------------------------------------- */

static int usage(void)
{
    printf("usage: pqota-tuf --metadata-dir DIR init ROOT.json\n"
           "       pqota-tuf --metadata-dir DIR --metadata-url URL refresh\n"
           "       pqota-tuf --metadata-dir DIR --metadata-url URL --target-name NAME...\n"
           "                 --target-dir DIR --target-base-url URL download\n"
           "\n"
           "  --metadata-dir DIR     where trusted metadata are kept\n"
           "  --metadata-url URL     where the repository's metadata are\n"
           "  --target-name NAME     what to download; repeat it for more, they come in this order\n"
           "  --target-dir DIR       where downloads go\n"
           "  --target-base-url URL  where the repository's targets are\n"
           "  --ca FILE              who may vouch for an https server, PEM (the system's roots)\n"
           "  --patience SECONDS     how long one metadata file may take, or a download stand still (60)\n"
           "  --help, --version\n"
           "\nSee pqota-tuf(1).\n");
    return EXIT_SUCCESS;
}

enum {
    OPT_META_DIR = 256,
    OPT_META_URL,
    OPT_NAME,
    OPT_DIR,
    OPT_URL,
    OPT_CA,
    OPT_PATIENCE,
    OPT_HELP,
    OPT_VERSION
};

static int take_option(struct options *o, int ch, const char *value, struct err *e)
{
    uint64_t seconds;
    switch (ch) {
    case OPT_META_DIR:
        o->metadata_dir = value;
        return 0;
    case OPT_META_URL:
        o->metadata_url = value;
        return 0;
    case OPT_DIR:
        o->target_dir = value;
        return 0;
    case OPT_URL:
        o->target_base_url = value;
        return 0;
    case OPT_CA:
        o->ca_file = value;
        return 0;
    case OPT_NAME:
        if (o->target_count == TARGETS_MOST)
            return err_set(e, ERR_TOO_LARGE, "at most %d targets in one command", TARGETS_MOST);
        o->targets[o->target_count++] = value;
        return 0;
    case OPT_PATIENCE:
        if (str_to_u64(str_of(value), PATIENCE_MOST_S, &seconds) != 0 || seconds == 0)
            return err_set(e, ERR_INVALID, "--patience must be 1 to %d seconds, not \"%s\"", PATIENCE_MOST_S,
                           value);
        o->patience_s = (long)seconds;
        return 0;
    default:
        return err_set(e, ERR_INVALID, "pqota-tuf --help shows the options");
    }
}

static int check(const struct options *o, const struct verb *verb, struct err *e)
{
    if (o->metadata_dir == NULL)
        return err_set(e, ERR_INVALID, "%s needs --metadata-dir DIR", verb->name);
    if (verb->run == verb_init && o->root == NULL)
        return err_set(e, ERR_INVALID, "init needs the root to begin with: pqota-tuf ... init ROOT.json");
    if (verb->remote && o->metadata_url == NULL)
        return err_set(e, ERR_INVALID, "%s needs --metadata-url URL", verb->name);
    if (verb->targets && (o->target_count == 0 || o->target_dir == NULL || o->target_base_url == NULL))
        return err_set(e, ERR_INVALID, "download needs --target-name, --target-dir and --target-base-url");
    return 0;
}

/* NULL when the verb cannot be told. */
static const struct verb *find_verb(struct options *o, int count, char **words, struct err *e)
{
    const struct verb *verb = NULL;
    for (size_t i = 0; count > 0 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, words[0]) == 0)
            verb = &verbs[i];
    if (verb == NULL)
        err_set(e, ERR_INVALID, "what to do is init, refresh or download%s%.32s%s",
                count > 0 ? ", not \"" : "; --help shows how", count > 0 ? words[0] : "",
                count > 0 ? "\"" : "");
    int most = verb != NULL && verb->run == verb_init ? 2 : 1;
    if (verb != NULL && count > most) {
        err_set(e, ERR_INVALID, "\"%.64s\" is one word too many", words[most]);
        return NULL;
    }
    if (count == 2)
        o->root = words[1];
    return verb;
}

static int fail(const struct err *e)
{
    fprintf(stderr, "pqota-tuf: %s\n", e->text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"metadata-dir", required_argument, NULL, OPT_META_DIR},
                                          {"metadata-url", required_argument, NULL, OPT_META_URL},
                                          {"target-name", required_argument, NULL, OPT_NAME},
                                          {"target-dir", required_argument, NULL, OPT_DIR},
                                          {"target-base-url", required_argument, NULL, OPT_URL},
                                          {"ca", required_argument, NULL, OPT_CA},
                                          {"patience", required_argument, NULL, OPT_PATIENCE},
                                          {"help", no_argument, NULL, OPT_HELP},
                                          {"version", no_argument, NULL, OPT_VERSION},
                                          {NULL, 0, NULL, 0}};
    struct options o = {.patience_s = PATIENCE_S};
    struct err e = {0};
    for (int ch; (ch = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (ch == OPT_HELP)
            return usage();
        if (ch == OPT_VERSION) {
            printf("pqota-tuf " PQOTA_VERSION "\n");
            return EXIT_SUCCESS;
        }
        if (take_option(&o, ch, optarg, &e) != 0)
            return fail(&e);
    }
    const struct verb *verb = find_verb(&o, argc - optind, argv + optind, &e);
    if (verb == NULL || check(&o, verb, &e) != 0)
        return fail(&e);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(&e, ERR_INTERNAL, "libcurl does not start");
        return fail(&e);
    }
    int rc = run(verb, &o, &e);
    curl_global_cleanup();
    return rc == 0 ? EXIT_SUCCESS : fail(&e);
}
