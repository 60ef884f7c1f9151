/* The console's pages, made at build time from web/ by tools/embed_web.py. */
#ifndef PQOTA_SERVER_WEB_H
#define PQOTA_SERVER_WEB_H

#include <stddef.h>

struct web_file {
    const char *name; /* "index.html", "views/fleet.js" */
    const char *type;
    const char *etag, *packed_etag; /* with their quotes */
    const unsigned char *whole;
    size_t whole_size;
    const unsigned char *packed; /* gzip */
    size_t packed_size;
};

extern const struct web_file web_files[];
extern const size_t web_file_count;

#endif
