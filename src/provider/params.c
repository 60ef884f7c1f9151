#include "provider/params.h"

#include <openssl/params.h>
#include <string.h>

bool params_bytes(const struct provider *p, const OSSL_PARAM *params, const char *name, struct key_bytes *out)
{
    static const uint8_t nothing[1];
    const void *bytes = NULL;
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, name);
    *out = (struct key_bytes){0};
    if (param == NULL)
        return true;
    if (param->data_type != OSSL_PARAM_OCTET_STRING && param->data_type != OSSL_PARAM_OCTET_PTR)
        return provider_raise(p, REASON_PARAMETER, "%s is not bytes", name);
    if (OSSL_PARAM_get_octet_string_ptr(param, &bytes, &out->n) != 1 || bytes == NULL)
        bytes = nothing;
    out->p = bytes;
    return true;
}

bool params_int(const struct provider *p, const OSSL_PARAM *params, const char *name, int *out)
{
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, name);
    if (param == NULL || OSSL_PARAM_get_int(param, out) == 1)
        return true;
    return provider_raise(p, REASON_PARAMETER, "%s is not a number", name);
}

uint8_t *params_room(const struct provider *p, OSSL_PARAM *params, const char *name, size_t n, bool *good)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);
    if (param == NULL)
        return NULL;
    if (param->data_type != OSSL_PARAM_OCTET_STRING) {
        *good = provider_raise(p, REASON_PARAMETER, "%s is bytes", name);
        return NULL;
    }
    param->return_size = n;
    if (param->data != NULL && param->data_size < n)
        *good =
            provider_raise(p, REASON_BUFFER, "%s takes %zu bytes, there are %zu", name, n, param->data_size);
    return *good ? param->data : NULL;
}

bool params_give(const struct provider *p, OSSL_PARAM *params, const char *name, struct key_bytes bytes)
{
    bool good = true;
    uint8_t *room = params_room(p, params, name, bytes.n, &good);
    if (room != NULL)
        memcpy(room, bytes.p, bytes.n);
    return good;
}

bool params_give_int(const struct provider *p, OSSL_PARAM *params, const char *name, size_t value)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);
    return param == NULL || OSSL_PARAM_set_int(param, (int)value) == 1 ||
           provider_raise(p, REASON_PARAMETER, "%s is a number", name);
}
