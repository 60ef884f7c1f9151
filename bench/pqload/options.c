#include "pqload/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shared/command.h"
#include "shared/number.h"

const char *const mode_names[MODES] = {"full", "resumed", "keep", "download", "idle"};

static const char usage[] =
    "pqload [OPTION]... https://HOST[:PORT]/PATH\n"
    "\n"
    "Puts load on a server over post-quantum TLS and says how fast it answered. One thread.\n"
    "\n"
    "  -m, --mode MODE         full      connect, full handshake, one request, close (default)\n"
    "                          resumed   the same, with the session of the connection before\n"
    "                          keep      requests on connections that stay\n"
    "                          download  the same, for large bodies\n"
    "                          idle      open the connections, one request each, then wait for a line on\n"
    "                                    standard input: \"ping\" makes each send one more, \"poll RATE "
    "SECONDS\"\n"
    "                                    so many a second, each by the one that was idle longest, until "
    "\"stop\"\n"
    "                                    or the time is over; \"quit\" or the end of input ends\n"
    "  -c, --connections N     at once (default 1)\n"
    "  -r, --rate N            operations a second, at even distances; each is timed from when it was due,\n"
    "                          also if it had to wait (default: as many as there can be)\n"
    "  -n, --operations N      end once so many were done, without a warm-up; --seconds is the most that it "
    "takes\n"
    "      --open-first        open all connections, with nothing asked, before the warm-up\n"
    "      --await             say {\"ready\":true} when all is loaded, and begin with a line on standard "
    "input\n"
    "  -d, --seconds S         measured (default 5)\n"
    "  -w, --warmup S          before that, not counted (default 1)\n"
    "  -t, --timeout S         an operation that takes longer is an error (default 10)\n"
    "      --retry S           one that is turned away (no connection or handshake, closed early, 503, too "
    "slow)\n"
    "                          tries again after a random time, S on average, as often as it takes\n"
    "      --ca FILE           roots of the server's certificate (needed)\n"
    "      --cert FILE, --key FILE   a client's certificate (default: none is shown)\n"
    "      --identities FILE   a line is CERT KEY [PATH]: connections take them in turn; PATH instead of the "
    "URL's\n"
    "      --method METHOD     (default GET, with --body POST)\n"
    "      --body FILE         what each request carries; the first run of four or more # in it becomes the\n"
    "                          request's number, with leading zeros\n"
    "      --header TEXT       \"Name: value\", in each request; may be repeated\n"
    "      --kem LIST          key exchanges (default x25519mlkem768)\n"
    "      --sig LIST          signatures (default mldsa65)\n"
    "      --address IP        connect to this address; HOST is what the certificate must name\n"
    "      --expect STATUS     what each response must have (default 200)\n"
    "      --cpu-of PID,...    measure the processor time of these processes too\n"
    "      --allow-errors      exit with 0 although operations failed\n"
    "      --json              print the result as one JSON object\n"
    "  -h, --help\n"
    "\n"
    "Exit code 0: all operations were good; 1: some were not, or it could not begin; 2: wrong usage.\n";

static int take_mode(const struct command_option *row, const char *text, struct err *e)
{
    enum mode *out = row->into;
    for (unsigned i = 0; i < MODES; i++) {
        if (strcmp(text, mode_names[i]) == 0) {
            *out = (enum mode)i;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, "there is no mode \"%s\": full, resumed, keep, download or idle", text);
}

static int take_pids(const struct command_option *row, const char *text, struct err *e)
{
    struct options *o = row->into;
    struct str rest = str_of(text), part;
    o->pid_count = 0;
    while (str_split(&rest, ',', &part)) {
        uint64_t pid;
        if (str_to_u64(part, INT32_MAX, &pid) != 0 || pid == 0)
            return err_set(e, ERR_INVALID, "--cpu-of is \"%s\"; it must be process ids with commas", text);
        if (o->pid_count == OPTIONS_PIDS_MAX)
            return err_set(e, ERR_INVALID, "--cpu-of names more than %d processes", OPTIONS_PIDS_MAX);
        o->pids[o->pid_count++] = (pid_t)pid;
    }
    return 0;
}

/* Printable ASCII without blanks. */
static bool is_word(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

bool options_path_ok(const char *path)
{
    return path[0] == '/' && is_word(path);
}

static int take_header(const struct command_option *row, const char *text, struct err *e)
{
    struct options *o = row->into;
    const char *colon = strchr(text, ':');
    bool ok = colon != NULL && colon != text;
    for (const char *p = text; ok && *p != '\0'; p++)
        ok = *p >= (p < colon ? '!' : ' ') && *p <= '~';
    if (!ok)
        return err_set(e, ERR_INVALID, "--header is \"%s\"; it must be \"Name: value\"", text);
    if (o->header_count == OPTIONS_HEADERS_MAX)
        return err_set(e, ERR_INVALID, "there are more than %d --header", OPTIONS_HEADERS_MAX);
    o->headers[o->header_count++] = text;
    return 0;
}

int options_parse_stretch(const char *text, double *rate, double *seconds, struct err *e)
{
    char first[32], second[32], more;
    if (sscanf(text, "%31s %31s %c", first, second, &more) != 2)
        return err_set(e, ERR_INVALID, "\"poll\" is followed by a rate and seconds");
    int rc = number_parse("rate", first, 0.01, OPTIONS_RATE_MAX, rate, e);
    return rc != 0 ? rc : number_parse("seconds", second, 0.05, OPTIONS_SECONDS_MAX, seconds, e);
}

static int parse_url(const char *url, struct options *o, struct err *e)
{
    struct str rest = str_of(url);
    const char scheme[] = "https://";
    const char *begin = url + strlen(scheme);
    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return err_set(e, ERR_INVALID, "\"%s\" does not begin with https://", url);
    const char *slash = strchr(begin, '/');
    rest = (struct str){begin, slash != NULL ? (size_t)(slash - begin) : strlen(begin)};
    const char *colon = memchr(rest.p, ':', rest.n);
    struct str host = {rest.p, colon != NULL ? (size_t)(colon - rest.p) : rest.n};
    struct str port = colon != NULL ? (struct str){colon + 1, rest.n - host.n - 1} : STR("443");
    uint64_t number;
    if (host.n == 0 || host.n >= sizeof o->host || str_to_u64(port, 65535, &number) != 0 || number == 0)
        return err_set(e, ERR_INVALID, "\"%s\" is not https://HOST[:PORT]/PATH", url);
    snprintf(o->host, sizeof o->host, STR_FMT, STR_ARG(host));
    snprintf(o->port, sizeof o->port, "%u", (unsigned)number);
    o->path = slash != NULL ? slash : "/";
    if (!is_word(o->path))
        return err_set(e, ERR_INVALID, "the path in \"%s\" has a character that no request may have", url);
    return 0;
}

/* What goes together and what does not. */
static int check(struct options *o, struct err *e)
{
    if (o->ca == NULL)
        return err_set(e, ERR_INVALID, "--ca is needed: whom to believe about the server");
    if ((o->cert == NULL) != (o->key == NULL))
        return err_set(e, ERR_INVALID, "--cert and --key are given together or not at all");
    if (o->cert != NULL && o->identities != NULL)
        return err_set(e, ERR_INVALID, "--identities has the certificates: --cert makes no sense beside it");
    if (o->mode == MODE_IDLE && o->rate > 0)
        return err_set(e, ERR_INVALID, "--rate makes no sense for idle connections");
    if (o->operations > 0 && (o->rate > 0 || o->mode == MODE_IDLE))
        return err_set(e, ERR_INVALID, "--operations makes no sense with --rate or for idle connections");
    if (o->open_first && (!mode_stays(o->mode) || o->mode == MODE_IDLE))
        return err_set(e, ERR_INVALID, "--open-first makes sense in the modes keep and download alone");
    if (o->await && o->mode == MODE_IDLE)
        return err_set(e, ERR_INVALID, "--await makes no sense for idle connections: they wait as they are");
    if (o->method == NULL)
        o->method = o->body != NULL ? "POST" : "GET";
    if (o->method[0] == '\0' || !is_word(o->method))
        return err_set(e, ERR_INVALID, "--method is \"%s\"; it must be one word", o->method);
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    struct options o = {.connections = 1,
                        .seconds = 5,
                        .warmup = 1,
                        .timeout = 10,
                        .expect = 200,
                        .kem = "x25519mlkem768",
                        .sig = "mldsa65"};
    const struct command_option rows[] = {
        {"mode", 'm', .take = take_mode, .into = &o.mode},
        {"connections", 'c', .count = &o.connections, .least = 1, .most = OPTIONS_CONNECTIONS_MAX},
        {"rate", 'r', .number = &o.rate, .min = 0.01, .max = OPTIONS_RATE_MAX},
        {"operations", 'n', .count = &o.operations, .least = 1, .most = OPTIONS_OPERATIONS_MAX},
        {"open-first", .flag = &o.open_first},
        {"await", .flag = &o.await},
        {"seconds", 'd', .number = &o.seconds, .min = 0.05, .max = OPTIONS_SECONDS_MAX},
        {"warmup", 'w', .number = &o.warmup, .max = OPTIONS_SECONDS_MAX},
        {"timeout", 't', .number = &o.timeout, .min = 0.1, .max = OPTIONS_SECONDS_MAX},
        {"retry", .number = &o.retry, .min = 0.01, .max = OPTIONS_SECONDS_MAX},
        {"ca", .text = &o.ca},
        {"cert", .text = &o.cert},
        {"key", .text = &o.key},
        {"identities", .text = &o.identities},
        {"method", .text = &o.method},
        {"body", .text = &o.body},
        {"header", .take = take_header, .into = &o},
        {"kem", .text = &o.kem},
        {"sig", .text = &o.sig},
        {"address", .text = &o.address},
        {"expect", .count = &o.expect, .least = 200, .most = 599},
        {"cpu-of", .take = take_pids, .into = &o},
        {"allow-errors", .flag = &o.allow_errors},
        {"json", .flag = &o.json},
        {NULL},
    };
    const char *url = NULL;
    int rc = command_parse(usage, rows, argc, argv, e);
    if (rc == 0)
        rc = command_operand("URL", argc, argv, &url, e);
    if (rc == 0)
        rc = check(&o, e);
    if (rc == 0)
        rc = parse_url(url, &o, e);
    if (rc == 0)
        *out = o;
    return rc;
}
