/* Any JSON as a target's custom fields: what is taken of it is as it must be. */
#include <stdlib.h>

#include "trust/custom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust_custom c = {.sequence = -1};
    struct err e = {.code = 0};
    char path[1024];
    yyjson_doc *doc = yyjson_read((const char *)data, size, 0);
    int rc = trust_custom_read(yyjson_doc_get_root(doc), &c, &e);
    if (rc != 0 && (rc != ERR_INVALID || c.sequence != -1 || e.text[0] == '\0'))
        abort();
    if (rc == 0 && (!str_is_name(c.name) || !str_is_name(c.version) || !str_is_name(c.model) ||
                    c.sequence < 1 || c.counter < 0 || c.upgrade_from < 0 || c.unpacked_size < 0 ||
                    c.advisory.n > TRUST_ADVISORY_MAX || (c.type.p != NULL && !str_is_name(c.type))))
        abort();
    if (rc == 0)
        (void)trust_target_path(c.model, c.name, c.version, STR("image.bin"), path, sizeof path);
    yyjson_doc_free(doc);
    return 0;
}
