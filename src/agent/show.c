/* `pqota-agent status` and `confirm`, and the word to systemd. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/identity.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

static int64_t system_now(void *ctx)
{
    return clock_floor_now(ctx);
}

static void print_certificate(const struct files *f, const struct clock_floor *floor)
{
    struct pki_cert cert;
    struct err e = {0};
    char end[CLOCK_TEXT_MAX], renew[CLOCK_TEXT_MAX];
    int rc = identity_read(f, &cert, &e);
    if (rc == ERR_NOT_FOUND)
        printf("device       not enrolled\n");
    else if (rc != 0)
        printf("device       %s\n", e.text);
    if (rc != 0)
        return;
    clock_format(cert.not_after * 1000, end);
    clock_format(identity_renew_at(&cert) * 1000, renew);
    printf("device       %s\n", cert.common_name);
    printf("certificate  %s %s, renewed from %s\n",
           clock_floor_now(floor) > cert.not_after ? "expired" : "until", end, renew);
}

static void print_update(const struct pqota_status *st)
{
    printf("state        %s\n", pqota_state_name(st->state));
    if (st->action == 0)
        return;
    printf("%s  %s %s (action %" PRIu32 ")", st->state == PQOTA_IDLE ? "last update" : "update     ",
           st->name, st->version, st->action);
    if (st->state == PQOTA_DOWNLOADING)
        printf(", %" PRIu64 " of %" PRIu64 " bytes", st->have, st->size);
    if (st->outcome != PQOTA_OUTCOME_NONE)
        printf(", %s", st->outcome == PQOTA_SUCCEEDED ? "succeeded" : "failed");
    printf("\n");
    if (st->message[0] != '\0')
        printf("message      %s\n", st->message);
}

static int print_state(const struct files *f, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, PQOTA_STATE_SIZE);
    struct pqota_status st = {.state = PQOTA_IDLE};
    int rc = file_read(f->state, PQOTA_STATE_SIZE, &text, e);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == 0) {
        void *sha = NULL;
        struct pqota_sha256 hash = files_sha256(&sha);
        int read = pqota_client_read_state(text.p, text.n, &hash, &st);
        files_sha256_free(&sha);
        if (read != PQOTA_OK)
            return err_set(e, ERR_CORRUPT, "%s is damaged; the agent starts anew with the next poll",
                           f->state);
    }
    print_update(&st);
    if (st.standing.confirmed)
        printf("confirmed    sequence %" PRIu32 ", anti-rollback counter %" PRIu32 "\n", st.standing.sequence,
               st.standing.counter);
    return 0;
}

int agent_print_status(const struct agent_config *config, struct err *e)
{
    struct files f;
    struct clock_floor floor;
    struct installer in;
    char version[PQOTA_NAME_SIZE];
    struct err why = {0};
    int rc = files_open(&f, config->state_dir, false, e);
    if (rc != 0)
        return rc;
    if (access(f.dir, R_OK | X_OK) != 0)
        return err_set(e, ERR_DENIED, "the state folder %s cannot be read; try as root", f.dir);
    clock_floor_load(&floor, f.floor, &clock_system);
    printf("server       %s\n", config->server[0] != '\0' ? config->server : "none");
    print_certificate(&f, &floor);
    rc = installer_init(&in, config, &f, system_now, &floor, &why);
    if (rc == 0)
        rc = in.kind->running_version(&in, version, &why);
    printf("version      %s%s\n", rc == 0 ? "" : "unknown: ", rc == 0 ? version : why.text);
    agent_trust_print(config, &f, clock_floor_now(&floor));
    return print_state(&f, e);
}

int agent_confirm(const struct agent_config *config, struct err *e)
{
    struct files f;
    struct clock_floor floor;
    struct installer in;
    int rc = files_open(&f, config->state_dir, false, e);
    if (rc == 0)
        rc = installer_init(&in, config, &f, system_now, &floor, e);
    if (rc != 0)
        return rc;
    if (in.kind->mark_good == NULL)
        return err_set(e, ERR_UNSUPPORTED,
                       "[installer] type = %s confirms by its health command; there is nothing to "
                       "do by hand",
                       config->type);
    return in.kind->mark_good(&in, e);
}

void agent_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* the abstract name space */
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, n) < 0)
        log_warn("agent", "systemd could not be told", LOG_STR("state", state));
}
