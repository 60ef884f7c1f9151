/* What no single setting can tell: files, keys and certificates that fit together, listeners that make sense.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "keys/seal.h"
#include "mqtt/mqtt.h"
#include "pki/pki.h"
#include "server/config.h"
#include "tls/tls.h"

#define CHECK_ARENA_MAX 262144

static bool is_loopback(const struct sockaddr_storage *s)
{
    if (s->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)s)->sin6_addr);
    return (ntohl(((const struct sockaddr_in *)s)->sin_addr.s_addr) >> 24) == 127;
}

static int check_plain(const struct server_config *c, struct err *e)
{
    struct str rest = str_of(c->plain_listen);
    struct sockaddr_storage address;
    int rc;
    while ((rc = config_listen_next(&rest, &address, e)) == 1)
        if (!c->insecure_plain_anywhere && !is_loopback(&address))
            return err_set(
                e, ERR_INVALID,
                "[plain] listen = %s: without TLS only loopback addresses (127.0.0.1, [::1]) are allowed, "
                "unless insecure_anywhere = yes",
                c->plain_listen);
    return rc;
}

/* --- one port, one listener ----------------------------------------------------------------------------- */

struct place_list {
    bool on;
    const char *section, *text;
};

static unsigned port_of(const struct sockaddr_storage *s)
{
    if (s->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)s)->sin6_port);
    return ntohs(((const struct sockaddr_in *)s)->sin_port);
}

/* Also one address and all of them. "[::]" takes no IPv4, so that families do not meet. */
static bool are_one(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family || port_of(a) != port_of(b) || port_of(a) == 0)
        return false;
    if (a->ss_family == AF_INET) {
        in_addr_t x = ((const struct sockaddr_in *)a)->sin_addr.s_addr;
        in_addr_t y = ((const struct sockaddr_in *)b)->sin_addr.s_addr;
        return x == y || x == htonl(INADDR_ANY) || y == htonl(INADDR_ANY);
    }
    const struct in6_addr *x = &((const struct sockaddr_in6 *)a)->sin6_addr;
    const struct in6_addr *y = &((const struct sockaddr_in6 *)b)->sin6_addr;
    return IN6_ARE_ADDR_EQUAL(x, y) || IN6_IS_ADDR_UNSPECIFIED(x) || IN6_IS_ADDR_UNSPECIFIED(y);
}

static int check_pair(const struct place_list *stays, const struct place_list *moves, struct err *e)
{
    struct str rest = str_of(stays->text), other;
    struct sockaddr_storage a, b;
    int rc;
    while ((rc = config_listen_next(&rest, &a, e)) == 1) {
        other = str_of(moves->text);
        while ((rc = config_listen_next(&other, &b, e)) == 1)
            if (are_one(&a, &b))
                return err_set(e, ERR_CONFLICT,
                               "[%s] listen = %s and [%s] listen = %s both take port %u: give [%s] another "
                               "port, or set enabled = no there",
                               stays->section, stays->text, moves->section, moves->text, port_of(&a),
                               moves->section);
        if (rc != 0)
            return rc;
    }
    return rc;
}

static int check_places(const struct server_config *c, struct err *e)
{
    /* Whom devices look for stays where it is. */
    const struct place_list lists[] = {{c->tls, "tls", c->tls_listen},
                                       {c->classical, "classical", c->classical_listen},
                                       {c->plain, "plain", c->plain_listen},
                                       {c->console, "console", c->console_listen}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t j = 0; j < i; j++) {
            int rc = lists[i].on && lists[j].on ? check_pair(&lists[j], &lists[i], e) : 0;
            if (rc != 0)
                return rc;
        }
    return 0;
}

/* --- files ---------------------------------------------------------------------------------------------- */

static int folder_of(const char *path, char *out, size_t size, struct err *e)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (n >= size)
        return err_set(e, ERR_TOO_LARGE, "the path %s is too long", path);
    memcpy(out, path, n);
    out[n] = '\0';
    if (n == 0)
        memcpy(out, ".", 2);
    return 0;
}

static int check_folder(const char *path, const char *what, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(e, errno, "%s: cannot examine the folder %s", what, path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, "%s: %s is not a folder", what, path);
    if (access(path, W_OK | X_OK) != 0)
        return err_errno(e, errno, "%s: this user cannot write to the folder %s", what, path);
    return 0;
}

/* The server makes its data folder itself, but not the folder above it. */
static int check_data_dir(const struct server_config *c, struct err *e)
{
    char above[4096];
    if (file_exists(c->data_dir))
        return check_folder(c->data_dir, "[server] data_dir", e);
    int rc = folder_of(c->data_dir, above, sizeof above, e);
    return rc == 0 ? check_folder(above, "[server] data_dir", e) : rc;
}

/* One that is missing is made when the server starts. */
static int check_secret_key(const struct server_config *c, struct err *e)
{
    struct sealer *sealer = NULL;
    if (!file_exists(c->secret_key))
        return 0;
    if (sealer_open(c->secret_key, false, &sealer, e) != 0)
        return err_context(e, "[server] secret_key");
    sealer_free(sealer);
    return 0;
}

static int check_unix(const struct server_config *c, struct err *e)
{
    char folder[4096];
    size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (strlen(c->unix_path) >= room)
        return err_set(e, ERR_TOO_LARGE, "[unix] path = %s: a socket's path has at most %zu bytes",
                       c->unix_path, room - 1);
    if (c->unix_proxy && (c->unix_mode & 02) != 0)
        return err_set(e, ERR_CONFLICT,
                       "[unix] mode = 0%o with proxy = yes lets every program on this machine act as any "
                       "operator: use 0660, and put the proxy's user into the socket's group",
                       (unsigned)c->unix_mode);
    int rc = folder_of(c->unix_path, folder, sizeof folder, e);
    return rc == 0 ? check_folder(folder, "[unix] path", e) : rc;
}

static int check_roots(const char *file, const char *key, struct arena *a, const char ***ids, size_t *count,
                       struct err *e)
{
    return pki_bundle_key_ids(file, a, ids, count, e) == 0 ? 0 : err_context(e, "[pki] %s", key);
}

/* A device gets its certificate from device_ca and shows it to a listener that believes device_roots. */
static int check_device_ca(const struct server_config *c, struct arena *a, const char **roots, size_t count,
                           struct err *e)
{
    const char **own;
    size_t own_count;
    struct pki_ca *ca = NULL;
    if (pki_ca_load(c->device_ca, c->device_ca_key, &ca, e) != 0)
        return err_context(e, "[pki] device_ca");
    pki_ca_free(ca);
    int rc = check_roots(c->device_ca, "device_ca", a, &own, &own_count, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < own_count; i++)
        for (size_t j = 0; j < count; j++)
            if (strcmp(own[i], roots[j]) == 0)
                return 0;
    return err_set(
        e, ERR_MISMATCH,
        "[pki] device_ca = %s is not among device_roots = %s: devices that it issues to could not log in",
        c->device_ca, c->device_roots);
}

static int check_pki(const struct server_config *c, struct arena *a, struct err *e)
{
    const char **devices, **others;
    size_t device_count, other_count;
    int rc = check_roots(c->device_roots, "device_roots", a, &devices, &device_count, e);
    if (rc == 0)
        rc = check_roots(c->operator_roots, "operator_roots", a, &others, &other_count, e);
    if (rc == 0)
        rc = check_roots(c->server_roots, "server_roots", a, &others, &other_count, e);
    return rc == 0 ? check_device_ca(c, a, devices, device_count, e) : rc;
}

/* Names of algorithms, and whether the certificate fits them: what the listener's own context would say. */
static int try_context(const struct tls_config *config, struct err *e)
{
    struct tls_ctx *ctx = NULL;
    int rc = tls_ctx_new(config, &ctx, e);
    if (rc == 0)
        tls_ctx_free(ctx);
    return rc;
}

static int check_contexts(const struct server_config *c, struct err *e)
{
    const struct tls_config tls = {.role = TLS_SERVER,
                                   .crypto = c->tls_crypto,
                                   .policy = c->tls_policy,
                                   .kem = str_or_null(c->tls_kem),
                                   .sig = str_or_null(c->tls_sig),
                                   .cert_file = c->tls_certificate,
                                   .key_file = c->tls_key,
                                   .ca_file = c->device_roots,
                                   .verify = TLS_VERIFY_OPTIONAL};
    const struct tls_config classical = {.role = TLS_SERVER,
                                         .crypto = c->tls_crypto,
                                         .policy = "insecure_classical",
                                         .cert_file = c->classical_certificate,
                                         .key_file = c->classical_key,
                                         .ca_file = c->device_roots,
                                         .verify = TLS_VERIFY_OPTIONAL};
    const struct tls_config console = {.role = TLS_SERVER,
                                       .crypto = c->tls_crypto,
                                       .policy = "browser",
                                       .cert_file = c->console_certificate,
                                       .key_file = c->console_key,
                                       .second_cert_file = c->tls ? c->tls_certificate : NULL,
                                       .second_key_file = c->tls ? c->tls_key : NULL,
                                       .own_at_any_time = true,
                                       .verify = TLS_INSECURE_NO_VERIFY};
    if (c->tls && try_context(&tls, e) != 0)
        return err_context(e, "[tls]");
    if (c->console && try_context(&console, e) != 0)
        return err_context(e, "[console]");
    if (c->classical && try_context(&classical, e) != 0)
        return err_context(e, "[classical]");
    return 0;
}

static int check_tls(const struct server_config *c, struct err *e)
{
    struct pki_cert cert;
    int64_t now = (int64_t)time(NULL);
    if (c->tls && pki_files_check(c->tls_certificate, c->tls_key, PKI_SERVER, now, &cert, e) != 0)
        return err_context(e, "[tls] certificate and key");
    /* Handed to devices as what to know this server by: a certificate outside it would lock them out. */
    if (c->tls && pki_issued_by(c->tls_certificate, c->server_roots, PKI_SERVER, now, e) != 0)
        return err_context(e, "[tls] certificate");
    if (c->console && !file_exists(c->console_certificate))
        return err_set(
            e, ERR_NOT_FOUND,
            "[console] certificate: %s is missing: run pqota init once more to have it made, or set "
            "enabled = no",
            c->console_certificate);
    /* Its life is for the browser to judge: updates of a whole fleet do not wait for it. */
    if (c->console && pki_files_fit(c->console_certificate, c->console_key, PKI_SERVER, &cert, e) != 0)
        return err_context(e, "[console] certificate and key");
    if (c->classical &&
        pki_files_check(c->classical_certificate, c->classical_key, PKI_SERVER, now, &cert, e) != 0)
        return err_context(e, "[classical] certificate and key");
    return 0;
}

int config_check_console_life(const struct server_config *c, struct err *e)
{
    struct pki_cert cert;
    if (!c->console)
        return 0;
    int rc = pki_files_fit(c->console_certificate, c->console_key, PKI_SERVER, &cert, e);
    if (rc == 0)
        rc = pki_life_check(&cert, c->console_certificate, (int64_t)time(NULL), e);
    return rc != 0 ? err_context(e, "[console] certificate") : 0;
}

/* The certificate may be missing, or its life be over: the server makes a new one, with its key if there is
   one. Else it is usable. */
static int check_mqtt_certificate(const struct server_config *c, bool *usable, struct err *e)
{
    auto_buf struct buf pem;
    buf_init(&pem, PKI_PEM_MAX);
    struct pki_cert cert;
    int64_t now = (int64_t)time(NULL);
    *usable = false;
    if (!file_exists(c->mqtt_certificate))
        return 0;
    int rc = file_read(c->mqtt_certificate, PKI_PEM_MAX, &pem, e);
    if (rc == 0)
        rc = pki_cert_read(buf_str(&pem), &cert, e);
    if (rc == 0 && strcmp(cert.common_name, CONFIG_MQTT_NAME) != 0)
        rc = err_set(e, ERR_MISMATCH,
                     "%s names \"%s\", but the broker knows the server as %s; take the file away, and the "
                     "server makes the right one",
                     c->mqtt_certificate, cert.common_name, CONFIG_MQTT_NAME);
    if (rc != 0 || now >= cert.not_after)
        return rc;
    rc = pki_files_check(c->mqtt_certificate, c->mqtt_key, PKI_CLIENT, now, &cert, e);
    if (rc == 0)
        rc = pki_issued_by(c->mqtt_certificate, c->device_roots, PKI_CLIENT, now, e);
    *usable = rc == 0;
    return rc;
}

static int check_mqtt(const struct server_config *c, struct err *e)
{
    char host[256];
    int port;
    bool usable;
    if (mqtt_split_broker(c->mqtt_broker, host, sizeof host, &port, e) != 0)
        return err_context(e, "[mqtt] broker");
    if (check_mqtt_certificate(c, &usable, e) != 0)
        return err_context(e, "[mqtt] certificate and key");
    const struct tls_config config = {.role = TLS_CLIENT,
                                      .crypto = c->tls_crypto,
                                      .cert_file = usable ? c->mqtt_certificate : NULL,
                                      .key_file = usable ? c->mqtt_key : NULL,
                                      .policy = c->tls_policy,
                                      .kem = str_or_null(c->tls_kem),
                                      .sig = str_or_null(c->tls_sig),
                                      .ca_file = c->mqtt_ca};
    return try_context(&config, e) == 0 ? 0 : err_context(e, "[mqtt]");
}

static int check_models(const char *list, struct err *e)
{
    struct str rest = str_of(list), one;
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.n > 0 && !str_is_name(one))
            return err_set(e, ERR_INVALID, "[ddi] insecure_unsigned_models: \"%.*s\" is no model",
                           (int)(one.n < 80 ? one.n : 80), one.p);
    }
    return 0;
}

static int check_ddi(const struct server_config *c, struct err *e)
{
    if (!str_is_name(str_of(c->ddi_model)))
        return err_set(e, ERR_INVALID,
                       "[ddi] model = %.80s: a model begins with a letter or digit, then letters, digits and "
                       ". _ + ~ -, 128 bytes at most",
                       c->ddi_model);
    if (c->ddi_version_attribute[0] == '\0' || strlen(c->ddi_version_attribute) > 128)
        return err_set(e, ERR_INVALID, "[ddi] version_attribute: an attribute's name has 1 to 128 bytes");
    if (c->ddi && c->ddi_header && c->ddi_header_authority[0] == '\0')
        return err_set(e, ERR_INVALID, "[ddi] header = yes needs header_authority: which issuers count");
    return check_models(c->insecure_unsigned_models, e);
}

int config_check(const struct server_config *c, struct err *e)
{
    if (!c->tls && !c->unix_socket && !c->plain && !c->classical)
        return err_set(e, ERR_INVALID,
                       "no listener is enabled: set enabled = yes in [tls], [unix], [plain] or [classical]");
    int rc = check_data_dir(c, e);
    if (rc == 0)
        rc = check_secret_key(c, e);
    if (rc == 0 && c->plain)
        rc = check_plain(c, e);
    if (rc == 0)
        rc = check_places(c, e);
    if (rc == 0 && c->unix_socket)
        rc = check_unix(c, e);
    if (rc == 0)
        rc = check_ddi(c, e);
    if (rc == 0)
        rc = check_tls(c, e);
    if (rc != 0)
        return rc;
    auto_arena struct arena a;
    arena_init(&a, CHECK_ARENA_MAX);
    rc = check_pki(c, &a, e);
    if (rc == 0 && c->mqtt)
        rc = check_mqtt(c, e);
    return rc == 0 ? check_contexts(c, e) : rc;
}
