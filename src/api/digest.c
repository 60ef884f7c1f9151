#include "api/digest.h"

#include "base/base64.h"

#define HASH_TEXT 44 /* characters that stand for a SHA-256 */

static int decode_hash(struct str s, unsigned char out[SHA256_SIZE])
{
    unsigned char bytes[HASH_TEXT / 4 * 3];
    size_t n;
    if (s.n != HASH_TEXT || base64_decode(s, bytes, &n) != 0 || n != SHA256_SIZE)
        return ERR_INVALID;
    memcpy(out, bytes, SHA256_SIZE);
    return 0;
}

static int compare(const char *where, const unsigned char announced[SHA256_SIZE], const char *sha256,
                   struct err *e)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(announced, SHA256_SIZE, hex);
    if (strcmp(hex, sha256) == 0)
        return 0;
    return err_set(e, ERR_MISMATCH, "%s announces the SHA-256 %s, and what came has %s: nothing was kept",
                   where, hex, sha256);
}

static int check_hex(const char *where, struct str value, const char *sha256, struct err *e)
{
    unsigned char announced[SHA256_SIZE];
    if (hex_decode(str_trim(value), announced, sizeof announced) != 0)
        return err_set(e, ERR_INVALID, "%s must be a SHA-256 in 64 hexadecimal digits", where);
    return compare(where, announced, sha256, e);
}

/* RFC 9530: algorithm=:base64:, with commas between. Other algorithms than sha-256 are passed over. */
static int check_digest(const char *where, struct str value, const char *sha256, struct err *e)
{
    struct str rest = value, member;
    while (str_split(&rest, ',', &member)) {
        struct str text = str_trim(member), key;
        if (!str_split(&text, '=', &key) || !str_eq_nocase(str_trim(key), STR("sha-256")))
            continue;
        text = str_trim(text);
        unsigned char announced[SHA256_SIZE];
        if (text.n < 2 || text.p[0] != ':' || text.p[text.n - 1] != ':' ||
            decode_hash((struct str){.p = text.p + 1, .n = text.n - 2}, announced) != 0)
            return err_set(e, ERR_INVALID, "%s must have its sha-256 as sha-256=:<base64>: (RFC 9530)",
                           where);
        int rc = compare(where, announced, sha256, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int digest_check(const struct http_request *req, struct arena *a, const char *sha256, struct err *e)
{
    static const char *const digests[] = {"Repr-Digest", "Content-Digest"};
    struct str query, header = http_header_get(req, "X-Checksum-Sha256");
    int rc = http_query_get(req, "sha256", a, &query, e);
    if (rc == 0 && query.n > 0)
        rc = check_hex("sha256=", query, sha256, e);
    if (rc == 0 && header.p != NULL)
        rc = check_hex("X-Checksum-Sha256", header, sha256, e);
    for (size_t i = 0; rc == 0 && i < sizeof digests / sizeof digests[0]; i++) {
        header = http_header_get(req, digests[i]);
        if (header.p != NULL)
            rc = check_digest(digests[i], header, sha256, e);
    }
    return rc;
}
