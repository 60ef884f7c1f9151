/* `pqota backup`: a copy of a server's data, also while it runs. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/datadir.h"
#include "store/store.h"

const char usage_backup[] =
    "pqota backup [-c FILE | --dir DIR] DEST\n"
    "\n"
    "Copies a server's database and firmware files into the new folder DEST, as they are at one moment; the\n"
    "server goes on meanwhile. Firmware files are linked, not copied, where DEST is on the same file "
    "system:\n"
    "copy DEST to another disk to be safe from the loss of this one. Keys, certificates and settings are "
    "not\n"
    "in it.\n"
    "\n"
    "  -c, --config FILE   the server's settings (default: ./pqota/pqota.conf, else /etc/pqota/pqota.conf)\n"
    "      --dir DIR       the server's data folder, instead of its settings\n";

int cmd_backup(int argc, char **argv)
{
    auto_datadir struct datadir d;
    int code = datadir_read("backup", argc, argv, &d);
    if (code != CMD_OK)
        return code;
    struct err e = {0};
    if (store_backup(d.dir, d.other, &e) != 0)
        return cmd_fail("backup", &e);
    printf("%s holds what %s held; to put it back: pqota restore %s --dir %s\n", d.other, d.dir, d.other,
           d.dir);
    return CMD_OK;
}
