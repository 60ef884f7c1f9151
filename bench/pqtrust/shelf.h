/* Metadata in memory: what a device has stored, and what the server serves to it. */
#ifndef PQTRUST_SHELF_H
#define PQTRUST_SHELF_H

#include "pqtrust/device.h"
#include "pqtrust/repo.h"

struct shelf_item {
    bool director;
    char role[REPO_NAME_MAX];
    char *p; /* owned; NULL: dropped */
    size_t n;
};

struct shelf {
    struct repo *repo; /* what is served */
    struct shelf_item items[REPO_FILES_MAX];
    size_t count;
    uint64_t requests, bytes; /* that the server answered with a file */
};

/* As a device leaves the factory: root 1 of both repositories. shelf_clear also after a failure. */
int shelf_begin(struct shelf *s, struct repo *repo, struct err *e) MUST_CHECK;
void shelf_clear(struct shelf *s);
/* What a device does with it: struct device_link's functions, ctx a struct shelf. */
int shelf_load(void *ctx, bool director, struct str role, void *buf, size_t size, size_t *n, struct err *e);
int shelf_save(void *ctx, bool director, struct str role, struct str text, struct err *e);
int shelf_get(void *ctx, bool director, const char *name, void *buf, size_t size, size_t *n, struct err *e);

#endif
