/* What `pqota backup` and `pqota restore` have in common: one folder named, and whose data folder it is
   about. */
#ifndef PQOTA_CMD_DATADIR_H
#define PQOTA_CMD_DATADIR_H

#include "base/arena.h"

struct datadir {
    struct arena arena; /* holds dir; datadir_fini gives it back */
    const char *dir;    /* the data folder */
    const char *other;  /* the one operand */
};

/* Reads [-c FILE | --dir DIR] OPERAND; what is wrong is printed. Answers CMD_OK or an exit code. */
int datadir_read(const char *verb, int argc, char **argv, struct datadir *out) MUST_CHECK;
void datadir_fini(struct datadir *d);
#define auto_datadir __attribute__((cleanup(datadir_fini)))

#endif
