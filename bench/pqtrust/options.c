#include "pqtrust/options.h"

#include "pqtrust/fleet.h"
#include "pqtrust/refresh.h"
#include "shared/command.h"

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

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    struct options o = {.repeat = 50, .delegations = 20, .targets = 500, .sign = 1000, .devices = 2000};
    const struct command_option rows[] = {
        {"repeat", 'n', .count = &o.repeat, .least = 1, .most = REFRESH_REPEAT_MAX},
        {"delegations", 'r', .count = &o.delegations, .least = 1, .most = REPO_MODELS_MAX},
        {"targets", 't', .count = &o.targets, .least = 1, .most = REPO_TARGETS_MAX},
        {"sign", 's', .count = &o.sign, .least = 1, .most = REPO_TARGETS_MAX},
        {"devices", 'd', .count = &o.devices, .least = 1, .most = FLEET_DEVICES_MAX},
        {NULL},
    };
    int rc = command_parse(usage, rows, argc, argv, e);
    if (rc == 0)
        rc = command_no_operand(argc, argv, e);
    if (rc == 0)
        *out = o;
    return rc;
}
