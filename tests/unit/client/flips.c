/* A bit turned over in each file of metadata, one at a time: in what is served, and in what the device has
   stored. Every 199th byte; with PQOTA_FLIPS=all every byte of the former and every 7th of the latter. */
#include "repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 199
#define STORED_STEP 7 /* with PQOTA_FLIPS=all */

static struct repo r;
static struct pqota_target honest;
static struct repo_files fresh; /* what an honest server leaves on the device */

static const char *const names[] = {
    "director/2.root.json",  "director/gw-1/targets.json",     "image/2.root.json",
    "image/timestamp.json",  "image/1800000000.snapshot.json", "image/1.targets.json",
    "image/1.model-gw.json",
};
#define NAMES (sizeof names / sizeof *names)

static void forget(void)
{
    while (r.stored.count > 0)
        repo_drop(&r.stored, r.stored.file[0].name);
}

static bool same(const struct pqota_target *t)
{
    return strcmp(t->name, honest.name) == 0 && strcmp(t->version, honest.version) == 0 &&
           strcmp(t->filename, honest.filename) == 0 && strcmp(t->sha256, honest.sha256) == 0 &&
           t->size == honest.size && t->sequence == honest.sequence && t->counter == honest.counter;
}

static int setup(void **s)
{
    (void)s;
    repo_init(&r);
    r.root_version = r.director_root_version = 2; /* so that the device has a root to follow */
    repo_sign(&r);
    if (repo_vouch(&r, &honest) != PQOTA_VOUCHED)
        fail_msg("%s", r.why);
    for (size_t i = 0; i < r.stored.count; i++)
        repo_put(&fresh, r.stored.file[i].name, r.stored.file[i].text);
    return 0;
}

static int teardown(void **s)
{
    (void)s;
    while (fresh.count > 0)
        repo_drop(&fresh, fresh.file[0].name);
    repo_fini(&r);
    return 0;
}

static size_t step(size_t all)
{
    const char *how = getenv("PQOTA_FLIPS");
    return how != NULL && strcmp(how, "all") == 0 ? all : STEP;
}

/* "a" and "A" are one hexadecimal digit: the same signature in other letters. */
static bool is_spelling(char was, char is)
{
    return (was ^ is) == 0x20 && ((was >= 'a' && was <= 'f') || (was >= 'A' && was <= 'F'));
}

static bool is_stored(const char *text, size_t n)
{
    for (size_t i = 0; i < r.stored.count; i++)
        if (r.stored.file[i].text.n == n && memcmp(r.stored.file[i].text.p, text, n) == 0)
            return true;
    return false;
}

/* What is changed is not taken, and nothing of it is kept. */
static size_t flip_served(const char *name)
{
    struct repo_file *f = repo_find(&r.served, name);
    struct pqota_target t;
    size_t flips = 0;
    assert_non_null(f);
    char *text = (char *)(uintptr_t)f->text.p;
    for (size_t i = 0; i < f->text.n; i += step(1), flips++) {
        char was = text[i];
        text[i] = (char)(was ^ (1 << i % 8));
        forget();
        enum pqota_vouch got = repo_vouch(&r, &t);
        bool spelling = is_spelling(was, text[i]) && got == PQOTA_VOUCHED && same(&t);
        if (!spelling && (got == PQOTA_VOUCHED || is_stored(text, f->text.n)))
            fail_msg("%s: byte %zu, '%c' for '%c': %s", name, i, text[i], was,
                     got == PQOTA_VOUCHED ? "vouched for" : "stored");
        text[i] = was;
    }
    return flips;
}

static void test_served(void **s)
{
    (void)s;
    size_t flips = 0;
    for (size_t i = 0; i < NAMES; i++)
        flips += flip_served(names[i]);
    print_message("%zu bits turned over in what is served, one at a time\n", flips);
    forget();
    assert_int_equal(repo_vouch(&r, NULL), PQOTA_VOUCHED);
}

/* Damage on the device is mended from the server, and changes nothing. */
static size_t flip_stored(const struct repo_file *f)
{
    struct pqota_target t;
    size_t flips = 0;
    for (size_t i = 0; i < f->text.n; i += step(STORED_STEP), flips++) {
        forget();
        for (size_t j = 0; j < fresh.count; j++)
            repo_put(&r.stored, fresh.file[j].name, fresh.file[j].text);
        char *text = (char *)(uintptr_t)repo_find(&r.stored, f->name)->text.p;
        text[i] = (char)(text[i] ^ (1 << i % 8));
        if (repo_vouch(&r, &t) != PQOTA_VOUCHED || !same(&t))
            fail_msg("%s: byte %zu: %s", f->name, i, r.why);
    }
    return flips;
}

static void test_stored(void **s)
{
    (void)s;
    size_t flips = 0;
    for (size_t i = 0; i < fresh.count; i++)
        flips += flip_stored(&fresh.file[i]);
    print_message("%zu bits turned over in what is stored, one at a time\n", flips);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_served), cmocka_unit_test(test_stored)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
