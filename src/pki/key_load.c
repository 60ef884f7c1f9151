/* Private keys, loaded: from files and from wherever an OSSL_STORE URI leads. */
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "base/file.h"
#include "pki/internal.h"

#define OBJECTS_MAX 16 /* looked at in one file or token before giving up */

CLEANUP_DEFINE(store, OSSL_STORE_CTX, OSSL_STORE_close);
#define auto_store CLEANUP(store_cleanup)

struct loading {
    const char *uri;
    const struct pki_passphrase *passphrase; /* NULL: there is none to be had */
    EVP_PKEY **keys;
    size_t most, count;
    int other;         /* kind of the first thing that is no private key, 0 for none */
    size_t unreadable; /* objects */
    UI_METHOD *ui;     /* NULL without passphrase */
    bool asked;
    int ask_rc;
    struct err ask_err;
    char text[PKI_PASSPHRASE_MAX]; /* wiped at the end */
};

/* --- the passphrase --------------------------------------------------------------------------------- */

/* OpenSSL asks for each encrypted object of a file; a person is asked once. */
static int on_prompt(UI *ui, UI_STRING *prompt)
{
    enum UI_string_types type = UI_get_string_type(prompt);
    if (type != UIT_PROMPT && type != UIT_VERIFY)
        return 1;
    struct loading *l = UI_get0_user_data(ui);
    if (!l->asked) {
        l->asked = true;
        l->ask_rc = l->passphrase->ask(l->passphrase->ctx, l->uri, l->text, sizeof l->text, &l->ask_err);
    }
    if (l->ask_rc != 0)
        return 0;
    return UI_set_result_ex(ui, prompt, l->text, (int)strlen(l->text)) == 0;
}

static int make_ui(struct loading *l, struct err *e)
{
    if (l->passphrase == NULL)
        return 0;
    l->ui = UI_create_method("pqota");
    if (l->ui == NULL || UI_method_set_reader(l->ui, on_prompt) != 0)
        return pki_err(e, ERR_NOMEM, "no memory to read %s", l->uri);
    return 0;
}

/* --- what there is ---------------------------------------------------------------------------------- */

static const char *kind_word(int type)
{
    switch (type) {
    case OSSL_STORE_INFO_CERT:
        return "a certificate";
    case OSSL_STORE_INFO_PUBKEY:
        return "a public key";
    case OSSL_STORE_INFO_CRL:
        return "a revocation list";
    case OSSL_STORE_INFO_PARAMS:
        return "key parameters";
    default:
        return "something else";
    }
}

static void take_keys(struct loading *l, OSSL_STORE_CTX *store)
{
    for (int i = 0; i < OBJECTS_MAX && l->count < l->most && OSSL_STORE_eof(store) == 0; i++) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info == NULL) { /* an object it cannot read; a key may follow */
            l->unreadable += OSSL_STORE_eof(store) == 0;
            continue;
        }
        int type = OSSL_STORE_INFO_get_type(info);
        EVP_PKEY *key = type == OSSL_STORE_INFO_PKEY ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
        if (key != NULL)
            l->keys[l->count++] = key;
        else if (l->other == 0)
            l->other = type;
        OSSL_STORE_INFO_free(info);
    }
}

/* Why there is no key, or not every one. */
static int explain(const struct loading *l, bool encrypted, struct err *e)
{
    const char *uri = l->uri;
    if (l->ask_rc != 0)
        return err_set(e, l->ask_rc, "%s", l->ask_err.text);
    if (l->asked)
        return err_set(e, ERR_INVALID, "the passphrase of %s is wrong, or the file is damaged", uri);
    if (encrypted)
        return err_set(
            e, ERR_UNSUPPORTED,
            "the key in %s is encrypted with a passphrase: store it without one, readable only by its "
            "user, or in a token behind a pkcs11: URI",
            uri);
    if (l->other != 0)
        return err_set(e, ERR_INVALID, "%s holds %s and no private key", uri, kind_word(l->other));
    return pki_err(e, ERR_INVALID, "%s holds no private key that can be read (PEM or DER, PKCS#8)", uri);
}

/* A path is read here and not by OSSL_STORE, which would take a name with a colon for a URI. */
static int load_file(struct loading *l, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, PKI_PEM_MAX);
    int rc = file_read(l->uri, PKI_PEM_MAX, &text, e);
    if (rc != 0)
        return rc;
    {
        auto_bio BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
        auto_store OSSL_STORE_CTX *store =
            bio != NULL ? OSSL_STORE_attach(bio, "file", NULL, NULL, l->ui, l, NULL, NULL, NULL) : NULL;
        if (store == NULL)
            rc = pki_err(e, ERR_CRYPTO, "cannot read %s", l->uri);
        else
            take_keys(l, store);
    }
    if (rc == 0 && (l->count == 0 || (l->asked && l->unreadable > 0)))
        rc = explain(l, strstr(text.p, "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL, e);
    OPENSSL_cleanse(text.p, text.n);
    return rc;
}

/* RFC 3986 section 3.1 */
static bool has_scheme(const char *s)
{
    if (!isalpha((unsigned char)s[0]))
        return false;
    while (isalnum((unsigned char)*s) || *s == '+' || *s == '-' || *s == '.')
        s++;
    return *s == ':';
}

static int load(struct loading *l, struct err *e)
{
    int rc = make_ui(l, e);
    if (rc != 0)
        return rc;
    if (file_exists(l->uri) || !has_scheme(l->uri))
        return load_file(l, e);
    auto_store OSSL_STORE_CTX *store = OSSL_STORE_open(l->uri, l->ui, l, NULL, NULL);
    if (store == NULL)
        return pki_err(e, ERR_NOT_FOUND,
                       "cannot open the key %s: no such file, and no provider for such a URI", l->uri);
    take_keys(l, store);
    return l->count == 0 ? explain(l, false, e) : 0;
}

int pki_keys_load(const char *uri, const struct pki_passphrase *passphrase, EVP_PKEY **keys, size_t most,
                  size_t *count, struct err *e)
{
    EVP_PKEY *found[OBJECTS_MAX];
    struct loading l = {
        .uri = uri, .passphrase = passphrase, .keys = found, .most = most < OBJECTS_MAX ? most : OBJECTS_MAX};
    ERR_clear_error();
    int rc = load(&l, e);
    ERR_clear_error();
    UI_destroy_method(l.ui);
    OPENSSL_cleanse(l.text, sizeof l.text);
    if (rc == 0) {
        memcpy(keys, found, l.count * sizeof *keys);
        *count = l.count;
        return 0;
    }
    for (size_t i = 0; i < l.count; i++)
        EVP_PKEY_free(found[i]);
    return rc;
}

int pki_key_load(const char *uri, EVP_PKEY **out, struct err *e)
{
    size_t count;
    return pki_keys_load(uri, NULL, out, 1, &count, e);
}
