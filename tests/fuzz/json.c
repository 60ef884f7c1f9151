/* Any bytes as a JSON body: what is taken is an object without repeated names, its members are in bounds. */
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(yyjson_val *root, const char *key)
{
    struct str s = STR("unset");
    int64_t n = -99;
    if (json_get_str(root, key, 32, &s, NULL) == 0 && s.p != NULL && (s.n > 32 || !str_is_text(s)))
        abort();
    if (json_get_pem(root, key, 32, &s, NULL) == 0 && s.p != NULL) {
        if (s.n > 32)
            abort();
        for (size_t i = 0; i < s.n; i++)
            if ((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n')
                abort();
    }
    if (json_get_i64(root, key, -5, 1000, 7, &n, NULL) == 0 && (n < -5 || n > 1000))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size > 0 ? size : 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    auto_json yyjson_doc *doc = NULL;
    struct err e = {0};
    int rc = json_parse_object((struct str){.p = text, .n = size}, &doc, &e);
    if (rc != 0 && (doc != NULL || e.text[0] == '\0'))
        abort();
    free(text); /* the document stands on its own */
    if (rc != 0)
        return 0;
    size_t i, max;
    yyjson_val *key, *val;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, max, key, val)
    {
        if (yyjson_obj_get(yyjson_doc_get_root(doc), yyjson_get_str(key)) == NULL)
            abort();
        check_member(yyjson_doc_get_root(doc), yyjson_get_str(key));
    }
    check_member(yyjson_doc_get_root(doc), "a");
    return 0;
}
