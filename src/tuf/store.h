/* The metadata folder: one unversioned file a role, "<role, percent-encoded>.json", bytes as served. */
#ifndef PQOTA_TUF_STORE_H
#define PQOTA_TUF_STORE_H

#include "trust/client.h"

/* dir must outlive it. */
struct tuf_store store_folder(const char *dir);

#endif
