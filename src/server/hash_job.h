/* Background work: hashes of files that came before these were computed on arrival; see ota/hashing.h. */
#ifndef PQOTA_SERVER_HASH_JOB_H
#define PQOTA_SERVER_HASH_JOB_H

#include "base/err.h"

struct hash_job;
struct server;

int hash_job_new(struct server *s, struct hash_job **out, struct err *e) MUST_CHECK;
/* From time to time: looks for files, unless it is at one. */
void hash_job_tick(struct hash_job *j);
/* No more is begun, and what is under way has come to its end. */
void hash_job_stop(struct hash_job *j);
void hash_job_free(struct hash_job *j); /* NULL is fine */

#endif
