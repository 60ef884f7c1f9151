#include "pqtrust/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pqtrust/shelf.h"
#include "pqtrust/wire.h"

#define FILE_MAX ((size_t)5000000) /* bytes that a device stores or fetches in one file */

int wire_send(int fd, const void *p, size_t n, struct err *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = send(fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (k < 0 && errno != EINTR)
            return err_errno(e, errno, "the device's process cannot be told");
        done += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

int wire_receive(int fd, void *p, size_t n, struct err *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = recv(fd, (char *)p + done, n - done, 0);
        if (k < 0 && errno != EINTR)
            return err_errno(e, errno, "the device's process does not answer");
        if (k == 0)
            return err_set(e, ERR_IO, "the device's process ended");
        done += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

int memory_start(struct memory_device *d, struct err *e)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return err_errno(e, errno, "no socket for the device's process");
    pid_t pid = fork();
    if (pid < 0) {
        int rc = err_errno(e, errno, "no process for the device");
        close(fds[0]);
        close(fds[1]);
        return rc;
    }
    if (pid == 0) {
        close(fds[0]);
        memory_device_run(fds[1]);
        _exit(0);
    }
    close(fds[1]);
    *d = (struct memory_device){.pid = pid, .fd = fds[0]};
    return 0;
}

void memory_stop(struct memory_device *d)
{
    if (d->pid <= 0)
        return;
    close(d->fd); /* it ends at that */
    while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    d->pid = 0;
}

/* --- serving ---------------------------------------------------------------------------------------- */

/* What the device asked for, from its flash or from the server, into p. */
static int look_up(struct shelf *shelf, const struct wire_ask *ask, char *p, size_t *n, struct err *e)
{
    size_t room = ask->n < FILE_MAX ? ask->n : FILE_MAX;
    return ask->verb == WIRE_GET ? shelf_get(shelf, ask->director, ask->name, p, room, n, e)
                                 : shelf_load(shelf, ask->director, str_of(ask->name), p, room, n, e);
}

static int answer(const struct memory_device *d, struct shelf *shelf, struct repo *repo,
                  const struct wire_ask *ask, char *p, struct err *e)
{
    struct wire_answer a = {0};
    struct err why = {0};
    if (ask->verb == WIRE_FACTORY) {
        shelf_clear(shelf);
        a.rc = shelf_begin(shelf, repo, &why);
    } else if (ask->verb == WIRE_SAVE) {
        if (ask->n > FILE_MAX)
            return err_set(e, ERR_TOO_LARGE, "the device stores a file of %zu bytes", ask->n);
        int rc = wire_receive(d->fd, p, ask->n, e);
        if (rc != 0)
            return rc;
        struct str text = {.p = p, .n = ask->n};
        a.rc = shelf_save(shelf, ask->director, str_of(ask->name), text, &why);
    } else {
        a.rc = look_up(shelf, ask, p, &a.n, &why);
    }
    int rc = wire_send(d->fd, &a, sizeof a, e);
    return rc != 0 ? rc : wire_send(d->fd, p, a.n, e);
}

static int serve(const struct memory_device *d, struct shelf *shelf, struct repo *repo, char *p,
                 struct memory_result *out, struct err *e)
{
    struct wire_ask ask = {.verb = WIRE_BEGIN, .now_s = repo->plan.now_s};
    memcpy(ask.name, repo->target, sizeof ask.name);
    int rc = wire_send(d->fd, &ask, sizeof ask, e);
    while (rc == 0) {
        rc = wire_receive(d->fd, &ask, sizeof ask, e);
        if (rc != 0)
            return rc;
        ask.name[sizeof ask.name - 1] = '\0';
        if (ask.verb == WIRE_DONE)
            return wire_receive(d->fd, out, sizeof *out, e);
        if (ask.verb == WIRE_FAILED)
            return err_set(e, ERR_INTERNAL, "the device: %s", ask.name);
        rc = answer(d, shelf, repo, &ask, p, e);
    }
    return rc;
}

int memory_measure(struct memory_device *d, struct repo *repo, struct memory_result *out, struct err *e)
{
    auto_free struct shelf *shelf = calloc(1, sizeof *shelf);
    auto_free char *p = malloc(FILE_MAX);
    if (shelf == NULL || p == NULL)
        return err_set(e, ERR_NOMEM, "no memory to serve a device");
    struct memory_result found;
    int rc = shelf_begin(shelf, repo, e);
    if (rc == 0)
        rc = serve(d, shelf, repo, p, &found, e);
    if (rc == 0)
        *out = found;
    shelf_clear(shelf);
    return rc;
}
