/* `pqota VERB ...`: finds the verb's row and runs it. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/arena.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/text.h"

#define VERBS_MAX 32
#define PRINT_BYTES 16384 /* an error, all of its characters escaped */

const struct cmd_verb cmd_verbs[] = {
    {"init", cmd_init, "make everything that a first run needs: keys, settings, database", usage_init},
    {"check-config", cmd_check_config, "say whether a settings file is right, without starting",
     usage_check_config},
    {"serve", cmd_serve, "run the server", usage_serve},
    {"firmware", cmd_firmware, "publish, list, show, download and delete releases", NULL},
    {"deploy", cmd_deploy, "send a release to devices", NULL},
    {"deployment", cmd_deployment, "how far deployments are; cancel one", NULL},
    {"device", cmd_device, "list, show, tag and revoke devices", NULL},
    {"token", cmd_token, "make tokens that devices enrol with", NULL},
    {"operator", cmd_operator, "who may do what", NULL},
    {"account", cmd_account, "names and passwords for the console and hawkBit's interface", NULL},
    {"setting", cmd_setting, "what is set while the server runs", NULL},
    {"trust", cmd_trust, "who vouches for what devices run: keys and signatures", NULL},
    {"status", cmd_status, "show the server and its fleet at a glance", NULL},
    {"console", cmd_console, "print a link by which somebody signs in at the console once", NULL},
    {"why", cmd_why, "tell why a device gets, or does not get, an update", NULL},
    {"events", cmd_events, "list what happened, newest first", NULL},
    {"backup", cmd_backup, "copy a server's data, while it runs", usage_backup},
    {"restore", cmd_restore, "put a backup back, while the server runs", usage_restore},
    {"nginx-conf", cmd_nginx_conf, "write a configuration for nginx in front of the server",
     usage_nginx_conf},
    {"mosquitto-conf", cmd_mosquitto_conf, "write the configuration of a broker, mosquitto",
     usage_mosquitto_conf},
    {"completion", cmd_completion, "print completion for bash, zsh or fish", NULL},
    {NULL, NULL, NULL, NULL},
};

static const char exit_codes[] = "Exit codes\n"
                                 "  0  done\n"
                                 "  1  it was tried and did not work\n"
                                 "  2  the command line makes no sense\n"
                                 "  3  what was asked for is not there\n"
                                 "  4  the server refused the credential, or it may not do this\n"
                                 "  5  no server could be reached\n";

const char *cmd_config_file(const char *named)
{
    if (named != NULL)
        return named;
    return file_exists("pqota/pqota.conf") ? "pqota/pqota.conf" : "/etc/pqota/pqota.conf";
}

/* Errors quote what servers and files said; nothing of that goes to a terminal raw. */
static void print_error(const char *verb, const char *text)
{
    auto_arena struct arena a;
    arena_init(&a, PRINT_BYTES);
    const char *shown = text_escape(str_of(text), &a);
    fprintf(stderr, "pqota %s: %s\n", verb, shown != NULL ? shown : "no memory to say what is wrong");
}

int cmd_fail(const char *verb, const struct err *e)
{
    print_error(verb, e->text);
    switch (e->code) {
    case ERR_NOT_FOUND:
        return CMD_NOT_FOUND;
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED:
        return CMD_REFUSED;
    default:
        return CMD_FAILED;
    }
}

int cmd_usage_error(const char *verb, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "pqota %s: ", verb);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nTry: pqota %s --help\n", verb);
    return CMD_USAGE;
}

static const struct cmd_verb *find_verb(const char *name)
{
    for (const struct cmd_verb *v = cmd_verbs; v->name != NULL; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

static void print_help(FILE *to)
{
    fprintf(to,
            "pqota VERB [ARGUMENT]...\n\nUpdates for fleets of devices, over post-quantum TLS.\n\nVerbs\n");
    for (const struct cmd_verb *v = cmd_verbs; v->name != NULL; v++)
        fprintf(to, "  %-13s %s\n", v->name, v->help);
    fprintf(to, "\nHelp on one of them: pqota VERB --help\nVersions: pqota --version\n\n%s", exit_codes);
}

static int print_verb_help(const struct cmd_verb *v)
{
    if (v->usage == NULL) {
        char name[32], help[] = "--help", *argv[] = {name, help, NULL};
        snprintf(name, sizeof name, "%s", v->name);
        return v->run(2, argv);
    }
    fputs(v->usage, stdout);
    return CMD_OK;
}

static int unknown_verb(const char *name)
{
    const char *names[VERBS_MAX] = {NULL};
    size_t n = 0;
    for (const struct cmd_verb *v = cmd_verbs; v->name != NULL && n < VERBS_MAX; v++)
        names[n++] = v->name;
    const char *near = str_nearest(str_of(name), names, n);
    fprintf(stderr, "pqota: there is no verb \"%s\"", name);
    if (near != NULL)
        fprintf(stderr, "; did you mean \"%s\"?", near);
    fprintf(stderr, "\nAll verbs: pqota --help\n");
    return CMD_USAGE;
}

static bool asks_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int run_verb(int argc, char **argv)
{
    const struct cmd_verb *v = find_verb(argv[0]);
    if (v == NULL)
        return unknown_verb(argv[0]);
    for (int i = 1; i < argc && v->usage != NULL && strcmp(argv[i], "--") != 0; i++)
        if (asks_help(argv[i]))
            return print_verb_help(v);
    return v->run(argc, argv);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CMD_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("pqota %s\n%s\n", PQOTA_VERSION, OpenSSL_version(OPENSSL_VERSION));
        return CMD_OK;
    }
    bool help = asks_help(argv[1]) || strcmp(argv[1], "help") == 0;
    if (help && argc > 2) {
        const struct cmd_verb *v = find_verb(argv[2]);
        return v != NULL ? print_verb_help(v) : unknown_verb(argv[2]);
    }
    if (help) {
        print_help(stdout);
        return CMD_OK;
    }
    return run_verb(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int code = run(argc, argv);
    /* What was printed may be somebody's backup or certificate: a full disk must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "pqota: cannot write standard output: %s\n", strerror(errno));
        return code == CMD_OK ? CMD_FAILED : code;
    }
    return code;
}
