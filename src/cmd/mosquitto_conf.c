/* `pqota mosquitto-conf`: a folder with everything that mosquitto needs to be pqota's broker. */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/mosquitto.h"
#include "pki/pki.h"

#define VERB "mosquitto-conf"
#define ARENA_MAX 1048576
#define TEXT_MAX 16384                     /* bytes of a file that is made */
#define COPY_MAX ((size_t)PKI_PEM_MAX * 4) /* bytes of a file that is copied */
#define USER_DEFAULT "mosquitto"

const char usage_mosquitto_conf[] =
    "pqota mosquitto-conf [-c FILE] --dir DIR\n"
    "\n"
    "Writes a folder with all that mosquitto 2.0 needs to be the broker of this server: listeners with\n"
    "mutual post-quantum TLS, who may read and write which topics, copies of the certificates, and how to\n"
    "start it.\n"
    "As root it makes mosquitto's account the owner of what only the broker may read.\n"
    "\n"
    "  -c, --config FILE        the server's settings (default: ./pqota/pqota.conf, else\n"
    "                           /etc/pqota/pqota.conf)\n"
    "      --dir DIR            the folder, such as /etc/mosquitto/pqota\n"
    "      --port PORT          where devices and the server connect (8883)\n"
    "      --operator-port PORT where operators read along (8884); 0: nowhere\n"
    "      --operator NAME      who may read there; may be repeated (admin)\n"
    "      --listen ADDRESS     one address to listen on; without it, all\n"
    "      --certificate FILE   the broker's certificate; without it, the server's\n"
    "      --key FILE           its key\n"
    "      --crl FILE           refuse the devices in this revocation list, which you keep fresh\n"
    "      --user NAME          the account that mosquitto runs as (mosquitto)\n"
    "      --force              write over what is there\n"
    "  -h, --help               this text\n";

enum {
    OPT_DIR = 256,
    OPT_PORT,
    OPT_OPERATOR_PORT,
    OPT_OPERATOR,
    OPT_LISTEN,
    OPT_CERTIFICATE,
    OPT_KEY,
    OPT_CRL,
    OPT_USER,
    OPT_FORCE
};

struct order {
    struct mosquitto m;
    const char *config;
    const char *account; /* as root: whose the secret files become */
    uid_t uid;
    gid_t gid;
};

static bool number(const char *text, int least, int *out)
{
    uint64_t v;
    if (str_to_u64(str_of(text), 65535, &v) != 0 || v < (uint64_t)least)
        return false;
    *out = (int)v;
    return true;
}

/* CMD_OK, or what to end with. */
static int take_option(struct order *o, int option, const char *value)
{
    struct mosquitto *m = &o->m;
    switch (option) {
    case 'c':
        o->config = value;
        return CMD_OK;
    case OPT_DIR:
        m->dir = value;
        return CMD_OK;
    case OPT_PORT:
        if (!number(value, 1, &m->port))
            return cmd_usage_error(VERB, "--port is a number from 1 to 65535, not \"%s\"", value);
        return CMD_OK;
    case OPT_OPERATOR_PORT:
        if (!number(value, 0, &m->operator_port))
            return cmd_usage_error(VERB, "--operator-port is a number up to 65535, not \"%s\"", value);
        return CMD_OK;
    case OPT_OPERATOR:
        if (!str_is_name(str_of(value)))
            return cmd_usage_error(VERB, "\"%s\" is no name of an operator", value);
        if (m->operator_count == MOSQUITTO_OPERATORS_MAX)
            return cmd_usage_error(VERB, "at most %d operators; write more into access.acl",
                                   MOSQUITTO_OPERATORS_MAX);
        m->operators[m->operator_count++] = value;
        return CMD_OK;
    case OPT_LISTEN:
        m->listen = value;
        return CMD_OK;
    case OPT_CERTIFICATE:
        m->certificate = value;
        return CMD_OK;
    case OPT_KEY:
        m->key = value;
        return CMD_OK;
    case OPT_CRL:
        m->crl = value;
        return CMD_OK;
    case OPT_USER:
        m->user = value;
        return CMD_OK;
    case OPT_FORCE:
        m->force = true;
        return CMD_OK;
    default:
        return cmd_usage_error(VERB, "this option is not known, or its value is missing");
    }
}

static int read_line(int argc, char **argv, struct order *o)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"dir", required_argument, NULL, OPT_DIR},
                                            {"port", required_argument, NULL, OPT_PORT},
                                            {"operator-port", required_argument, NULL, OPT_OPERATOR_PORT},
                                            {"operator", required_argument, NULL, OPT_OPERATOR},
                                            {"listen", required_argument, NULL, OPT_LISTEN},
                                            {"certificate", required_argument, NULL, OPT_CERTIFICATE},
                                            {"key", required_argument, NULL, OPT_KEY},
                                            {"crl", required_argument, NULL, OPT_CRL},
                                            {"user", required_argument, NULL, OPT_USER},
                                            {"force", no_argument, NULL, OPT_FORCE},
                                            {NULL, 0, NULL, 0}};
    *o = (struct order){.m = {.port = 8883, .operator_port = 8884, .user = USER_DEFAULT}};
    for (int c; (c = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        int rc = take_option(o, c, optarg);
        if (rc != CMD_OK)
            return rc;
    }
    if (optind < argc)
        return cmd_usage_error(VERB, "\"%s\" is too much", argv[optind]);
    if (o->m.dir == NULL)
        return cmd_usage_error(VERB, "say where to write: --dir DIR, such as /etc/mosquitto/pqota");
    if ((o->m.certificate == NULL) != (o->m.key == NULL))
        return cmd_usage_error(VERB, "--certificate and --key are given together or not at all");
    if (o->m.port == o->m.operator_port)
        return cmd_usage_error(VERB, "devices and operators need ports of their own");
    if (o->m.listen != NULL && (o->m.listen[0] == '-' || !pki_is_host(o->m.listen)))
        return cmd_usage_error(VERB, "--listen is an address such as 192.0.2.1, not \"%s\"", o->m.listen);
    if (o->m.operator_count == 0)
        o->m.operators[o->m.operator_count++] = "admin";
    o->config = cmd_config_file(o->config);
    return CMD_OK;
}

/* A path as mosquitto's and systemd's files can hold it. */
static int whole_path(const char *path, struct arena *a, const char **out, struct err *e)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return err_errno(e, errno, "%s", path);
    char *copy = arena_dup_str(a, str_of(real));
    free(real);
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    if (!str_is_text(str_of(copy)) || strpbrk(copy, "\"\\%\n\t") != NULL)
        return err_set(e, ERR_INVALID, "%s: choose a path without quotes, backslashes and percent signs",
                       copy);
    *out = copy;
    return 0;
}

static int find_account(struct order *o, struct err *e)
{
    if (geteuid() != 0)
        return 0;
    errno = 0;
    const struct passwd *p = getpwnam(o->m.user);
    if (p == NULL)
        return err_set(e, ERR_NOT_FOUND,
                       "there is no account \"%s\" on this machine: install mosquitto first, or name the "
                       "account it runs as with --user",
                       o->m.user);
    o->account = o->m.user;
    o->uid = p->pw_uid;
    o->gid = p->pw_gid;
    return 0;
}

static int check(struct order *o, const struct server_config *c, struct arena *a, struct err *e)
{
    struct mosquitto *m = &o->m;
    struct pki_cert cert;
    if (m->certificate == NULL) {
        m->certificate = c->tls_certificate;
        m->key = c->tls_key;
    }
    m->device_roots = c->device_roots;
    m->operator_roots = c->operator_roots;
    int rc = tls_algs_resolve(c->tls_policy, str_or_null(c->tls_kem), str_or_null(c->tls_sig), &m->algs, e);
    if (rc == 0)
        rc = pki_files_check(m->certificate, m->key, PKI_SERVER, clock_unix_ms(&clock_system) / 1000, &cert,
                             e);
    if (rc == 0 && strncmp(m->key, "pkcs11:", 7) == 0)
        rc = err_set(e, ERR_UNSUPPORTED,
                     "the key of %s is in a token, where mosquitto cannot use it: give the broker a "
                     "certificate of its own with --certificate and --key",
                     m->certificate);
    if (rc == 0 && m->crl != NULL)
        rc = whole_path(m->crl, a, &m->crl, e);
    if (rc == 0)
        rc = find_account(o, e);
    return rc;
}

static int write_file(const struct order *o, const char *name, const struct buf *text, bool secret,
                      struct err *e)
{
    char path[4096];
    if (file_join(path, sizeof path, o->m.dir, name) != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of %s is too long", name);
    mode_t mode = secret ? 0600 : 0644;
    int rc = o->m.force ? file_write_atomic(path, text->p, text->n, mode, e)
                        : file_create_atomic(path, text->p, text->n, mode, e);
    if (rc == 0 && secret && o->account != NULL && chown(path, o->uid, o->gid) != 0)
        return err_errno(e, errno, "%s cannot become %s's", path, o->account);
    if (rc == 0)
        printf("wrote %s\n", path);
    return rc;
}

static int make_folder(const struct order *o, const char *name, bool own, struct err *e)
{
    char path[4096];
    if (file_join(path, sizeof path, o->m.dir, name) != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of %s is too long", name);
    int rc = file_mkdirs(path, own ? 0700 : 0755, e);
    if (rc == 0 && own && o->account != NULL && chown(path, o->uid, o->gid) != 0)
        return err_errno(e, errno, "%s cannot become %s's", path, o->account);
    return rc;
}

static int refuse_overwriting(const struct order *o, const char *name, struct err *e)
{
    char path[4096];
    if (o->m.force || file_join(path, sizeof path, o->m.dir, name) != 0 || !file_exists(path))
        return 0;
    return err_set(e, ERR_CONFLICT, "%s is there already; --force writes over it", path);
}

static int write_texts(const struct order *o, struct err *e)
{
    for (const struct mosquitto_file *f = mosquitto_texts; f->name != NULL; f++) {
        auto_buf struct buf text;
        buf_init(&text, TEXT_MAX);
        if (f->make(&o->m, &text) != 0)
            return err_set(e, ERR_NOMEM, "no memory for %s", f->name);
        int rc = write_file(o, f->name, &text, f->secret, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

#define COPIES 4

struct copy {
    const char *from, *name;
    bool secret, wanted;
};

/* mosquitto runs as an account that may not look into pqota's folder, so it gets copies. */
static void list_copies(const struct mosquitto *m, struct copy out[COPIES])
{
    out[0] = (struct copy){m->device_roots, "device-roots.pem", false, true};
    out[1] = (struct copy){m->operator_roots, "operator-roots.pem", false, m->operator_port != 0};
    out[2] = (struct copy){m->certificate, "broker.pem", false, true};
    out[3] = (struct copy){m->key, "broker.key", true, true};
}

static int write_copy(const struct order *o, const struct copy *c, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, COPY_MAX);
    int rc = file_read(c->from, COPY_MAX, &text, e);
    if (rc == 0)
        rc = write_file(o, c->name, &text, c->secret, e);
    if (text.p != NULL)
        explicit_bzero(text.p, text.n);
    return rc;
}

/* Nothing is written when anything is there. */
static int write_all(const struct order *o, struct err *e)
{
    struct copy copies[COPIES];
    int rc = 0;
    list_copies(&o->m, copies);
    for (size_t i = 0; rc == 0 && i < COPIES; i++)
        rc = refuse_overwriting(o, copies[i].name, e);
    for (const struct mosquitto_file *f = mosquitto_texts; rc == 0 && f->name != NULL; f++)
        rc = refuse_overwriting(o, f->name, e);
    if (rc == 0)
        rc = make_folder(o, "conf.d", false, e);
    if (rc == 0)
        rc = make_folder(o, "data", true, e);
    if (rc == 0)
        rc = write_texts(o, e);
    for (size_t i = 0; rc == 0 && i < COPIES; i++)
        if (copies[i].wanted)
            rc = write_copy(o, &copies[i], e);
    return rc;
}

static void say_next(const struct mosquitto *m)
{
    printf("\nA broker of its own:\n"
           "  OPENSSL_CONF=%s/openssl.cnf mosquitto -c %s/mosquitto.conf\n"
           "Debian's service:\n"
           "  ln -s %s/conf.d/pqota.conf /etc/mosquitto/conf.d/pqota.conf\n"
           "  install -D -m 644 %s/mosquitto.service.conf "
           "/etc/systemd/system/mosquitto.service.d/pqota.conf\n"
           "  systemctl daemon-reload && systemctl restart mosquitto\n"
           "Then, with a host that the broker's certificate names:\n"
           "  pqota.conf:        [mqtt] enabled = yes, broker = HOST:%d\n"
           "  pqota-agent.conf:  [agent] broker = HOST:%d\n",
           m->dir, m->dir, m->dir, m->dir, m->port, m->port);
}

int cmd_mosquitto_conf(int argc, char **argv)
{
    struct order o;
    int code = read_line(argc, argv, &o);
    if (code != CMD_OK)
        return code;
    auto_arena struct arena a;
    arena_init(&a, ARENA_MAX);
    struct server_config c;
    struct err e = {0};
    int rc = config_read(o.config, &a, &c, &e);
    if (rc == 0)
        rc = check(&o, &c, &a, &e);
    if (rc == 0)
        rc = file_mkdirs(o.m.dir, 0755, &e);
    if (rc == 0)
        rc = whole_path(o.m.dir, &a, &o.m.dir, &e);
    if (rc == 0)
        rc = write_all(&o, &e);
    if (rc != 0)
        return cmd_fail(VERB, &e);
    say_next(&o.m);
    return CMD_OK;
}
