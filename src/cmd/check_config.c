/* `pqota check-config`: what `pqota serve` would say about its settings, without starting. */
#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "pki/pki.h"
#include "server/config.h"

#define VERB "check-config"
#define ARENA_MAX 1048576

const char usage_check_config[] =
    "pqota check-config -c FILE\n"
    "\n"
    "Reads a settings file as `pqota serve` would, and everything that it names: certificates, keys, "
    "folders.\n"
    "Says OK and what would be served, or the first thing that is wrong, with file and line.\n"
    "\n"
    "  -c, --config FILE   the settings file, as made by `pqota init`\n"
    "  -h, --help          this text\n";

static int until(const char *file, char out[CLOCK_TEXT_MAX], struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, (size_t)PKI_PEM_MAX * 4);
    struct pki_cert cert;
    int rc = file_read(file, (size_t)PKI_PEM_MAX * 4, &text, e);
    if (rc == 0)
        rc = pki_cert_read(buf_str(&text), &cert, e);
    if (rc == 0)
        clock_format(cert.not_after * 1000, out);
    return rc;
}

static void print_listeners(const struct server_config *c)
{
    if (c->tls)
        printf("  TLS, %s%s: %s\n", c->tls_policy, c->tls_kem[0] || c->tls_sig[0] ? " (changed)" : "",
               c->tls_listen);
    if (c->console)
        printf("  console: %s\n", c->console_listen);
    if (c->classical)
        printf("  TLS without post-quantum algorithms: %s\n", c->classical_listen);
    if (c->plain)
        printf("  no TLS: %s\n", c->plain_listen);
    if (c->unix_socket)
        printf("  Unix socket: %s\n", c->unix_path);
}

static int print_summary(const char *path, const struct server_config *c, struct err *e)
{
    char server[CLOCK_TEXT_MAX] = "", console[CLOCK_TEXT_MAX] = "", device[CLOCK_TEXT_MAX];
    int rc = until(c->device_ca, device, e);
    if (rc == 0 && c->tls)
        rc = until(c->tls_certificate, server, e);
    if (rc == 0 && c->console)
        rc = until(c->console_certificate, console, e);
    if (rc != 0)
        return rc;
    printf("%s: OK\n", path);
    print_listeners(c);
    if (c->tls)
        printf("  server certificate: %s, until %s\n", c->tls_certificate, server);
    if (c->console)
        printf("  console certificate: %s, until %s\n", c->console_certificate, console);
    printf("  device authority: %s, until %s\n", c->device_ca, device);
    printf("  data: %s%s\n", c->data_dir, file_exists(c->data_dir) ? "" : " (made at the first start)");
    return 0;
}

int cmd_check_config(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    const char *path = NULL;
    int o;
    while ((o = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (o != 'c')
            return cmd_usage_error(VERB, "this option is not known, or its value is missing");
        path = optarg;
    }
    if (path == NULL || optind != argc)
        return cmd_usage_error(VERB, path == NULL ? "say which file: -c FILE" : "\"%s\" is too much",
                               argv[optind]);
    auto_arena struct arena a;
    arena_init(&a, ARENA_MAX);
    struct server_config c;
    struct err e = {0};
    if (config_read(path, &a, &c, &e) != 0)
        return cmd_fail(VERB, &e);
    if (config_check(&c, &e) != 0 && err_context(&e, "%s", path) != 0)
        return cmd_fail(VERB, &e);
    if (print_summary(path, &c, &e) != 0)
        return cmd_fail(VERB, &e);
    if (config_check_console_life(&c, &e) != 0)
        fprintf(stderr, "pqota " VERB ": warning: %s; browsers will refuse it\n", e.text);
    return CMD_OK;
}
