/*
 * Addresses of a host name. getaddrinfo cannot be interrupted and may take as long as the system's resolver
 * is patient, so a thread of its own asks; a client that is stopped meanwhile leaves it behind.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mqtt/client.h"

struct question {
    atomic_int refs; /* the client's and the thread's */
    int done;        /* eventfd */
    int rc, errno_value;
    struct mqtt_addresses found;
    char host[MQTT_HOST_MAX];
};

static void question_free(struct question *q)
{
    if (atomic_fetch_sub(&q->refs, 1) != 1)
        return;
    close(q->done);
    free(q);
}
CLEANUP_DEFINE(question, struct question, question_free);

static void *ask(void *arg)
{
    struct question *q = arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    q->rc = getaddrinfo(q->host, NULL, &hints, &list);
    q->errno_value = errno;
    for (struct addrinfo *a = list; a != NULL && q->found.n < MQTT_ADDRESSES_MAX; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, q->found.text[q->found.n], MQTT_ADDRESS_SIZE, NULL, 0,
                        NI_NUMERICHOST) == 0)
            q->found.n++;
    if (list != NULL)
        freeaddrinfo(list);
    uint64_t one = 1;
    ssize_t ignored = write(q->done, &one, sizeof one); /* a new counter has room */
    (void)ignored;
    question_free(q);
    return NULL;
}

static int start(struct question *q, struct err *e)
{
    pthread_t thread;
    atomic_fetch_add(&q->refs, 1);
    int rc = mqtt_thread(&thread, ask, q);
    if (rc != 0) {
        atomic_fetch_sub(&q->refs, 1);
        return err_errno(e, rc, "cannot start a thread that looks up the broker's address");
    }
    pthread_detach(thread);
    return 0;
}

/* True once the answer is there; false when the client is wanted elsewhere, or the time is over. */
static bool wait_for(struct mqtt_client *c, struct question *q, int64_t until)
{
    struct pollfd fds[2] = {{.fd = q->done, .events = POLLIN}, {.fd = c->wake, .events = POLLIN}};
    int64_t left;
    while (!mqtt_is_wanted(c) && (left = until - clock_mono_ms(&clock_system)) > 0) {
        uint64_t woken;
        if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
            return false;
        if ((fds[0].revents & POLLIN) != 0)
            return read(q->done, &woken, sizeof woken) == (ssize_t)sizeof woken;
        if ((fds[1].revents & POLLIN) != 0 && read(c->wake, &woken, sizeof woken) < 0 && errno != EAGAIN)
            return false;
    }
    return false;
}

int mqtt_resolve(struct mqtt_client *c, int64_t until, struct mqtt_addresses *out, struct err *e)
{
    CLEANUP(question_cleanup) struct question *q = calloc(1, sizeof *q);
    if (q == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look up the broker's address");
    atomic_init(&q->refs, 1);
    snprintf(q->host, sizeof q->host, "%s", c->host);
    q->done = eventfd(0, EFD_CLOEXEC);
    if (q->done < 0)
        return err_errno(e, errno, "cannot make an event descriptor");
    int rc = start(q, e);
    if (rc != 0)
        return rc;
    if (!wait_for(c, q, until))
        return err_set(e, ERR_TIMEOUT, "the address of the broker's host %s was not found in time", c->host);
    if (q->rc != 0 || q->found.n == 0)
        return err_set(e, ERR_NOT_FOUND, "the broker's host %s has no address: %s", c->host,
                       q->rc == EAI_SYSTEM ? strerror(q->errno_value) : gai_strerror(q->rc));
    *out = q->found;
    return 0;
}
