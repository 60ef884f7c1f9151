#include "agent/tunnel_hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct progress_shelf {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct progress *kept[PROGRESS_KEPT];    /* the newest first; NULL: none */
    char out[PROGRESS_OUT][SHA256_HEX_SIZE]; /* under way; "": a free place */
    char doubted[PROGRESS_DOUBTED][SHA256_HEX_SIZE];
};

static int broken(struct err *e)
{
    return err_set(e, ERR_CRYPTO, "SHA-256 failed");
}

static struct progress_mark *mark_at(struct progress *p, size_t i)
{
    return &p->marks[(p->first + i) % PROGRESS_ROOM];
}

static uint64_t last_mark(const struct progress *p)
{
    return p->count > 0 ? p->marks[(p->first + p->count - 1) % PROGRESS_ROOM].at : 0;
}

/* Where there is none yet: while a block is checked, those ahead stay what they are. */
static int set_mark(struct progress *p, struct err *e)
{
    if (p->count > 0 && last_mark(p) >= p->at)
        return 0;
    struct progress_mark *m = mark_at(p, p->count);
    if (m->state == NULL)
        m->state = EVP_MD_CTX_new();
    if (m->state == NULL || EVP_MD_CTX_copy_ex(m->state, p->now) != 1)
        return broken(e);
    m->at = p->at;
    p->count++;
    return 0;
}

static void drop_oldest(struct progress *p)
{
    while (p->count > PROGRESS_MARKS) {
        p->first = (p->first + 1) % PROGRESS_ROOM;
        p->count--;
    }
}

/* What goes on from here may have other bytes. Marks that stay are at blocks' edges. */
static void drop_ahead(struct progress *p)
{
    while (p->count > 1 && (last_mark(p) > p->at || last_mark(p) % PROGRESS_BLOCK != 0))
        p->count--;
}

int progress_new(const char *sha256, uint64_t size, struct progress **out, struct err *e)
{
    struct progress *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a download");
    memcpy(p->sha256, sha256, sizeof p->sha256);
    p->size = size;
    p->now = EVP_MD_CTX_new();
    int rc = 0;
    if (p->now == NULL || EVP_DigestInit_ex(p->now, EVP_sha256(), NULL) != 1)
        rc = broken(e);
    if (rc == 0)
        rc = set_mark(p, e);
    if (rc != 0) {
        progress_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void progress_free(struct progress *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < PROGRESS_ROOM; i++)
        EVP_MD_CTX_free(p->marks[i].state);
    EVP_MD_CTX_free(p->now);
    free(p);
}

int progress_add(struct progress *p, const void *data, size_t n, struct err *e)
{
    const char *from = data;
    while (n > 0) {
        size_t step = PROGRESS_BLOCK - (size_t)(p->at % PROGRESS_BLOCK);
        step = step < n ? step : n;
        if (EVP_DigestUpdate(p->now, from, step) != 1)
            return broken(e);
        p->at += step;
        from += step;
        n -= step;
        int rc = p->at % PROGRESS_BLOCK == 0 ? set_mark(p, e) : 0;
        if (rc != 0)
            return rc;
        drop_oldest(p);
    }
    return 0;
}

/* The hash of what led to a state; false when it cannot be told. */
static bool finish(const EVP_MD_CTX *state, unsigned char out[SHA256_SIZE])
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    bool good =
        copy != NULL && EVP_MD_CTX_copy_ex(copy, state) == 1 && EVP_DigestFinal_ex(copy, out, NULL) == 1;
    EVP_MD_CTX_free(copy);
    return good;
}

bool progress_is_right(const struct progress *p)
{
    unsigned char raw[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    if (p->at != p->size || !finish(p->now, raw))
        return false;
    hex_encode(raw, sizeof raw, hex);
    return strcmp(hex, p->sha256) == 0;
}

/* Past p->at when a rewind came to nothing. */
static uint64_t known(const struct progress *p)
{
    return p->at > last_mark(p) ? p->at : last_mark(p);
}

bool progress_reaches(const struct progress *p, uint64_t from)
{
    return p->count > 0 && from >= p->marks[p->first].at && from <= known(p) && from < p->size;
}

int progress_rewind(struct progress *p, uint64_t from, struct progress_check *out, struct err *e)
{
    struct progress_check c;
    int rc = set_mark(p, e); /* the end too is to be found again */
    if (rc != 0)
        return rc;
    size_t i = p->count - 1;
    while (i > 0 && mark_at(p, i - 1)->at >= from)
        i--;
    const struct progress_mark *after = mark_at(p, i);
    bool edge = after->at == from && from % PROGRESS_BLOCK == 0;
    const struct progress_mark *before = edge ? after : mark_at(p, i - 1);
    c.to = after->at;
    if (!finish(after->state, c.state) || EVP_MD_CTX_copy_ex(p->now, before->state) != 1)
        return broken(e);
    p->at = before->at;
    if (edge)
        drop_ahead(p);
    *out = c;
    return 0;
}

bool progress_passes(struct progress *p, const struct progress_check *c)
{
    unsigned char now[SHA256_SIZE];
    if (p->at != c->to || !finish(p->now, now) || memcmp(now, c->state, sizeof now) != 0)
        return false;
    drop_ahead(p);
    return true;
}

/* --- the shelf ------------------------------------------------------------------------------------------ */

struct progress_shelf *progress_shelf_new(void)
{
    struct progress_shelf *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    if (s == NULL)
        return NULL;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->ended, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void progress_shelf_free(struct progress_shelf *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < PROGRESS_KEPT; i++)
        progress_free(s->kept[i]);
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Takes the one at i out and closes the gap. */
static struct progress *pull_out(struct progress_shelf *s, size_t i)
{
    struct progress *p = s->kept[i];
    for (; i + 1 < PROGRESS_KEPT; i++)
        s->kept[i] = s->kept[i + 1];
    s->kept[PROGRESS_KEPT - 1] = NULL;
    return p;
}

void progress_shelf_put(struct progress_shelf *s, struct progress *p)
{
    if (known(p) == 0) { /* nothing came: what an earlier one has counts on */
        progress_free(p);
        return;
    }
    pthread_mutex_lock(&s->lock);
    size_t out = PROGRESS_KEPT - 1;
    for (size_t i = 0; i < PROGRESS_KEPT; i++)
        if (s->kept[i] != NULL && strcmp(s->kept[i]->sha256, p->sha256) == 0)
            out = i;
    struct progress *old = pull_out(s, out);
    memmove(s->kept + 1, s->kept, (PROGRESS_KEPT - 1) * sizeof s->kept[0]);
    s->kept[0] = p;
    pthread_mutex_unlock(&s->lock);
    progress_free(old);
}

/* Locked. The place of a file in a list, or with "" a free one; NULL: none. */
static char *place_of(char (*list)[SHA256_HEX_SIZE], size_t count, const char *sha256)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], sha256) == 0)
            return list[i];
    return NULL;
}

void progress_shelf_begin(struct progress_shelf *s, const char *sha256)
{
    pthread_mutex_lock(&s->lock);
    char *place = place_of(s->out, PROGRESS_OUT, "");
    if (place != NULL)
        memcpy(place, sha256, SHA256_HEX_SIZE);
    pthread_mutex_unlock(&s->lock);
}

void progress_shelf_end(struct progress_shelf *s, const char *sha256)
{
    pthread_mutex_lock(&s->lock);
    char *place = place_of(s->out, PROGRESS_OUT, sha256);
    if (place != NULL)
        place[0] = '\0';
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
}

void progress_shelf_doubt(struct progress_shelf *s, const char *sha256, bool doubted)
{
    pthread_mutex_lock(&s->lock);
    char *place = place_of(s->doubted, PROGRESS_DOUBTED, sha256);
    if (place == NULL && doubted)
        place = place_of(s->doubted, PROGRESS_DOUBTED, "");
    if (place != NULL)
        memcpy(place, doubted ? sha256 : "", doubted ? SHA256_HEX_SIZE : 1);
    pthread_mutex_unlock(&s->lock);
}

bool progress_shelf_doubts(struct progress_shelf *s, const char *sha256)
{
    pthread_mutex_lock(&s->lock);
    bool is = place_of(s->doubted, PROGRESS_DOUBTED, sha256) != NULL ||
              place_of(s->doubted, PROGRESS_DOUBTED, "") == NULL;
    pthread_mutex_unlock(&s->lock);
    return is;
}

/* Locked. */
static struct progress *find(struct progress_shelf *s, const char *sha256, uint64_t from)
{
    for (size_t i = 0; i < PROGRESS_KEPT; i++)
        if (s->kept[i] != NULL && strcmp(s->kept[i]->sha256, sha256) == 0 &&
            progress_reaches(s->kept[i], from))
            return pull_out(s, i);
    return NULL;
}

struct progress *progress_shelf_take(struct progress_shelf *s, const char *sha256, uint64_t from)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PROGRESS_WAIT_MS / 1000;
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    struct progress *found = find(s, sha256, from);
    while (found == NULL && rc == 0 && place_of(s->out, PROGRESS_OUT, sha256) != NULL) {
        rc = pthread_cond_timedwait(&s->ended, &s->lock, &until);
        found = find(s, sha256, from);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}
