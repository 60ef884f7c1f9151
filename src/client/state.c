/*
 * The stored state: lines "key=value" in a fixed order, the last of them the SHA-256 of those before it, so
 * that a person can read it and damage is noticed.
 */
#include <stdio.h>
#include <string.h>

#include "client/client.h"

#define HEAD "pqota-state 3\n"
#define HEAD_1 "pqota-state 1\n" /* of the first form, which ends before "vouched" */
#define FIELDS_1 16
#define HEAD_2 "pqota-state 2\n" /* of the second, which ends before "hold" */
#define FIELDS_2 24
#define SEAL "sha256="

_Static_assert(sizeof HEAD == sizeof HEAD_1 && sizeof HEAD == sizeof HEAD_2, "all are skipped alike");

enum kind { WORD, NUMBER };

/* Each stored field once. `size` is the array's for a word, of the integer for a number. */
static const struct field {
    const char *key;
    enum kind kind;
    size_t offset, size;
    uint64_t most;                /* of a number */
    bool (*valid)(const char *s); /* of a word that is not empty; NULL: any text */
} fields[] = {
#define FIELD_WORD(key, member, valid)                                                                       \
    {key, WORD, offsetof(struct client_state, member), sizeof((struct client_state *)0)->member, 0, valid}
#define FIELD_NUMBER(key, member, most)                                                                      \
    {key, NUMBER, offsetof(struct client_state, member), sizeof((struct client_state *)0)->member, most, NULL}
    FIELD_NUMBER("state", state, PQOTA_READY),
    FIELD_NUMBER("action", action, INT32_MAX),
    FIELD_WORD("name", name, client_is_name),
    FIELD_WORD("version", version, client_is_name),
    FIELD_WORD("filename", filename, client_is_name),
    FIELD_WORD("path", path, NULL),
    FIELD_WORD("artifact", sha256, NULL),
    FIELD_NUMBER("size", size, INT64_MAX),
    FIELD_NUMBER("have", have, INT64_MAX),
    FIELD_NUMBER("downloads", downloads, UINT32_MAX),
    FIELD_NUMBER("installs", installs, UINT32_MAX),
    FIELD_NUMBER("acked", acked, PQOTA_READY),
    FIELD_WORD("boot", boot, client_is_name),
    FIELD_NUMBER("outcome", outcome, PQOTA_FAILED),
    FIELD_WORD("running", running, client_is_name),
    FIELD_WORD("message", message, NULL),
    FIELD_NUMBER("vouched", vouched, 1),
    FIELD_NUMBER("sequence", sequence, UINT32_MAX),
    FIELD_NUMBER("counter", counter, UINT32_MAX),
    FIELD_NUMBER("stale", stale, UINT32_MAX),
    FIELD_NUMBER("later", later, UINT32_MAX),
    FIELD_NUMBER("confirmed", confirmed, 1),
    FIELD_NUMBER("confirmed-sequence", confirmed_sequence, UINT32_MAX),
    FIELD_NUMBER("confirmed-counter", confirmed_counter, UINT32_MAX),
    FIELD_NUMBER("hold", hold, 1),
    FIELD_NUMBER("denied", denied, INT32_MAX),
};
#define FIELDS (sizeof fields / sizeof *fields)

static uint64_t get_number(const struct client_state *st, const struct field *f)
{
    const char *p = (const char *)st + f->offset;
    uint32_t small;
    uint64_t large;
    if (f->size == sizeof small) {
        memcpy(&small, p, sizeof small);
        return small;
    }
    memcpy(&large, p, sizeof large);
    return large;
}

static void set_number(struct client_state *st, const struct field *f, uint64_t v)
{
    char *p = (char *)st + f->offset;
    uint32_t small = (uint32_t)v;
    if (f->size == sizeof small)
        memcpy(p, &small, sizeof small);
    else
        memcpy(p, &v, sizeof v);
}

_Static_assert(sizeof(enum pqota_state) == sizeof(uint32_t) && sizeof(enum pqota_outcome) == sizeof(uint32_t),
               "stored enumerations are 32 bits wide: compile without -fshort-enums");

size_t client_state_write(const struct client_state *st, const struct pqota_sha256 *sha,
                          char out[PQOTA_STATE_SIZE])
{
    size_t n = (size_t)snprintf(out, PQOTA_STATE_SIZE, HEAD);
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        int w = f->kind == WORD
                    ? snprintf(out + n, PQOTA_STATE_SIZE - n, "%s=%s\n", f->key, (const char *)st + f->offset)
                    : snprintf(out + n, PQOTA_STATE_SIZE - n, "%s=%s\n", f->key,
                               client_number(get_number(st, f)).text);
        if (w < 0 || (size_t)w >= PQOTA_STATE_SIZE - n)
            return 0;
        n += (size_t)w;
    }
    char seal[PQOTA_SHA256_HEX];
    if (client_sha256_hex(sha, out, n, seal) != PQOTA_OK)
        return 0;
    int w = snprintf(out + n, PQOTA_STATE_SIZE - n, SEAL "%s\n", seal);
    return w < 0 || (size_t)w >= PQOTA_STATE_SIZE - n ? 0 : n + (size_t)w;
}

static int read_field(const struct field *f, struct str value, struct client_state *st)
{
    if (f->kind == NUMBER) {
        uint64_t v;
        if (str_to_u64(value, f->most, &v) != 0)
            return PQOTA_E_INVALID;
        set_number(st, f, v);
        return PQOTA_OK;
    }
    char *p = (char *)st + f->offset;
    if (value.n >= f->size || !str_is_text(value))
        return PQOTA_E_INVALID;
    memcpy(p, value.p, value.n);
    p[value.n] = '\0';
    return value.n == 0 || f->valid == NULL || f->valid(p) ? PQOTA_OK : PQOTA_E_INVALID;
}

/* What an update in progress cannot be without. */
static bool sensible(const struct client_state *st)
{
    if (st->state == PQOTA_IDLE)
        return true;
    if (st->action == 0)
        return false;
    if (st->state == PQOTA_REPORTING)
        return st->outcome != PQOTA_OUTCOME_NONE;
    return st->name[0] != '\0' && st->version[0] != '\0' && st->filename[0] != '\0' && st->path[0] == '/' &&
           client_is_sha256(str_of(st->sha256)) && st->size > 0 && st->have <= st->size;
}

static bool starts_with(struct str s, const char *head)
{
    size_t n = strlen(head);
    return s.n >= n && memcmp(s.p, head, n) == 0;
}

/* How many fields it has; 0: it is no state of ours. */
static size_t fields_of(struct str all)
{
    return starts_with(all, HEAD)     ? FIELDS
           : starts_with(all, HEAD_2) ? FIELDS_2
           : starts_with(all, HEAD_1) ? FIELDS_1
                                      : 0;
}

static int check_seal(struct str all, const struct pqota_sha256 *sha, struct str *body)
{
    size_t tail = sizeof SEAL - 1 + PQOTA_SHA256_HEX; /* the NUL's place is the newline's */
    char seal[PQOTA_SHA256_HEX];
    if (all.n < sizeof HEAD - 1 + tail || fields_of(all) == 0)
        return PQOTA_E_INVALID;
    size_t n = all.n - tail;
    if (memcmp(all.p + n, SEAL, sizeof SEAL - 1) != 0 || all.p[all.n - 1] != '\n' ||
        client_sha256_hex(sha, all.p, n, seal) != PQOTA_OK ||
        memcmp(all.p + n + sizeof SEAL - 1, seal, sizeof seal - 1) != 0)
        return PQOTA_E_INVALID;
    *body = (struct str){.p = all.p + sizeof HEAD - 1, .n = n - (sizeof HEAD - 1)};
    return PQOTA_OK;
}

int client_state_read(const char *text, size_t n, const struct pqota_sha256 *sha, struct client_state *out)
{
    struct client_state st = {0};
    struct str rest, line, key;
    struct str all = {.p = text, .n = n};
    if (check_seal(all, sha, &rest) != PQOTA_OK)
        return PQOTA_E_INVALID;
    size_t count = fields_of(all);
    for (size_t i = 0; i < count; i++) {
        if (!str_split(&rest, '\n', &line) || !str_split(&line, '=', &key) || !str_is(key, fields[i].key) ||
            line.p == NULL || read_field(&fields[i], line, &st) != PQOTA_OK)
            return PQOTA_E_INVALID;
    }
    if (rest.n != 0 || !sensible(&st))
        return PQOTA_E_INVALID;
    *out = st;
    return PQOTA_OK;
}
