/* Inside the client library: the client itself, its stored state, and what its files give each other. */
#ifndef PQOTA_CLIENT_CLIENT_H
#define PQOTA_CLIENT_CLIENT_H

#include "base/str.h"
#include "pqota_client.h"

#define CLIENT_PATH_SIZE 257         /* of a download's path, with the NUL */
#define CLIENT_DOWNLOADS_MAX 2       /* times a download is begun from nothing before a wrong hash is final */
#define CLIENT_INSTALLS_MAX 3        /* times an installation may be cut off before it is given up */
#define CLIENT_STALLS_MAX 50         /* tries in a row without a new byte before a download is given up */
#define CLIENT_RANGES_MAX 5          /* times a server may not know its own ranges, for one download */
#define CLIENT_VERSION_TRIES 5       /* times the running version is asked for before it is given up */
#define CLIENT_REBOOT_REPORT_TRIES 3 /* times "rebooting" is reported before the reboot goes on without */
#define CLIENT_STALE_MAX 4           /* times an offer may not be vouched for as yet, before it is given up */
#define CLIENT_LATER_MAX 50          /* times it may not be told, while polls do come through */
#define CLIENT_REBOOT_WAIT_S 300     /* from asking for a reboot to asking again */
#define CLIENT_CONFIRM_WAIT_MAX_S 3600
#define CLIENT_POLL_MIN_S 10
#define CLIENT_POLL_MAX_S 86400
#define CLIENT_PROGRESS_STEP 10 /* per cent between two reports of progress */
#define CLIENT_REPORT_SIZE 2048 /* bytes of a report's JSON */
#define CLIENT_REPLY_MAX 4096   /* bytes of an answer whose body is not read */

/* What is stored. Texts are checked when they are taken from the server and again when they are loaded. */
struct client_state {
    enum pqota_state state;
    uint32_t action;
    char name[PQOTA_NAME_SIZE], version[PQOTA_NAME_SIZE], filename[PQOTA_NAME_SIZE];
    char path[CLIENT_PATH_SIZE];
    char sha256[PQOTA_SHA256_HEX];
    uint64_t size;
    uint64_t have;                /* bytes that survive a power cut */
    uint32_t downloads, installs; /* how often each was begun */
    enum pqota_state acked;       /* the last state the server acknowledged; PQOTA_IDLE for none */
    char boot[PQOTA_BOOT_SIZE];   /* the boot in which this was stored */
    enum pqota_outcome outcome;
    char running[PQOTA_NAME_SIZE]; /* version that ran before the update; then what the outcome's report says;
                                      "" for unknown */
    char message[PQOTA_TEXT_SIZE];
    /* From here on since the second form of the stored state. */
    uint32_t vouched;           /* 1: name, version, file name, hash and size are what trust.vouch gave */
    uint32_t sequence, counter; /* of the update, then */
    uint32_t stale, later;      /* how often in a row it was not vouched for, for this action */
    uint32_t confirmed, confirmed_sequence, confirmed_counter; /* struct pqota_standing */
    /* From here on since the third form. */
    uint32_t hold;   /* 1: download it, and install it when another poll says so */
    uint32_t denied; /* the action that the server knows its user denied; 0: none */
};

struct pqota_client {
    struct pqota_ops ops;
    struct pqota_settings set;
    struct client_state st;
    char boot[PQOTA_BOOT_SIZE]; /* now */
    uint32_t failures;          /* in a row; gives the back-off */
    uint32_t retry_after_s;     /* asked for by the last refusal */
    uint32_t stalls;
    uint32_t anews;    /* times the present download began from nothing for a wrong range */
    uint32_t tries;    /* of what the present state may fail at a bounded number of times */
    uint32_t progress; /* per cent last reported */
    uint32_t agreed;   /* the action whose consent the server was last told */
    bool resumed;      /* the partial download was looked at since the start */
    bool verified;     /* the artifact was checked in this step of the machine, without a wait in between */
    bool plain_report; /* the server refused the report: leave its message out */
    bool leftover;     /* an artifact that is not needed any more could not be removed */
    unsigned char *work;
    size_t work_size;
};

/* client.c: the moves */
void client_log(const pqota_client_t *c, enum pqota_log level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Stores the client's state with `next` in it. Not stored: the state stays what it was, and the answer is
   not PQOTA_OK. A move that the table does not allow is a bug and aborts. */
int client_move(pqota_client_t *c, enum pqota_state next) MUST_CHECK;
/* Stores the client's state as it is. */
int client_store(pqota_client_t *c) MUST_CHECK;
enum pqota_next client_retry(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_failed(pqota_client_t *c, uint32_t *wait_s, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The server has no more use for the action: back to idle. */
enum pqota_next client_drop(pqota_client_t *c, uint32_t *wait_s, const char *why);
void client_discard(pqota_client_t *c);
uint32_t client_jitter(pqota_client_t *c, uint32_t low, uint32_t high); /* a number in [low, high] */

/* state.c */
/* The stored form into out, its bytes; 0 when the hash failed. */
size_t client_state_write(const struct client_state *st, const struct pqota_sha256 *sha,
                          char out[PQOTA_STATE_SIZE]);
int client_state_read(const char *text, size_t n, const struct pqota_sha256 *sha,
                      struct client_state *out) MUST_CHECK;

/* text.c */
/* Copies what is printable in s, cut to fit between two characters; bad UTF-8 becomes "?". */
void client_text(char *out, size_t size, const char *s);
/* Appends s as a JSON string without its quotes; false when it does not fit. */
bool client_json_escape(char *out, size_t size, size_t *at, const char *s);
/* Appends s percent-encoded (RFC 3986); false when it does not fit. */
bool client_percent_encode(char *out, size_t size, size_t *at, const char *s);
int client_sha256_hex(const struct pqota_sha256 *sha, const void *data, size_t n,
                      char out[PQOTA_SHA256_HEX]) MUST_CHECK;
/* v in decimal: the printf of small C libraries (newlib-nano) knows neither 64 bits nor %zu. */
struct client_number {
    char text[21];
};
struct client_number client_number(uint64_t v);
bool client_is_sha256(struct str s);
bool client_is_name(const char *s);

/* offer.c */
enum client_offer { OFFER_GOOD, OFFER_WAITING, OFFER_UNUSABLE, OFFER_BROKEN };
/* Reads the body of a 200 to a poll. GOOD: everything but the state is in *out. WAITING: it waits for
   consent, and the action and the release are. UNUSABLE: the action's number is, and why (PQOTA_TEXT_SIZE)
   says what a person must change. BROKEN: no offer at all. `pool` is working memory. */
struct client_offer_limits {
    uint64_t artifact_most;
    bool wait_if_free;
};
enum client_offer client_offer_read(char *body, size_t n, void *pool, size_t pool_size,
                                    const struct client_offer_limits *limits, struct client_state *out,
                                    char *why);

/* report.c */
enum client_ack { ACK_DONE, ACK_GONE, ACK_REFUSED, ACK_LATER };
/* Reports a state of the current action. progress below 0, message or version NULL or "": left out. */
enum client_ack client_report(pqota_client_t *c, const char *state, int progress, const char *message,
                              const char *version);
enum pqota_next client_step_reporting(pqota_client_t *c, uint32_t *wait_s);
/* Tells what the user answered. */
enum client_ack client_tell_consent(pqota_client_t *c, uint32_t action, bool given);

/* offered.c */
struct pqota_standing client_standing(const struct client_state *st);
/* Whether what was downloaded may be installed now; otherwise *next is what the step answers. */
bool client_still_vouched(pqota_client_t *c, uint32_t *wait_s, enum pqota_next *next);

/* the other states */
enum pqota_next client_step_idle(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_step_offered(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_step_downloading(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_step_verifying(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_step_installing(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_step_rebooting(pqota_client_t *c, uint32_t *wait_s);
enum pqota_next client_step_confirming(pqota_client_t *c, uint32_t *wait_s);

#endif
