#include "pqtrust/options.h"

#include <getopt.h>
#include <stdio.h>

#include "base/str.h"
#include "pqtrust/fleet.h"
#include "pqtrust/refresh.h"

static const char usage[] =
    "pqtrust [OPTION]...\n"
    "\n"
    "Measures what signed update metadata cost, on repositories that it makes in memory, and prints one "
    "JSON\n"
    "object: a device's refresh in time and memory, signing, a director's decisions, sizes of files.\n"
    "\n"
    "  -n, --repeat N       refreshes that are timed; medians are told (default 50)\n"
    "  -r, --delegations N  delegated roles of the large repository (default 20)\n"
    "  -t, --targets N      targets of each (default 500)\n"
    "  -s, --sign N         targets that are signed at once (default 1000)\n"
    "  -d, --devices N      devices of the director's fleet (default 2000)\n"
    "  -h, --help\n"
    "\n"
    "Exit code 0: measured; 1: something failed; 2: wrong usage.\n";

static const struct option long_options[] = {
    {"repeat", required_argument, NULL, 'n'},
    {"delegations", required_argument, NULL, 'r'},
    {"targets", required_argument, NULL, 't'},
    {"sign", required_argument, NULL, 's'},
    {"devices", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int count(const char *what, const char *text, uint64_t most, size_t *out, struct err *e)
{
    uint64_t v;
    if (str_to_u64(str_of(text), most, &v) != 0 || v < 1)
        return err_set(e, ERR_INVALID, "--%s is \"%s\"; it must be a number from 1 to %llu", what, text,
                       (unsigned long long)most);
    *out = (size_t)v;
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    struct options o = {.repeat = 50, .delegations = 20, .targets = 500, .sign = 1000, .devices = 2000};
    int rc = 0, c;
    opterr = 0;
    while (rc == 0 && (c = getopt_long(argc, argv, "n:r:t:s:d:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'n':
            rc = count("repeat", optarg, REFRESH_REPEAT_MAX, &o.repeat, e);
            break;
        case 'r':
            rc = count("delegations", optarg, REPO_MODELS_MAX, &o.delegations, e);
            break;
        case 't':
            rc = count("targets", optarg, REPO_TARGETS_MAX, &o.targets, e);
            break;
        case 's':
            rc = count("sign", optarg, REPO_TARGETS_MAX, &o.sign, e);
            break;
        case 'd':
            rc = count("devices", optarg, FLEET_DEVICES_MAX, &o.devices, e);
            break;
        case 'h':
            fputs(usage, stdout);
            return 1;
        default:
            return err_set(e, ERR_INVALID, "an option is wrong; see --help");
        }
    }
    if (rc == 0 && optind < argc)
        return err_set(e, ERR_INVALID, "\"%s\" is too much; see --help", argv[optind]);
    if (rc == 0)
        *out = o;
    return rc;
}
