/* A deployment tried before it is made: for how many devices it would be, what they run, and what it would
   do. Nothing is written, and nobody is told. */
#ifndef PQOTA_OTA_PREVIEW_H
#define PQOTA_OTA_PREVIEW_H

#include "base/arena.h"
#include "ota/deploy.h"

#define PREVIEW_MS 2000 /* devices are looked at for so long, then what was found so far is told */
#define PREVIEW_SAMPLE 10
#define PREVIEW_CHANGES 50
#define PREVIEW_REASONS 4
#define PREVIEW_WARNINGS 16

struct preview_excluded {
    const char *code;   /* one word */
    const char *reason; /* words that go on from "left out, because" */
    int64_t devices;
};
struct preview_change {
    const char *model, *version; /* what they run; version NULL: not reported yet */
    int64_t devices;
};
struct preview_device {
    const char *id, *model, *version;
};
struct preview_phase {
    const char *name;
    int64_t devices; /* that it takes; who has nothing to do is in none */
};

struct preview {
    int64_t devices;  /* would get it */
    int64_t older;    /* of these: would go back to an older version */
    int64_t no_clock; /* of these: their offset from UTC is not known; -1: they were not looked at */
    int64_t already;  /* have it */
    bool complete;    /* false: there may be more of everything */
    struct preview_excluded excluded[PREVIEW_REASONS];
    size_t excluded_count;
    struct preview_change changes[PREVIEW_CHANGES]; /* of those that would get it, most first */
    size_t change_count;
    struct preview_device sample[PREVIEW_SAMPLE]; /* of the same */
    size_t sample_count;
    struct preview_phase phases[DEPLOYMENT_PHASES_MAX];
    size_t phase_count;
    const char *warnings[PREVIEW_WARNINGS]; /* sentences */
    size_t warning_count;
};

/* QUERY lane. Refuses as ota_deploy does. Texts in the arena. */
int ota_preview(struct ota *ota, struct db *db, struct arena *a, const struct deploy *d, struct preview *out,
                struct err *e) MUST_CHECK;

/* ota/preview_warn.c: adds the warnings. */
int preview_warn(struct ota *ota, struct db *db, struct arena *a, const struct deploy_checked *c,
                 struct preview *out, struct err *e) MUST_CHECK;

#endif
