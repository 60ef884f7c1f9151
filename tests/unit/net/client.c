#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int client(const struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    /* A call that a signal interrupts goes on by itself, until the socket is writable. */
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (connect(fd, (const struct sockaddr *)&f->to, sizeof f->to) != 0 &&
        (errno != EINTR || poll(&ready, 1, 20000) != 1))
        fail_msg("cannot connect: %s", strerror(errno));
    return fd;
}

ssize_t receive(int fd, void *p, size_t n, int flags)
{
    ssize_t got;
    do
        got = recv(fd, p, n, flags);
    while (got < 0 && errno == EINTR);
    return got;
}

void send_all(int fd, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = send(fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            fail_msg("after %zu of %zu bytes: %s", done, n, strerror(errno));
        done += (size_t)put;
    }
}

void send_text(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

void leave(int fd, bool reset)
{
    const struct linger now = {.l_onoff = 1};
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void read_line(int fd, char *line, size_t size)
{
    size_t n = 0;
    for (;;) {
        char c;
        ssize_t got = receive(fd, &c, 1, 0);
        if (got != 1)
            fail_msg("the head ends early: %s", got == 0 ? "closed" : strerror(errno));
        if (c == '\n')
            break;
        assert_true(n < size - 1);
        if (c != '\r')
            line[n++] = c;
    }
    line[n] = '\0';
}

struct reply read_reply(int fd, bool bodiless)
{
    struct reply r = {0};
    char line[1024];
    read_line(fd, line, sizeof line);
    assert_int_equal(sscanf(line, "HTTP/1.1 %d", &r.status), 1);
    for (;;) {
        read_line(fd, line, sizeof line);
        if (line[0] == '\0')
            break;
        if (strncmp(line, "Content-Length: ", 16) == 0)
            r.length = (size_t)atoll(line + 16);
        if (strcmp(line, "Connection: close") == 0)
            r.close = true;
    }
    r.n = bodiless ? 0 : r.length;
    r.body = calloc(1, r.n + 1);
    for (size_t done = 0; done < r.n;) {
        ssize_t got = receive(fd, r.body + done, r.n - done, 0);
        if (got <= 0)
            fail_msg("the body ends after %zu of %zu bytes: %s", done, r.n,
                     got == 0 ? "closed" : strerror(errno));
        done += (size_t)got;
    }
    return r;
}

void reply_free(struct reply *r)
{
    free(r->body);
    r->body = NULL;
}

void expect_status(int fd, int status)
{
    struct reply r = read_reply(fd, status == 100 || status == 204 || status == 304);
    assert_int_equal(r.status, status);
    reply_free(&r);
}

void expect_end(int fd)
{
    char byte;
    ssize_t n = receive(fd, &byte, 1, 0);
    if (n != 0)
        fail_msg("%s instead of an orderly end", n > 0 ? "more bytes" : strerror(errno));
}
