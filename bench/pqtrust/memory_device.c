/* The device's process: a small one, which keeps account of its memory. */
#include <fcntl.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "keys/keys.h"
#include "pqtrust/device.h"
#include "pqtrust/wire.h"

#define STACK_SIZE ((size_t)512 << 10)
#define STACK_PAINT 0xA5
#define LEAST_STEP 4096 /* bytes: how exact `least` is */
#define STATUS_MAX 16384

/* --- flash and server, by the socket ---------------------------------------------------------------- */

static int ask(int fd, const struct wire_ask *a, const char *more, void *buf, size_t *n, struct err *e)
{
    struct wire_answer answer;
    int rc = wire_send(fd, a, sizeof *a, e);
    if (rc == 0 && more != NULL)
        rc = wire_send(fd, more, a->n, e);
    if (rc == 0)
        rc = wire_receive(fd, &answer, sizeof answer, e);
    if (rc == 0 && answer.rc != 0)
        rc = err_set(e, answer.rc, "%s cannot be had", a->name);
    if (rc == 0 && answer.n > 0)
        rc = wire_receive(fd, buf, answer.n, e);
    if (rc == 0 && n != NULL)
        *n = answer.n;
    return rc;
}

static int remote_load(void *ctx, bool director, struct str role, void *buf, size_t size, size_t *n,
                       struct err *e)
{
    struct wire_ask a = {.verb = WIRE_LOAD, .director = director, .n = size};
    snprintf(a.name, sizeof a.name, STR_FMT, STR_ARG(role));
    return ask(*(int *)ctx, &a, NULL, buf, n, e);
}

static int remote_save(void *ctx, bool director, struct str role, struct str text, struct err *e)
{
    struct wire_ask a = {.verb = WIRE_SAVE, .director = director, .n = text.n};
    snprintf(a.name, sizeof a.name, STR_FMT, STR_ARG(role));
    return ask(*(int *)ctx, &a, text.p, NULL, NULL, e);
}

static int remote_get(void *ctx, bool director, const char *name, void *buf, size_t size, size_t *n,
                      struct err *e)
{
    struct wire_ask a = {.verb = WIRE_GET, .director = director, .n = size};
    snprintf(a.name, sizeof a.name, "%s", name);
    return ask(*(int *)ctx, &a, NULL, buf, n, e);
}

/* --- the account ------------------------------------------------------------------------------------ */

static size_t heap_now, heap_most; /* of OpenSSL, by its own functions' sizes; one thread at a time */

static void *count(void *p)
{
    heap_now += p != NULL ? malloc_usable_size(p) : 0;
    heap_most = heap_now > heap_most ? heap_now : heap_most;
    return p;
}

static void *heap_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return count(malloc(n));
}

static void *heap_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    size_t before = malloc_usable_size(p);
    void *made = realloc(p, n);
    if (made == NULL)
        return NULL;
    heap_now -= before;
    return count(made);
}

static void heap_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    heap_now -= malloc_usable_size(p);
    free(p);
}

/* The most that was resident of this process, in bytes (proc_pid_status(5)). */
static uint64_t resident_most(void)
{
    char text[STATUS_MAX];
    auto_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, "VmHWM:");
    unsigned long long kib = 0;
    return at != NULL && sscanf(at, "VmHWM: %llu kB", &kib) == 1 ? kib << 10 : 0;
}

/* From now on. Where that is not allowed the most is what it was, and growth shows less. */
static void resident_forget(void)
{
    struct err e;
    auto_close int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || file_write_all(fd, "5", 1, "/proc/self/clear_refs", &e) != 0)
        fprintf(stderr, "pqtrust: the growth of a process is told too small here\n");
}

/* --- on a stack of its own -------------------------------------------------------------------------- */

struct task {
    struct device *device; /* NULL: nothing is done */
    struct err e;
    int rc;
};

static void *run_task(void *arg)
{
    struct task *t = arg;
    t->rc = t->device != NULL ? device_refresh(t->device, &t->e) : 0;
    return NULL;
}

/* Runs the task; *used: bytes of the stack that were written to. */
static int on_stack(struct task *t, unsigned char *stack, size_t *used, struct err *e)
{
    pthread_attr_t attr;
    pthread_t thread;
    memset(stack, STACK_PAINT, STACK_SIZE);
    int rc = pthread_attr_init(&attr);
    if (rc == 0) {
        rc = pthread_attr_setstack(&attr, stack, STACK_SIZE);
        if (rc == 0)
            rc = pthread_create(&thread, &attr, run_task, t);
        pthread_attr_destroy(&attr);
    }
    if (rc == 0)
        rc = pthread_join(thread, NULL);
    if (rc != 0)
        return err_errno(e, rc, "no thread for the device");
    size_t at = 0;
    while (at < STACK_SIZE && stack[at] == STACK_PAINT)
        at++;
    *used = STACK_SIZE - at;
    return 0;
}

/* --- measuring -------------------------------------------------------------------------------------- */

/* OpenSSL finds its algorithms when they are first used: here, with keys and signatures that are none. */
static void set_up_openssl(void)
{
    unsigned char zeros[TRUST_SIG_MAX] = {0}, out[TRUST_SHA512_SIZE];
    static const enum trust_scheme schemes[] = {TRUST_ML_DSA_65, TRUST_ED25519};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const struct trust_scheme_row *row = trust_scheme_row(schemes[i]);
        (void)keys_crypto.verify(keys_crypto.ctx, row->scheme, zeros, row->key_size, zeros, 1, zeros,
                                 row->sig_exact);
    }
    (void)keys_crypto.hash(keys_crypto.ctx, TRUST_SHA256, zeros, 1, out);
    (void)keys_crypto.hash(keys_crypto.ctx, TRUST_SHA512, zeros, 1, out);
}

static int peaks(struct device *d, struct memory_result *out, struct err *e)
{
    unsigned char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        return err_set(e, ERR_NOMEM, "no memory for a stack");
    struct task nothing = {0}, refresh = {.device = d};
    size_t empty = 0, used = 0;
    set_up_openssl();
    int rc = on_stack(&nothing, stack, &empty, e);
    resident_forget();
    uint64_t before = resident_most();
    size_t heap_before = heap_now;
    heap_most = heap_now;
    if (rc == 0)
        rc = on_stack(&refresh, stack, &used, e);
    if (rc == 0 && refresh.rc != 0)
        rc = err_set(e, refresh.rc, "%s", refresh.e.text);
    if (rc == 0) {
        out->process = resident_most();
        out->resident = out->process - before;
        out->client = d->peak;
        out->stack = used - empty;
        out->heap = heap_most - heap_before;
    }
    munmap(stack, STACK_SIZE);
    return rc;
}

/* Whether it succeeds with that much, beginning anew. */
static int suffices(struct device *d, int fd, size_t size, bool *out, struct err *e)
{
    const struct wire_ask factory = {.verb = WIRE_FACTORY};
    struct err why = {0};
    int rc = ask(fd, &factory, NULL, NULL, NULL, e);
    if (rc != 0)
        return rc;
    d->size = size;
    rc = device_refresh(d, &why);
    *out = rc == 0;
    if (rc == 0 || rc == ERR_NOMEM || rc == ERR_TOO_LARGE)
        return 0;
    return err_set(e, rc, "with %zu bytes: %s", size, why.text);
}

static int find_least(struct device *d, int fd, struct memory_result *out, struct err *e)
{
    size_t few = 0, enough = MEMORY_MOST; /* in these bounds it is */
    int rc = 0;
    while (rc == 0 && enough - few > LEAST_STEP) {
        bool good = false;
        size_t middle = few + (enough - few) / 2;
        rc = suffices(d, fd, middle, &good, e);
        *(good ? &enough : &few) = middle;
    }
    out->least = enough;
    return rc;
}

static int measure(int fd, struct memory_result *out, struct err *e)
{
    struct wire_ask begin;
    int rc = wire_receive(fd, &begin, sizeof begin, e);
    if (rc != 0)
        return rc;
    void *memory = mmap(NULL, MEMORY_MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return err_set(e, ERR_NOMEM, "no memory for a device");
    struct device d = {
        .link = {.ctx = &fd, .load = remote_load, .save = remote_save, .get = remote_get},
        .crypto = keys_crypto,
        .target = begin.name,
        .now_s = begin.now_s,
        .memory = memory,
        .size = MEMORY_MOST,
    };
    rc = peaks(&d, out, e);
    return rc != 0 ? rc : find_least(&d, fd, out, e);
}

void memory_device_run(int fd)
{
    struct memory_result found = {0};
    struct wire_ask last = {.verb = WIRE_DONE};
    struct err e = {0};
    int rc = CRYPTO_set_mem_functions(heap_malloc, heap_realloc, heap_free) == 1
                 ? 0
                 : err_set(&e, ERR_INTERNAL, "OpenSSL was used before its memory could be counted");
    if (rc == 0)
        rc = measure(fd, &found, &e);
    if (rc != 0) {
        last.verb = WIRE_FAILED;
        snprintf(last.name, sizeof last.name, "%s", e.text);
    }
    /* Whoever waits is told, or is gone. */
    if (wire_send(fd, &last, sizeof last, &e) == 0 && rc == 0 && wire_send(fd, &found, sizeof found, &e) != 0)
        fprintf(stderr, "pqtrust: %s\n", e.text);
}
