/* The data folder: its parts, the lock that makes one process its owner, what a crash left in tmp/. */
#ifndef PQOTA_STORE_FOLDER_H
#define PQOTA_STORE_FOLDER_H

#include "base/err.h"

/* Makes dir and blobs/, tmp/, backups/ in it where they are missing, mode 0700. */
int folder_make(const char *dir, struct err *e) MUST_CHECK;
/* *fd holds the lock until it is closed. ERR_CONFLICT names the process that has it. */
int folder_lock(const char *dir, int *fd, struct err *e) MUST_CHECK;
/* Removes all of tmp/; for the owner of the lock. */
int folder_sweep_tmp(const char *dir, struct err *e) MUST_CHECK;
/* dir/tmp/<prefix>-<random> into out (PATH_MAX bytes); nothing is made. */
int folder_tmp_name(const char *dir, const char *prefix, char *out, struct err *e) MUST_CHECK;
/* For root at work in the server's folder: gives a new file or folder to the owner of `dir`. */
int folder_give(const char *dir, int fd, const char *name, struct err *e) MUST_CHECK;

#endif
