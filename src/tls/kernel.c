#include "tls/kernel.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "tls/thread_cipher.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define SALT_SIZE 4 /* how the kernel cuts the static value of section 5.3 for AES-GCM */
#define ALL (~0U)

/* What this kernel does not have: a bit for each suite. */
static atomic_uint refused;

union key {
    struct tls_crypto_info info;
    struct tls12_crypto_info_aes_gcm_128 aes128;
    struct tls12_crypto_info_aes_gcm_256 aes256;
    struct tls12_crypto_info_chacha20_poly1305 chacha;
};

#define FILL_GCM(k, d)                                                                                       \
    (memcpy((k)->salt, (d)->iv, SALT_SIZE), memcpy((k)->iv, (d)->iv + SALT_SIZE, sizeof(k)->iv),             \
     memcpy((k)->key, (d)->key, sizeof(k)->key), memcpy((k)->rec_seq, seq, sizeof(k)->rec_seq), sizeof *(k))

/* How many bytes of *k say it; 0 for a suite that the kernel does not know. */
static socklen_t describe(union key *k, unsigned suite, const struct tls_direction *d)
{
    unsigned char seq[8];
    for (unsigned i = 0; i < sizeof seq; i++)
        seq[i] = (unsigned char)(d->seq >> (56 - 8 * i));
    *k = (union key){.info.version = TLS_1_3_VERSION};
    switch (suite) {
    case 0x1301:
        k->info.cipher_type = TLS_CIPHER_AES_GCM_128;
        return FILL_GCM(&k->aes128, d);
    case 0x1302:
        k->info.cipher_type = TLS_CIPHER_AES_GCM_256;
        return FILL_GCM(&k->aes256, d);
    case 0x1303:
        k->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
        memcpy(k->chacha.iv, d->iv, sizeof k->chacha.iv);
        memcpy(k->chacha.key, d->key, sizeof k->chacha.key);
        memcpy(k->chacha.rec_seq, seq, sizeof seq);
        return sizeof k->chacha;
    default:
        return 0;
    }
}

/* Answers an errno. The key is the kernel's alone afterwards. */
static int set_key(int fd, struct tls_records *r)
{
    union key k;
    socklen_t n = describe(&k, r->suite->id, &r->out);
    int error = n > 0 && setsockopt(fd, SOL_TLS, TLS_TX, &k, n) == 0 ? 0 : n > 0 ? errno : EINVAL;
    OPENSSL_cleanse(&k, sizeof k);
    if (error == 0) {
        OPENSSL_cleanse(r->out.key, sizeof r->out.key);
        OPENSSL_cleanse(r->out.iv, sizeof r->out.iv);
        tls_thread_cipher_forget();
    }
    return error;
}

static bool will_stay_so(int error)
{
    return error == ENOENT || error == EOPNOTSUPP || error == EPROTONOSUPPORT || error == ENOPROTOOPT ||
           error == EINVAL;
}

bool tls_kernel_begin(const struct tls_io *io, struct tls_records *r)
{
    unsigned suite = 1U << (r->suite->id & 7);
    if ((atomic_load_explicit(&refused, memory_order_relaxed) & suite) != 0)
        return false;
    /* EEXIST: a key was refused before, after this. */
    if (setsockopt(io->fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") != 0 && errno != EEXIST) {
        if (will_stay_so(errno))
            atomic_store_explicit(&refused, ALL, memory_order_relaxed);
        return false;
    }
    int error = set_key(io->fd, r);
    if (will_stay_so(error))
        atomic_fetch_or_explicit(&refused, suite, memory_order_relaxed);
    return error == 0;
}

/* The kernel does not tell; what was begun before and what ends unfilled count as full ones. */
static void count_records(struct tls_records *r, size_t n)
{
    r->out.seq += n / TLS_CONTENT_MAX + 2;
}

/* What a call answered that sends: bytes, 0 when it would wait, -1. */
static ssize_t judge(struct tls_io *io, struct tls_records *r, ssize_t sent)
{
    if (sent > 0)
        count_records(r, (size_t)sent);
    if (sent >= 0)
        return sent;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    io->error = errno;
    return -1;
}

ssize_t tls_kernel_send(struct tls_io *io, struct tls_records *r, const void *p, size_t n)
{
    ssize_t sent = tls_io_send(io, p, n);
    if (sent > 0)
        count_records(r, (size_t)sent);
    return sent;
}

ssize_t tls_kernel_say(struct tls_io *io, struct tls_records *r, enum tls_content type, const void *p,
                       size_t n)
{
    const unsigned char kind = (unsigned char)type;
    union {
        struct cmsghdr head;
        unsigned char room[CMSG_SPACE(sizeof kind)];
    } control = {
        .head = {.cmsg_len = CMSG_LEN(sizeof kind), .cmsg_level = SOL_TLS, .cmsg_type = TLS_SET_RECORD_TYPE}};
    memcpy(CMSG_DATA(&control.head), &kind, sizeof kind);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n}; /* sendmsg only reads it */
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    ssize_t sent;
    do {
        sent = sendmsg(io->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return judge(io, r, sent);
}

ssize_t tls_kernel_send_file(struct tls_io *io, struct tls_records *r, int file, uint64_t offset, size_t n,
                             bool *none)
{
    off_t at = (off_t)offset;
    ssize_t sent;
    do {
        sent = sendfile(io->fd, file, &at, n);
    } while (sent < 0 && errno == EINTR);
    /* The file ends before, breaks, or is none that can be sent so. */
    *none = sent == 0 || (sent < 0 && (errno == EINVAL || errno == EIO || errno == EOPNOTSUPP));
    return *none ? 0 : judge(io, r, sent);
}

bool tls_kernel_can_renew(const struct tls_io *io)
{
    /* EBUSY where a key is set for good; else this is looked at, and refused. */
    const struct tls_crypto_info nothing = {0};
    return setsockopt(io->fd, SOL_TLS, TLS_TX, &nothing, sizeof nothing) != 0 && errno == EINVAL;
}

int tls_kernel_renew(const struct tls_io *io, struct tls_records *r)
{
    int rc = tls_records_go_on(r);
    return rc != 0 ? rc : set_key(io->fd, r) == 0 ? 0 : ERR_CRYPTO;
}

bool tls_kernel_has_room(const struct tls_io *io)
{
    struct pollfd p = {.fd = io->fd, .events = POLLOUT};
    return poll(&p, 1, 0) != 0;
}
