/*
 * The server's settings: one table of rows {section, key, type, default, help} from which reading, checking,
 * `pqota init`'s file, and the manual page all come.
 */
#ifndef PQOTA_SERVER_CONFIG_H
#define PQOTA_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "tls/tls.h"

/* The server's name at the broker, its certificate's common name: no device id has an @ in it. */
#define CONFIG_MQTT_NAME "@pqota"
#define CONFIG_MQTT_DAYS 90 /* its life; the server renews it */

/* Relative paths in the file are relative to the file's folder. Lists are comma-separated. */
struct server_config {
    /* [server] */
    const char *data_dir;
    enum log_level log_level;
    enum log_format log_format;
    int64_t loops;          /* loop threads, 0: one per core */
    int64_t drain_seconds;  /* how long SIGTERM waits for requests under way */
    const char *public_url; /* what links begin with; "": as the client came */
    const char *secret_key; /* what devices' tokens are sealed with */

    /* [tls] devices and operators */
    bool tls;
    const char *tls_listen; /* "[::]:8443, 0.0.0.0:8443"; "[::]" takes IPv6 only, "0.0.0.0" IPv4 only */
    const char *tls_policy; /* balanced, cnsa2, constrained */
    const char *tls_kem, *tls_sig; /* "": the policy's */
    enum tls_crypto tls_crypto;
    const char *tls_certificate, *tls_key;
    int64_t tls_sessions; /* resumable sessions kept at most */
    int64_t tls_session_seconds;
    int64_t tls_verified; /* client certificates remembered as verified, at most */

    /* [console] browsers */
    bool console;
    const char *console_listen, *console_certificate, *console_key;
    int64_t console_session_hours;
    int64_t console_streams; /* pages kept up to date at once */
    int64_t console_memory;  /* bytes that their answers may take, and as many on their way */

    /* [unix] */
    bool unix_socket;
    const char *unix_path;
    int64_t unix_mode; /* octal in the file */
    bool unix_proxy;   /* a proxy may say who its client is */

    /* [plain] without TLS */
    bool plain;
    const char *plain_listen;
    bool insecure_plain_anywhere; /* without it only loopback addresses are accepted */
    const char *insecure_proxies; /* addresses and networks of proxies that are believed; "": none */

    /* [classical] TLS without post-quantum algorithms */
    bool classical;
    const char *classical_listen, *classical_certificate, *classical_key;

    /* [pki] */
    const char *device_roots, *operator_roots, *server_roots; /* PEM bundles, old and new */
    const char *device_ca, *device_ca_key;                    /* what issues device certificates */
    int64_t device_days;                                      /* life of a device certificate */
    int64_t renew_grace_days;                                 /* how long after expiry it still renews */
    int64_t crl_hours;

    /* [trust] update metadata */
    const char *trust_dir; /* what it begins with */
    const char *trust_timestamp_key, *trust_snapshot_key, *trust_director_key, *trust_manifest_key;
    int64_t timestamp_hours, snapshot_days, director_days; /* lives of what is signed online */
    bool insecure_unsigned;                                /* an upload is published without a signature */

    /* [accounts] */
    bool accounts; /* a name and password count */

    /* [devices] */
    int64_t poll_seconds; /* told to agents */
    int64_t status_max;   /* status entries kept per action */

    /* [deployments] */
    bool approval; /* each needs a second person */

    /* [ddi] hawkBit's device protocol; see ota/settings.h */
    bool ddi;
    bool ddi_target_token, ddi_gateway_token, ddi_header, ddi_download_http;
    const char *ddi_model, *ddi_version_attribute;
    const char *ddi_header_authority;      /* comma list */
    const char *insecure_header_addresses; /* as insecure_proxies */
    const char *insecure_unsigned_models;  /* comma list */
    int64_t ddi_poll_seconds;              /* 0: poll_seconds */
    int64_t ddi_registrations;             /* a minute, at most */

    /* [mqtt] */
    bool mqtt;
    const char *mqtt_broker; /* "host:port" */
    const char *mqtt_ca, *mqtt_certificate, *mqtt_key;
    int64_t mqtt_wakes_per_second;

    /* [limits] */
    int64_t connections; /* open at most, all listeners */
    int64_t connections_per_address;
    int64_t handshakes_waiting;
    int64_t handshake_seconds, header_seconds, body_seconds, idle_seconds, write_seconds;
    int64_t body_bytes_per_second; /* a body slower than this over body_seconds is cut off */
    int64_t head_bytes, target_bytes;
    int64_t upload_bytes;
    int64_t requests_per_connection;
    int64_t write_queue, query_queue, sign_queue, file_queue, password_queue;
    int64_t query_threads, sign_threads, file_threads, password_threads;
    int64_t query_seconds;

    /* [retention] */
    int64_t event_days, action_days, blob_hours, backups;
};

/* Reads a file (with defaults for what it leaves out) into the arena. A bad value names file, line, key, what
   it may be. Unknown keys and sections are errors. */
int config_read(const char *path, struct arena *a, struct server_config *out, struct err *e) MUST_CHECK;
/* What no single row can tell: files that are missing or unreadable, keys that do not match their
   certificates, plain listeners outside loopback, no listener at all. */
int config_check(const struct server_config *c, struct err *e) MUST_CHECK;
/* What browsers will complain of, and the server starts with: the console's certificate is not valid now. */
int config_check_console_life(const struct server_config *c, struct err *e) MUST_CHECK;
/* The whole file with every default written out and explained. values override: "section.key", value, ...
   NULL; NULL is none. */
int config_write(const char *const *values, struct buf *out, struct err *e) MUST_CHECK;
/* The manual page pqota.conf(5), mdoc, from the same table. */
int config_man(struct buf *out, struct err *e) MUST_CHECK;

/* One address of a listen setting: cuts it off *rest (which begins as the whole setting). 1: *out is an
   address, 0: none is left, negative: the text is not "[IPv6]:port" or "IPv4:port". */
int config_listen_next(struct str *rest, struct sockaddr_storage *out, struct err *e) MUST_CHECK;

/* A range of addresses: those whose first `bits` bits are these. */
struct config_network {
    sa_family_t family; /* AF_INET or AF_INET6 */
    unsigned bits;
    unsigned char bytes[16];
};
/* One network of a list of addresses ("192.0.2.1", "2001:db8::/32"), as config_listen_next. */
int config_network_next(struct str *rest, struct config_network *out, struct err *e) MUST_CHECK;

#endif
