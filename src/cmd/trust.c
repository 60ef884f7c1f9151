/* `pqota trust`: who vouches for what devices run. */
#include "cmd/trust.h"

#include "cmd/verbs.h"

#define PASSPHRASE_FILE                                                                                      \
    {.name = "passphrase-file", .value = "FILE", .help = "its first line is the passphrase of the keys"}

static const struct line_option init_options[] = {
    {.name = "root-keys", .value = "NUMBER", .help = "root holders to make keys for (3)"},
    {.name = "root-threshold", .value = "NUMBER", .help = "how many of them must sign (2)"},
    {.name = "targets-keys", .value = "NUMBER", .help = "targets holders to make keys for (1)"},
    {.name = "targets-threshold", .value = "NUMBER", .help = "how many of them must sign (1)"},
    {.name = "root-key",
     .repeats = true,
     .value = "KEY",
     .help = "a root holder's keys that are there: a file, or a URI such as pkcs11:"},
    {.name = "targets-key", .repeats = true, .value = "KEY", .help = "a targets holder's, likewise"},
    PASSPHRASE_FILE,
    {.name = NULL},
};
static const struct line_option sign_options[] = {
    {.name = "key",
     .letter = 'k',
     .needed = true,
     .repeats = true,
     .value = "KEY",
     .help = "a holder's keys: a file, or a URI such as pkcs11:"},
    PASSPHRASE_FILE,
    {.name = NULL},
};
static const struct line_option show_options[] = {
    {.name = "root",
     .value = "FILE",
     .help = "the root by which a single metadata file's signatures are checked"},
    {.name = NULL},
};
#define OUTPUT {.name = "output", .letter = 'o', .value = "FILE", .help = "the request to write"}
static const struct line_option rotate_options[] = {
    OUTPUT,
    {.name = "new", .value = "NUMBER", .help = "holders to make keys for (as many as are replaced)"},
    {.name = "key",
     .letter = 'k',
     .repeats = true,
     .value = "KEY",
     .help = "a new holder's keys that are there: a file, or a URI such as pkcs11:"},
    {.name = "keep",
     .repeats = true,
     .value = "KEYID",
     .help = "a present key that stays: the beginning of its id"},
    {.name = "threshold", .value = "NUMBER", .help = "how many holders must sign (as many as now)"},
    {.name = "keys-dir", .value = "DIR", .help = "where new keys go (.)"},
    PASSPHRASE_FILE,
    {.name = NULL},
};
static const struct line_option renew_options[] = {
    OUTPUT,
    {.name = "no-root", .help = "leave the roots, which live for years, as they are"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"init", "DIR", 1, 1, 0, init_options, trust_verb_init,
     "make the keys and the first metadata, in DIR/trust",
     "DIR is the one of `pqota init`. Offline keys are encrypted with a passphrase, which is asked for; "
     "each\n"
     "holder has a pair, ML-DSA-87 and Ed25519, in one file. Where keys are named, none are made of that "
     "role\n"
     "unless a number is given too."},
    {"sign", "FILE", 1, 1, LINE_YES, sign_options, trust_verb_sign, "sign a request, where the keys are",
     "Needs no network, server or profile. Shows what would be signed and what it changes, asks, and adds "
     "the\n"
     "signatures to FILE; several holders sign one after another."},
    {"show", "[FILE]", 0, 1, LINE_SERVER | LINE_JSON, show_options, trust_verb_show,
     "show who signed what, who has to, and until when",
     "FILE is a signing request or a metadata file; that needs no server. Without it the server is asked: "
     "what\n"
     "ends first stands first, and what has to be done about it below."},
    {"rotate", "ROLE...", 1, LINE_OPERANDS_MAX, LINE_SERVER, rotate_options, trust_verb_rotate,
     "prepare a request that gives roles other keys",
     "ROLE is root, targets, timestamp, snapshot, director, manifest (the vendor's key for "
     "microcontrollers),\n"
     "manifest-online (the server's), or online for all four that the server holds. Keys that are neither "
     "kept nor\n"
     "given are replaced by new ones, which are written to files. The request is signed like any other: a "
     "root by its\n"
     "old and its new holders."},
    {"renew", "", 0, 0, LINE_SERVER, renew_options, trust_verb_renew,
     "prepare a request that gives everything signed offline a new life", NULL},
    {"upload", "FILE", 1, 1, LINE_SERVER | LINE_JSON, NULL, trust_verb_upload,
     "bring a signed request to the server",
     "The server checks every signature itself; releases that are signed for are published. A request with a "
     "root\n"
     "needs an administrator."},
    {.name = NULL},
};

const struct line_verb line_trust = {"trust",
                                     "Who vouches for what devices run: keys, signing requests, signatures "
                                     "(TUF, with ML-DSA). Keys that sign\n"
                                     "releases stay where no network is.",
                                     subs};

int cmd_trust(int argc, char **argv)
{
    return line_run(&line_trust, argc, argv);
}
