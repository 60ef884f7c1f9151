/* Any bytes as a CBOR body: what is taken is JSON under our rules, and written as CBOR it reads the same. */
#include <stdlib.h>

#include "http/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void check_again(struct str json, struct arena *a)
{
    struct err e = {0};
    auto_json yyjson_doc *doc = NULL;
    need(json_parse(json, &doc, &e) == 0);
    auto_json_mut yyjson_mut_doc *mut = yyjson_doc_mut_copy(doc, NULL);
    need(mut != NULL);
    struct str bytes, again;
    need(cbor_from_json(mut, a, &bytes, &e) == 0);
    if (bytes.n > CBOR_IN_MAX)
        return;
    need(cbor_to_json(bytes, a, &again, &e) == 0);
    need(str_eq(again, json));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size > 0 ? size : 1); /* of exactly that size, so that ASan sees a read past it */
    need(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    auto_arena struct arena a;
    arena_init(&a, 4 << 20);
    struct str json = {.p = NULL, .n = 0};
    struct err e = {0};
    int rc = cbor_to_json((struct str){.p = bytes, .n = size}, &a, &json, &e);
    free(bytes); /* the text stands on its own */
    if (rc == 0)
        check_again(json, &a);
    else
        need(json.p == NULL && e.text[0] != '\0');
    return 0;
}
