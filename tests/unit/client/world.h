/*
 * A device and its server in memory, for the tests of the client library. Everything that a callback does
 * goes through world_hit, so that a test may let the n-th of them fail, kill the program there, or cut the
 * power.
 */
#ifndef PQOTA_TEST_WORLD_H
#define PQOTA_TEST_WORLD_H

#include <setjmp.h>
#include <stdbool.h>

#include "client/client.h"

#define WORLD_FILE_MAX 40000
#define WORLD_REPORTS_MAX 400
#define WORLD_MEMORY 65536

enum world_end { WORLD_FAIL, WORLD_KILL, WORLD_POWER };

struct world_report {
    char state[16], version[64], message[PQOTA_TEXT_SIZE];
    int progress; /* -1: none */
};

struct world {
    /* --- the device: what a power cut leaves --- */
    char state[PQOTA_STATE_SIZE];
    size_t state_n;
    unsigned char artifact[WORLD_FILE_MAX];
    size_t artifact_n, synced_n;
    char running[64], next[64]; /* next: after the reboot; "" none */
    int boot;
    /* --- how the installer behaves --- */
    bool needs_reboot, version_unknown, reboot_broken;
    enum pqota_install install_answer; /* DONE means as needs_reboot says */
    bool bad;                          /* the new version does not confirm and returns to the old one */
    int confirm_waits;                 /* how often confirm says wait first */
    bool full;                         /* no room for an artifact */
    int installs, reboots, confirms;
    /* --- who vouches --- */
    enum pqota_vouch vouch_answer;
    const char *vouch_why;
    struct pqota_target vouch_as;   /* given instead of the hint when its size is not 0 */
    uint32_t sequence, counter;     /* given with the hint */
    struct pqota_target vouched;    /* what was given last */
    struct pqota_standing standing; /* what it was told */
    int vouches;
    /* --- the server --- */
    unsigned char file[WORLD_FILE_MAX]; /* what it serves */
    size_t file_n;
    char offer[8192];               /* body of a 200 to a poll; "" is 204 */
    int action;                     /* instead of 7; 0: that */
    const char *install;            /* "skip", ...; NULL: the server does not say */
    bool download_only;             /* "downloaded" ends the action */
    bool waiting;                   /* it waits for the user's consent */
    enum pqota_consent user;        /* what the user answers */
    int questions, agreed, refused; /* how often the user was asked, and what the server was told */
    uint32_t poll_interval_s;
    bool no_ranges, closed; /* closed: the action is gone */
    int status_answer;      /* to reports instead of 204, 0: none */
    int file_answer;        /* to downloads instead of the file */
    int poll_answer;
    size_t body_cut; /* a download's connection ends after so many bytes; 0: never */
    size_t extra;    /* bytes sent beyond what was asked for */
    char etag_asked[PQOTA_ETAG_SIZE], poll_path[300];
    uint64_t first_asked; /* of the last download */
    int requests, downloads, polls;
    struct world_report reports[WORLD_REPORTS_MAX];
    int reports_n;
    char done[16]; /* the terminal state it was told, "" none */
    /* --- faults --- */
    long hits, stop_at; /* stop_at 0: never */
    enum world_end end;
    jmp_buf out; /* where the program's death goes */
    bool armed;
    /* --- the client --- */
    _Alignas(16) unsigned char memory[WORLD_MEMORY];
    pqota_client_t *client;
    struct pqota_settings settings;
    uint32_t random;
    void *md;
    char log[4096]; /* the last lines */
};

/* 0, or what the callback answers; does not come back when the program dies here. */
int world_hit(struct world *w);
/* The server's side of the transport. */
int world_request(void *ctx, const struct pqota_request *q, struct pqota_response *r, pqota_sink sink,
                  void *sink_ctx);

void world_init(struct world *w, const char *running);
void world_fini(struct world *w);
/* The server offers `n` bytes as that version (action 7). */
void world_offer(struct world *w, const char *version, size_t n);
/* Starts the program anew from what is stored. */
int world_start(struct world *w);
/* Power comes back: another boot, unflushed bytes are garbage. */
void world_power(struct world *w);
/* Steps until the client has nothing to do, at most `most` steps; the last answer. Deaths restart the
   program. */
enum pqota_next world_run(struct world *w, int most);
/* The same with such an end at the at-th place. Whether there was such a place. */
bool world_run_cut(struct world *w, int most, long at, enum world_end end);
/* One step without deaths. */
enum pqota_next world_step(struct world *w, uint32_t *wait_s);
struct pqota_ops world_ops(struct world *w);
int world_count(const struct world *w, const char *state); /* reports of that state */
const struct world_report *world_last(const struct world *w);

#endif
