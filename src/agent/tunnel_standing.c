/* What the tunnel must not forget: how far the device has come, so that nothing older is let through. */
#include <stdio.h>

#include "agent/tunnel_trust.h"
#include "base/file.h"
#include "base/log.h"

#define TEXT_MAX 256
#define FORM "pqota-tunnel 1"

/* What the agent confirmed while it did the updates itself. */
static void load_agents(struct tunnel_trust *t)
{
    auto_buf struct buf text;
    buf_init(&text, PQOTA_STATE_SIZE);
    struct pqota_status st = {.state = PQOTA_IDLE};
    struct err e = {0};
    int rc = file_read(t->files->state, PQOTA_STATE_SIZE, &text, &e);
    if (rc == ERR_NOT_FOUND)
        return;
    void *sha = NULL;
    struct pqota_sha256 hash = files_sha256(&sha);
    if (rc == 0 && pqota_client_read_state(text.p, text.n, &hash, &st) != PQOTA_OK)
        rc = err_set(&e, ERR_CORRUPT, "%s is damaged", t->files->state);
    files_sha256_free(&sha);
    if (rc != 0)
        log_warn("tunnel", "what the agent confirmed is not known", LOG_ERR(&e));
    else
        t->standing = st.standing;
}

static bool number(struct str *rest, uint32_t *out)
{
    struct str word;
    uint64_t v;
    if (!str_split(rest, ' ', &word) || str_to_u64(word, UINT32_MAX, &v) != 0)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* One line: FORM confirmed sequence counter, and of what is pending: action sequence counter. */
static bool read_line(struct str text, struct pqota_standing *s, struct tunnel_pending *p)
{
    struct str line, rest;
    uint32_t confirmed;
    if (!str_split(&text, '\n', &line) || line.n <= sizeof FORM ||
        !str_is((struct str){.p = line.p, .n = sizeof FORM - 1}, FORM) || line.p[sizeof FORM - 1] != ' ')
        return false;
    rest = (struct str){.p = line.p + sizeof FORM, .n = line.n - sizeof FORM};
    bool good = number(&rest, &confirmed) && number(&rest, &s->sequence) && number(&rest, &s->counter) &&
                number(&rest, &p->action) && number(&rest, &p->sequence) && number(&rest, &p->counter);
    s->confirmed = good && confirmed == 1;
    return good;
}

/* False: there is nothing to go by. */
static bool read_file(const char *path, struct pqota_standing *s, struct tunnel_pending *p)
{
    auto_buf struct buf text;
    buf_init(&text, TEXT_MAX);
    struct err e = {0};
    int rc = file_read(path, TEXT_MAX, &text, &e);
    if (rc == ERR_NOT_FOUND)
        return false;
    if (rc == 0 && !read_line(buf_str(&text), s, p))
        rc = err_set(&e, ERR_CORRUPT, "%s is damaged", path);
    if (rc != 0)
        log_error("tunnel", "what was confirmed is not known", LOG_ERR(&e));
    return rc == 0;
}

uint32_t tunnel_standing_counter(const struct files *f)
{
    char path[PATH_MAX];
    struct pqota_standing s = {0};
    struct tunnel_pending p;
    bool known = file_join(path, sizeof path, f->dir, TUNNEL_STANDING_FILE) == 0 && read_file(path, &s, &p);
    return known ? s.counter : 0;
}

void tunnel_standing_load(struct tunnel_trust *t)
{
    struct pqota_standing s = {0};
    struct tunnel_pending p = {0};
    load_agents(t);
    if (!read_file(t->path, &s, &p))
        return;
    t->pending = p;
    if (!s.confirmed)
        return;
    s.counter = s.counter > t->standing.counter ? s.counter : t->standing.counter;
    t->standing = s;
}

void tunnel_standing_save(const struct tunnel_trust *t)
{
    char text[TEXT_MAX];
    struct err e = {0};
    const struct pqota_standing *s = &t->standing;
    const struct tunnel_pending *p = &t->pending;
    int n = snprintf(text, sizeof text, FORM " %d %u %u %u %u %u\n", s->confirmed, s->sequence, s->counter,
                     p->action, p->sequence, p->counter);
    if (file_write_atomic(t->path, text, (size_t)n, 0600, &e) != 0)
        log_error("tunnel", "what was confirmed could not be stored", LOG_ERR(&e));
}
