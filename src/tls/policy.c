#include "tls/policy.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define PQ_GROUPS "x25519mlkem768,secp256r1mlkem768,mlkem768,secp384r1mlkem1024,mlkem1024,mlkem512"

/* Row 0 is the default. All groups of a policy go into one tuple, so that whichever key share a client sent
   first is taken and no second round trip is needed. */
static const struct tls_policy policies[] = {
    {.name = "balanced",
     .kem = PQ_GROUPS,
     .sig = "mldsa65",
     .ciphersuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"},
    /* draft-becker-cnsa2-tls-profile: pure ML-KEM-1024, ML-DSA-87, AES-256 only. */
    {.name = "cnsa2", .kem = "mlkem1024", .sig = "mldsa87", .ciphersuites = "TLS_AES_256_GCM_SHA384"},
    {.name = "constrained",
     .kem = "mlkem512,mlkem768",
     .sig = "mldsa44",
     .ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"},
    /* What browsers can: ML-KEM in the key exchange, and certificates of the Web's authorities, which none
       issues with ML-DSA yet. ECDSA stands first; a client that takes ML-DSA alone gets that. */
    {.name = "browser",
     .kem = PQ_GROUPS,
     .sig = "ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,mldsa65,mldsa87,mldsa44",
     .ciphersuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
     .classical_sigs = true},
    {.name = "insecure_classical",
     .kem = "x25519mlkem768,x25519,secp256r1,secp384r1",
     .sig = "ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384",
     .ciphersuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
     .classical_sigs = true,
     .tls12_ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
                      "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

/* Names are compared without case, '-' and '_', so that "ML-KEM-768" and "mlkem768" are one. */
static const struct kem {
    const char *name;
    const char *group; /* RFC 10024 and draft-ietf-tls-mlkem */
    bool classical;    /* only inside a classical policy */
    unsigned code;     /* on the wire; of a classical one 0 */
} kems[] = {
    {"mlkem512", "MLKEM512", false, 0x0200},
    {"mlkem768", "MLKEM768", false, 0x0201},
    {"mlkem1024", "MLKEM1024", false, 0x0202},
    {"x25519mlkem768", "X25519MLKEM768", false, 0x11ec},
    {"secp256r1mlkem768", "SecP256r1MLKEM768", false, 0x11eb},
    {"secp384r1mlkem1024", "SecP384r1MLKEM1024", false, 0x11ed},
    {"x25519", "X25519", true, 0},
    {"secp256r1", "secp256r1", true, 0},
    {"secp384r1", "secp384r1", true, 0},
};

static const struct sig {
    const char *name;
    const char *old_name; /* what it was called before FIPS 204; NULL if nothing */
    const char *sigalg;   /* TLS SignatureScheme */
    unsigned code;
    const char *key_type; /* EVP_PKEY type */
    const char *curve;    /* of an EC key */
    int nid;              /* of a signature on a certificate */
    int strength;         /* order among the rows */
    bool classical;
} sigs[] = {
    {"mldsa44", "dilithium2", "mldsa44", 0x0904, "ML-DSA-44", NULL, NID_ML_DSA_44, 2, false},
    {"mldsa65", "dilithium3", "mldsa65", 0x0905, "ML-DSA-65", NULL, NID_ML_DSA_65, 3, false},
    {"mldsa87", "dilithium5", "mldsa87", 0x0906, "ML-DSA-87", NULL, NID_ML_DSA_87, 4, false},
    {"ecdsasecp256r1sha256", NULL, "ecdsa_secp256r1_sha256", 0x0403, "EC", "prime256v1",
     NID_ecdsa_with_SHA256, 1, true},
    {"ecdsasecp384r1sha384", NULL, "ecdsa_secp384r1_sha384", 0x0503, "EC", "secp384r1", NID_ecdsa_with_SHA384,
     1, true},
};

static bool same_name(struct str given, const char *name)
{
    size_t i = 0;
    for (size_t k = 0; k < given.n; k++) {
        char c = given.p[k];
        if (c == '-' || c == '_')
            continue;
        if (name[i] == '\0' || tolower((unsigned char)c) != name[i])
            return false;
        i++;
    }
    return i > 0 && name[i] == '\0';
}

static const struct tls_policy *find_policy(const char *name)
{
    for (size_t i = 0; i < COUNT(policies); i++)
        if (str_eq_nocase(str_of(name), str_of(policies[i].name)))
            return &policies[i];
    return NULL;
}

int tls_policy_key(const char *policy, const char *sig, char out[TLS_KEY_NAME_MAX], struct err *e)
{
    struct tls_algs algs;
    int rc = tls_algs_resolve(policy, NULL, sig, &algs, e);
    if (rc == 0)
        snprintf(out, TLS_KEY_NAME_MAX, "%.*s", (int)strcspn(algs.sigalgs, ":"), algs.sigalgs);
    return rc;
}

bool tls_policy_is_post_quantum(const char *name)
{
    const struct tls_policy *p = name != NULL ? find_policy(name) : NULL;
    return p != NULL && !p->classical_sigs;
}

static int find_kem(struct str s, bool classical)
{
    for (size_t i = 0; i < COUNT(kems); i++)
        if (same_name(s, kems[i].name) && (classical || !kems[i].classical))
            return (int)i;
    return -1;
}

static int find_sig(struct str s, bool classical)
{
    for (size_t i = 0; i < COUNT(sigs); i++)
        if ((same_name(s, sigs[i].name) || (sigs[i].old_name != NULL && same_name(s, sigs[i].old_name))) &&
            (classical || !sigs[i].classical))
            return (int)i;
    return -1;
}

/* Appends an entry to a colon list; the caller's rows are unique, so the list cannot outgrow its bound. */
static void list_add(char list[TLS_ALG_LIST_MAX], const char *entry)
{
    size_t n = strlen(list);
    snprintf(list + n, TLS_ALG_LIST_MAX - n, "%s%s", n > 0 ? ":" : "", entry);
}

static int unknown(struct str name, const char *what, const char *known, struct err *e)
{
    if (name.n == 0)
        return err_set(e, ERR_INVALID, "an empty %s name was given; known are %s", what, known);
    for (size_t i = 0; i < name.n; i++)
        if (!isprint((unsigned char)name.p[i]))
            return err_set(e, ERR_INVALID, "a %s name has odd characters; known are %s", what, known);
    return err_set(e, ERR_INVALID, "\"%.*s\" is not a %s known here; known are %s",
                   (int)(name.n < 64 ? name.n : 64), name.p, what, known);
}

static int resolve_kems(const char *list, bool classical, struct tls_algs *out, struct err *e)
{
    unsigned seen = 0;
    struct str rest = str_of(list), part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        int row = find_kem(part, classical);
        if (row < 0)
            return unknown(part, "key exchange",
                           "mlkem512, mlkem768, mlkem1024, x25519mlkem768, secp256r1mlkem768, "
                           "secp384r1mlkem1024",
                           e);
        if ((seen & 1U << row) == 0)
            list_add(out->groups, kems[row].group);
        seen |= 1U << row;
    }
    out->kem_rows = seen;
    if (seen == 0)
        return err_set(e, ERR_INVALID, "the list of key exchanges is empty");
    return 0;
}

static int resolve_sigs(const char *list, bool classical, struct tls_algs *out, struct err *e)
{
    struct str rest = str_of(list), part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        int row = find_sig(part, classical);
        if (row < 0)
            return unknown(part, "signature",
                           "mldsa44, mldsa65, mldsa87 (or dilithium2, dilithium3, dilithium5)", e);
        if ((out->sig_rows & 1U << row) == 0)
            list_add(out->sigalgs, sigs[row].sigalg);
        if (out->sig_rows == 0 || sigs[row].strength < out->least_strength)
            out->least_strength = sigs[row].strength;
        out->sig_rows |= 1U << row;
    }
    if (out->sig_rows == 0)
        return err_set(e, ERR_INVALID, "the list of signatures is empty");
    return 0;
}

int tls_algs_resolve(const char *policy, const char *kem, const char *sig, struct tls_algs *out,
                     struct err *e)
{
    struct tls_algs algs = {.policy = policy != NULL ? find_policy(policy) : &policies[0]};
    if (algs.policy == NULL)
        return unknown(str_of(policy), "policy", "balanced, cnsa2, constrained, insecure_classical", e);
    bool classical_kems = algs.policy->tls12_ciphers != NULL;
    int rc = resolve_kems(kem != NULL ? kem : algs.policy->kem, classical_kems, &algs, e);
    if (rc == 0)
        rc = resolve_sigs(sig != NULL ? sig : algs.policy->sig, algs.policy->classical_sigs, &algs, e);
    if (rc == 0)
        *out = algs;
    return rc;
}

const char *tls_algs_kem(const struct tls_algs *algs, unsigned code)
{
    for (size_t i = 0; i < COUNT(kems); i++)
        if (kems[i].code == code && code != 0)
            return (algs->kem_rows & 1U << i) != 0 ? kems[i].group : NULL;
    return NULL;
}

static int row_of_key(EVP_PKEY *key)
{
    char curve[32] = "";
    for (size_t i = 0; i < COUNT(sigs); i++) {
        if (!EVP_PKEY_is_a(key, sigs[i].key_type))
            continue;
        if (sigs[i].curve == NULL)
            return (int)i;
        if (EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) && strcmp(curve, sigs[i].curve) == 0)
            return (int)i;
    }
    return -1;
}

static int row_of_cert(const X509 *cert)
{
    int nid = X509_get_signature_nid(cert);
    for (size_t i = 0; i < COUNT(sigs); i++)
        if (sigs[i].nid == nid)
            return (int)i;
    return -1;
}

bool tls_algs_allow_key(const struct tls_algs *algs, EVP_PKEY *key)
{
    int row = row_of_key(key);
    return row >= 0 && (algs->sig_rows & 1U << row) != 0;
}

const char *tls_key_signature_name(EVP_PKEY *key)
{
    int row = row_of_key(key);
    if (row >= 0)
        return sigs[row].sigalg;
    const char *type = EVP_PKEY_get0_type_name(key);
    return type != NULL ? type : "unknown";
}

bool tls_algs_allow_signature(const struct tls_algs *algs, const X509 *cert)
{
    int row = row_of_cert(cert);
    return row >= 0 && sigs[row].strength >= algs->least_strength;
}

const char *tls_cert_signature_name(const X509 *cert)
{
    int row = row_of_cert(cert);
    if (row >= 0)
        return sigs[row].sigalg;
    const char *name = OBJ_nid2sn(X509_get_signature_nid(cert));
    return name != NULL ? name : "unknown";
}

const char *tls_sigalg_name(unsigned code)
{
    for (size_t i = 0; i < COUNT(sigs); i++)
        if (sigs[i].code == code)
            return sigs[i].sigalg;
    return NULL;
}
