#include "cmd/datadir.h"

#include <getopt.h>

#include "cmd/cmd.h"
#include "server/config.h"

#define ARENA_MAX 1048576

static int of_config(const char *verb, const char *config, struct datadir *out)
{
    struct server_config c;
    struct err e = {0};
    config = cmd_config_file(config);
    if (config_read(config, &out->arena, &c, &e) != 0)
        return cmd_fail(verb, &e);
    out->dir = c.data_dir;
    return CMD_OK;
}

int datadir_read(const char *verb, int argc, char **argv, struct datadir *out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"dir", required_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    const char *config = NULL;
    *out = (struct datadir){0};
    arena_init(&out->arena, ARENA_MAX);
    for (int o; (o = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        if (o == 'c')
            config = optarg;
        else if (o == 'd')
            out->dir = optarg;
        else
            return cmd_usage_error(verb, "this option is not known, or its value is missing");
    }
    if (config != NULL && out->dir != NULL)
        return cmd_usage_error(verb, "name the settings file or the data folder, not both");
    if (optind >= argc)
        return cmd_usage_error(verb, "the backup's folder is not named");
    if (optind + 1 < argc)
        return cmd_usage_error(verb, "\"%s\" is too much", argv[optind + 1]);
    out->other = argv[optind];
    return out->dir != NULL ? CMD_OK : of_config(verb, config, out);
}

void datadir_fini(struct datadir *d)
{
    arena_fini(&d->arena);
}
