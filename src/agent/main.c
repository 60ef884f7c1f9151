/* pqota-agent: the verbs and their options. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/identity.h"
#include "agent/tunnel.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "tls/policy.h"

#define TOKEN_MAX 512

struct options {
    const char *config, *state_dir; /* NULL: the default */
    const char *server, *ca, *id, *policy, *token_file;
    const char *word; /* what follows the verb, where something may */
    char token[TOKEN_MAX];
};

static int fail(const struct err *e)
{
    fprintf(stderr, "pqota-agent: %s\n", e->text);
    return AGENT_ERROR;
}

/* Defaults, then what enrolment stored, then the file, then the command line. */
static int read_config(const struct options *o, struct agent_config *out, struct err *e)
{
    const char *path = o->config != NULL ? o->config : AGENT_CONFIG_DEFAULT;
    struct agent_config first, c;
    struct files f;
    agent_config_init(&first);
    agent_config_init(&c);
    int rc = agent_config_read(&first, path, o->config != NULL, e);
    if (rc == 0 && o->state_dir != NULL)
        rc = agent_config_set(&first, "agent", "state_dir", o->state_dir, e);
    if (rc == 0)
        rc = files_open(&f, first.state_dir, false, e);
    if (rc == 0)
        rc = agent_config_read(&c, f.server, false, e);
    if (rc == 0)
        rc = agent_config_read(&c, path, false, e);
    if (rc == 0 && o->state_dir != NULL)
        rc = agent_config_set(&c, "agent", "state_dir", o->state_dir, e);
    if (rc == 0)
        *out = c;
    return rc;
}

static int set_log(const struct agent_config *c, struct err *e)
{
    static const char *const levels[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    bool json = strcmp(c->log_format, "json") == 0;
    if (!json && strcmp(c->log_format, "logfmt") != 0)
        return err_set(e, ERR_INVALID, "[agent] log_format must be logfmt or json, not \"%s\"",
                       c->log_format);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(levels[i], c->log_level) != 0)
            continue;
        log_setup((enum log_level)i, json ? LOG_JSON : LOG_LOGFMT, STDERR_FILENO);
        return 0;
    }
    return err_set(e, ERR_INVALID, "[agent] log_level must be debug, info, warn or error, not \"%s\"",
                   c->log_level);
}

static int read_token(struct options *o, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, TOKEN_MAX);
    const char *from = o->token_file == NULL ? getenv("PQOTA_TOKEN") : NULL;
    if (o->token[0] != '\0')
        return 0;
    if (o->token_file != NULL) {
        int rc = file_read(o->token_file, TOKEN_MAX, &text, e);
        if (rc != 0)
            return rc;
        from = text.p;
    }
    size_t n = from != NULL ? strcspn(from, "\r\n") : 0;
    if (n == 0 || n >= sizeof o->token)
        return err_set(e, ERR_INVALID,
                       "enroll needs a token: --token-file FILE, the environment's PQOTA_TOKEN, or "
                       "--token TOKEN; an operator makes one with pqota token new");
    memcpy(o->token, from, n);
    o->token[n] = '\0';
    return 0;
}

static int check_enrolment(struct options *o, struct agent_config *c, struct err *e)
{
    char server[AGENT_VALUE_SIZE];
    if (o->server != NULL)
        snprintf(c->server, sizeof c->server, "%s", o->server);
    if (o->ca != NULL)
        snprintf(c->ca, sizeof c->ca, "%s", o->ca);
    if (o->policy != NULL)
        snprintf(c->policy, sizeof c->policy, "%s", o->policy);
    if (c->server[0] == '\0' || c->ca[0] == '\0')
        return err_set(e, ERR_INVALID,
                       "enroll needs --server https://HOST:PORT and --ca FILE (the server's roots)");
    int rc = agent_server_url(c->server, server, e);
    if (rc != 0)
        return rc;
    memcpy(c->server, server, sizeof server);
    if (!tls_policy_is_post_quantum(c->policy))
        return err_set(e, ERR_INVALID, "there is no policy \"%s\": use balanced, cnsa2 or constrained",
                       c->policy);
    if (o->id != NULL && !str_is_device_id(str_of(o->id)))
        return err_set(e, ERR_INVALID, "the id \"%.64s\" is none: at most 64 letters, digits and . _ : -",
                       o->id);
    return read_token(o, e);
}

static int verb_enroll(struct options *o)
{
    struct agent_config c;
    struct err e = {0};
    struct files f = {.artifact_fd = -1, .lock_fd = -1};
    struct clock_floor floor;
    struct pki_cert cert;
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0 || check_enrolment(o, &c, &e) != 0)
        return fail(&e);
    const struct enrolment how = {.server = c.server,
                                  .ca_file = c.ca,
                                  .token = o->token,
                                  .id = o->id,
                                  .policy = c.policy,
                                  .proxy = c.proxy};
    int rc = files_open(&f, c.state_dir, true, &e);
    if (rc == 0)
        rc = files_lock(&f, &e);
    if (rc == 0) {
        clock_floor_load(&floor, f.floor, &clock_system);
        rc = identity_enroll(&f, &floor, &how, &cert, &e);
    }
    files_close(&f);
    explicit_bzero(o->token, sizeof o->token);
    if (rc != 0)
        return fail(&e);
    char end[CLOCK_TEXT_MAX];
    printf("enrolled as %s, certificate until %s\n", cert.common_name,
           clock_format(cert.not_after * 1000, end));
    return AGENT_OK;
}

static int with_agent(struct options *o, enum agent_exit (*work)(struct agent *a))
{
    struct agent_config c;
    struct agent a;
    struct err e = {0};
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0 || agent_config_check(&c, &e) != 0)
        return fail(&e);
    int rc = agent_open(&a, &c, &e);
    int code = rc == 0 ? (int)work(&a) : fail(&e);
    agent_close(&a);
    return code;
}

static int verb_run(struct options *o)
{
    return with_agent(o, agent_run);
}

static int verb_once(struct options *o)
{
    return with_agent(o, agent_once);
}

static int verb_tunnel(struct options *o)
{
    struct agent_config c;
    struct err e = {0};
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0 || agent_config_check_tunnel(&c, &e) != 0)
        return fail(&e);
    return agent_tunnel(&c);
}

static int verb_status(struct options *o)
{
    struct agent_config c;
    struct err e = {0};
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0 || agent_print_status(&c, &e) != 0)
        return fail(&e);
    return AGENT_OK;
}

static int verb_confirm(struct options *o)
{
    struct agent_config c;
    struct err e = {0};
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0 || agent_confirm(&c, &e) != 0)
        return fail(&e);
    printf("confirmed\n");
    return AGENT_OK;
}

static int verb_consent(struct options *o)
{
    struct agent_config c;
    struct err e = {0};
    int rc;
    bool give = o->word != NULL && strcmp(o->word, "confirm") == 0;
    if (o->word == NULL || (!give && strcmp(o->word, "deny") != 0 && strcmp(o->word, "show") != 0)) {
        fprintf(stderr, "pqota-agent: consent is followed by show, confirm or deny\n");
        return AGENT_USAGE;
    }
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0)
        return fail(&e);
    if (strcmp(o->word, "show") == 0)
        rc = consent_show(&c, &e);
    else
        rc = consent_answer(&c, give, &e);
    return rc == 0 ? AGENT_OK : fail(&e);
}

static int verb_check(struct options *o)
{
    struct agent_config c;
    struct err e = {0};
    if (read_config(o, &c, &e) != 0 || set_log(&c, &e) != 0)
        return fail(&e);
    if ((c.installs ? agent_config_check(&c, &e) : agent_config_check_tunnel(&c, &e)) != 0)
        return fail(&e);
    puts(c.installs ? "the settings are good"
                    : "the settings are good for the tunnel; run and once want an [installer] too");
    return AGENT_OK;
}

static const struct verb {
    const char *name;
    int (*run)(struct options *o);
    const char *help;
} verbs[] = {
    {"enroll", verb_enroll, "get a certificate: --server URL --ca FILE and a token"},
    {"run", verb_run, "poll and update until stopped"},
    {"once", verb_once, "poll once, and update if there is something"},
    {"tunnel", verb_tunnel, "carry another updater's requests to the server, until stopped"},
    {"status", verb_status, "show what runs and what is under way"},
    {"confirm", verb_confirm, "keep the slot that runs now"},
    {"consent", verb_consent, "what waits for the user's consent: show, confirm or deny"},
    {"check-config", verb_check, "read the settings and say what is wrong"},
};

static int usage(FILE *to)
{
    fprintf(to, "usage: pqota-agent VERB [OPTION...]\n\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(to, "  %-13s %s\n", verbs[i].name, verbs[i].help);
    fprintf(to, "\noptions\n"
                "  --config FILE      settings (" AGENT_CONFIG_DEFAULT ")\n"
                "  --state-dir DIR    the agent's files\n"
                "  --server URL       enroll: https://HOST[:PORT]\n"
                "  --ca FILE          enroll: roots of the server's certificate\n"
                "  --token-file FILE  enroll: where the token is; or the environment's PQOTA_TOKEN\n"
                "  --token TOKEN      enroll: the token itself; others on this machine may see it\n"
                "  --id ID            enroll: the id to ask for\n"
                "  --policy POLICY    enroll: balanced, cnsa2 or constrained\n"
                "  --help, --version\n"
                "\nSee pqota-agent(1) and pqota-agent.conf(5).\n");
    return to == stdout ? AGENT_OK : AGENT_USAGE;
}

enum {
    OPT_CONFIG = 256,
    OPT_STATE,
    OPT_SERVER,
    OPT_CA,
    OPT_TOKEN,
    OPT_TOKEN_FILE,
    OPT_ID,
    OPT_POLICY,
    OPT_VERSION
};

static bool take_token(struct options *o, char *arg)
{
    size_t n = strlen(arg);
    if (n >= sizeof o->token)
        return false;
    memcpy(o->token, arg, n + 1);
    memset(arg, '*', n); /* ps(1) shows the arguments to everyone */
    return true;
}

/* 0, or the exit code + 1. */
static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"config", required_argument, NULL, OPT_CONFIG},
                                          {"state-dir", required_argument, NULL, OPT_STATE},
                                          {"server", required_argument, NULL, OPT_SERVER},
                                          {"ca", required_argument, NULL, OPT_CA},
                                          {"token", required_argument, NULL, OPT_TOKEN},
                                          {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
                                          {"id", required_argument, NULL, OPT_ID},
                                          {"policy", required_argument, NULL, OPT_POLICY},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, OPT_VERSION},
                                          {NULL, 0, NULL, 0}};
    for (int ch; (ch = getopt_long(argc, argv, "hc:", longs, NULL)) != -1;) {
        switch (ch) {
        case 'c':
        case OPT_CONFIG:
            o->config = optarg;
            break;
        case OPT_STATE:
            o->state_dir = optarg;
            break;
        case OPT_SERVER:
            o->server = optarg;
            break;
        case OPT_CA:
            o->ca = optarg;
            break;
        case OPT_TOKEN:
            if (!take_token(o, optarg))
                return usage(stderr) + 1;
            break;
        case OPT_TOKEN_FILE:
            o->token_file = optarg;
            break;
        case OPT_ID:
            o->id = optarg;
            break;
        case OPT_POLICY:
            o->policy = optarg;
            break;
        case 'h':
            return usage(stdout) + 1;
        case OPT_VERSION:
            printf("pqota-agent " PQOTA_VERSION "\n");
            return AGENT_OK + 1;
        default:
            return usage(stderr) + 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    int done = parse(argc, argv, &o);
    if (done != 0)
        return done - 1;
    bool two = optind + 2 == argc && strcmp(argv[optind], "consent") == 0;
    if (optind + 1 != argc && !two)
        return usage(stderr);
    o.word = two ? argv[optind + 1] : NULL;
    const struct verb *verb = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, argv[optind]) == 0)
            verb = &verbs[i];
    if (verb == NULL) {
        fprintf(stderr, "pqota-agent: there is no verb \"%s\"\n", argv[optind]);
        return usage(stderr);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "pqota-agent: libcurl does not start\n");
        return AGENT_ERROR;
    }
    int code = verb->run(&o);
    curl_global_cleanup();
    return code;
}
