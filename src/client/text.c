#include <string.h>

#include "base/hex.h"
#include "client/client.h"

/* Bytes of the UTF-8 character at p (RFC 3629), 0 when it is none. A NUL ends the text, so nothing past it
   is read. */
static size_t utf8_length(const unsigned char *p)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t n;
    } rows[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (p[0] < rows[i].first_low || p[0] > rows[i].first_high)
            continue;
        if (p[1] < rows[i].second_low || p[1] > rows[i].second_high)
            return 0;
        for (size_t k = 2; k < rows[i].n; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return rows[i].n;
    }
    return 0;
}

void client_text(char *out, size_t size, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t at = 0;
    while (*p != '\0') {
        size_t n = utf8_length(p);
        bool control = *p < 0x20 || *p == 0x7F;
        if (at + (n == 0 ? 1 : n) >= size)
            break;
        if (n == 0 || control) {
            out[at++] = control ? ' ' : '?';
            p++;
            continue;
        }
        memcpy(out + at, p, n);
        at += n;
        p += n;
    }
    out[at] = '\0';
}

bool client_json_escape(char *out, size_t size, size_t *at, const char *s)
{
    for (; *s != '\0'; s++) {
        bool escape = *s == '"' || *s == '\\';
        if (*at + 2 >= size)
            return false;
        if (escape)
            out[(*at)++] = '\\';
        out[(*at)++] = (unsigned char)*s < 0x20 ? ' ' : *s;
    }
    out[*at] = '\0';
    return true;
}

bool client_percent_encode(char *out, size_t size, size_t *at, const char *s)
{
    size_t n;
    if (str_percent(str_of(s), STR_UNRESERVED, out + *at, size - *at, &n) != 0)
        return false;
    *at += n;
    return true;
}

int client_sha256_hex(const struct pqota_sha256 *sha, const void *data, size_t n, char out[PQOTA_SHA256_HEX])
{
    unsigned char raw[SHA256_SIZE];
    if (sha->begin(sha->ctx) != PQOTA_OK || sha->update(sha->ctx, data, n) != PQOTA_OK ||
        sha->finish(sha->ctx, raw) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    hex_encode(raw, sizeof raw, out);
    return PQOTA_OK;
}

struct client_number client_number(uint64_t v)
{
    struct client_number out = {""};
    char reversed[sizeof out.text];
    size_t n = 0;
    do
        reversed[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        out.text[i] = reversed[n - 1 - i];
    return out;
}

bool client_is_sha256(struct str s)
{
    if (s.n != 2 * SHA256_SIZE)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return true;
}

bool client_is_name(const char *s)
{
    return str_is_name(str_of(s));
}
