#include "pqcerts/options.h"

#include <getopt.h>
#include <stdio.h>

#include "shared/number.h"

static const char usage[] =
    "pqcerts [OPTION]... FOLDER\n"
    "\n"
    "Issues certificates to many devices, one key for all, in a folder that there is, and prints what "
    "pqload's\n"
    "--identities wants: a line for each. Faster than enrolling them by some hundred times.\n"
    "\n"
    "      --ca FILE, --ca-key FILE   the devices' authority (needed)\n"
    "  -n, --devices N         how many (default 100)\n"
    "      --first K           number of the first (default 1)\n"
    "      --id-prefix P       before the number's seven digits (default fleet-)\n"
    "      --path PATH         what each line asks for (default: nothing of its own)\n"
    "  -h, --help\n"
    "\n"
    "Exit code 0: all were issued; 1: not; 2: wrong usage.\n";

enum { OPT_CA = 256, OPT_CA_KEY, OPT_FIRST, OPT_PREFIX, OPT_PATH };

static const struct option long_options[] = {
    {"ca", required_argument, NULL, OPT_CA},
    {"ca-key", required_argument, NULL, OPT_CA_KEY},
    {"devices", required_argument, NULL, 'n'},
    {"first", required_argument, NULL, OPT_FIRST},
    {"id-prefix", required_argument, NULL, OPT_PREFIX},
    {"path", required_argument, NULL, OPT_PATH},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_option(int o, const char *arg, struct options *out, struct err *e)
{
    switch (o) {
    case OPT_CA:
        out->ca = arg;
        return 0;
    case OPT_CA_KEY:
        out->ca_key = arg;
        return 0;
    case OPT_PREFIX:
        out->id_prefix = arg;
        return 0;
    case OPT_PATH:
        out->path = arg;
        return 0;
    case 'n':
        return number_parse_count("devices", arg, 1, OPTIONS_NUMBER_MAX, &out->devices, e);
    case OPT_FIRST:
        return number_parse_count("first", arg, 0, OPTIONS_NUMBER_MAX, &out->first, e);
    default:
        return err_set(e, ERR_INVALID, "the command line could not be read; see pqcerts --help");
    }
}

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    struct options o = {.devices = 100, .first = 1, .id_prefix = "fleet-"};
    for (int c; (c = getopt_long(argc, argv, "n:h", long_options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        int rc = parse_option(c, optarg, &o, e);
        if (rc != 0)
            return rc;
    }
    if (optind + 1 != argc)
        return err_set(e, ERR_INVALID, "one folder is needed; see pqcerts --help");
    if (o.ca == NULL || o.ca_key == NULL)
        return err_set(e, ERR_INVALID, "--ca and --ca-key are needed: who issues");
    if (o.first + o.devices - 1 > OPTIONS_NUMBER_MAX)
        return err_set(e, ERR_INVALID, "devices' numbers end at %d", OPTIONS_NUMBER_MAX);
    o.folder = argv[optind];
    *out = o;
    return 0;
}
