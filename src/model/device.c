#include "model/device.h"

#include <stdio.h>

void device_id_make(struct str model, uint32_t random, char out[DEVICE_ID_MAX])
{
    size_t most = DEVICE_ID_MAX - 1 - 9, n = 0; /* "-" and eight digits follow */
    for (; n < model.n && n < most; n++) {
        struct str so_far = {.p = out, .n = n + 1};
        out[n] = model.p[n];
        if (!str_is_device_id(so_far))
            out[n] = n == 0 ? 'd' : '-';
    }
    snprintf(out + n, DEVICE_ID_MAX - n, n == 0 ? "d%08x" : "-%08x", random);
}
