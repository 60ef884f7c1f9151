#include "peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "tls/tls.h"

static void ok(int rc, const struct err *e)
{
    if (rc != 0) {
        fprintf(stderr, "peer: %s\n", e->text);
        abort();
    }
}

static void make_root(struct bench *b, const char *name, char cert[BENCH_PATH], char key_path[BENCH_PATH])
{
    struct err e = {0};
    EVP_PKEY *key = NULL;
    struct arena a;
    struct str pem;
    char file[64];
    arena_init(&a, 1 << 20);
    snprintf(file, sizeof file, "%s.key", name);
    ok(pki_key_generate("mldsa65", &key, &e), &e);
    ok(pki_key_save(key, bench_path(b, file, key_path), &e), &e);
    ok(pki_root_make(key, name, 3650, (int64_t)time(NULL) - 400 * PEER_DAY, &a, &pem, &e), &e);
    snprintf(file, sizeof file, "%s.pem", name);
    ok(file_write_atomic(bench_path(b, file, cert), pem.p, pem.n, 0644, &e), &e);
    pki_key_free(key);
    arena_fini(&a);
}

static struct tls_ctx *make_server(struct bench *b, struct peer *p, int64_t from, int64_t to)
{
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
    char root_key[BENCH_PATH], other_key[BENCH_PATH], key_path[BENCH_PATH], cert[BENCH_PATH];
    struct err e = {0};
    struct arena a;
    struct str pem;
    struct pki_ca *ca = NULL;
    EVP_PKEY *key = NULL;
    struct pki_cert made;
    struct tls_ctx *ctx = NULL;
    int64_t now = (int64_t)time(NULL);
    arena_init(&a, 1 << 20);
    make_root(b, "server-root", p->roots, root_key);
    make_root(b, "other-root", p->other_roots, other_key);
    ok(pki_ca_load(p->roots, root_key, &ca, &e), &e);
    ok(pki_key_generate("mldsa65", &key, &e), &e);
    ok(pki_key_save(key, bench_path(b, "server.key", key_path), &e), &e);
    const struct pki_issue what = {.purpose = PKI_SERVER,
                                   .common_name = "localhost",
                                   .names = names,
                                   .not_before = now + from,
                                   .not_after = now + to};
    ok(pki_issue_cert(ca, NULL, key, &what, &a, &pem, &made, &e), &e);
    ok(file_write_atomic(bench_path(b, "server.crt", cert), pem.p, pem.n, 0644, &e), &e);
    const struct tls_config config = {.role = TLS_SERVER,
                                      .cert_file = cert,
                                      .key_file = key_path,
                                      .ca_file = p->device_roots,
                                      .verify = TLS_VERIFY_OPTIONAL,
                                      .accept_expired_peer = true,
                                      .alpn = "http/1.1"};
    /* A certificate that is not valid now is part of some tests: the context is made as if at its time. */
    struct tls_config at_its_time = config;
    at_its_time.clock_floor = from > 0 ? now + from + 1 : 0;
    ok(tls_ctx_new(&at_its_time, &ctx, &e), &e);
    pki_key_free(key);
    pki_ca_free(ca);
    arena_fini(&a);
    return ctx;
}

/* --- one connection in the peer's process --- */

struct exchange {
    struct peer *p;
    struct tls_conn *conn;
    int fd;
    char head[4096], body[65536];
    size_t body_n;
};

static bool wait_for(struct exchange *x, enum tls_step step)
{
    struct pollfd fd = {.fd = x->fd, .events = step == TLS_WANT_READ ? POLLIN : POLLOUT};
    return (step == TLS_WANT_READ || step == TLS_WANT_WRITE) && poll(&fd, 1, 10000) == 1;
}

static bool send_all(struct exchange *x, const void *data, size_t n)
{
    const char *p = data;
    struct err e;
    while (n > 0) {
        size_t w = 0;
        enum tls_step step = tls_write(x->conn, p, n, &w, &e);
        if (step == TLS_DONE) {
            p += w;
            n -= w;
        } else if (!wait_for(x, step)) {
            return false;
        }
    }
    return true;
}

static bool answer(struct exchange *x, int status, const char *headers, const char *body, size_t n)
{
    char head[512];
    int len =
        snprintf(head, sizeof head, "HTTP/1.1 %d Word\r\nContent-Length: %zu\r\n%s\r\n", status, n, headers);
    return send_all(x, head, (size_t)len) && send_all(x, body, n);
}

static bool read_more(struct exchange *x, char *at, size_t room, size_t *n)
{
    struct err e;
    for (;;) {
        enum tls_step step = tls_read(x->conn, at, room, n, &e);
        if (step == TLS_DONE)
            return true;
        if (!wait_for(x, step))
            return false;
    }
}

static bool read_request(struct exchange *x)
{
    size_t have = 0, n, length = 0;
    char *end = NULL;
    while (end == NULL) {
        if (have + 1 >= sizeof x->head || !read_more(x, x->head + have, sizeof x->head - 1 - have, &n))
            return false;
        have += n;
        x->head[have] = '\0';
        end = strstr(x->head, "\r\n\r\n");
    }
    const char *field = strcasestr(x->head, "\r\nContent-Length:");
    if (field != NULL && field < end)
        length = strtoul(field + 17, NULL, 10);
    x->body_n = have - (size_t)(end + 4 - x->head);
    memcpy(x->body, end + 4, x->body_n);
    end[2] = '\0';
    while (x->body_n < length && x->body_n < sizeof x->body) {
        if (!read_more(x, x->body + x->body_n, sizeof x->body - x->body_n, &n))
            return false;
        x->body_n += n;
    }
    return true;
}

static bool send_file(struct exchange *x)
{
    static char data[PEER_FILE_SIZE];
    char head[256];
    unsigned long long first = 0, last = PEER_FILE_SIZE - 1;
    const char *range = strstr(x->head, "\r\nRange: bytes=");
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31 + i / 977);
    if (range != NULL && sscanf(range, "\r\nRange: bytes=%llu-%llu", &first, &last) != 2)
        return false;
    int n = snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Length: %llu\r\nContent-Range: bytes %llu-%llu/%d\r\nETag: \"abc\"\r\n"
        "Poll-Interval: 77\r\nretry-after: 5\r\n\r\n",
        range != NULL ? "206 Partial" : "200 OK", last - first + 1, first, last, PEER_FILE_SIZE);
    size_t len = (size_t)(last - first + 1), cut = (size_t)x->p->s->body_cut;
    bool whole = cut == 0 || cut >= len;
    return send_all(x, head, (size_t)n) && send_all(x, data + first, whole ? len : cut) && whole;
}

static bool issue(struct exchange *x)
{
    struct err e = {0};
    struct arena a;
    struct str csr_text, pem;
    struct pki_csr *csr = NULL;
    struct pki_ca *ca = NULL;
    struct pki_cert cert;
    EVP_PKEY *other = NULL;
    yyjson_doc *doc = NULL;
    char key[BENCH_PATH];
    struct peer_shared *s = x->p->s;
    auto_buf struct buf roots;
    arena_init(&a, 1 << 20);
    buf_init(&roots, 65536);
    ok(json_parse_object((struct str){.p = x->body, .n = x->body_n}, &doc, &e), &e);
    ok(json_get_str(yyjson_doc_get_root(doc), "csr", 60000, &csr_text, &e), &e);
    ok(pki_csr_parse(csr_text, &csr, &e), &e);
    ok(pki_ca_load(x->p->device_roots, bench_path(x->p->bench, "device-root.key", key), &ca, &e), &e);
    if (s->wrong_key)
        ok(pki_key_generate("mldsa65", &other, &e), &e);
    int64_t now = (int64_t)time(NULL);
    const struct pki_issue what = {.purpose = PKI_CLIENT,
                                   .common_name = "dev-1",
                                   .not_before = now + s->cert_from,
                                   .not_after = now + s->cert_to};
    ok(pki_issue_cert(ca, s->wrong_key ? NULL : csr, other, &what, &a, &pem, &cert, &e), &e);
    ok(file_read(s->bad_roots == 2 ? x->p->other_roots : x->p->roots, 60000, &roots, &e), &e);
    yyjson_mut_doc *out = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(out);
    yyjson_mut_doc_set_root(out, root);
    yyjson_mut_obj_add_str(out, root, "id", "dev-1");
    yyjson_mut_obj_add_strn(out, root, "certificate", pem.p, pem.n);
    yyjson_mut_obj_add_str(out, root, "roots", s->bad_roots == 1 ? "nonsense" : roots.p);
    struct str text = json_write(out, &a);
    bool good = false;
    if (s->drop_reply > 0)
        s->drop_reply--;
    else
        good = answer(x, 201, "Content-Type: application/json\r\n", text.p, text.n);
    yyjson_mut_doc_free(out);
    yyjson_doc_free(doc);
    pki_csr_free(csr);
    pki_ca_free(ca);
    pki_key_free(other);
    arena_fini(&a);
    return good;
}

static bool serve_one(struct exchange *x)
{
    struct peer_shared *s = x->p->s;
    const struct tls_info *info = tls_conn_info(x->conn);
    snprintf(s->request, sizeof s->request, "%s", x->head);
    snprintf(s->serial, sizeof s->serial, "%s", info->peer.present ? info->peer.serial : "");
    s->requests++;
    static const char problem[] = "{\"title\":\"Not so\",\"detail\":\"this one is not welcome\"}";
    if (s->refuse_new && info->peer.present && info->peer.not_after > (int64_t)time(NULL) + 500 * PEER_DAY)
        return answer(x, 403, "Content-Type: application/problem+json\r\n", problem, sizeof problem - 1);
    if (strncmp(x->head, "POST /api/enroll", 16) == 0 || strncmp(x->head, "POST /api/renew", 15) == 0) {
        if (s->status != 0)
            return answer(x, s->status, "Content-Type: application/problem+json\r\n", problem,
                          sizeof problem - 1);
        return issue(x);
    }
    if (strncmp(x->head, "GET /file", 9) == 0)
        return send_file(x);
    if (strncmp(x->head, "GET /moved", 10) == 0)
        return answer(x, 302, "Location: https://127.0.0.1:1/elsewhere\r\n", "", 0);
    if (strncmp(x->head, "GET /stall", 10) == 0) {
        struct pollfd fd = {.fd = x->fd, .events = POLLIN};
        poll(&fd, 1, 30000);
        return false;
    }
    return answer(x, s->status != 0 ? s->status : 404, "", "", 0);
}

static void serve(struct peer *p, struct tls_ctx *ctx, int fd)
{
    struct err e = {0};
    struct exchange x = {.p = p, .fd = fd};
    enum tls_step step;
    if (tls_conn_new(ctx, fd, NULL, &x.conn, &e) != 0)
        return;
    while ((step = tls_handshake(x.conn, &e)) != TLS_DONE && wait_for(&x, step))
        ;
    if (step == TLS_DONE) {
        p->s->handshakes++;
        while (read_request(&x) && serve_one(&x))
            ;
    } else {
        p->s->failed_handshakes++;
    }
    tls_conn_free(x.conn);
}

static void loop(struct peer *p, struct tls_ctx *ctx, int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        /* One process a connection: the agent keeps one open while it makes another. */
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(p, ctx, fd);
            _exit(0);
        }
        close(fd);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

void peer_init(struct peer *p, struct bench *b, int64_t from, int64_t to)
{
    char key[BENCH_PATH];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    memset(p, 0, sizeof *p);
    p->bench = b;
    p->s = mmap(NULL, sizeof *p->s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p->s != MAP_FAILED);
    p->s->cert_from = -60;
    p->s->cert_to = 365 * PEER_DAY;
    make_root(b, "device-root", p->device_roots, key);
    struct tls_ctx *ctx = make_server(b, p, from, to);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    p->port = ntohs(at.sin_port);
    snprintf(p->url, sizeof p->url, "https://localhost:%d", p->port);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0)
        loop(p, ctx, listener);
    close(listener);
    tls_ctx_free(ctx);
}

void peer_fini(struct peer *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    munmap(p->s, sizeof *p->s);
}
