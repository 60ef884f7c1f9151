#include "model/release.h"

#include <stdlib.h>

static const char *const words[] = {
    [RELEASE_DRAFT] = "draft",
    [RELEASE_SIGNED] = "signed",
    [RELEASE_PUBLISHED] = "published",
};

const char *release_state_word(enum release_state s)
{
    return words[s];
}

int release_state_parse(struct str word, enum release_state *out)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_is(word, words[i])) {
            *out = (enum release_state)i;
            return 0;
        }
    return ERR_INVALID;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int release_parse_models(struct str list, struct arena *a, const char ***models, size_t *count, struct err *e)
{
    const char **names = arena_array(a, const char *, RELEASE_MODELS_MAX);
    if (names == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the list of models");
    size_t n = 0;
    struct str rest = list, part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (!str_is_name(part))
            return err_set(
                e, ERR_INVALID,
                "model: a name begins with a letter or digit, has at most 128 of letters, digits and "
                "._+~-, and commas between several");
        if (n == RELEASE_MODELS_MAX)
            return err_set(e, ERR_INVALID, "model: a release fits at most %d models", RELEASE_MODELS_MAX);
        names[n] = arena_dup_str(a, part);
        if (names[n] == NULL)
            return err_set(e, ERR_NOMEM, "no memory for the list of models");
        n++;
    }
    if (n == 0)
        return err_set(e, ERR_INVALID, "model: name at least one");
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return err_set(e, ERR_INVALID, "model: %s is named twice", names[i]);
    *models = names;
    *count = n;
    return 0;
}

static int check_name(const char *what, struct str s, struct err *e)
{
    if (str_is_name(s))
        return 0;
    return err_set(e, ERR_INVALID,
                   "%s: it begins with a letter or digit and has at most 128 of letters, digits and ._+~-",
                   what);
}

int release_check_names(struct str name, struct str version, struct str filename, struct str type,
                        struct str notes, struct err *e)
{
    int rc = check_name("name", name, e);
    if (rc == 0)
        rc = check_name("version", version, e);
    if (rc == 0)
        rc = check_name("filename", filename, e);
    if (rc == 0)
        rc = check_name("type", type, e);
    if (rc == 0 && notes.n > RELEASE_NOTES_MAX)
        rc = err_set(e, ERR_INVALID, "notes: at most %d bytes, got %zu", RELEASE_NOTES_MAX, notes.n);
    if (rc == 0 && notes.n > 0 && !str_is_text(notes))
        rc = err_set(e, ERR_INVALID, "notes: not valid UTF-8 text");
    return rc;
}

bool release_fits(const struct release *r, const char *model)
{
    for (size_t i = 0; i < r->model_count; i++)
        if (strcmp(r->models[i], model) == 0)
            return true;
    return false;
}

static const char *copy_text(const char *z, struct arena *a, bool *oom)
{
    char *copy = z != NULL ? arena_dup(a, z, strlen(z)) : NULL;
    *oom |= z != NULL && copy == NULL;
    return copy;
}

int release_copy(const struct release *r, struct arena *a, struct release *out)
{
    struct release c = *r;
    bool oom = false;
    c.name = copy_text(r->name, a, &oom);
    c.version = copy_text(r->version, a, &oom);
    c.notes = copy_text(r->notes, a, &oom);
    c.created_by = copy_text(r->created_by, a, &oom);
    c.models = arena_array(a, const char *, r->model_count);
    c.artifacts = arena_array(a, struct artifact, r->artifact_count);
    if (c.models == NULL || c.artifacts == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->model_count; i++)
        c.models[i] = copy_text(r->models[i], a, &oom);
    for (size_t i = 0; i < r->artifact_count; i++)
        c.artifacts[i] = (struct artifact){
            .filename = copy_text(r->artifacts[i].filename, a, &oom),
            .sha256 = copy_text(r->artifacts[i].sha256, a, &oom),
            .size = r->artifacts[i].size,
        };
    if (oom)
        return ERR_NOMEM;
    *out = c;
    return 0;
}
