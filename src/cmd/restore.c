/* `pqota restore`: puts a backup back, also while the server runs. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/datadir.h"
#include "store/store.h"

const char usage_restore[] =
    "pqota restore [-c FILE | --dir DIR] SRC\n"
    "\n"
    "Replaces a server's database by that of the backup in the folder SRC, all at once, and puts the "
    "firmware\n"
    "files that it needs in place. The backup is checked first, every byte of it: if anything is damaged or\n"
    "missing, nothing changes. A server that is running goes on with the restored data. What happened after "
    "the\n"
    "backup was made is lost, devices enrolled and revoked since then included.\n"
    "\n"
    "  -c, --config FILE   the server's settings (default: ./pqota/pqota.conf, else /etc/pqota/pqota.conf)\n"
    "      --dir DIR       the server's data folder, instead of its settings\n";

int cmd_restore(int argc, char **argv)
{
    auto_datadir struct datadir d;
    int code = datadir_read("restore", argc, argv, &d);
    if (code != CMD_OK)
        return code;
    struct err e = {0};
    if (store_restore(d.other, d.dir, &e) != 0)
        return cmd_fail("restore", &e);
    printf("%s holds again what %s holds\n", d.dir, d.other);
    return CMD_OK;
}
