#include "pqfleet/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "shared/command.h"

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

static int take_server(const struct command_option *row, const char *text, struct err *e)
{
    return options_parse_server(text, row->into, e);
}

/* One of the words; the last of the list is NULL. */
static int parse_word(const struct command_option *row, const char *text, const char *const *words,
                      unsigned *out, struct err *e)
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
    return err_set(e, ERR_INVALID, "--%s is \"%s\"; it must be one of: %s", row->name, text, list);
}

static int take_protocol(const struct command_option *row, const char *text, struct err *e)
{
    static const char *const words[] = {"native", "ddi", NULL};
    unsigned word = 0;
    int rc = parse_word(row, text, words, &word, e);
    if (rc == 0)
        *(enum protocol_kind *)row->into = (enum protocol_kind)word;
    return rc;
}

static int take_download(const struct command_option *row, const char *text, struct err *e)
{
    static const char *const words[] = {"none", "head", "full", NULL};
    unsigned word = 0;
    int rc = parse_word(row, text, words, &word, e);
    if (rc == 0)
        *(enum download *)row->into = (enum download)word;
    return rc;
}

/* Text that goes into a header field as it is. */
static int take_field(const struct command_option *row, const char *text, struct err *e)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~')
            return err_set(e, ERR_INVALID, "--%s has a character that no header field may have", row->name);
    if (n == 0 || n > row->most)
        return err_set(e, ERR_INVALID, "--%s must have 1 to %llu characters", row->name,
                       (unsigned long long)row->most);
    *row->text = text;
    return 0;
}

static int take_name(const struct command_option *row, const char *text, struct err *e)
{
    if (!str_is_name(str_of(text)) || strlen(text) > row->most)
        return err_set(
            e, ERR_INVALID,
            "--%s is \"%s\"; it must begin with a letter or digit and have at most %llu of letters, "
            "digits and ._+~-",
            row->name, text, (unsigned long long)row->most);
    *row->text = text;
    return 0;
}

static int take_attribute(const struct command_option *row, const char *text, struct err *e)
{
    struct options *o = row->into;
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
    const struct command_option rows[] = {
        {"server", .take = take_server, .into = &o},
        {"protocol", .take = take_protocol, .into = &o.protocol},
        {"tenant", .take = take_name, .text = &o.tenant, .most = 64},
        {"gateway-token", .take = take_field, .text = &o.gateway_token, .most = OPTIONS_SECRET_MAX},
        {"tokens-file", .text = &o.tokens_file},
        {"issuer", .take = take_field, .text = &o.issuer, .most = OPTIONS_ISSUER_MAX},
        {"devices", 'n', .count = &o.devices, .least = 1, .most = OPTIONS_DEVICES_MAX},
        {"first", .count = &o.first, .most = OPTIONS_NUMBER_MAX},
        {"id-prefix", .take = take_name, .text = &o.id_prefix, .most = OPTIONS_PREFIX_MAX},
        {"version", .take = take_name, .text = &o.version, .most = 128},
        {"attribute", .take = take_attribute, .into = &o},
        {"interval", 'i', .number = &o.interval, .min = 0.001, .max = OPTIONS_SECONDS_MAX},
        {"jitter", .number = &o.jitter, .max = 1},
        {"install", .number = &o.install, .max = OPTIONS_SECONDS_MAX},
        {"download", .take = take_download, .into = &o.download},
        {"fail", .number = &o.rates.fail, .max = 1},
        {"vanish", .number = &o.rates.vanish, .max = 1},
        {"hang", .number = &o.rates.hang, .max = 1},
        {"fall-back", .number = &o.rates.fall_back, .max = 1},
        {"deny", .number = &o.rates.deny, .max = 1},
        {"bad-version", .take = take_name, .text = &o.bad_version, .most = 128},
        {"seed", .count = &o.seed, .most = UINT64_MAX},
        {"plan", .count = &o.plan, .least = 1, .most = 100},
        {"fate-file", .text = &o.fate_file},
        {"connections", 'c', .count = &o.connections, .least = 1, .most = OPTIONS_CONNECTIONS_MAX},
        {"timeout", 't', .number = &o.timeout, .min = 0.1, .max = 3600},
        {"backoff", .number = &o.backoff, .min = 0.1, .max = 3600},
        {"seconds", 'd', .number = &o.seconds, .min = 0.1, .max = OPTIONS_SECONDS_MAX},
        {"stay", .flag = &o.stay},
        {"progress", .flag = &o.progress},
        {NULL},
    };
    int rc = options_parse_server("http://127.0.0.1:8080", &o, e);
    if (rc == 0)
        rc = command_parse(usage, rows, argc, argv, e);
    if (rc == 0)
        rc = command_no_operand(argc, argv, e);
    if (rc == 0)
        rc = check(&o, e);
    if (rc == 0)
        *out = o;
    return rc;
}
