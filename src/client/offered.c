/* The state offered: what the server offers is a hint. Is it vouched for, and is there room? */
#include <stdio.h>
#include <string.h>

#include "client/client.h"

enum pqota_vouch pqota_vouch_insecure(void *ctx, const struct pqota_target *hint,
                                      const struct pqota_standing *standing, struct pqota_target *out,
                                      char why[PQOTA_TEXT_SIZE])
{
    (void)ctx, (void)standing, (void)why;
    *out = *hint;
    return PQOTA_VOUCHED;
}

struct pqota_standing client_standing(const struct client_state *st)
{
    return (struct pqota_standing){.confirmed = st->confirmed != 0,
                                   .sequence = st->confirmed_sequence,
                                   .counter = st->confirmed_counter};
}

static struct pqota_target hint_of(const struct client_state *st)
{
    struct pqota_target t = {.size = st->size};
    memcpy(t.name, st->name, sizeof t.name);
    memcpy(t.version, st->version, sizeof t.version);
    memcpy(t.filename, st->filename, sizeof t.filename);
    memcpy(t.sha256, st->sha256, sizeof t.sha256);
    return t;
}

static bool terminated(const char *s, size_t size)
{
    return memchr(s, '\0', size) != NULL;
}

static bool is_sound(const struct pqota_target *t)
{
    return terminated(t->name, sizeof t->name) && client_is_name(t->name) &&
           terminated(t->version, sizeof t->version) && client_is_name(t->version) &&
           terminated(t->filename, sizeof t->filename) && client_is_name(t->filename) &&
           terminated(t->sha256, sizeof t->sha256) && client_is_sha256(str_of(t->sha256)) && t->size > 0;
}

/* Counts an answer that is none yet; false: there were too many. */
static bool count_answer(struct client_state *st, enum pqota_vouch answer)
{
    return answer == PQOTA_VOUCH_STALE ? ++st->stale < CLIENT_STALE_MAX : ++st->later < CLIENT_LATER_MAX;
}

/* Back to polling: the answer may be another one by then, or the action closed. Counted on the disk, so that
   a program that is started for each poll comes to an end too. */
static enum pqota_next not_vouched(pqota_client_t *c, uint32_t *wait_s, enum pqota_vouch answer,
                                   const char *why)
{
    struct client_state was = c->st;
    if (!count_answer(&c->st, answer)) {
        c->st = was;
        return client_failed(c, wait_s, "%s", why);
    }
    client_text(c->st.message, sizeof c->st.message, why);
    if (client_move(c, PQOTA_IDLE) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_WARN, "%s %s is not vouched for yet: %s", c->st.name, c->st.version, why);
    c->failures = c->st.stale + c->st.later - 1;
    return client_retry(c, wait_s);
}

static void take_target(struct client_state *st, const struct pqota_target *t)
{
    memcpy(st->filename, t->filename, sizeof st->filename);
    memcpy(st->sha256, t->sha256, sizeof st->sha256);
    st->size = t->size;
    st->sequence = t->sequence;
    st->counter = t->counter;
    st->stale = st->later = 0;
    st->vouched = 1;
}

static enum pqota_vouch ask(pqota_client_t *c, struct pqota_target *out, char why[PQOTA_TEXT_SIZE])
{
    struct pqota_target hint = hint_of(&c->st);
    struct pqota_standing standing = client_standing(&c->st);
    *out = hint;
    why[0] = '\0';
    enum pqota_vouch answer = c->ops.trust.vouch(c->ops.trust.ctx, &hint, &standing, out, why);
    if (answer != PQOTA_VOUCHED) {
        if (why[0] == '\0')
            snprintf(why, PQOTA_TEXT_SIZE, "nobody who is trusted vouches for it");
        return answer;
    }
    if (!is_sound(out)) {
        snprintf(why, PQOTA_TEXT_SIZE, "what was vouched for has no usable name, hash or size");
        return PQOTA_VOUCH_REFUSED;
    }
    /* A report on it would be one on the wrong action: the next poll tells the right one. */
    if (strcmp(out->name, hint.name) != 0 || strcmp(out->version, hint.version) != 0) {
        snprintf(why, PQOTA_TEXT_SIZE, "%s %s is vouched for, the server offers %s %s", out->name,
                 out->version, hint.name, hint.version);
        return PQOTA_VOUCH_STALE;
    }
    if (out->size > c->set.artifact_most) {
        snprintf(why, PQOTA_TEXT_SIZE, "the artifact's %s bytes are more than this client takes",
                 client_number(out->size).text);
        return PQOTA_VOUCH_REFUSED;
    }
    return PQOTA_VOUCHED;
}

static enum pqota_next vouch(pqota_client_t *c, uint32_t *wait_s)
{
    char why[PQOTA_TEXT_SIZE];
    struct pqota_target out;
    enum pqota_vouch answer = ask(c, &out, why);
    switch (answer) {
    case PQOTA_VOUCHED:
        take_target(&c->st, &out);
        client_log(c, PQOTA_LOG_DEBUG, "vouched for: %s %s, sequence %s, counter %s", out.name, out.version,
                   client_number(out.sequence).text, client_number(out.counter).text);
        return PQOTA_AGAIN;
    case PQOTA_VOUCH_LATER:
    case PQOTA_VOUCH_STALE:
        return not_vouched(c, wait_s, answer, why);
    case PQOTA_VOUCH_REFUSED:
        break;
    }
    return client_failed(c, wait_s, "%s", why);
}

/* What was vouched for once may be so no more: a server can draw a download out for as long as it likes, past
   every end and every key that was taken away, and the program that began it may have asked nobody. */
bool client_still_vouched(pqota_client_t *c, uint32_t *wait_s, enum pqota_next *next)
{
    char why[PQOTA_TEXT_SIZE];
    struct pqota_target out;
    struct client_state was = c->st;
    enum pqota_vouch answer = ask(c, &out, why);
    if (answer == PQOTA_VOUCHED && (strcmp(out.sha256, was.sha256) != 0 || out.size != was.size)) {
        answer = PQOTA_VOUCH_REFUSED;
        snprintf(why, sizeof why, "other bytes are vouched for than when the download began");
    }
    if (answer == PQOTA_VOUCHED) {
        take_target(&c->st, &out);
        return true;
    }
    if (answer == PQOTA_VOUCH_REFUSED || !count_answer(&c->st, answer)) {
        c->st = was;
        *next = client_failed(c, wait_s, "%s", why);
        return false;
    }
    if (client_store(c) != PQOTA_OK)
        c->st = was;
    client_log(c, PQOTA_LOG_WARN, "%s %s is not vouched for any more: %s", c->st.name, c->st.version, why);
    *next = client_retry(c, wait_s);
    return false;
}

/* By its version, which is a name that releases may share: where what runs was confirmed as another one, this
   one is installed over it. */
static bool runs_already(pqota_client_t *c)
{
    struct client_state *st = &c->st;
    if (c->ops.installer.running_version(c->ops.installer.ctx, st->running) != PQOTA_OK ||
        !client_is_name(st->running))
        st->running[0] = '\0';
    bool another = st->sequence != 0 && st->confirmed_sequence != 0 && st->sequence != st->confirmed_sequence;
    return strcmp(st->running, st->version) == 0 && !another;
}

enum pqota_next client_step_offered(pqota_client_t *c, uint32_t *wait_s)
{
    if (c->st.vouched == 0)
        return vouch(c, wait_s);
    if (runs_already(c)) {
        client_log(c, PQOTA_LOG_INFO, "version %s runs already", c->st.version);
        return client_move(c, PQOTA_CONFIRMING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    }
    int rc = c->ops.storage.prepare(c->ops.storage.ctx, c->st.size);
    if (rc == PQOTA_E_FULL)
        return client_failed(c, wait_s, "there is no room for the %s bytes of %s",
                             client_number(c->st.size).text, c->st.filename);
    if (rc != PQOTA_OK) {
        if (++c->tries >= CLIENT_STALLS_MAX)
            return client_failed(c, wait_s, "the storage for the artifact cannot be written");
        return client_retry(c, wait_s);
    }
    c->st.downloads = 1;
    c->st.have = 0;
    if (client_move(c, PQOTA_DOWNLOADING) != PQOTA_OK)
        return client_retry(c, wait_s);
    c->resumed = true;
    c->stalls = 0;
    c->anews = 0;
    c->progress = 0;
    return PQOTA_AGAIN;
}
