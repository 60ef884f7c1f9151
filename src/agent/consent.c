#include "agent/consent.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"

#define LINE_MAX_SIZE (2 * PQOTA_NAME_SIZE + 16)
#define SWEEPS_MAX 3
#define GIVEN "confirmed"
#define DENIED "denied"

struct line { /* of either file */
    uint32_t action;
    char text[LINE_MAX_SIZE]; /* "NAME VERSION", or the answer */
};

/* "ACTION TEXT". A file that is missing or damaged is none. */
static bool read_line(const char *path, struct line *out)
{
    auto_buf struct buf text;
    struct err e = {0};
    buf_init(&text, LINE_MAX_SIZE);
    if (file_read(path, LINE_MAX_SIZE - 1, &text, &e) != 0)
        return false;
    struct str rest = buf_str(&text), line, number;
    uint64_t action;
    if (!str_split(&rest, '\n', &line) || !str_split(&line, ' ', &number) || line.p == NULL ||
        !str_is_text(line) || str_to_u64(number, INT32_MAX, &action) != 0 || action == 0)
        return false;
    out->action = (uint32_t)action;
    snprintf(out->text, sizeof out->text, "%.*s", (int)line.n, line.p);
    return true;
}

static int write_line(const char *path, const struct line *l, struct err *e)
{
    char text[LINE_MAX_SIZE + 16];
    int n = snprintf(text, sizeof text, "%" PRIu32 " %s\n", l->action, l->text);
    return file_write_atomic(path, text, (size_t)n, 0600, e);
}

/* --- the agent's side ---------------------------------------------------------------------------------- */

enum pqota_consent consent_ask(void *ctx, const struct pqota_question *q)
{
    struct consent *c = ctx;
    struct line asked = {.action = q->action}, there, answer;
    struct err e = {0};
    c->asked = true;
    if (c->always)
        return PQOTA_CONSENT_GIVEN;
    snprintf(asked.text, sizeof asked.text, "%s %s", q->name, q->version);
    if (!read_line(c->files->question, &there) || there.action != asked.action ||
        strcmp(there.text, asked.text) != 0) {
        log_info("consent", "the user is asked", LOG_STR("update", asked.text));
        if (write_line(c->files->question, &asked, &e) != 0)
            log_error("consent", "the question cannot be written", LOG_ERR(&e));
    }
    if (!read_line(c->files->answer, &answer) || answer.action != q->action)
        return PQOTA_CONSENT_NONE;
    return strcmp(answer.text, GIVEN) == 0 ? PQOTA_CONSENT_GIVEN : PQOTA_CONSENT_DENIED;
}

void consent_begin(struct consent *c)
{
    c->asked = false;
}

void consent_end(struct consent *c, bool polled)
{
    if (!polled || c->asked || c->always)
        return;
    unlink(c->files->question);
    unlink(c->files->answer);
}

/* --- the user's side ----------------------------------------------------------------------------------- */

static int open_question(const struct agent_config *config, struct files *f, struct line *out, struct err *e)
{
    int rc = files_open(f, config->state_dir, false, e);
    if (rc != 0)
        return rc;
    if (access(f->dir, R_OK | X_OK) != 0)
        return err_set(e, ERR_DENIED, "the state folder %s cannot be read; try as root", f->dir);
    return read_line(f->question, out) ? 0
                                       : err_set(e, ERR_NOT_FOUND, "no update waits for the user's consent");
}

int consent_show(const struct agent_config *config, struct err *e)
{
    struct files f;
    struct line asked, answer;
    int rc = open_question(config, &f, &asked, e);
    if (rc != 0)
        return rc;
    bool answered = read_line(f.answer, &answer) && answer.action == asked.action;
    printf("update   %s (action %" PRIu32 ")\n", asked.text, asked.action);
    printf("answer   %s\n", answered ? answer.text : "none yet: pqota-agent consent confirm, or deny");
    return 0;
}

int consent_answer(const struct agent_config *config, bool given, struct err *e)
{
    struct files f;
    struct line l;
    int rc = open_question(config, &f, &l, e);
    if (rc != 0)
        return rc;
    char update[LINE_MAX_SIZE];
    memcpy(update, l.text, sizeof update);
    snprintf(l.text, sizeof l.text, "%s", given ? GIVEN : DENIED);
    for (int tries = 0; tries < SWEEPS_MAX; tries++) {
        rc = write_line(f.answer, &l, e);
        if (rc != ERR_NOT_FOUND)
            break; /* else an agent that starts has swept the file before it had its name */
    }
    if (rc != 0)
        return rc;
    printf("%s %s\n", given ? "agreed to" : "refused", update);
    pid_t agent = files_woken(&f);
    if (agent > 0 && kill(agent, SIGUSR1) != 0)
        log_warn("consent", "the agent could not be woken; it tells the server with its next poll");
    return 0;
}
