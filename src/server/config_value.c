/* One setting's value: text to field, one function a type. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include "base/file.h"
#include "server/config_table.h"

struct place {
    const struct config_row *row;
    const char *folder;
    struct arena *arena;
    void *field;
};

static int as_bool(const struct place *at, struct str v)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"true", true},   {"on", true},
                 {"no", false}, {"false", false}, {"off", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_eq_nocase(v, str_of(words[i].word))) {
            *(bool *)at->field = words[i].value;
            return 0;
        }
    return ERR_INVALID;
}

static int in_range(const struct place *at, uint64_t v)
{
    if (v > INT64_MAX || (int64_t)v < at->row->min || (int64_t)v > at->row->max)
        return ERR_INVALID;
    *(int64_t *)at->field = (int64_t)v;
    return 0;
}

static int as_int(const struct place *at, struct str v)
{
    uint64_t n;
    return str_to_u64(v, INT64_MAX, &n) == 0 ? in_range(at, n) : ERR_INVALID;
}

static int as_size(const struct place *at, struct str v)
{
    static const char units[] = "KMGT";
    const char *unit = v.n > 0 ? memchr(units, toupper((unsigned char)v.p[v.n - 1]), sizeof units - 1) : NULL;
    unsigned int shift = unit != NULL ? 10U * (unsigned int)(unit - units + 1) : 0;
    struct str digits = {.p = v.p, .n = v.n - (unit != NULL)};
    uint64_t n;
    return str_to_u64(digits, (uint64_t)INT64_MAX >> shift, &n) == 0 ? in_range(at, n << shift) : ERR_INVALID;
}

static int as_mode(const struct place *at, struct str v)
{
    uint64_t n = 0;
    if (v.n == 0 || v.n > 5)
        return ERR_INVALID;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '7')
            return ERR_INVALID;
        n = n * 8 + (uint64_t)(v.p[i] - '0');
    }
    return in_range(at, n);
}

static int choice_of(const struct place *at, struct str v)
{
    for (int i = 0; at->row->choices[i] != NULL; i++)
        if (str_is(v, at->row->choices[i]))
            return i;
    return -1;
}

/* An enum without negative values has unsigned's form. */
static int as_enum(const struct place *at, struct str v)
{
    int i = choice_of(at, v);
    if (i < 0)
        return ERR_INVALID;
    memcpy(at->field, &(unsigned){(unsigned)i}, sizeof(unsigned));
    return 0;
}

static int keep(const struct place *at, const char *text)
{
    if (text == NULL)
        return ERR_NOMEM;
    *(const char **)at->field = text;
    return 0;
}

static int as_choice(const struct place *at, struct str v)
{
    int i = choice_of(at, v);
    return i >= 0 ? keep(at, at->row->choices[i]) : ERR_INVALID;
}

static int as_text(const struct place *at, struct str v)
{
    return keep(at, arena_dup_str(at->arena, v));
}

static int as_url(const struct place *at, struct str v)
{
    static const char *const schemes[] = {"https://", "http://"};
    if (v.n == 0)
        return as_text(at, v);
    for (size_t i = 0; i < 2; i++) {
        struct str scheme = str_of(schemes[i]);
        if (v.n <= scheme.n || memcmp(v.p, scheme.p, scheme.n) != 0)
            continue;
        struct str host = {.p = v.p + scheme.n, .n = v.n - scheme.n};
        for (size_t j = 0; j < host.n; j++)
            if (!isalnum((unsigned char)host.p[j]) && strchr(".-_:[]", host.p[j]) == NULL)
                return ERR_INVALID;
        return as_text(at, v);
    }
    return ERR_INVALID;
}

static int as_listen(const struct place *at, struct str v)
{
    struct sockaddr_storage address;
    struct str rest = v;
    int count = 0, rc;
    while ((rc = config_listen_next(&rest, &address, NULL)) == 1)
        count++;
    return rc == 0 && count > 0 ? as_text(at, v) : ERR_INVALID;
}

static int as_nets(const struct place *at, struct str v)
{
    struct config_network network;
    struct str rest = v;
    int rc = 0;
    while (v.n > 0 && (rc = config_network_next(&rest, &network, NULL)) == 1)
        continue;
    return rc == 0 ? as_text(at, v) : ERR_INVALID;
}

static int as_path(const struct place *at, struct str v)
{
    if (v.n == 0)
        return ERR_INVALID;
    if (v.p[0] == '/' || strcmp(at->folder, ".") == 0)
        return as_text(at, v);
    return keep(at, arena_printf(at->arena, "%s/" STR_FMT, at->folder, STR_ARG(v)));
}

/* "pkcs11:..." is a URI; what is a file is a file, whatever its name. */
static int as_key(const struct place *at, struct str v)
{
    const char *path = NULL;
    struct place as_file = *at;
    as_file.field = &path;
    int rc = as_path(&as_file, v);
    if (rc != 0)
        return rc;
    size_t n = 0;
    while (n < v.n && (isalnum((unsigned char)v.p[n]) || strchr("+-.", v.p[n]) != NULL))
        n++;
    bool uri = n > 1 && n < v.n && v.p[n] == ':' && isalpha((unsigned char)v.p[0]);
    return uri && !file_exists(path) ? as_text(at, v) : keep(at, path);
}

static int (*const readers[])(const struct place *, struct str) = {
    [CONFIG_BOOL] = as_bool, [CONFIG_INT] = as_int,   [CONFIG_SIZE] = as_size,
    [CONFIG_MODE] = as_mode, [CONFIG_ENUM] = as_enum, [CONFIG_CHOICE] = as_choice,
    [CONFIG_TEXT] = as_text, [CONFIG_URL] = as_url,   [CONFIG_LISTEN] = as_listen,
    [CONFIG_NETS] = as_nets, [CONFIG_PATH] = as_path, [CONFIG_KEY] = as_key,
};

int config_value_set(const struct config_row *row, struct str value, const char *folder, struct arena *a,
                     struct server_config *out, struct err *e)
{
    struct place at = {.row = row, .folder = folder, .arena = a, .field = (char *)out + row->offset};
    int rc = ERR_INVALID;
    if (value.n <= CONFIG_VALUE_MAX && str_is_text(value) && memchr(value.p, '\n', value.n) == NULL)
        rc = readers[row->type](&at, value);
    if (rc == 0)
        return 0;
    if (rc == ERR_NOMEM)
        return err_set(e, ERR_NOMEM, "no memory for the settings");
    auto_buf struct buf rule;
    buf_init(&rule, ERR_TEXT_MAX);
    if (config_value_rule(row, &rule) != 0)
        return err_set(e, ERR_NOMEM, "no memory for the settings");
    return err_set(e, ERR_INVALID, "[%s] %s = \"%.*s\" is not %s", row->section, row->key,
                   (int)(value.n < 80 ? value.n : 80), value.p, rule.p);
}

static int size_text(int64_t v, struct buf *out)
{
    static const char units[] = "KMGT";
    size_t unit = 0;
    while (v >= 1024 && v % 1024 == 0 && unit < 4) {
        v /= 1024;
        unit++;
    }
    return unit > 0 ? buf_printf(out, "%lld%c", (long long)v, units[unit - 1])
                    : buf_printf(out, "%lld", (long long)v);
}

static int size_rule(const struct config_row *row, struct buf *out)
{
    int rc = buf_printf(out, "a size from ");
    if (rc == 0)
        rc = size_text(row->min, out);
    if (rc == 0)
        rc = buf_printf(out, " to ");
    if (rc == 0)
        rc = size_text(row->max, out);
    return rc == 0 ? buf_printf(out, " (K, M, G and T are powers of 1024)") : rc;
}

static int choice_rule(const struct config_row *row, struct buf *out)
{
    int rc = buf_printf(out, "one of ");
    for (size_t i = 0; rc == 0 && row->choices[i] != NULL; i++)
        rc = buf_printf(out, "%s%s", i > 0 ? ", " : "", row->choices[i]);
    return rc;
}

int config_value_rule(const struct config_row *row, struct buf *out)
{
    switch (row->type) {
    case CONFIG_BOOL:
        return buf_printf(out, "yes or no");
    case CONFIG_INT:
        return buf_printf(out, "a whole number from %lld to %lld", (long long)row->min, (long long)row->max);
    case CONFIG_SIZE:
        return size_rule(row, out);
    case CONFIG_MODE:
        return buf_printf(out, "octal permissions from 0 to 0%llo", (unsigned long long)row->max);
    case CONFIG_ENUM:
    case CONFIG_CHOICE:
        return choice_rule(row, out);
    case CONFIG_URL:
        return buf_printf(out, "empty or https://HOST or https://HOST:PORT, with no path");
    case CONFIG_LISTEN:
        return buf_printf(out, "a list of addresses with ports, such as \"[::]:8443, 192.0.2.1:8443\"");
    case CONFIG_NETS:
        return buf_printf(out, "a list of addresses and networks, such as \"192.0.2.7, 2001:db8::/64\"");
    case CONFIG_PATH:
        return buf_printf(out, "a path");
    case CONFIG_KEY:
        return buf_printf(out, "a path or a URI");
    case CONFIG_TEXT:
        return buf_printf(out, "text of at most %d bytes without control characters", CONFIG_VALUE_MAX);
    }
    return ERR_INTERNAL;
}

static int set_address(struct str host, uint16_t port, bool six, struct sockaddr_storage *out)
{
    char text[INET6_ADDRSTRLEN];
    if (host.n == 0 || host.n >= sizeof text)
        return ERR_INVALID;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    struct sockaddr_storage s;
    memset(&s, 0, sizeof s);
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;
    struct sockaddr_in *in4 = (struct sockaddr_in *)&s;
    s.ss_family = six ? AF_INET6 : AF_INET;
    if (inet_pton(s.ss_family, text, six ? (void *)&in6->sin6_addr : (void *)&in4->sin_addr) != 1)
        return ERR_INVALID;
    if (six)
        in6->sin6_port = htons(port);
    else
        in4->sin_port = htons(port);
    *out = s;
    return 0;
}

static int parse_listen(struct str item, struct sockaddr_storage *out)
{
    const char *colon = memrchr(item.p, ':', item.n);
    if (colon == NULL)
        return ERR_INVALID;
    struct str host = {.p = item.p, .n = (size_t)(colon - item.p)};
    struct str digits = {.p = colon + 1, .n = item.n - host.n - 1};
    uint64_t port;
    if (str_to_u64(digits, UINT16_MAX, &port) != 0)
        return ERR_INVALID;
    bool six = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (six)
        host = (struct str){.p = host.p + 1, .n = host.n - 2};
    return set_address(host, (uint16_t)port, six, out);
}

int config_listen_next(struct str *rest, struct sockaddr_storage *out, struct err *e)
{
    struct str item, left = *rest;
    if (!str_split(&left, ',', &item))
        return 0;
    item = str_trim(item);
    if (item.n == 0 || parse_listen(item, out) != 0)
        return err_set(e, ERR_INVALID, "\"" STR_FMT "\" is not [IPv6]:PORT or IPv4:PORT", STR_ARG(item));
    *rest = left;
    return 1;
}

static int parse_network(struct str item, struct config_network *out)
{
    struct str host, digits = item;
    struct config_network n = {.family = AF_INET};
    char text[INET6_ADDRSTRLEN];
    uint64_t bits;
    bool has_bits = memchr(item.p, '/', item.n) != NULL;
    if (!str_split(&digits, '/', &host) || host.n == 0 || host.n >= sizeof text)
        return ERR_INVALID;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (memchr(text, ':', host.n) != NULL)
        n.family = AF_INET6;
    if (inet_pton(n.family, text, n.bytes) != 1)
        return ERR_INVALID;
    n.bits = n.family == AF_INET6 ? 128 : 32;
    if (has_bits && str_to_u64(digits, n.bits, &bits) != 0)
        return ERR_INVALID;
    if (has_bits)
        n.bits = (unsigned)bits;
    *out = n;
    return 0;
}

int config_network_next(struct str *rest, struct config_network *out, struct err *e)
{
    struct str item, left = *rest;
    if (!str_split(&left, ',', &item))
        return 0;
    item = str_trim(item);
    if (item.n == 0 || parse_network(item, out) != 0)
        return err_set(e, ERR_INVALID, "\"" STR_FMT "\" is no address and no ADDRESS/BITS", STR_ARG(item));
    *rest = left;
    return 1;
}
