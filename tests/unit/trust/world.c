/* A client in memory around a repository. */
#include "repo.h"

static bool fails(struct world *w, struct err *e, int *rc)
{
    if (++w->calls != w->fail_at)
        return false;
    *rc = err_set(e, w->fail_with, "made to fail");
    return true;
}

static int give(const char *text, void *buf, size_t size, size_t *n, struct err *e)
{
    size_t len = strlen(text);
    if (len > size)
        return err_set(e, ERR_TOO_LARGE, "too large");
    memcpy(buf, text, len);
    *n = len;
    return 0;
}

static char *name_of(struct str role)
{
    return text_of("%.*s", (int)role.n, role.p);
}

static int load(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    struct world *w = ctx;
    int rc = 0;
    if (fails(w, e, &rc))
        return rc;
    char *name = name_of(role);
    const char *text = world_stored(w, name);
    free(name);
    *n = 0;
    return text != NULL ? give(text, buf, size, n, e) : 0;
}

static int save(void *ctx, struct str role, struct str text, struct err *e)
{
    struct world *w = ctx;
    int rc = 0;
    if (fails(w, e, &rc))
        return rc;
    char *name = name_of(role), *copy = name_of(text);
    assert_int_equal(strlen(copy), text.n);
    world_store(w, name, copy);
    free(name);
    free(copy);
    return 0;
}

static int drop(void *ctx, struct str role, struct err *e)
{
    struct world *w = ctx;
    int rc = 0;
    if (fails(w, e, &rc))
        return rc;
    char *name = name_of(role);
    world_store(w, name, NULL);
    free(name);
    return 0;
}

static int get(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct world *w = ctx;
    int rc = 0;
    size_t at = strlen(w->log);
    snprintf(w->log + at, sizeof w->log - at, "%s%s", at > 0 ? " " : "", name);
    if (fails(w, e, &rc))
        return rc;
    const char *text = repo_file(&w->repo, name);
    return text != NULL ? give(text, buf, size, n, e) : err_set(e, ERR_NOT_FOUND, "the server has none");
}

static int64_t now_s(void *ctx)
{
    return ((struct world *)ctx)->now_s;
}

void world_restart(struct world *w, size_t memory)
{
    free(w->memory);
    w->memory = malloc(memory);
    tuf_client_init(&w->client, w->memory, memory, &w->config);
}

void world_init(struct world *w)
{
    *w = (struct world){.now_s = NOW, .fail_with = ERR_IO};
    repo_init(&w->repo);
    w->config = (struct tuf_config){.store = {.ctx = w, .load = load, .save = save, .drop = drop},
                                    .fetch = {.ctx = w, .get = get},
                                    .crypto = keys_crypto,
                                    .now_s = now_s,
                                    .now_ctx = w};
    world_restart(w, WORLD_MEMORY);
    assert_int_equal(tuf_client_begin(&w->client, str_of(repo_file(&w->repo, "1.root.json")), &w->e), 0);
    assert_string_equal(w->log, "");
}

void world_fini(struct world *w)
{
    repo_fini(&w->repo);
    repo_files_free(w->stored, w->stored_n);
    free(w->memory);
}

int world_refresh(struct world *w)
{
    w->log[0] = '\0';
    return tuf_client_refresh(&w->client, &w->e);
}

int world_target(struct world *w, const char *name, struct tuf_target *out)
{
    w->log[0] = '\0';
    return tuf_client_target(&w->client, str_of(name), out, &w->e);
}

const char *world_stored(const struct world *w, const char *role)
{
    return repo_files_get(w->stored, w->stored_n, role);
}

void world_store(struct world *w, const char *role, const char *text)
{
    repo_files_put(&w->stored, &w->stored_n, role, text);
}

int world_version(const struct world *w, const char *role)
{
    const char *text = world_stored(w, role);
    if (text == NULL)
        return 0;
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    int v = yyjson_get_int(yyjson_ptr_get(yyjson_doc_get_root(doc), "/signed/version"));
    yyjson_doc_free(doc);
    return v;
}

void world_expect(struct world *w, int rc, const char *words, const char *log)
{
    w->e = (struct err){.code = 0};
    int got = world_refresh(w);
    if (got != rc || (rc != 0 && (strstr(w->e.text, words) == NULL || w->e.code != rc)))
        fail_msg("refresh gave %s (%s), not %s (%s)", err_word(got), w->e.text, err_word(rc), words);
    if (log != NULL)
        assert_string_equal(w->log, log);
}

int world_setup(void **state)
{
    struct world *w = malloc(sizeof *w);
    world_init(w);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world_fini(*state);
    free(*state);
    return 0;
}
