/*
 * Both repositories in memory, signed for real: what a server with its keys would serve a device under /tuf,
 * and what the device stores. A test changes a field, signs, and lets pqota_trust look.
 */
#ifndef PQOTA_TEST_REPO_H
#define PQOTA_TEST_REPO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/keys.h"
#include "pqota_trust.h"
#include "trust/make.h"

#define REPO_FILES_MAX 200
#define REPO_NOW 1800000000 /* Unix seconds */
#define REPO_DAY 86400

struct repo_file {
    char name[PQOTA_ROLE_SIZE + 32]; /* "image/1.root.json" */
    struct str text;
};

struct repo_files { /* texts are copies of their own */
    struct repo_file file[REPO_FILES_MAX];
    size_t count;
};

struct repo {
    struct arena arena;
    int64_t now;
    struct sign_keys root, targets, snapshot, timestamp, director;
    /* --- what is signed; repo_init gives sound values --- */
    int64_t root_version, director_root_version, targets_version, snapshot_version, timestamp_version,
        director_version;
    int64_t expires, director_expires; /* Unix seconds */
    const char *path, *sha256;         /* of the image's entry */
    int64_t length;
    bool plain; /* the entry has no "custom" */
    struct trust_custom custom;
    const char *says_device, *says_path, *says_sha256; /* the director's file */
    int64_t says_length;
    bool says_nothing;
    const char *beside; /* path of another file of the release, as both have it; NULL: none */
    size_t others;      /* more targets in the image's file */
    size_t models;      /* more delegations, each with a key pair of its own */
    /* --- the server --- */
    struct repo_files served;
    const char *refused; /* this file is answered with `status` */
    int status;
    const char *cut; /* this one ends in the middle, after `cut_s` seconds */
    int64_t cut_s;
    const char *endless; /* this one never ends */
    int requests;
    bool offline;
    /* --- the device --- */
    struct repo_files stored;
    int saves, fail_save; /* the n-th save fails, 0: none */
    struct str image_root, director_root;
    bool several_files;
    const char *hint; /* the file that is offered; NULL: "hint.img" */
    void *memory;
    size_t memory_size;
    struct pqota_trust trust;
    struct pqota_standing standing;
    char why[PQOTA_TEXT_SIZE];
};

void repo_init(struct repo *r);
void repo_fini(struct repo *r);
/* Signs everything as the fields say, and serves it; what was served before goes. */
void repo_sign(struct repo *r);
/* The roots that the device begins with, as they are served now. */
void repo_device(struct repo *r);
struct pqota_trust_settings repo_settings(struct repo *r);
/* pqota_trust made anew from them; what is stored stays. */
void repo_start(struct repo *r);
/* Asks; *out may be NULL. */
enum pqota_vouch repo_vouch(struct repo *r, struct pqota_target *out);
struct repo_file *repo_find(struct repo_files *files, const char *name); /* NULL: none */
void repo_put(struct repo_files *files, const char *name, struct str text);
void repo_drop(struct repo_files *files, const char *name);

#endif
