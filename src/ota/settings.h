/*
 * Settings of hawkBit's interfaces as they are now: what was set while the server ran (a row of the database)
 * wins over the configuration file. Kept in memory, so that a request asks no database.
 *
 * Thread-safe. Loaded at start; a change is applied inside the transaction that makes it, and should that not
 * be committed, the server calls settings_mark_stale, and a job on the writer thread loads all of it again.
 */
#ifndef PQOTA_OTA_SETTINGS_H
#define PQOTA_OTA_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/identity.h"
#include "base/str.h"

struct db;
struct ota;
struct settings;

#define SETTINGS_TEXT_SIZE 1025 /* bytes of one text, with the NUL */
#define SETTINGS_POLL_MAX 86399 /* seconds: hawkBit says a poll interval as HH:MM:SS */

struct ddi_settings {
    /* From the configuration file alone. */
    bool enabled;                     /* devices may come by hawkBit's protocol */
    bool download_http;               /* links without TLS may be given */
    int plain_port;                   /* of the listener without TLS; 0: there is none */
    int64_t registrations_per_minute; /* of devices that register themselves */
    /* A row wins. */
    bool target_token, gateway_token, header;
    int64_t poll_seconds;               /* 1 to SETTINGS_POLL_MAX */
    int64_t overdue_seconds;            /* after a poll was due */
    char gateway_hash[SHA256_HEX_SIZE]; /* SHA-256 of the gateway token, hex; "": there is none */
    /* Long, and left out by settings_get_brief. A row wins for the first. */
    char header_authority[SETTINGS_TEXT_SIZE]; /* split by ; and , */
    char model[129];                           /* of a device that registers itself */
    char version_attribute[129];               /* the attribute by which a device tells what it runs */
    char unsigned_models[SETTINGS_TEXT_SIZE];  /* comma-separated; see settings_unsigned_model */
};

int settings_new(struct settings **out, struct err *e) MUST_CHECK;
void settings_free(struct settings *s); /* NULL is fine */
/* What the configuration file says, copied; rows win still. gateway_hash is not looked at. */
void settings_set_file(struct settings *s, const struct ddi_settings *file);
/* Reads all rows; on failure everything stays as it was, and stale. A row that says nothing useful is logged
   and counts as none. */
int settings_load(struct settings *s, struct db *db, struct err *e) MUST_CHECK;
void settings_mark_stale(struct settings *s);
bool settings_stale(struct settings *s);

/* A copy of all. */
void settings_get(struct settings *s, struct ddi_settings *out);
/* The same without the long texts, which are empty in it: for what asks at each request. */
void settings_get_brief(struct settings *s, struct ddi_settings *out);
/* Whether releases for that model need no signature. */
bool settings_unsigned_model(const struct ddi_settings *s, struct str model);

/* --- by hawkBit's keys ------------------------------------------------------------------------------ */

#define SETTING_POLLING "pollingTime"
#define SETTING_OVERDUE "pollingOverdueTime"
#define SETTING_TARGET_TOKEN "authentication.targettoken.enabled"
#define SETTING_GATEWAY_TOKEN "authentication.gatewaytoken.enabled"
#define SETTING_GATEWAY_KEY "authentication.gatewaytoken.key"
#define SETTING_HEADER "authentication.header.enabled"
#define SETTING_AUTHORITY "authentication.header.authority"
#define SETTING_ANONYMOUS "anonymous.download.enabled"

enum setting_kind { SETTING_BOOL, SETTING_TIME, SETTING_TEXT, SETTING_SECRET };

struct setting_value {
    const char *key;
    enum setting_kind kind;
    bool on;          /* SETTING_BOOL */
    const char *text; /* "true"; "00:05:00"; the secret only where it was asked for: else NULL */
    bool set;         /* by a row, and by whom and when; else it is the configuration file's */
    const char *changed_by;
    int64_t changed_at; /* Unix milliseconds */
};

/* All keys; *out in the arena, without secrets. */
int ota_setting_list(struct ota *ota, struct db *db, struct arena *a, struct setting_value **out,
                     size_t *count, struct err *e) MUST_CHECK;
/* The secret too, for operators and admins: ERR_DENIED to others. ERR_NOT_FOUND: there is no such key.
   ERR_CONFLICT: it was sealed with another secret key, or is damaged. */
int ota_setting_show(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *key, struct setting_value *out, struct err *e) MUST_CHECK;
/* Writer only. text: "true", "false"; "HH:MM:SS"; ... ERR_INVALID says what it may be. */
int ota_setting_put(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                    const char *key, struct str text, struct err *e) MUST_CHECK;
/* Writer only. What the configuration file says counts again. */
int ota_setting_reset(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *key, struct err *e) MUST_CHECK;

#define SETTINGS_TIME_SIZE 9
/* "HH:MM:SS"; returns out. */
char *settings_time_text(int64_t seconds, char out[SETTINGS_TIME_SIZE]);
/* ERR_INVALID. */
int settings_time_parse(struct str text, int64_t *seconds) MUST_CHECK;

#endif
