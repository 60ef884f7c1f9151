/*
 * pqota_client: the device side of pqota as a library, for products that embed it.
 *
 * It polls the server, has an offer vouched for, fetches the update (resuming where it stopped), checks it,
 * has it installed, confirms and reports it. It makes no system call, takes no memory but what it is given,
 * and keeps no time: network, storage, hash, trust, randomness and installer are callbacks. It is written so
 * that the power may fail at any moment: what is about to be done is stored before it is done.
 *
 *   static _Alignas(16) unsigned char memory[PQOTA_MEMORY_DEFAULT];
 *   pqota_client_t *client;
 *   if (pqota_client_init(memory, sizeof memory, &ops, NULL, &client) != PQOTA_OK)
 *       ...
 *   for (;;) {
 *       uint32_t wait_s;
 *       if (pqota_client_step(client, &wait_s) != PQOTA_AGAIN)
 *           sleep_seconds(wait_s);
 *   }
 *
 * One client is used by one thread at a time. Strings are NUL-terminated. See pqota_client(3).
 */
#ifndef PQOTA_CLIENT_H
#define PQOTA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PQOTA_NAME_SIZE 129   /* a version, a release's name, a file name, with the NUL */
#define PQOTA_TEXT_SIZE 513   /* a message to the server, with the NUL */
#define PQOTA_SHA256_HEX 65   /* lower-case hex, with the NUL */
#define PQOTA_BOOT_SIZE 65    /* a boot id, with the NUL */
#define PQOTA_ETAG_SIZE 80    /* an entity tag with its quotes, with the NUL; a longer one is left out */
#define PQOTA_STATE_SIZE 4096 /* the stored state is never larger */

#define PQOTA_MEMORY_MIN 16384     /* enough for an offer of about 1 KiB */
#define PQOTA_MEMORY_DEFAULT 98304 /* enough for an offer of about 16 KiB */

/* What a callback answers, and pqota_client_init. Anything negative that is not named here counts as
   PQOTA_E_AGAIN. */
enum pqota_result {
    PQOTA_OK = 0,
    PQOTA_E_AGAIN = -1,   /* not now (no network, an I/O error): tried again later */
    PQOTA_E_FULL = -2,    /* no room for it: the update is given up */
    PQOTA_E_INVALID = -3, /* a wrong argument, or too little memory */
};

enum pqota_log { PQOTA_LOG_DEBUG, PQOTA_LOG_INFO, PQOTA_LOG_WARN, PQOTA_LOG_ERROR };

/* --- transport: requests to the one server, over mutual TLS --------------------------------------------- */

struct pqota_request {
    const char *method; /* "GET" or "POST" */
    const char *path;   /* begins with a slash, has its query, is percent-encoded */
    const char *body;   /* JSON, or NULL */
    size_t body_size;   /* bytes */
    bool ranged;        /* ask for bytes first..last only (RFC 9110 section 14), last included */
    uint64_t first, last;
    const char *if_range; /* the strong entity tag for If-Range, with its quotes; NULL when not ranged */
};

#define PQOTA_LENGTH_UNKNOWN UINT64_MAX
struct pqota_response {      /* zeroed by the caller, content_length PQOTA_LENGTH_UNKNOWN */
    int status;              /* 200, 204, ... */
    uint64_t content_length; /* bytes of the body, or PQOTA_LENGTH_UNKNOWN */
    uint64_t range_first;    /* Content-Range of a 206 */
    uint64_t range_total;    /* 0 when it does not say */
    char etag[PQOTA_ETAG_SIZE];
    uint32_t poll_interval_s; /* header Poll-Interval, 0 for none */
    uint32_t retry_after_s;   /* header Retry-After in seconds, 0 for none */
};

/* Takes a piece of the body. Anything but 0 means: stop here, the transport returns PQOTA_E_AGAIN. */
typedef int (*pqota_sink)(void *sink_ctx, const void *data, size_t n);

struct pqota_transport {
    void *ctx;
    /* Sends a request and waits for the answer, under deadlines of its own. *response is filled before the
       sink is called. PQOTA_OK when the whole answer came, whatever its status; PQOTA_E_AGAIN when it did
       not. It must check the server's certificate, and must not follow a redirect to another host. */
    int (*request)(void *ctx, const struct pqota_request *request, struct pqota_response *response,
                   pqota_sink sink, void *sink_ctx);
};

/* --- storage: one small state, one large artifact ------------------------------------------------------- */

struct pqota_storage {
    void *ctx;
    /* The state that was saved last into buf, *n its bytes, 0 when there is none yet. */
    int (*load)(void *ctx, void *buf, size_t size, size_t *n);
    /* Replaces the state: after it returned PQOTA_OK, and after a power cut at any moment, load gives either
       the old or the new state, whole. */
    int (*save)(void *ctx, const void *buf, size_t n);
    /* Empties the artifact area and makes sure that `size` bytes fit: PQOTA_E_FULL when they do not. */
    int (*prepare)(void *ctx, uint64_t size);
    /* Bytes in the artifact area; an area that was never prepared has 0. */
    int (*size)(void *ctx, uint64_t *n);
    /* offset is what size says: the area grows by appending. */
    int (*write)(void *ctx, uint64_t offset, const void *data, size_t n);
    /* All n bytes are within the area. */
    int (*read)(void *ctx, uint64_t offset, void *data, size_t n);
    /* Cuts the area to at most n bytes; less is fine (flash erases whole sectors), size then says how much.
       */
    int (*truncate)(void *ctx, uint64_t n);
    /* After it, what was written is still there after a power cut. */
    int (*sync)(void *ctx);
    /* The artifact is not needed any more. May be called when there is none. */
    int (*discard)(void *ctx);
};

/* --- hash ----------------------------------------------------------------------------------------------- */

struct pqota_sha256 {
    void *ctx; /* one computation at a time */
    int (*begin)(void *ctx);
    int (*update)(void *ctx, const void *data, size_t n);
    int (*finish)(void *ctx, unsigned char out[32]);
};

/* --- installer ------------------------------------------------------------------------------------------ */

struct pqota_artifact {
    const char *name;     /* of the release */
    const char *version;  /* of the release */
    const char *filename; /* as it was published; never a path */
    const char *sha256;   /* lower-case hex */
    uint64_t size;        /* bytes */
};

enum pqota_install {
    PQOTA_INSTALL_DONE,   /* installed and switched to; confirm is asked next */
    PQOTA_INSTALL_REBOOT, /* installed; it runs after a reboot */
    PQOTA_INSTALL_FAILED, /* the old version stays; why says so */
};

enum pqota_confirm {
    PQOTA_CONFIRM_GOOD,     /* what runs is here to stay */
    PQOTA_CONFIRM_WAIT,     /* not known yet: ask again in *wait_s seconds */
    PQOTA_CONFIRM_RETURNED, /* it was not good and the old version runs again; why says so */
};

struct pqota_installer {
    void *ctx;
    /* The version that runs now. */
    int (*running_version)(void *ctx, char out[PQOTA_NAME_SIZE]);
    /* Installs what the storage's artifact area holds; it was checked just before. May be called again for
       the same artifact when the power failed meanwhile, and then starts over. */
    enum pqota_install (*install)(void *ctx, const struct pqota_artifact *artifact,
                                  char why[PQOTA_TEXT_SIZE]);
    /* Asks for a reboot. It may return before the machine goes down. */
    int (*reboot)(void *ctx, char why[PQOTA_TEXT_SIZE]);
    /* After install or reboot: is the new version good? Keeps it, or returns to the old one. May be called
       again after it answered, and then answers from what runs. */
    enum pqota_confirm (*confirm)(void *ctx, const struct pqota_artifact *artifact, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE]);
};

/* --- trust: is it the vendor's, and meant for this device? ---------------------------------------------- */

struct pqota_target {                                     /* one file that a device may install */
    char name[PQOTA_NAME_SIZE], version[PQOTA_NAME_SIZE]; /* of the release */
    char filename[PQOTA_NAME_SIZE];                       /* never a path */
    char sha256[PQOTA_SHA256_HEX];
    uint64_t size;     /* bytes */
    uint32_t sequence; /* of the release for the model: what is later; 0 for unknown */
    uint32_t counter;  /* nothing below a counter that was once confirmed is installed again */
};

struct pqota_standing { /* what the device confirmed until now; the client stores it */
    bool confirmed;     /* an update at least: otherwise the device runs what it was delivered with */
    uint32_t sequence;  /* of what was confirmed last, 0 for unknown */
    uint32_t counter;   /* the highest that was ever confirmed */
};

enum pqota_vouch {
    PQOTA_VOUCHED,
    PQOTA_VOUCH_LATER,   /* it cannot be told now (no network): polled and asked again, many times */
    PQOTA_VOUCH_STALE,   /* what there is does not do and may be a moment behind (it has expired, or names
                            something else): polled and asked again a few times, then the update fails */
    PQOTA_VOUCH_REFUSED, /* it must not be installed: the update fails */
};

struct pqota_trust {
    void *ctx;
    /* Asked before a download, and again before the installation: what it answers may change meanwhile.
       The server's offer is no more than a hint. Gives in *out, which begins as the hint, what may really be
       installed; what follows goes by it alone. Unless vouched, `why` says for a person what is wrong, and is
       what the server gets to hear. See pqota_trust(3) and pqota_manifest.h for two that can be used. */
    enum pqota_vouch (*vouch)(void *ctx, const struct pqota_target *hint,
                              const struct pqota_standing *standing, struct pqota_target *out,
                              char why[PQOTA_TEXT_SIZE]);
};

/* Vouches for whatever the server offers: whoever has the server then has the device. */
enum pqota_vouch pqota_vouch_insecure(void *ctx, const struct pqota_target *hint,
                                      const struct pqota_standing *standing, struct pqota_target *out,
                                      char why[PQOTA_TEXT_SIZE]);

/* --- the platform --------------------------------------------------------------------------------------- */

struct pqota_platform {
    void *ctx;
    uint32_t (*random)(void *ctx); /* any 32 bits; spreads polls, guards nothing */
    /* A text (letters, digits, "-") that differs after each boot, such as a reset counter or Linux's
       boot_id. */
    int (*boot_id)(void *ctx, char out[PQOTA_BOOT_SIZE]);
    void (*log)(void *ctx, enum pqota_log level, const char *text);
};

struct pqota_ops { /* copied by pqota_client_init; every function must be there */
    struct pqota_transport transport;
    struct pqota_storage storage;
    struct pqota_sha256 sha256;
    struct pqota_installer installer;
    struct pqota_trust trust;
    struct pqota_platform platform;
};

/* --- settings: zero in a field is its default ----------------------------------------------------------- */

enum pqota_consent {
    PQOTA_CONSENT_NONE, /* the user has not answered yet */
    PQOTA_CONSENT_GIVEN,
    PQOTA_CONSENT_DENIED, /* the server is told once, and goes on asking */
};
struct pqota_question {
    uint32_t action;
    const char *name, *version; /* of the release */
};

struct pqota_settings {
    uint32_t poll_s;           /* seconds between polls while the server names no interval: 300 */
    uint32_t backoff_first_s;  /* seconds after the first failure, doubled for each further one: 5 */
    uint32_t backoff_most_s;   /* ... up to this: 3600 */
    uint64_t segment_bytes;    /* asked for by one request: 16 MiB */
    uint64_t checkpoint_bytes; /* downloaded between two checkpoints that survive a power cut: 1 MiB */
    uint64_t artifact_most;    /* bytes of a larger artifact are refused: 64 GiB */
    /* The server leaves it to the device when to install: it is downloaded, and then waits until the server
       leaves it so no more. */
    bool wait_if_free;
    /* Asked when the server wants the user's consent, at each poll until it is there; NULL: the device has no
       user, and what needs consent is not offered to it. */
    enum pqota_consent (*consent)(void *ctx, const struct pqota_question *question);
    void *consent_ctx;
};

/* --- the client ----------------------------------------------------------------------------------------- */

typedef struct pqota_client pqota_client_t;

/* Makes a client in memory[0..size), 16-byte aligned, which must stay until the client is no more used, and
   loads the stored state. Nothing needs to be freed. settings may be NULL. PQOTA_E_INVALID on less than
   PQOTA_MEMORY_MIN or a missing callback, PQOTA_E_AGAIN when the state could not be loaded. */
int pqota_client_init(void *memory, size_t size, const struct pqota_ops *ops,
                      const struct pqota_settings *settings, pqota_client_t **client);

enum pqota_next {
    PQOTA_AGAIN,        /* there is more to do: call again at once (*wait_s is 0) */
    PQOTA_WAIT_POLL,    /* nothing to do: poll again in *wait_s seconds */
    PQOTA_WAIT_RETRY,   /* something failed for now: try again in *wait_s seconds */
    PQOTA_WAIT_CONFIRM, /* the new version runs and is not confirmed yet: ask again in *wait_s seconds */
    PQOTA_WAIT_REBOOT,  /* a reboot was asked for: call again in *wait_s seconds if it has not come by then */
};

/* Does the next thing there is to do. In the idle state that is a poll, however early it is called. */
enum pqota_next pqota_client_step(pqota_client_t *client, uint32_t *wait_s);

enum pqota_state {
    PQOTA_IDLE,
    PQOTA_OFFERED,
    PQOTA_DOWNLOADING,
    PQOTA_VERIFYING,
    PQOTA_INSTALLING,
    PQOTA_REBOOTING,
    PQOTA_CONFIRMING,
    PQOTA_REPORTING,
    PQOTA_READY, /* downloaded and checked; it polls on, and installs it when the server says so */
};
enum pqota_outcome { PQOTA_OUTCOME_NONE, PQOTA_SUCCEEDED, PQOTA_FAILED };

struct pqota_status { /* of the current update, or in the idle state of the last one */
    enum pqota_state state;
    enum pqota_outcome outcome; /* PQOTA_OUTCOME_NONE while it is not decided, or there never was an update */
    uint32_t action;            /* the server's number for it, 0 for none */
    char name[PQOTA_NAME_SIZE], version[PQOTA_NAME_SIZE];
    uint64_t size, have; /* bytes of the artifact, and of it on the device */
    char message[PQOTA_TEXT_SIZE];
    struct pqota_standing standing;
};

void pqota_client_status(const pqota_client_t *client, struct pqota_status *out);
const char *pqota_state_name(enum pqota_state state); /* "idle", "downloading", ... */

/* Reads a stored state without a client, for a program that only shows it. PQOTA_E_INVALID: it is damaged. */
int pqota_client_read_state(const void *stored, size_t n, const struct pqota_sha256 *sha256,
                            struct pqota_status *out);

#ifdef __cplusplus
}
#endif

#endif
