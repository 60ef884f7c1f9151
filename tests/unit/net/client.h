/* Blocking clients of the small application, with deadlines; an answer not as expected fails the test. */
#ifndef TEST_NET_CLIENT_H
#define TEST_NET_CLIENT_H

#include "app.h"

int client(const struct fixture *f);
void send_all(int fd, const void *p, size_t n);
void send_text(int fd, const char *text);
ssize_t receive(int fd, void *p, size_t n, int flags); /* recv(2) whatever signals come */
void leave(int fd, bool reset);                        /* closes with FIN or RST */

struct reply {
    int status;
    bool close;
    size_t length; /* Content-Length, or 0 */
    char *body;    /* NUL-terminated; freed by reply_free */
    size_t n;
};
/* Reads one; bodiless: none is to follow whatever the head says. Fails the test when there is none. */
struct reply read_reply(int fd, bool bodiless);
void reply_free(struct reply *r);
void expect_status(int fd, int status);
void expect_end(int fd); /* FIN, and nothing before it */

#endif
