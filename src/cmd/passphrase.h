/* The passphrase of offline keys: from a file, or asked on the terminal, where it is not shown. */
#ifndef PQOTA_CMD_PASSPHRASE_H
#define PQOTA_CMD_PASSPHRASE_H

#include "keys/keys.h"

#define PASSPHRASE_LEAST 8 /* characters of a new one */

struct passphrase {   /* passphrase_fini wipes it */
    const char *file; /* NULL: ask */
    char text[PKI_PASSPHRASE_MAX];
    bool known; /* the file's, or a new one: text has it */
    bool made;  /* it is a new one */
};

void passphrase_init(struct passphrase *p, const char *file);
void passphrase_fini(struct passphrase *p);
#define auto_passphrase __attribute__((cleanup(passphrase_fini)))

/* A new one for `what`, typed twice: p->text has it afterwards. It is asked for once; later calls keep it. */
int passphrase_make(struct passphrase *p, const char *what, struct err *e) MUST_CHECK;
/* For keys_load: the file's for every key, or each key's own, asked. p must outlive the answer. */
struct pki_passphrase passphrase_asker(struct passphrase *p);

#endif
