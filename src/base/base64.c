#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t n, char *out)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)p[i] << 16 | (have > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (have > 2 ? (unsigned)p[i + 2] : 0);
        *out++ = letters[v >> 18];
        *out++ = letters[v >> 12 & 63];
        *out++ = have > 1 ? letters[v >> 6 & 63] : '=';
        *out++ = have > 2 ? letters[v & 63] : '=';
    }
    *out = '\0';
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct str s, void *out, size_t *n)
{
    if (s.n % 4 != 0)
        return ERR_INVALID;
    unsigned char *to = out;
    size_t padding = s.n == 0 || s.p[s.n - 1] != '=' ? 0 : s.p[s.n - 2] != '=' ? 1 : 2;
    size_t whole = s.n / 4 * 3 - padding, k = 0;
    for (size_t i = 0; i < s.n; i += 4) {
        unsigned v = 0;
        for (size_t j = i; j < i + 4; j++) {
            int digit = j >= s.n - padding ? 0 : value_of(s.p[j]);
            if (digit < 0)
                return ERR_INVALID;
            v = v << 6 | (unsigned)digit;
        }
        unsigned char bytes[3] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v};
        for (size_t j = 0; j < 3; j++) {
            if (k < whole)
                to[k++] = bytes[j];
            else if (bytes[j] != 0) /* bits that stand for nothing must be zero */
                return ERR_INVALID;
        }
    }
    *n = whole;
    return 0;
}
