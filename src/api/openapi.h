/* docs/openapi.yaml as JSON, made by tools/embed_openapi.py when the program is built. */
#ifndef PQOTA_API_OPENAPI_H
#define PQOTA_API_OPENAPI_H

#include <stddef.h>

extern const unsigned char openapi_json[];
extern const size_t openapi_size;
extern const char openapi_etag[]; /* with its quotes */

#endif
