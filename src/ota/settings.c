#include "ota/settings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "keys/seal.h"
#include "ota/ddi_device.h"
#include "ota/ota.h"
#include "store/events.h"
#include "store/settings.h"

#define NO_FIELD SIZE_MAX
#define LOAD_ARENA_MAX 262144
/* A device's id has no slash in it: no token can be taken for this, and this for none. */
#define GATEWAY_AD "setting/" SETTING_GATEWAY_KEY

#define AT(field) offsetof(struct ddi_settings, field)
static const struct row {
    const char *key;
    enum setting_kind kind;
    size_t offset;
} rows[] = {
    {SETTING_POLLING, SETTING_TIME, AT(poll_seconds)},
    {SETTING_OVERDUE, SETTING_TIME, AT(overdue_seconds)},
    {SETTING_TARGET_TOKEN, SETTING_BOOL, AT(target_token)},
    {SETTING_GATEWAY_TOKEN, SETTING_BOOL, AT(gateway_token)},
    {SETTING_GATEWAY_KEY, SETTING_SECRET, AT(gateway_hash)},
    {SETTING_HEADER, SETTING_BOOL, AT(header)},
    {SETTING_AUTHORITY, SETTING_TEXT, AT(header_authority)},
    {SETTING_ANONYMOUS, SETTING_BOOL, NO_FIELD}, /* there is no such thing here: false */
};
#define ROWS (sizeof rows / sizeof rows[0])

struct settings {
    pthread_rwlock_t lock;
    struct ddi_settings file, now;
    char *set[ROWS]; /* what the rows say, NULL: there is none */
    atomic_bool stale;
};

static const struct row *find(const char *key)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].key, key) == 0)
            return &rows[i];
    return NULL;
}

static void *field_of(struct ddi_settings *s, const struct row *row)
{
    return (char *)s + row->offset;
}

/* --- values as rows have them ----------------------------------------------------------------------- */

char *settings_time_text(int64_t seconds, char out[SETTINGS_TIME_SIZE])
{
    int s = seconds < 0 ? 0 : seconds > SETTINGS_POLL_MAX ? SETTINGS_POLL_MAX : (int)seconds;
    const int parts[] = {s / 3600, s / 60 % 60, s % 60};
    for (size_t i = 0; i < 3; i++) {
        out[3 * i] = (char)('0' + parts[i] / 10);
        out[3 * i + 1] = (char)('0' + parts[i] % 10);
        out[3 * i + 2] = i < 2 ? ':' : '\0';
    }
    return out;
}

int settings_time_parse(struct str text, int64_t *seconds)
{
    int64_t part[3];
    if (text.n != SETTINGS_TIME_SIZE - 1 || text.p[2] != ':' || text.p[5] != ':')
        return ERR_INVALID;
    for (size_t i = 0; i < 3; i++) {
        const char *p = text.p + 3 * i;
        if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
            return ERR_INVALID;
        part[i] = (p[0] - '0') * 10 + (p[1] - '0');
    }
    if (part[0] > 23 || part[1] > 59 || part[2] > 59)
        return ERR_INVALID;
    *seconds = part[0] * 3600 + part[1] * 60 + part[2];
    return 0;
}

static int apply_bool(const struct row *row, struct str text, struct ddi_settings *out)
{
    bool on = str_is(text, "true");
    if ((!on && !str_is(text, "false")) || (on && row->offset == NO_FIELD))
        return ERR_INVALID;
    if (row->offset != NO_FIELD)
        *(bool *)field_of(out, row) = on;
    return 0;
}

/* "<hash> <sealed, base64>": the hash counts also where the key that sealed is lost. */
static int apply_secret(struct str text, char *hash)
{
    unsigned char raw[SHA256_SIZE];
    struct str hex = {.p = text.p, .n = SHA256_HEX_SIZE - 1};
    if (text.n <= hex.n || text.p[hex.n] != ' ' || hex_decode(hex, raw, sizeof raw) != 0)
        return ERR_INVALID;
    hex_encode(raw, sizeof raw, hash);
    return 0;
}

/* Into the field. ERR_INVALID leaves it. */
static int apply(const struct row *row, struct str text, struct ddi_settings *out)
{
    int64_t seconds;
    switch (row->kind) {
    case SETTING_BOOL:
        return apply_bool(row, text, out);
    case SETTING_TIME:
        if (settings_time_parse(text, &seconds) != 0 || seconds < 1)
            return ERR_INVALID;
        *(int64_t *)field_of(out, row) = seconds;
        return 0;
    case SETTING_TEXT:
        if (text.n >= SETTINGS_TEXT_SIZE || !str_is_text(text))
            return ERR_INVALID;
        snprintf(field_of(out, row), SETTINGS_TEXT_SIZE, STR_FMT, STR_ARG(text));
        return 0;
    case SETTING_SECRET:
        return apply_secret(text, field_of(out, row));
    }
    return ERR_INVALID;
}

/* As it stands in `s`; NULL: a secret, or no memory. */
static const char *text_of(const struct row *row, struct ddi_settings *s, struct arena *a)
{
    char time[SETTINGS_TIME_SIZE];
    switch (row->kind) {
    case SETTING_BOOL:
        return row->offset != NO_FIELD && *(bool *)field_of(s, row) ? "true" : "false";
    case SETTING_TIME:
        return arena_dup_str(a, str_of(settings_time_text(*(int64_t *)field_of(s, row), time)));
    case SETTING_TEXT:
        return arena_dup_str(a, str_of(field_of(s, row)));
    case SETTING_SECRET:
        break;
    }
    return NULL;
}

/* --- in memory -------------------------------------------------------------------------------------- */

int settings_new(struct settings **out, struct err *e)
{
    struct settings *s = calloc(1, sizeof *s);
    if (s == NULL || pthread_rwlock_init(&s->lock, NULL) != 0) {
        free(s);
        return err_set(e, ERR_NOMEM, "no memory for the settings");
    }
    atomic_init(&s->stale, true);
    *out = s;
    return 0;
}

static void free_texts(char **set)
{
    for (size_t i = 0; i < ROWS; i++)
        free(set[i]);
}

void settings_free(struct settings *s)
{
    if (s == NULL)
        return;
    free_texts(s->set);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* Under the lock. */
static void combine(struct settings *s)
{
    s->now = s->file;
    s->now.gateway_hash[0] = '\0'; /* never in a file */
    for (size_t i = 0; i < ROWS; i++)
        if (s->set[i] != NULL && apply(&rows[i], str_of(s->set[i]), &s->now) != 0)
            log_error("ota", "a setting in the database is none; the configuration file counts",
                      LOG_STR("setting", rows[i].key));
}

void settings_set_file(struct settings *s, const struct ddi_settings *file)
{
    pthread_rwlock_wrlock(&s->lock);
    s->file = *file;
    combine(s);
    pthread_rwlock_unlock(&s->lock);
}

static int read_rows(struct db *db, char **set, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, LOAD_ARENA_MAX);
    struct setting *list;
    size_t count = 0;
    int rc = store_setting_list(db, &a, &list, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct row *row = find(list[i].key);
        if (row == NULL)
            continue; /* a newer pqota's */
        set[row - rows] = strdup(list[i].value);
        if (set[row - rows] == NULL)
            rc = err_set(e, ERR_NOMEM, "no memory for the settings");
    }
    return rc;
}

int settings_load(struct settings *s, struct db *db, struct err *e)
{
    char *set[ROWS] = {NULL};
    atomic_store(&s->stale, false);
    int rc = read_rows(db, set, e);
    if (rc != 0) {
        atomic_store(&s->stale, true);
        free_texts(set);
        return err_context(e, "cannot read the settings from the database");
    }
    char *old[ROWS];
    pthread_rwlock_wrlock(&s->lock);
    memcpy(old, s->set, sizeof old);
    memcpy(s->set, set, sizeof set);
    combine(s);
    pthread_rwlock_unlock(&s->lock);
    free_texts(old);
    return 0;
}

void settings_mark_stale(struct settings *s)
{
    atomic_store(&s->stale, true);
}

bool settings_stale(struct settings *s)
{
    return atomic_load(&s->stale);
}

void settings_get(struct settings *s, struct ddi_settings *out)
{
    pthread_rwlock_rdlock(&s->lock);
    *out = s->now;
    pthread_rwlock_unlock(&s->lock);
}

void settings_get_brief(struct settings *s, struct ddi_settings *out)
{
    pthread_rwlock_rdlock(&s->lock);
    memcpy(out, &s->now, offsetof(struct ddi_settings, header_authority));
    pthread_rwlock_unlock(&s->lock);
    out->header_authority[0] = out->model[0] = out->version_attribute[0] = out->unsigned_models[0] = '\0';
}

bool settings_unsigned_model(const struct ddi_settings *s, struct str model)
{
    struct str rest = str_of(s->unsigned_models), one;
    while (str_split(&rest, ',', &one))
        if (model.n > 0 && str_eq(str_trim(one), model))
            return true;
    return false;
}

/* --- asking ----------------------------------------------------------------------------------------- */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a setting");
}

static int unknown(const char *key, struct err *e)
{
    const char *names[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        names[i] = rows[i].key;
    const char *near = str_nearest(str_of(key), names, ROWS);
    if (near != NULL)
        return err_set(e, ERR_NOT_FOUND, "there is no setting \"%.80s\"; did you mean \"%s\"?", key, near);
    return err_set(e, ERR_NOT_FOUND, "there is no setting \"%.80s\"", key);
}

int ota_setting_list(struct ota *ota, struct db *db, struct arena *a, struct setting_value **out,
                     size_t *count, struct err *e)
{
    struct ddi_settings *now = arena_new(a, struct ddi_settings);
    struct setting_value *values = arena_array(a, struct setting_value, ROWS);
    struct setting *list;
    size_t set = 0;
    if (now == NULL || values == NULL)
        return no_memory(e);
    int rc = store_setting_list(db, a, &list, &set, e);
    if (rc != 0)
        return rc;
    settings_get(ota->settings, now);
    for (size_t i = 0; i < ROWS; i++) {
        values[i] = (struct setting_value){
            .key = rows[i].key, .kind = rows[i].kind, .text = text_of(&rows[i], now, a)};
        values[i].on = rows[i].kind == SETTING_BOOL && strcmp(values[i].text, "true") == 0;
        if (values[i].text == NULL && rows[i].kind != SETTING_SECRET)
            return no_memory(e);
        for (size_t j = 0; j < set; j++)
            if (strcmp(list[j].key, rows[i].key) == 0) {
                values[i].set = true;
                values[i].changed_at = list[j].changed_at;
                values[i].changed_by = list[j].changed_by;
            }
    }
    *out = values;
    *count = ROWS;
    return 0;
}

/* From the row: what is in memory has the hash alone. */
static int open_secret(struct ota *ota, struct db *db, struct arena *a, const struct row *row,
                       const char **out, struct err *e)
{
    struct setting *list;
    size_t count = 0;
    *out = NULL;
    int rc = store_setting_list(db, a, &list, &count, e);
    const char *stored = NULL;
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (strcmp(list[i].key, row->key) == 0)
            stored = list[i].value;
    if (rc != 0 || stored == NULL)
        return rc;
    size_t n = strlen(stored);
    struct str text = {.p = stored + SHA256_HEX_SIZE, .n = n > SHA256_HEX_SIZE ? n - SHA256_HEX_SIZE : 0};
    unsigned char *sealed = arena_alloc(a, text.n / 4 * 3 + 1);
    size_t size = 0;
    auto_wiped_buf struct buf plain;
    buf_init(&plain, SEAL_PLAIN_MAX);
    if (sealed == NULL)
        return no_memory(e);
    if (base64_decode(text, sealed, &size) != 0)
        return err_set(e, ERR_CONFLICT, "the setting %s is damaged; set it again", row->key);
    rc = unseal(ota->sealer, STR(GATEWAY_AD), (struct str){.p = (const char *)sealed, .n = size}, &plain, e);
    if (rc != 0) {
        (void)err_context(e, "the setting %s cannot be shown; it counts still, and can be set again",
                          row->key);
        if (e != NULL)
            e->code = ERR_CONFLICT;
        return ERR_CONFLICT; /* with the secret key that is there now: a person can do something */
    }
    *out = arena_dup_str(a, buf_str(&plain));
    return *out != NULL ? 0 : no_memory(e);
}

int ota_setting_show(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *key, struct setting_value *out, struct err *e)
{
    const struct row *row = find(key);
    struct setting_value *values;
    size_t count;
    if (row == NULL)
        return unknown(key, e);
    if (row->kind == SETTING_SECRET && (who->who & WHO_WRITERS) == 0)
        return err_set(e, ERR_DENIED, "the setting %s is shown to operators and admins alone", key);
    int rc = ota_setting_list(ota, db, a, &values, &count, e);
    if (rc == 0 && row->kind == SETTING_SECRET)
        rc = open_secret(ota, db, a, row, &values[row - rows].text, e);
    if (rc == 0)
        *out = values[row - rows];
    return rc;
}

/* --- changing --------------------------------------------------------------------------------------- */

static int wrong(const struct row *row, struct err *e)
{
    static const char *const rules[] = {
        [SETTING_BOOL] = "is true or false",
        [SETTING_TIME] = "is a time from 00:00:01 to 23:59:59",
        [SETTING_TEXT] = "is text of at most 1024 bytes",
        [SETTING_SECRET] = "is a secret",
    };
    if (row->offset == NO_FIELD)
        return err_set(e, ERR_INVALID, "%s: nothing is handed out to who does not say who it is", row->key);
    return err_set(e, ERR_INVALID, "%s %s", row->key, rules[row->kind]);
}

static int seal_secret(struct ota *ota, struct arena *a, struct str text, const char **out, struct err *e)
{
    char hash[SHA256_HEX_SIZE];
    auto_buf struct buf sealed;
    buf_init(&sealed, SEAL_PLAIN_MAX + SEAL_OVERHEAD);
    int rc = ddi_token_check(text, e);
    if (rc == 0)
        rc = ddi_token_hash(text, hash, e);
    if (rc == 0)
        rc = seal(ota->sealer, STR(GATEWAY_AD), text, &sealed, e);
    if (rc != 0)
        return rc;
    char *stored = arena_alloc(a, SHA256_HEX_SIZE + base64_size(sealed.n) + 1);
    if (stored == NULL)
        return no_memory(e);
    memcpy(stored, hash, SHA256_HEX_SIZE - 1);
    stored[SHA256_HEX_SIZE - 1] = ' ';
    base64_encode(sealed.p, sealed.n, stored + SHA256_HEX_SIZE);
    *out = stored;
    return 0;
}

static int tell(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                const struct row *row, const char *value, struct err *e)
{
    const char *subject = arena_printf(a, "setting/%s", row->key);
    if (subject == NULL)
        return no_memory(e);
    return store_event_add(db, clock_unix_ms(ota->clock), value != NULL ? "setting.changed" : "setting.reset",
                           identity_name(who), subject, row->kind == SETTING_SECRET ? NULL : value, e);
}

int ota_setting_put(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                    const char *key, struct str text, struct err *e)
{
    const struct row *row = find(key);
    struct ddi_settings *tried = arena_new(a, struct ddi_settings);
    const char *stored = arena_dup_str(a, text);
    if (row == NULL)
        return unknown(key, e);
    if (text.p == NULL)
        return err_set(e, ERR_INVALID, "there is no value to give %s", row->key);
    if (tried == NULL || stored == NULL)
        return no_memory(e);
    int rc = row->kind == SETTING_SECRET ? seal_secret(ota, a, text, &stored, e) : 0;
    if (rc != 0)
        return rc;
    if (apply(row, str_of(stored), tried) != 0)
        return wrong(row, e);
    const struct setting setting = {.key = row->key,
                                    .value = stored,
                                    .changed_at = clock_unix_ms(ota->clock),
                                    .changed_by = identity_name(who)};
    rc = store_setting_put(db, &setting, e);
    if (rc == 0)
        rc = tell(ota, db, a, who, row, stored, e);
    return rc == 0 ? settings_load(ota->settings, db, e) : rc;
}

int ota_setting_reset(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *key, struct err *e)
{
    const struct row *row = find(key);
    if (row == NULL)
        return unknown(key, e);
    int rc = store_setting_remove(db, row->key, e);
    if (rc == 0)
        rc = tell(ota, db, a, who, row, NULL, e);
    return rc == 0 ? settings_load(ota->settings, db, e) : rc;
}
