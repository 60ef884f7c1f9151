#include "pqcerts/options.h"

#include "shared/command.h"

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

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    struct options o = {.devices = 100, .first = 1, .id_prefix = "fleet-"};
    const struct command_option rows[] = {
        {"ca", .text = &o.ca},
        {"ca-key", .text = &o.ca_key},
        {"devices", 'n', .count = &o.devices, .least = 1, .most = OPTIONS_NUMBER_MAX},
        {"first", .count = &o.first, .most = OPTIONS_NUMBER_MAX},
        {"id-prefix", .text = &o.id_prefix},
        {"path", .text = &o.path},
        {NULL},
    };
    int rc = command_parse(usage, rows, argc, argv, e);
    if (rc == 0)
        rc = command_operand("folder", argc, argv, &o.folder, e);
    if (rc != 0)
        return rc;
    if (o.ca == NULL || o.ca_key == NULL)
        return err_set(e, ERR_INVALID, "--ca and --ca-key are needed: who issues");
    if (o.first + o.devices - 1 > OPTIONS_NUMBER_MAX)
        return err_set(e, ERR_INVALID, "devices' numbers end at %d", OPTIONS_NUMBER_MAX);
    *out = o;
    return 0;
}
