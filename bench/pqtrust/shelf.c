#include "pqtrust/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shelf_item *find(struct shelf *s, bool director, struct str role)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].director == director && str_is(role, s->items[i].role))
            return &s->items[i];
    return NULL;
}

static int give(struct str text, void *buf, size_t size, size_t *n, struct err *e)
{
    if (text.n > size)
        return err_set(e, ERR_TOO_LARGE, "the file has %zu bytes; there is room for %zu", text.n, size);
    if (text.n > 0)
        memcpy(buf, text.p, text.n);
    *n = text.n;
    return 0;
}

int shelf_load(void *ctx, bool director, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    const struct shelf_item *item = find(ctx, director, role);
    return give(item != NULL ? (struct str){.p = item->p, .n = item->n} : (struct str){0}, buf, size, n, e);
}

int shelf_save(void *ctx, bool director, struct str role, struct str text, struct err *e)
{
    struct shelf *s = ctx;
    struct shelf_item *item = find(s, director, role);
    if (item == NULL && s->count == REPO_FILES_MAX)
        return err_set(e, ERR_FULL, "a device stores at most %d files", REPO_FILES_MAX);
    char *p = text.n > 0 ? malloc(text.n) : NULL;
    if (text.n > 0 && p == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a device's files");
    if (text.n > 0)
        memcpy(p, text.p, text.n);
    if (item == NULL) {
        item = &s->items[s->count++];
        snprintf(item->role, sizeof item->role, STR_FMT, STR_ARG(role));
        item->director = director;
    } else {
        free(item->p);
    }
    item->p = p;
    item->n = text.n;
    return 0;
}

int shelf_get(void *ctx, bool director, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct shelf *s = ctx;
    struct repo *r = s->repo;
    const struct repo_file *f = director ? repo_find(r->director, r->director_count, name)
                                         : repo_find(r->image, r->image_count, name);
    s->requests++;
    if (f == NULL)
        return err_set(e, ERR_NOT_FOUND, "there is no %s", name);
    s->bytes += f->text.n;
    return give(f->text, buf, size, n, e);
}

int shelf_begin(struct shelf *s, struct repo *repo, struct err *e)
{
    *s = (struct shelf){.repo = repo};
    const struct repo_file *image = repo_find(repo->image, repo->image_count, "1.root.json");
    const struct repo_file *director = repo_find(repo->director, repo->director_count, "1.root.json");
    if (image == NULL || director == NULL)
        return err_set(e, ERR_NOT_FOUND, "the repository has no root");
    int rc = shelf_save(s, false, STR("root"), image->text, e);
    return rc != 0 ? rc : shelf_save(s, true, STR("root"), director->text, e);
}

void shelf_clear(struct shelf *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->items[i].p);
    s->count = 0;
    s->requests = 0;
    s->bytes = 0;
}
