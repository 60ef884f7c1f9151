/* `pqota serve`: the server, until it is told to stop. */
#include <getopt.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "server/server.h"

const char usage_serve[] =
    "pqota serve [-c FILE]\n"
    "\n"
    "Runs the server in the foreground and logs to standard error. SIGHUP reads the configuration and the\n"
    "certificates again without dropping a connection; SIGTERM finishes what is under way and ends.\n"
    "\n"
    "  -c, --config FILE   the configuration (default: ./pqota/pqota.conf, else /etc/pqota/pqota.conf)\n";

int cmd_serve(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    const char *config = NULL;
    for (int o; (o = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        if (o != 'c')
            return cmd_usage_error("serve", "the command line could not be read");
        config = optarg;
    }
    if (optind < argc)
        return cmd_usage_error("serve", "what is \"%s\"?", argv[optind]);
    config = cmd_config_file(config);
    struct err e = {0};
    if (server_run(config, &e) != 0)
        return cmd_fail("serve", &e);
    return CMD_OK;
}
