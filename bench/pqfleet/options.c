#include "pqfleet/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "shared/number.h"

static const char usage[] =
    "pqfleet [OPTION]...\n"
    "\n"
    "A fleet of simulated devices: each polls, takes what it is offered, and succeeds, fails, vanishes or "
    "hangs\n"
    "as its seed says. One thread. Says at the end what all did, as one JSON object.\n"
    "\n"
    "      --server http://HOST[:PORT] | unix:PATH   (default http://127.0.0.1:8080)\n"
    "      --protocol ddi|native    hawkBit's device protocol, or pqota's own (default ddi)\n"
    "      --tenant NAME            in the path of DDI (default DEFAULT)\n"
    "      --gateway-token T        who the devices are, DDI: one token for all,\n"
    "      --tokens-file F            or one for each: lines \"ID TOKEN\"\n"
    "      --issuer NAME            who they are, as a proxy in front says it: the issuer's name; serial "
    "and\n"
    "                               SHA-1 are made of the device's id, as bench/fleet_rows.py has them\n"
    "  -n, --devices N              how many (default 100)\n"
    "      --first K                number of the first (default 1)\n"
    "      --id-prefix P            before the number's seven digits (default fleet-)\n"
    "      --version V              what all run at first (default 1.0)\n"
    "      --attribute KEY=VALUE    DDI: told besides the version; may be repeated\n"
    "  -i, --interval S             between polls (default 10)\n"
    "      --jitter X               each differs by up to that share (default 0.1)\n"
    "      --install S              between saying that it proceeds and what became of it (default 0)\n"
    "      --download none|head|full   of the artifacts; full: size and SHA-256 are checked (default none)\n"
    "      --fail P                 share of attempts that fail (default 0.05)\n"
    "      --vanish P               that are offered and never heard of again (default 0.01)\n"
    "      --hang P                 that say they proceed and nothing more, but go on polling (default "
    "0.01)\n"
    "      --fall-back P            that claim success, then report the old version (default 0.01)\n"
    "      --deny P                 share of requests for consent that are denied (default 0)\n"
    "      --bad-version V          every attempt to install it fails\n"
    "      --seed N                 (default 1)\n"
    "      --plan N                 print what is drawn for the first N attempts of each device, and end\n"
    "      --fate-file F            what each device really did: \"DEVICE ACTION ATTEMPT OUTCOME STATUS "
    "VERSION\"\n"
    "  -c, --connections N          at once (default 4000)\n"
    "  -t, --timeout S              for an answer (default 30)\n"
    "      --backoff S              the longest wait after errors (default 5)\n"
    "  -d, --seconds S              end then (default: when every device is done)\n"
    "      --stay                   go on although every device is done, until --seconds or SIGTERM\n"
    "      --progress               a line each second on standard error\n"
    "  -h, --help\n"
    "\n"
    "A device is done when it has dealt with an offer and is not offered another. Exit code 0: it ended as "
    "told;\n"
    "1: it could not begin, or what it found out could not be written; 2: wrong usage.\n";

enum {
    OPT_SERVER = 256,
    OPT_PROTOCOL,
    OPT_TENANT,
    OPT_GATEWAY,
    OPT_TOKENS,
    OPT_ISSUER,
    OPT_FIRST,
    OPT_PREFIX,
    OPT_VERSION,
    OPT_ATTRIBUTE,
    OPT_JITTER,
    OPT_INSTALL,
    OPT_DOWNLOAD,
    OPT_FAIL,
    OPT_VANISH,
    OPT_HANG,
    OPT_FALL_BACK,
    OPT_DENY,
    OPT_BAD,
    OPT_SEED,
    OPT_PLAN,
    OPT_FATES,
    OPT_BACKOFF,
    OPT_STAY,
    OPT_PROGRESS,
};

static const struct option long_options[] = {
    {"server", required_argument, NULL, OPT_SERVER},
    {"protocol", required_argument, NULL, OPT_PROTOCOL},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"gateway-token", required_argument, NULL, OPT_GATEWAY},
    {"tokens-file", required_argument, NULL, OPT_TOKENS},
    {"issuer", required_argument, NULL, OPT_ISSUER},
    {"devices", required_argument, NULL, 'n'},
    {"first", required_argument, NULL, OPT_FIRST},
    {"id-prefix", required_argument, NULL, OPT_PREFIX},
    {"version", required_argument, NULL, OPT_VERSION},
    {"attribute", required_argument, NULL, OPT_ATTRIBUTE},
    {"interval", required_argument, NULL, 'i'},
    {"jitter", required_argument, NULL, OPT_JITTER},
    {"install", required_argument, NULL, OPT_INSTALL},
    {"download", required_argument, NULL, OPT_DOWNLOAD},
    {"fail", required_argument, NULL, OPT_FAIL},
    {"vanish", required_argument, NULL, OPT_VANISH},
    {"hang", required_argument, NULL, OPT_HANG},
    {"fall-back", required_argument, NULL, OPT_FALL_BACK},
    {"deny", required_argument, NULL, OPT_DENY},
    {"bad-version", required_argument, NULL, OPT_BAD},
    {"seed", required_argument, NULL, OPT_SEED},
    {"plan", required_argument, NULL, OPT_PLAN},
    {"fate-file", required_argument, NULL, OPT_FATES},
    {"connections", required_argument, NULL, 'c'},
    {"timeout", required_argument, NULL, 't'},
    {"backoff", required_argument, NULL, OPT_BACKOFF},
    {"seconds", required_argument, NULL, 'd'},
    {"stay", no_argument, NULL, OPT_STAY},
    {"progress", no_argument, NULL, OPT_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int wrong_server(const char *text, struct err *e)
{
    return err_set(e, ERR_INVALID, "--server is \"%s\"; it must be http://HOST[:PORT] or unix:PATH", text);
}

static bool is_host(struct str host, bool brackets)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                    (brackets ? c == ':' : c == '-' || c == '_');
        if (!fine)
            return false;
    }
    return host.n > 0;
}

static int parse_tcp(const char *text, struct str rest, struct options *o, struct err *e)
{
    if (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    struct str whole = rest, host, port = STR("80");
    bool brackets = rest.n > 0 && rest.p[0] == '[';
    const char *end = brackets ? memchr(rest.p, ']', rest.n) : memchr(rest.p, ':', rest.n);
    if (brackets && end == NULL)
        return wrong_server(text, e);
    size_t n = end != NULL ? (size_t)(end - rest.p) : rest.n;
    host = brackets ? (struct str){rest.p + 1, n - 1} : (struct str){rest.p, n};
    size_t used = n + brackets;
    if (used < rest.n) {
        if (rest.p[used] != ':')
            return wrong_server(text, e);
        port = (struct str){rest.p + used + 1, rest.n - used - 1};
    }
    uint64_t number;
    if (!is_host(host, brackets) || host.n >= sizeof o->host || whole.n >= sizeof o->authority ||
        str_to_u64(port, 65535, &number) != 0 || number == 0)
        return wrong_server(text, e);
    o->unix_socket = false;
    snprintf(o->host, sizeof o->host, STR_FMT, STR_ARG(host));
    snprintf(o->port, sizeof o->port, "%u", (unsigned)number);
    snprintf(o->authority, sizeof o->authority, STR_FMT, STR_ARG(whole));
    return 0;
}

int options_parse_server(const char *text, struct options *o, struct err *e)
{
    const struct sockaddr_un *address = NULL;
    if (strncmp(text, "http://", 7) == 0)
        return parse_tcp(text, str_of(text + 7), o, e);
    if (strncmp(text, "unix:", 5) != 0 || text[5] == '\0' || strlen(text + 5) >= sizeof address->sun_path)
        return wrong_server(text, e);
    o->unix_socket = true;
    o->socket = text + 5;
    snprintf(o->host, sizeof o->host, "localhost");
    snprintf(o->authority, sizeof o->authority, "localhost");
    o->port[0] = '\0';
    return 0;
}

/* One of the words; the last of the list is NULL. */
static int parse_word(const char *what, const char *text, const char *const *words, unsigned *out,
                      struct err *e)
{
    char list[128];
    size_t n = 0;
    list[0] = '\0';
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    return err_set(e, ERR_INVALID, "--%s is \"%s\"; it must be one of: %s", what, text, list);
}

/* Text that goes into a header field as it is. */
static int parse_field(const char *what, const char *text, size_t max, const char **out, struct err *e)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~')
            return err_set(e, ERR_INVALID, "--%s has a character that no header field may have", what);
    if (n == 0 || n > max)
        return err_set(e, ERR_INVALID, "--%s must have 1 to %zu characters", what, max);
    *out = text;
    return 0;
}

static int parse_name(const char *what, const char *text, size_t max, const char **out, struct err *e)
{
    if (!str_is_name(str_of(text)) || strlen(text) > max)
        return err_set(
            e, ERR_INVALID,
            "--%s is \"%s\"; it must begin with a letter or digit and have at most %zu of letters, "
            "digits and ._+~-",
            what, text, max);
    *out = text;
    return 0;
}

static int parse_attribute(const char *text, struct options *o, struct err *e)
{
    const char *equals = strchr(text, '=');
    bool plain = true;
    for (const char *p = text; *p != '\0'; p++)
        plain = plain && *p >= ' ' && *p <= '~' && *p != '"' && *p != '\\';
    if (equals == NULL || equals == text || !plain || strlen(text) > OPTIONS_ATTRIBUTE_MAX ||
        strncmp(text, "version=", 8) == 0)
        return err_set(e, ERR_INVALID,
                       "--attribute is \"%s\"; it must be KEY=VALUE of at most %d printable characters, no "
                       "quotes, and the key not \"version\"",
                       text, OPTIONS_ATTRIBUTE_MAX);
    if (o->attribute_count == OPTIONS_ATTRIBUTES_MAX)
        return err_set(e, ERR_INVALID, "--attribute is there more than %d times", OPTIONS_ATTRIBUTES_MAX);
    o->attributes[o->attribute_count++] = text;
    return 0;
}

static int parse_number_option(int c, const char *arg, struct options *o, struct err *e)
{
    switch (c) {
    case 'n':
        return number_parse_count("devices", arg, 1, OPTIONS_DEVICES_MAX, &o->devices, e);
    case OPT_FIRST:
        return number_parse_count("first", arg, 0, OPTIONS_NUMBER_MAX, &o->first, e);
    case OPT_SEED:
        return number_parse_count("seed", arg, 0, UINT64_MAX, &o->seed, e);
    case OPT_PLAN:
        return number_parse_count("plan", arg, 1, 100, &o->plan, e);
    case 'c':
        return number_parse_count("connections", arg, 1, OPTIONS_CONNECTIONS_MAX, &o->connections, e);
    case 'i':
        return number_parse("interval", arg, 0.001, OPTIONS_SECONDS_MAX, &o->interval, e);
    case OPT_JITTER:
        return number_parse("jitter", arg, 0, 1, &o->jitter, e);
    case OPT_INSTALL:
        return number_parse("install", arg, 0, OPTIONS_SECONDS_MAX, &o->install, e);
    case OPT_FAIL:
        return number_parse("fail", arg, 0, 1, &o->rates.fail, e);
    case OPT_VANISH:
        return number_parse("vanish", arg, 0, 1, &o->rates.vanish, e);
    case OPT_HANG:
        return number_parse("hang", arg, 0, 1, &o->rates.hang, e);
    case OPT_FALL_BACK:
        return number_parse("fall-back", arg, 0, 1, &o->rates.fall_back, e);
    case OPT_DENY:
        return number_parse("deny", arg, 0, 1, &o->rates.deny, e);
    case 't':
        return number_parse("timeout", arg, 0.1, 3600, &o->timeout, e);
    case OPT_BACKOFF:
        return number_parse("backoff", arg, 0.1, 3600, &o->backoff, e);
    case 'd':
        return number_parse("seconds", arg, 0.1, OPTIONS_SECONDS_MAX, &o->seconds, e);
    default:
        return err_set(e, ERR_INVALID, "the command line could not be read; see pqfleet --help");
    }
}

static int parse_option(int c, const char *arg, struct options *o, struct err *e)
{
    static const char *const protocols[] = {"native", "ddi", NULL}, *const downloads[] = {"none", "head",
                                                                                          "full", NULL};
    unsigned word = 0;
    int rc;
    switch (c) {
    case OPT_SERVER:
        return options_parse_server(arg, o, e);
    case OPT_PROTOCOL:
        rc = parse_word("protocol", arg, protocols, &word, e);
        o->protocol = rc == 0 ? (enum protocol_kind)word : o->protocol;
        return rc;
    case OPT_DOWNLOAD:
        rc = parse_word("download", arg, downloads, &word, e);
        o->download = rc == 0 ? (enum download)word : o->download;
        return rc;
    case OPT_TENANT:
        return parse_name("tenant", arg, 64, &o->tenant, e);
    case OPT_PREFIX:
        return parse_name("id-prefix", arg, OPTIONS_PREFIX_MAX, &o->id_prefix, e);
    case OPT_VERSION:
        return parse_name("version", arg, 128, &o->version, e);
    case OPT_BAD:
        return parse_name("bad-version", arg, 128, &o->bad_version, e);
    case OPT_GATEWAY:
        return parse_field("gateway-token", arg, OPTIONS_SECRET_MAX, &o->gateway_token, e);
    case OPT_ISSUER:
        return parse_field("issuer", arg, OPTIONS_ISSUER_MAX, &o->issuer, e);
    case OPT_ATTRIBUTE:
        return parse_attribute(arg, o, e);
    case OPT_TOKENS:
        o->tokens_file = arg;
        return 0;
    case OPT_FATES:
        o->fate_file = arg;
        return 0;
    case OPT_STAY:
        o->stay = true;
        return 0;
    case OPT_PROGRESS:
        o->progress = true;
        return 0;
    default:
        return parse_number_option(c, arg, o, e);
    }
}

static int check(const struct options *o, struct err *e)
{
    const struct rates *r = &o->rates;
    if (r->fail + r->vanish + r->hang + r->fall_back > 1 + 1e-9)
        return err_set(e, ERR_INVALID, "--fail, --vanish, --hang and --fall-back are more than 1 together");
    if (o->first + o->devices - 1 > OPTIONS_NUMBER_MAX)
        return err_set(e, ERR_INVALID, "the last device's number would be above %d", OPTIONS_NUMBER_MAX);
    int ways = (o->gateway_token != NULL) + (o->tokens_file != NULL) + (o->issuer != NULL);
    if (o->plan == 0 && ways != 1)
        return err_set(e, ERR_INVALID,
                       "one of --gateway-token, --tokens-file and --issuer is needed: who the devices are");
    if (o->plan == 0 && o->protocol == PROTOCOL_NATIVE && o->issuer == NULL)
        return err_set(e, ERR_INVALID, "--protocol native needs --issuer: it knows no tokens");
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    struct options o = {
        .protocol = PROTOCOL_DDI,
        .tenant = "DEFAULT",
        .id_prefix = "fleet-",
        .version = "1.0",
        .devices = 100,
        .first = 1,
        .seed = 1,
        .connections = 4000,
        .interval = 10,
        .jitter = 0.1,
        .timeout = 30,
        .backoff = 5,
        .rates = {.fail = 0.05, .vanish = 0.01, .hang = 0.01, .fall_back = 0.01},
    };
    int rc = options_parse_server("http://127.0.0.1:8080", &o, e);
    optind = 1;
    for (int c; rc == 0 && (c = getopt_long(argc, argv, "n:i:c:t:d:h", long_options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        rc = parse_option(c, optarg, &o, e);
    }
    if (rc == 0 && optind != argc)
        rc = err_set(e, ERR_INVALID, "\"%s\" was not expected; see pqfleet --help", argv[optind]);
    if (rc == 0)
        rc = check(&o, e);
    if (rc == 0)
        *out = o;
    return rc;
}
