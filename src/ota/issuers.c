#include "ota/issuers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known {
    char name[ISSUERS_NAME_MAX];
    char key_id[SHA256_HEX_SIZE];
};

struct issuers {
    pthread_rwlock_t lock;
    struct known rows[ISSUERS_MAX];
    size_t count;
};

int issuers_new(struct issuers **out, struct err *e)
{
    struct issuers *i = calloc(1, sizeof *i);
    if (i == NULL || pthread_rwlock_init(&i->lock, NULL) != 0) {
        free(i);
        return err_set(e, ERR_NOMEM, "no memory for the names of the roots");
    }
    *out = i;
    return 0;
}

void issuers_free(struct issuers *i)
{
    if (i == NULL)
        return;
    pthread_rwlock_destroy(&i->lock);
    free(i);
}

int issuers_check(const struct issuer_row *rows, size_t count, struct err *e)
{
    if (count > ISSUERS_MAX)
        return err_set(e, ERR_TOO_LARGE, "there are %zu roots for devices and operators; at most %d can be",
                       count, ISSUERS_MAX);
    for (size_t k = 0; k < count; k++)
        if (strlen(rows[k].name) >= ISSUERS_NAME_MAX || strlen(rows[k].key_id) >= SHA256_HEX_SIZE)
            return err_set(e, ERR_TOO_LARGE, "a root's name is longer than %d bytes", ISSUERS_NAME_MAX - 1);
    return 0;
}

void issuers_set(struct issuers *i, const struct issuer_row *rows, size_t count)
{
    pthread_rwlock_wrlock(&i->lock);
    for (size_t k = 0; k < count; k++) {
        snprintf(i->rows[k].name, sizeof i->rows[k].name, "%s", rows[k].name);
        snprintf(i->rows[k].key_id, sizeof i->rows[k].key_id, "%s", rows[k].key_id);
    }
    i->count = count;
    pthread_rwlock_unlock(&i->lock);
}

size_t issuers_find(struct issuers *i, struct str name, char key_ids[ISSUERS_MAX][SHA256_HEX_SIZE])
{
    size_t n = 0;
    pthread_rwlock_rdlock(&i->lock);
    for (size_t k = 0; k < i->count; k++)
        if (str_is(name, i->rows[k].name))
            memcpy(key_ids[n++], i->rows[k].key_id, SHA256_HEX_SIZE);
    pthread_rwlock_unlock(&i->lock);
    return n;
}
