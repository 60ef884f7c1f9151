/* The agent's settings: one table of rows {section, key, kind, place, default}; an unknown key is an error.
   */
#ifndef PQOTA_AGENT_CONFIG_H
#define PQOTA_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define AGENT_CONFIG_DEFAULT "/etc/pqota-agent.conf"
#define AGENT_CONFIG_MAX 65536 /* bytes of the file */
#define AGENT_VALUE_SIZE 1024  /* of a value, with the NUL */

struct agent_config {
    /* [agent] */
    char server[AGENT_VALUE_SIZE]; /* https://host[:port], "" before enrolment */
    char ca[AGENT_VALUE_SIZE];     /* roots to begin with; those that the server sent win */
    char state_dir[AGENT_VALUE_SIZE];
    char policy[AGENT_VALUE_SIZE];
    char proxy[AGENT_VALUE_SIZE]; /* "" is the environment's */
    char log_level[AGENT_VALUE_SIZE], log_format[AGENT_VALUE_SIZE];
    char boot_id_file[AGENT_VALUE_SIZE];
    char broker[AGENT_VALUE_SIZE]; /* host:port; "": none */
    char model[AGENT_VALUE_SIZE];  /* "" is what enrolment said */
    int64_t poll_seconds, request_seconds;
    /* [installer] */
    bool installs; /* something of it was set */
    char type[AGENT_VALUE_SIZE];
    char command
        /* a program by its path, then its arguments; quotes as in a shell, nothing else */
        [AGENT_VALUE_SIZE];
    char version_file[AGENT_VALUE_SIZE], version_command[AGENT_VALUE_SIZE];
    char health_command[AGENT_VALUE_SIZE];
    char good_command[AGENT_VALUE_SIZE], bad_command[AGENT_VALUE_SIZE];
    char reboot_command[AGENT_VALUE_SIZE];
    char slots_dir[AGENT_VALUE_SIZE], unpack_command[AGENT_VALUE_SIZE], restart_command[AGENT_VALUE_SIZE];
    int64_t timeout_seconds, health_seconds, confirm_seconds, reboot_code;
    /* [update] */
    char attempt[AGENT_VALUE_SIZE]; /* "install" or "wait" */
    char consent[AGENT_VALUE_SIZE]; /* "ask", "always" or "never" */
    /* [trust] */
    char image_root[AGENT_VALUE_SIZE], director_root[AGENT_VALUE_SIZE]; /* files */
    bool insecure_unsigned;
    /* [tunnel] */
    char tunnel_listen[AGENT_VALUE_SIZE]; /* an address of loopback and a port; "": none */
    char tunnel_socket[AGENT_VALUE_SIZE]; /* a path; "": none */
    char tunnel_ranges[AGENT_VALUE_SIZE]; /* "vouched" or "no" */
    int64_t tunnel_connections;
};

/* Every setting its default. */
void agent_config_init(struct agent_config *c);
/* Reads the file over what is in *c; *c is untouched on failure. must_exist: otherwise a missing file is
   fine. */
int agent_config_read(struct agent_config *c, const char *path, int must_exist, struct err *e) MUST_CHECK;
/* Sets one, as a line of the file would; for options of the command line. */
int agent_config_set(struct agent_config *c, const char *section, const char *key, const char *value,
                     struct err *e) MUST_CHECK;
/* What the settings must fulfil together before the agent runs. */
int agent_config_check(const struct agent_config *c, struct err *e) MUST_CHECK;
/* The same before the tunnel runs, which installs nothing. */
int agent_config_check_tunnel(const struct agent_config *c, struct err *e) MUST_CHECK;
/* "https://host[:port]", a slash at the end taken off. */
int agent_server_url(const char *text, char out[AGENT_VALUE_SIZE], struct err *e) MUST_CHECK;

#endif
