#include "cmd/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PROMPT_MAX 512

void passphrase_init(struct passphrase *p, const char *file)
{
    *p = (struct passphrase){.file = file};
}

void passphrase_fini(struct passphrase *p)
{
    OPENSSL_cleanse(p->text, sizeof p->text);
    p->known = p->made = false;
}

/* The first line; what follows is somebody's remark. */
static int read_file(struct passphrase *p, struct err *e)
{
    auto_close int fd = open(p->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the passphrase file %s", p->file);
    size_t n = 0;
    while (n < sizeof p->text) {
        ssize_t got = read(fd, p->text + n, sizeof p->text - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "cannot read the passphrase file %s", p->file);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    char *end = memchr(p->text, '\n', n);
    size_t length = end != NULL ? (size_t)(end - p->text) : n;
    if (length > 0 && p->text[length - 1] == '\r')
        length--;
    if (length == 0 || length >= sizeof p->text || memchr(p->text, '\0', length) != NULL)
        return err_set(e, ERR_INVALID, "the first line of %s must be a passphrase of 1 to %d bytes", p->file,
                       PKI_PASSPHRASE_MAX - 1);
    OPENSSL_cleanse(p->text + length, sizeof p->text - length);
    p->known = true;
    return 0;
}

/* Asks on the terminal itself, whatever standard input is. */
static int ask_terminal(const char *prompt, bool twice, char *out, size_t size, struct err *e)
{
    auto_close int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return err_set(e, ERR_INVALID,
                       "there is no terminal to ask a passphrase on: add --passphrase-file FILE");
    int rc = UI_UTIL_read_pw_string(out, (int)size - 1, prompt, twice);
    if (rc == 0)
        return 0;
    OPENSSL_cleanse(out, size);
    return err_set(e, ERR_INVALID,
                   twice ? "no passphrase was given, or not the same one twice" : "no passphrase was given");
}

int passphrase_make(struct passphrase *p, const char *what, struct err *e)
{
    char prompt[PROMPT_MAX];
    if (p->made)
        return 0;
    snprintf(prompt, sizeof prompt, "New passphrase for %s, at least %d characters: ", what,
             PASSPHRASE_LEAST);
    int rc = p->file != NULL ? read_file(p, e) : ask_terminal(prompt, true, p->text, sizeof p->text, e);
    if (rc != 0)
        return rc;
    if (strlen(p->text) < PASSPHRASE_LEAST) {
        passphrase_fini(p);
        return err_set(e, ERR_INVALID, "a passphrase of at least %d characters is needed", PASSPHRASE_LEAST);
    }
    p->known = p->made = true;
    return 0;
}

static int ask(void *ctx, const char *what, char *out, size_t size, struct err *e)
{
    struct passphrase *p = ctx;
    if (p->file == NULL) {
        char prompt[PROMPT_MAX];
        snprintf(prompt, sizeof prompt, "Passphrase of %s: ", what);
        return ask_terminal(prompt, false, out, size, e);
    }
    int rc = p->known ? 0 : read_file(p, e);
    if (rc != 0)
        return rc;
    if ((size_t)snprintf(out, size, "%s", p->text) >= size)
        return err_set(e, ERR_TOO_LARGE, "the passphrase in %s is too long", p->file);
    return 0;
}

struct pki_passphrase passphrase_asker(struct passphrase *p)
{
    return (struct pki_passphrase){.ask = ask, .ctx = p};
}
