/* `pqota init`: everything that a first run needs, in one folder. */
#include "cmd/init.h"

#include <getopt.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/profile.h"
#include "keys/seal.h"
#include "ota/operators.h"
#include "server/config.h"

#define VERB "init"
#define ARENA_MAX 4194304
#define CONFIG_MAX 262144
#define LEAF_DAYS 397
#define SECONDS_PER_DAY 86400
#define DEFAULT_PORT 8443

const char usage_init[] =
    "pqota init [DIR] [--host NAME]... [--policy POLICY] [--operator NAME] [--port PORT]\n"
    "\n"
    "Makes everything that a first run needs in DIR (./pqota): certificate authorities for the server,\n"
    "devices, operators and browsers, the server's certificates, the first operator's credential, a key\n"
    "for secrets, the database, and a settings file that explains itself. What exists is kept, what is\n"
    "missing is made: running it again destroys nothing.\n"
    "\n"
    "  --host NAME        a DNS name or IP address by which the server is reached; may be repeated. The\n"
    "                     first stands in the operator's profile. Default: those of an earlier run, or\n"
    "                     localhost, 127.0.0.1, ::1 and this machine's name\n"
    "  --policy POLICY    balanced (default), cnsa2 or constrained: see pqota.conf(5)\n"
    "  --operator NAME    the first operator, an administrator (default: admin)\n"
    "  --port PORT        where to listen (default: 8443); the console has the port after it\n"
    "  -h, --help         this text\n";

static const char *const policies[] = {"balanced", "cnsa2", "constrained"}; /* the first is the default */

const char *init_path(const struct init *in, const char *fmt, ...)
{
    char rest[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(rest, sizeof rest, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < sizeof rest ? arena_printf(in->arena, "%s/%s", in->dir, rest) : NULL;
}

void init_say(const struct init *in, bool made, const char *path, const char *what)
{
    size_t n = strlen(in->dir);
    bool inside = strncmp(path, in->dir, n) == 0 && path[n] == '/';
    printf("  %s   %-24s %s\n", made ? "made" : "kept", inside ? path + n + 1 : path, what);
}

static const char *find_policy(const char *name)
{
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        if (strcmp(policies[i], name) == 0)
            return policies[i];
    return NULL;
}

/* --- what is asked for ------------------------------------------------------------------------------ */

struct asked {
    const char *policy, *admin;
    uint64_t port; /* 0: not given */
    size_t hosts;
};

/* Both the certificate and the database have to take it, before either is made. */
static int take_operator(const char *name, struct asked *asked)
{
    struct err e = {0};
    asked->admin = name;
    if (!str_is_device_id(str_of(name)) || !str_is_name(str_of(name)))
        return cmd_usage_error(
            VERB,
            "--operator \"%s\" is not 1 to 64 letters, digits and . _ -, a letter or digit "
            "first",
            name);
    return ota_operator_check_name(name, &e) == 0 ? CMD_OK : cmd_usage_error(VERB, "--operator: %s", e.text);
}

static int take_option(int o, struct init *in, struct asked *asked)
{
    switch (o) {
    case 'H':
        if (asked->hosts == PKI_NAMES_MAX)
            return cmd_usage_error(VERB, "a certificate takes at most %d names", PKI_NAMES_MAX);
        if (!pki_is_host(optarg))
            return cmd_usage_error(VERB, "--host \"%s\" is neither a DNS name nor an IP address", optarg);
        in->hosts[asked->hosts++] = optarg;
        return CMD_OK;
    case 'P':
        asked->policy = optarg;
        return find_policy(optarg) != NULL
                   ? CMD_OK
                   : cmd_usage_error(VERB, "--policy \"%s\" is not balanced, cnsa2 or constrained", optarg);
    case 'o':
        return take_operator(optarg, asked);
    case 'p':
        return str_to_u64(str_of(optarg), UINT16_MAX, &asked->port) == 0 && asked->port > 0
                   ? CMD_OK
                   : cmd_usage_error(VERB, "--port \"%s\" is not a number from 1 to 65535", optarg);
    default:
        return cmd_usage_error(VERB, "this option is not known, or its value is missing");
    }
}

static int parse(int argc, char **argv, struct init *in, struct asked *asked)
{
    static const struct option options[] = {
        {"host", required_argument, NULL, 'H'},
        {"policy", required_argument, NULL, 'P'},
        {"operator", required_argument, NULL, 'o'},
        {"port", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int o, rc;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
        if ((rc = take_option(o, in, asked)) != CMD_OK)
            return rc;
    if (argc - optind > 1)
        return cmd_usage_error(VERB, "one folder is enough, \"%s\" is too much", argv[optind + 1]);
    in->dir = optind < argc ? argv[optind] : "./pqota";
    size_t n = strlen(in->dir);
    while (n > 1 && in->dir[n - 1] == '/')
        n--;
    in->dir = arena_dup(in->arena, in->dir, n);
    if (n == 0 || in->dir == NULL)
        return cmd_usage_error(VERB, "the folder's name is empty");
    return CMD_OK;
}

static void default_hosts(struct init *in)
{
    static char name[256];
    size_t n = 0;
    in->hosts[n++] = "localhost";
    in->hosts[n++] = "127.0.0.1";
    in->hosts[n++] = "::1";
    if (gethostname(name, sizeof name - 1) == 0 && pki_is_host(name) && strcmp(name, "localhost") != 0)
        in->hosts[n++] = name;
}

/* Those of the certificate that is there, so that what is missing beside it fits. */
static int choose_hosts(struct init *in, const struct server_config *config, struct err *e)
{
    const char *files[] = {config->tls ? config->tls_certificate : "",
                           config->console ? config->console_certificate : ""};
    int rc = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == 0 && in->hosts[0] == NULL; i++)
        if (files[i][0] != '\0' && file_exists(files[i]))
            rc = pki_file_names(files[i], in->arena, in->hosts, e);
    if (rc == 0 && in->hosts[0] == NULL)
        default_hosts(in);
    return rc;
}

/* --- the steps -------------------------------------------------------------------------------------- */

/* An earlier run's file says which policy and port what is missing has to fit. */
static int read_config(struct init *in, const struct asked *asked, struct server_config *c, struct err *e)
{
    int rc = config_read(in->config, in->arena, c, e);
    if (rc != 0)
        return rc;
    in->policy = find_policy(c->tls_policy);
    struct str rest = str_of(c->tls_listen);
    struct sockaddr_storage address;
    if (in->policy == NULL || config_listen_next(&rest, &address, e) != 1)
        return err_set(e, ERR_INTERNAL, "%s was read with values that it cannot have", in->config);
    in->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                   : ((struct sockaddr_in *)&address)->sin_port);
    if (asked->policy != NULL && strcmp(asked->policy, c->tls_policy) != 0)
        return err_set(e, ERR_CONFLICT,
                       "%s has the policy %s already: change it there, or leave out --policy", in->config,
                       c->tls_policy);
    if (asked->port != 0 && asked->port != in->port)
        return err_set(e, ERR_CONFLICT, "%s listens on port %u already: change it there, or leave out --port",
                       in->config, in->port);
    return 0;
}

static int make_config(struct init *in, const struct asked *asked, struct server_config *c, struct err *e)
{
    in->config_kept = file_exists(in->config);
    if (!in->config_kept) {
        in->port = asked->port != 0 ? (uint16_t)asked->port : DEFAULT_PORT;
        const char *listen = arena_printf(in->arena, "[::]:%u, 0.0.0.0:%u", in->port, in->port);
        unsigned beside = in->port < UINT16_MAX ? in->port + 1U : in->port - 1U;
        const char *console = arena_printf(in->arena, "[::]:%u, 0.0.0.0:%u", beside, beside);
        const char *values[] = {"tls.policy",
                                asked->policy != NULL ? asked->policy : policies[0],
                                "tls.listen",
                                listen,
                                "console.listen",
                                console,
                                NULL};
        auto_buf struct buf text;
        buf_init(&text, CONFIG_MAX);
        int rc = listen != NULL && console != NULL ? config_write(values, &text, e)
                                                   : err_set(e, ERR_NOMEM, "no memory for the settings");
        if (rc == 0)
            rc = file_create_atomic(in->config, text.p, text.n, 0644, e);
        if (rc != 0)
            return rc;
    }
    int rc = read_config(in, asked, c, e);
    if (rc == 0)
        init_say(in, !in->config_kept, in->config, "the server's settings, each explained");
    return rc;
}

/* Root's files in another user's folder would be keys that the server cannot read. */
int init_check_owner(const char *dir, const char *verb, struct err *e)
{
    struct stat st;
    if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
        return 0;
    const struct passwd *owner = getpwuid(st.st_uid);
    if (owner == NULL)
        return err_set(e, ERR_DENIED, "%s belongs to the user %u: run this as that user", dir, st.st_uid);
    return err_set(e, ERR_DENIED,
                   "%s belongs to the user %s: run this as that user (runuser -u %s -- pqota %s %s)", dir,
                   owner->pw_name, owner->pw_name, verb, dir);
}

static int make_folders(struct init *in, struct err *e)
{
    const char *pki = init_path(in, "pki"), *people = init_path(in, "operator");
    if (pki == NULL || people == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    int rc = init_check_owner(in->dir, VERB, e);
    if (rc == 0)
        rc = file_mkdirs(in->dir, 0755, e);
    if (rc == 0)
        rc = file_mkdirs(pki, 0700, e);
    return rc == 0 ? file_mkdirs(people, 0700, e) : rc;
}

/* Which operator's credential to have: the one asked for, or on a first run "admin"; later, whom the profile
   names, so that a second run makes nobody new. */
static int choose_operator(struct init *in, const struct asked *asked, struct err *e)
{
    const char *path = init_path(in, "operator/profile");
    if (path == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    in->admin = asked->admin;
    if (in->admin != NULL)
        return 0;
    if (!file_exists(path)) {
        in->admin = "admin";
        return 0;
    }
    struct profile p;
    int rc = profile_read(path, in->arena, &p, e);
    if (rc != 0)
        return rc;
    struct str file = str_of(p.certificate), folder = str_of(p.dir), end = STR(".pem");
    bool here = file.n > folder.n + 1 + end.n && memcmp(file.p, folder.p, folder.n) == 0 &&
                str_is((struct str){.p = file.p + file.n - end.n, .n = end.n}, end.p);
    struct str name = {.p = file.p + folder.n + 1, .n = here ? file.n - folder.n - 1 - end.n : 0};
    if (here && str_is_device_id(name)) {
        in->admin = arena_dup_str(in->arena, name);
        return in->admin != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for a name");
    }
    return 0; /* a profile of somebody's own making: leave it */
}

/* How the server is known at an MQTT broker: issued by the authority whose key it has, so that it can renew
   it. Where that key is kept elsewhere, the server makes the certificate itself once [mqtt] is enabled. */
static int make_mqtt_leaf(struct init *in, struct err *e)
{
    const char *key = init_path(in, "pki/device-ca.key");
    if (key == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    if (!file_exists(key))
        return 0;
    struct pki_issue mqtt = {.purpose = PKI_CLIENT,
                             .common_name = CONFIG_MQTT_NAME,
                             .not_after = in->now_s + (int64_t)CONFIG_MQTT_DAYS * SECONDS_PER_DAY};
    return init_leaf(in, "device", "pki/mqtt", &mqtt, "the server's certificate for an MQTT broker, and key",
                     e);
}

/* How browsers know the console: an authority to import there. Where the settings name a certificate that is
   there already, nobody needs one. */
static int make_console(struct init *in, const struct server_config *config, struct err *e)
{
    if (!config->console || file_exists(config->console_certificate))
        return 0;
    const struct pki_issue leaf = {.purpose = PKI_SERVER,
                                   .common_name = "pqota console",
                                   .names = in->hosts,
                                   .not_after = in->now_s + (int64_t)LEAF_DAYS * SECONDS_PER_DAY};
    int rc = init_root(in, "console", "authority by which browsers know the console (ECDSA)", e);
    return rc == 0 ? init_leaf(in, "console", "pki/console", &leaf, "the console's certificate and key", e)
                   : rc;
}

static int make_leaves(struct init *in, struct err *e)
{
    struct pki_issue server = {.purpose = PKI_SERVER,
                               .common_name = strlen(in->hosts[0]) <= 64 ? in->hosts[0] : "pqota server",
                               .names = in->hosts,
                               .not_after = in->now_s + (int64_t)LEAF_DAYS * SECONDS_PER_DAY};
    int rc = init_leaf(in, "server", "pki/server", &server, "the server's certificate and key", e);
    if (rc == 0)
        rc = make_mqtt_leaf(in, e);
    if (rc != 0 || in->admin == NULL)
        return rc;
    struct pki_issue person = {
        .purpose = PKI_CLIENT, .common_name = in->admin, .not_after = server.not_after};
    const char *name = arena_printf(in->arena, "operator/%s", in->admin);
    if (name == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    const char *file = init_path(in, "%s.pem", name);
    in->admin_new = file != NULL && !file_exists(file);
    return init_leaf(in, "operator", name, &person, "the operator's certificate and key", e);
}

static int create(struct init *in, const char *path, const void *data, size_t n, const char *what,
                  struct err *e)
{
    bool made = !file_exists(path);
    int rc = made ? file_create_atomic(path, data, n, 0644, e) : 0;
    if (rc == 0)
        init_say(in, made, path, what);
    return rc;
}

static int make_profile(struct init *in, struct err *e)
{
    const char *path = init_path(in, "operator/profile"), *roots = init_path(in, "operator/server-ca.pem");
    const char *from = init_path(in, "pki/server-ca.pem");
    bool six = strchr(in->hosts[0], ':') != NULL;
    const char *text = arena_printf(
        in->arena,
        "# Which server this operator talks to. Paths are relative to this file's folder.\n"
        "[profile]\nserver = https://%s%s%s:%u\ncertificate = %s.pem\nkey = %s.key\n"
        "ca = server-ca.pem\npolicy = %s\n",
        six ? "[" : "", in->hosts[0], six ? "]" : "", in->port, in->admin != NULL ? in->admin : "admin",
        in->admin != NULL ? in->admin : "admin", in->policy);
    if (path == NULL || roots == NULL || from == NULL || text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the operator's profile");
    auto_buf struct buf pem;
    buf_init(&pem, PKI_PEM_MAX);
    int rc = file_read(from, PKI_PEM_MAX, &pem, e);
    if (rc == 0)
        rc = create(in, roots, pem.p, pem.n, "by which the operator knows the server", e);
    return rc == 0 ? create(in, path, text, strlen(text), "where the operator's commands find all this", e)
                   : rc;
}

/* What the database's secrets are sealed with. */
static int make_secret(struct init *in, const struct server_config *config, struct err *e)
{
    struct sealer *sealer = NULL;
    bool made = !file_exists(config->secret_key);
    int rc = sealer_open(config->secret_key, true, &sealer, e);
    if (rc != 0)
        return rc;
    sealer_free(sealer);
    init_say(in, made, config->secret_key, "seals secrets in the database; no backup has it: keep a copy");
    return 0;
}

static int make_all(struct init *in, const struct asked *asked, struct err *e)
{
    struct server_config config;
    int rc = make_folders(in, e);
    if (rc == 0)
        rc = make_config(in, asked, &config, e);
    if (rc == 0 && asked->hosts == 0)
        rc = choose_hosts(in, &config, e);
    if (rc == 0)
        rc = choose_operator(in, asked, e);
    if (rc == 0)
        rc = init_root(in, "server", "authority by which devices and operators know the server", e);
    if (rc == 0)
        rc = init_root(in, "device", "authority by which the server knows devices", e);
    if (rc == 0)
        rc = init_root(in, "operator", "authority by which the server knows operators", e);
    if (rc == 0)
        rc = make_leaves(in, e);
    if (rc == 0)
        rc = make_console(in, &config, e);
    if (rc == 0)
        rc = make_profile(in, e);
    if (rc == 0)
        rc = make_secret(in, &config, e);
    if (rc == 0)
        rc = init_data(in, config.data_dir, e);
    /* Says now what `pqota serve` would say later. */
    if (rc == 0 && config_check(&config, e) != 0)
        rc = err_context(e, "everything is there, but %s is not right", in->config);
    return rc;
}

static void print_offline(const struct init *in, const char *role, const char *why, bool *first)
{
    const char *key = init_path(in, "pki/%s-ca.key", role);
    if (key == NULL || !file_exists(key))
        return;
    if (*first)
        printf("\nTake these keys offline (copy them to where no network is, then delete them here):\n");
    *first = false;
    printf("  %s\n      needed only to %s\n", key, why);
}

static void print_next(const struct init *in)
{
    bool first = true;
    print_offline(in, "server", "renew the server's certificate, every year", &first);
    print_offline(in, "operator", "make and renew operators' certificates", &first);
    print_offline(in, "console", "renew the console's certificate, every year", &first);
    printf("The server itself needs %s/pki/device-ca.key: it issues certificates to devices.\n", in->dir);
    const char *trust = init_path(in, "trust");
    bool signing = trust != NULL && file_exists(trust);
    if (!signing)
        printf("\nNext, the keys by whose signatures devices know firmware:\n  pqota trust init %s\n",
               in->dir);
    printf("\n%s:\n  pqota serve -c %s\n", signing ? "Next" : "then", in->config);
    printf("and then, in another terminal:\n  pqota status --profile %s/operator/profile\n"
           "  pqota console --profile %s/operator/profile    (a link for a browser)\n",
           in->dir, in->dir);
}

int cmd_init(int argc, char **argv)
{
    auto_arena struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct init in = {.arena = &arena, .now_s = (int64_t)time(NULL)};
    struct asked asked = {0};
    struct err e = {0};
    int rc = parse(argc, argv, &in, &asked);
    if (rc != CMD_OK)
        return rc;
    in.config = init_path(&in, "pqota.conf");
    if (in.config == NULL)
        return cmd_usage_error(VERB, "the folder's name is too long");
    log_setup(LOG_WARN, LOG_LOGFMT, STDERR_FILENO);
    printf("%s\n", in.dir);
    if (make_all(&in, &asked, &e) != 0) {
        fflush(stdout);
        cmd_fail(VERB, &e);
        return CMD_FAILED;
    }
    print_next(&in);
    return CMD_OK;
}
