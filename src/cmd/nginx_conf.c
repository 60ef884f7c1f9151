/* `pqota nginx-conf`: a ready configuration of nginx in front of the server. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/nginx.h"
#include "pki/pki.h"

#define VERB "nginx-conf"
#define ARENA_MAX 1048576
#define TEXT_MAX 65536

const char usage_nginx_conf[] =
    "pqota nginx-conf [-c FILE] [--name HOST] [--port PORT] [--certificate FILE --key FILE] [--crl FILE]\n"
    "                 [--user NAME] [-o FILE [--force]]\n"
    "\n"
    "Writes a configuration for nginx in front of the server: post-quantum TLS 1.3 and HTTP/2 on its port,\n"
    "everything passed on over the server's Unix socket, with who the client is. Set [unix] proxy = yes in\n"
    "the server's settings, so that the server believes it.\n"
    "\n"
    "Options\n"
    "  -c, --config FILE       the server's settings (default: ./pqota/pqota.conf, else\n"
    "                          /etc/pqota/pqota.conf)\n"
    "      --name HOST         the name by which clients come (default: that of public_url, else of the\n"
    "                          certificate)\n"
    "      --port PORT         where nginx listens (443)\n"
    "      --certificate FILE  what nginx shows (default: the server's)\n"
    "      --key FILE          its private key\n"
    "      --crl FILE          revocation lists that nginx checks too: one of each authority, PEM\n"
    "      --user NAME         whom nginx runs as (www-data)\n"
    "  -o, --output FILE       where to write it (default: standard output)\n"
    "      --force             replace FILE if it exists\n"
    "  -h, --help              this text\n";

struct asked {
    const char *config, *name, *certificate, *key, *crl, *user, *output;
    unsigned port;
    bool force;
};

enum { OPT_NAME = 256, OPT_PORT, OPT_CERTIFICATE, OPT_KEY, OPT_CRL, OPT_USER, OPT_FORCE };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},    {"name", required_argument, NULL, OPT_NAME},
    {"port", required_argument, NULL, OPT_PORT}, {"certificate", required_argument, NULL, OPT_CERTIFICATE},
    {"key", required_argument, NULL, OPT_KEY},   {"crl", required_argument, NULL, OPT_CRL},
    {"user", required_argument, NULL, OPT_USER}, {"output", required_argument, NULL, 'o'},
    {"force", no_argument, NULL, OPT_FORCE},     {NULL, 0, NULL, 0}};

static bool take_option(int o, struct asked *a)
{
    uint64_t port;
    switch (o) {
    case 'c':
        a->config = optarg;
        return true;
    case 'o':
        a->output = optarg;
        return true;
    case OPT_NAME:
        a->name = optarg;
        return pki_is_host(optarg);
    case OPT_PORT:
        if (str_to_u64(str_of(optarg), 65535, &port) != 0 || port == 0)
            return false;
        a->port = (unsigned)port;
        return true;
    case OPT_CERTIFICATE:
        a->certificate = optarg;
        return true;
    case OPT_KEY:
        a->key = optarg;
        return true;
    case OPT_CRL:
        a->crl = optarg;
        return true;
    case OPT_USER:
        a->user = optarg;
        return true;
    case OPT_FORCE:
        a->force = true;
        return true;
    default:
        return false;
    }
}

static int parse(int argc, char **argv, struct asked *a)
{
    *a = (struct asked){.user = "www-data", .port = 443};
    for (int o; (o = getopt_long(argc, argv, "c:o:", options, NULL)) != -1;)
        if (!take_option(o, a))
            return cmd_usage_error(VERB, o == OPT_PORT ? "--port is a number from 1 to 65535"
                                         : o == OPT_NAME
                                             ? "--name is a DNS name or an IP address"
                                             : "this option is not known, or its value is missing");
    if (optind != argc)
        return cmd_usage_error(VERB, "\"%s\" is too much", argv[optind]);
    if ((a->certificate == NULL) != (a->key == NULL))
        return cmd_usage_error(VERB, "--certificate and --key go together");
    if (a->force && a->output == NULL)
        return cmd_usage_error(VERB, "--force is about --output, which is not given");
    a->config = cmd_config_file(a->config);
    return CMD_OK;
}

/* nginx takes relative paths from its own folder, and reads "$" in some of them as a variable. */
static int absolute(const char *path, bool exists, struct arena *a, const char **out, struct err *e)
{
    char full[PATH_MAX];
    const char *found = path;
    if (realpath(path, full) != NULL)
        found = full;
    else if (exists)
        return err_errno(e, errno, "cannot find %s", path);
    else if (path[0] != '/') {
        char here[PATH_MAX];
        if (realpath(".", here) == NULL || file_join(full, sizeof full, here, path) != 0)
            return err_set(e, ERR_TOO_LARGE, "the path %s is too long", path);
        found = full;
    }
    if (strpbrk(found, "$\"\\\n{};") != NULL || !str_is_text(str_of(found)))
        return err_set(e, ERR_UNSUPPORTED, "the path %s cannot stand in nginx's configuration", found);
    *out = arena_dup(a, found, strlen(found));
    return *out != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for a path");
}

static int find_files(const struct asked *asked, struct arena *a, struct nginx_conf *n, struct err *e)
{
    const struct server_config *c = n->config;
    const char *key = asked->key != NULL ? asked->key : c->tls_key;
    if (!file_exists(key))
        return err_set(e, ERR_UNSUPPORTED,
                       "%s is no file, and nginx's key has to be one: name it with --certificate and --key",
                       key);
    int rc = absolute(asked->certificate != NULL ? asked->certificate : c->tls_certificate, true, a,
                      &n->certificate, e);
    if (rc == 0)
        rc = absolute(key, true, a, &n->key, e);
    if (rc == 0)
        rc = absolute(c->device_roots, true, a, &n->device_roots, e);
    if (rc == 0)
        rc = absolute(c->operator_roots, true, a, &n->operator_roots, e);
    if (rc == 0)
        rc = absolute(c->unix_path, false, a, &n->socket, e);
    if (rc == 0 && asked->crl != NULL)
        rc = absolute(asked->crl, false, a, &n->crl, e);
    return rc;
}

/* Of public_url, "https://host:port" without a path. */
static int choose_name(const struct asked *asked, const struct pki_cert *cert, struct arena *a,
                       struct nginx_conf *n, struct err *e)
{
    const char *url = n->config->public_url;
    n->name = asked->name;
    if (n->name == NULL && url[0] != '\0') {
        const char *host = strstr(url, "://") + 3;
        size_t size = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
        n->name = arena_dup(a, host, size);
        if (n->name == NULL)
            return err_set(e, ERR_NOMEM, "no memory for a name");
    }
    if (n->name == NULL)
        n->name =
            pki_is_host(cert->common_name) ? arena_dup(a, cert->common_name, strlen(cert->common_name)) : "_";
    return n->name != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for a name");
}

/* What keeps it from working although every file is right. */
static void look_for_trouble(const struct asked *asked, struct nginx_conf *n, char *text, size_t size)
{
    const struct server_config *c = n->config;
    int64_t now = (int64_t)time(NULL);
    if (!c->unix_socket)
        snprintf(text, size, "the server has no Unix socket: set [unix] enabled = yes and proxy = yes in %s",
                 asked->config);
    else if (!c->unix_proxy)
        snprintf(text, size,
                 "the server does not believe a proxy yet: set [unix] proxy = yes in %s and restart it",
                 asked->config);
    else if (pki_issued_by(n->certificate, c->server_roots, PKI_SERVER, now, NULL) != 0)
        snprintf(text, size, "devices know the server by %s, and %s does not verify with it", c->server_roots,
                 n->certificate);
    else if (nginx_may_connect(n->socket, c->unix_mode, asked->user, text, size))
        return;
    n->warning = text;
}

static int make(const struct asked *asked, struct arena *a, struct buf *out, struct err *e)
{
    struct server_config c;
    struct nginx_conf n = {.config = &c, .port = asked->port};
    struct pki_cert cert;
    char trouble[ERR_TEXT_MAX];
    int rc = config_read(asked->config, a, &c, e);
    if (rc == 0)
        rc = find_files(asked, a, &n, e);
    if (rc == 0)
        rc = pki_files_check(n.certificate, n.key, PKI_SERVER, (int64_t)time(NULL), &cert, e);
    if (rc == 0)
        rc = choose_name(asked, &cert, a, &n, e);
    if (rc != 0)
        return rc;
    look_for_trouble(asked, &n, trouble, sizeof trouble);
    rc = nginx_conf_write(&n, out, e);
    if (rc == 0 && n.warning != NULL)
        fprintf(stderr, "pqota " VERB ": warning: %s\n", n.warning);
    return rc;
}

static int put(const struct asked *asked, const struct buf *text, struct err *e)
{
    if (asked->output == NULL)
        return fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0
                   ? 0
                   : err_errno(e, errno, "cannot write to standard output");
    int rc = asked->force ? file_write_atomic(asked->output, text->p, text->n, 0644, e)
                          : file_create_atomic(asked->output, text->p, text->n, 0644, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "%s exists; --force replaces it", asked->output);
    if (rc == 0)
        printf("made %s; nginx -t says whether nginx likes it, and then: systemctl reload nginx\n",
               asked->output);
    return rc;
}

int cmd_nginx_conf(int argc, char **argv)
{
    struct asked asked;
    int code = parse(argc, argv, &asked);
    if (code != CMD_OK)
        return code;
    auto_arena struct arena a;
    auto_buf struct buf text;
    arena_init(&a, ARENA_MAX);
    buf_init(&text, TEXT_MAX);
    struct err e = {0};
    int rc = make(&asked, &a, &text, &e);
    if (rc == 0)
        rc = put(&asked, &text, &e);
    return rc == 0 ? CMD_OK : cmd_fail(VERB, &e);
}
