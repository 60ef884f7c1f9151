#include "base/hex.h"

void hex_encode(const void *data, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(struct str s, void *out, size_t n)
{
    if (s.n % 2 != 0 || s.n / 2 != n)
        return ERR_INVALID;
    for (size_t i = 0; i < s.n; i++)
        if (digit(s.p[i]) < 0)
            return ERR_INVALID;
    unsigned char *p = out;
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(digit(s.p[2 * i]) * 16 + digit(s.p[2 * i + 1]));
    return 0;
}
