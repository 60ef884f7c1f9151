/* Any bytes as DER, in PEM as a request and as a certificate; and any bytes as PEM. What is taken has a key,
   and text without control characters. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "pki/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DER_MAX 16384

static void check_hex(const char *hex, size_t n)
{
    if (strlen(hex) != n || strspn(hex, "0123456789abcdef") != n)
        abort();
}

static void parse(struct str pem)
{
    struct pki_csr *csr = NULL;
    struct pki_cert cert;
    struct err e = {0};
    int rc = pki_csr_parse(pem, &csr, &e);
    if (rc == 0)
        check_hex(pki_csr_key_id(csr), 64);
    else if (e.text[0] == '\0' || rc != e.code || csr != NULL)
        abort();
    pki_csr_free(csr);
    if (pki_cert_read(pem, &cert, &e) != 0)
        return;
    check_hex(cert.key_id, 64);
    check_hex(cert.fingerprint, 64);
    check_hex(cert.serial, strlen(cert.serial));
    if (cert.serial[0] == '\0' || cert.serial[0] == '0' || !str_is_text(str_of(cert.common_name)))
        abort();
}

static void wrap(struct buf *out, const char *type, const unsigned char *text)
{
    buf_clear(out);
    int rc = buf_printf(out, "-----BEGIN %s-----\n", type);
    for (size_t n = strlen((const char *)text), i = 0; rc == 0 && i < n; i += 64)
        rc = buf_printf(out, "%.64s\n", (const char *)text + i);
    if (rc == 0)
        rc = buf_printf(out, "-----END %s-----\n", type);
    if (rc != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > DER_MAX)
        return 0;
    unsigned char *text = malloc(2 * DER_MAX);
    auto_buf struct buf pem;
    buf_init(&pem, 1 << 20);
    if (text == NULL)
        abort();
    EVP_EncodeBlock(text, data, (int)size);
    wrap(&pem, "CERTIFICATE REQUEST", text);
    parse(buf_str(&pem));
    wrap(&pem, "CERTIFICATE", text);
    parse(buf_str(&pem));
    free(text);
    char *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    parse((struct str){.p = copy, .n = size});
    free(copy);
    return 0;
}
