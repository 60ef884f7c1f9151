/*
 * What one device should run now, as the director says it: a pure function of what is known.
 *
 * The release of its open action, even one that was deleted meanwhile; without one, that of the last action
 * that succeeded, so that what runs is still vouched for; without either, nothing. Only what the vendor
 * signed for the device's model, and in a manifest only what is one file: a director that named anything
 * else would be refused by the device.
 */
#ifndef PQOTA_OTA_DIRECTOR_SELECT_H
#define PQOTA_OTA_DIRECTOR_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct director_release {
    int64_t pk;
    bool deleted;
    bool vouched; /* it is in the image repository's metadata, for the device's model */
    size_t files;
};

struct director_facts {
    const struct director_release *open;      /* of the open action; NULL: none, or it was called off */
    const struct director_release *succeeded; /* of the last action that succeeded; NULL: none */
    bool one_file;                            /* it is said in a manifest */
};

struct director_decision {
    const struct director_release *release; /* NULL: nothing to run */
    const char *reason;                     /* for logs */
    bool hindered;                          /* there would be something, but for the reason */
};

struct director_decision ota_director_select(const struct director_facts *f);

#endif
