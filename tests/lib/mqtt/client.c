/*
 * Drives src/mqtt for the flow tests: commands come line by line on standard input, what happens goes line by
 * line to standard output.
 *
 *   mqtt-client BROKER CA CERT KEY CLIENT_ID SESSION_SECONDS [TOPIC_FILTER...]
 *   pub TICKET RETAIN TOPIC PAYLOAD | big TICKET TOPIC BYTES | reconnect | stop
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/mqtt.h"

#define LINE_SIZE 4096

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

static void PRINTF_LIKE(1, 2) say(const char *fmt, ...)
{
    va_list ap;
    pthread_mutex_lock(&out_lock);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&out_lock);
}

static void on_up(void *ctx)
{
    (void)ctx;
    say("up");
}

static void on_down(void *ctx, const struct err *why)
{
    (void)ctx;
    say("down %s: %s", err_word(why->code), why->text);
}

static void on_message(void *ctx, const char *topic, const char *payload, size_t n, bool retained)
{
    (void)ctx;
    say("message %s %s %zu %.200s", topic, retained ? "retained" : "fresh", n, payload);
}

static void on_published(void *ctx, uint64_t ticket, const struct err *refused)
{
    (void)ctx;
    say("published %llu %s", (unsigned long long)ticket, refused != NULL ? refused->text : "taken");
}

static int on_tls(void *ctx, const char *host, struct tls_ctx **out, struct err *e)
{
    char **files = ctx;
    const struct tls_config config = {.role = TLS_CLIENT,
                                      .ca_file = files[0],
                                      .cert_file = files[1][0] != '\0' ? files[1] : NULL,
                                      .key_file = files[1][0] != '\0' ? files[2] : NULL,
                                      .host = host};
    return tls_ctx_new(&config, out, e);
}

static int publish(struct mqtt_client *c, const char *topic, const char *payload, size_t n, int retain,
                   unsigned long long ticket)
{
    struct err e = {0};
    int rc = mqtt_publish(c, topic, payload, n, retain != 0, ticket, &e);
    if (rc != 0)
        say("not-published %llu %s: %s", ticket, err_word(rc), e.text);
    return rc;
}

static void command(struct mqtt_client *c, const char *line)
{
    unsigned long long ticket;
    char topic[LINE_SIZE];
    size_t n;
    int retain, at = 0;
    if (sscanf(line, "pub %llu %d %s %n", &ticket, &retain, topic, &at) == 3 && at > 0) {
        (void)publish(c, topic, line + at, strlen(line + at), retain, ticket);
    } else if (sscanf(line, "big %llu %s %zu", &ticket, topic, &n) == 3) {
        char *bytes = malloc(n + 1);
        if (bytes == NULL)
            abort();
        memset(bytes, 'x', n);
        (void)publish(c, topic, bytes, n, 0, ticket);
        free(bytes);
    } else if (strcmp(line, "reconnect") == 0) {
        mqtt_reconnect(c);
    } else {
        say("unknown command %s", line);
    }
}

int main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    const struct mqtt_settings set = {
        .broker = argv[1],
        .client_id = argv[5],
        .session_seconds = (uint32_t)strtoul(argv[6], NULL, 10),
        .keepalive_s = 5,
        .subscriptions = (const char *const *)argv + 7,
        .subscription_count = (size_t)argc - 7,
        .tls = on_tls,
        .handlers = {argv + 2, on_up, on_down, on_message, on_published},
    };
    struct mqtt_client *c;
    struct err e = {0};
    if (mqtt_start(&set, &c, &e) != 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    static char line[LINE_SIZE];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "stop") == 0)
            break;
        command(c, line);
    }
    mqtt_stop(c);
    say("stopped");
    return 0;
}
