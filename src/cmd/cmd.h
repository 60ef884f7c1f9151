/*
 * The verbs of `pqota`, one file each: src/cmd/<verb>.c holds cmd_<verb> and, beside it, the text that
 * `pqota <verb> --help` shows. A verb is a row of the table in main.c.
 */
#ifndef PQOTA_CMD_CMD_H
#define PQOTA_CMD_CMD_H

#include "base/err.h"

/* What `pqota` ends with. Shown by `pqota --help`: scripts depend on it. */
enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1,      /* it was tried and did not work */
    CMD_USAGE = 2,       /* the command line makes no sense; nothing was tried */
    CMD_NOT_FOUND = 3,   /* what was asked for is not there */
    CMD_REFUSED = 4,     /* the server does not know this credential, or it may not do this */
    CMD_UNREACHABLE = 5, /* no server answered */
};

struct cmd_verb {
    const char *name;
    /* argv[0] is the verb's name; options are read with getopt_long from there. Answers an enum cmd_exit. */
    int (*run)(int argc, char **argv);
    const char *help; /* one line for the list of verbs: begins small, ends without a full stop */
    /* What main prints for --help, wherever it stands: begins with "pqota VERB ...", ends with a newline.
       NULL: the verb makes its help itself, and --help is passed on to it. */
    const char *usage;
};

int cmd_init(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_firmware(int argc, char **argv);
int cmd_deploy(int argc, char **argv);
int cmd_deployment(int argc, char **argv);
int cmd_device(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_operator(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_setting(int argc, char **argv);
int cmd_trust(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_mosquitto_conf(int argc, char **argv);
int cmd_nginx_conf(int argc, char **argv);

extern const char usage_mosquitto_conf[];
extern const char usage_init[], usage_check_config[], usage_serve[], usage_backup[], usage_restore[];
extern const char usage_nginx_conf[];

/* The table, ended by a row without name. */
extern const struct cmd_verb cmd_verbs[];

/* The server's settings: the file that was named, or (NULL) the one where it usually is. */
const char *cmd_config_file(const char *named);
/* Prints "pqota VERB: " and the error's text on standard error; answers the exit code that fits its code. */
int cmd_fail(const char *verb, const struct err *e);
/* Prints what is wrong with the command line and where help is; answers CMD_USAGE. */
int cmd_usage_error(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
