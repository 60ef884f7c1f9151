#include "server/login_table.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

#define WAYS 8 /* places where one thing may stand; when all are taken the oldest goes */
#define GOOD_SETS (LOGIN_GOOD_MAX / WAYS)
#define SOURCE_SETS (LOGIN_SOURCES_MAX / WAYS)
#define MARK_TEXT_MAX 4096
#define KEY_SIZE 32
#define SOURCE_SIZE 16

struct good {
    unsigned char mac[32];
    int64_t until_ms; /* 0: nothing here */
};

struct source {
    unsigned char address[SOURCE_SIZE];
    int64_t began_ms; /* of its window */
    int failures;     /* 0: nothing here */
};

struct logins {
    const struct clock *clock;
    pthread_mutex_t lock;
    unsigned char key[KEY_SIZE]; /* of this process alone */
    struct good good[GOOD_SETS][WAYS];
    struct source sources[SOURCE_SETS][WAYS];
    _Atomic uint64_t counted[LOGIN_RESULTS];
};

const char *const login_result_text[LOGIN_RESULTS] = {
    [LOGIN_CACHED] = "cached", [LOGIN_RIGHT] = "right", [LOGIN_WRONG] = "wrong", [LOGIN_LIMITED] = "limited"};

int logins_new(const struct clock *clock, struct logins **out, struct err *e)
{
    struct logins *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(e, ERR_NOMEM, "no memory to remember logins");
    l->clock = clock;
    pthread_mutex_init(&l->lock, NULL);
    int rc = rand_bytes(l->key, sizeof l->key, e);
    if (rc != 0) {
        logins_free(l);
        return rc;
    }
    *out = l;
    return 0;
}

void logins_free(struct logins *l)
{
    if (l == NULL)
        return;
    pthread_mutex_destroy(&l->lock);
    OPENSSL_cleanse(l, sizeof *l);
    free(l);
}

static int keyed(const struct logins *l, const void *text, size_t n, unsigned char mac[32], struct err *e)
{
    unsigned size = 0;
    if (HMAC(EVP_sha256(), l->key, KEY_SIZE, text, n, mac, &size) == NULL || size != 32)
        return err_set(e, ERR_CRYPTO, "HMAC-SHA256 did not work");
    return 0;
}

/* Which set of `count`: by keyed bytes, so that nobody chooses it. */
static size_t set_of(const unsigned char mac[32], size_t count)
{
    uint32_t v;
    memcpy(&v, mac, sizeof v);
    return v % count;
}

/* --- credentials ---------------------------------------------------------------------------------------- */

int logins_mark(const struct logins *l, struct str name, struct str password, const char *phc,
                int64_t changed_at, struct login_mark *out, struct err *e)
{
    char text[MARK_TEXT_MAX];
    struct login_mark made;
    /* Lengths in front, so that no two credentials give one text. */
    int n = snprintf(text, sizeof text, "%zu %zu %lld %s ", name.n, password.n, (long long)changed_at, phc);
    if (n < 0 || (size_t)n + name.n + password.n > sizeof text)
        return err_set(e, ERR_TOO_LARGE, "a name and password of %zu bytes", name.n + password.n);
    memcpy(text + n, name.p, name.n);
    if (password.n > 0)
        memcpy(text + n + name.n, password.p, password.n);
    int rc = keyed(l, text, (size_t)n + name.n + password.n, made.mac, e);
    OPENSSL_cleanse(text, sizeof text);
    if (rc == 0)
        *out = made;
    return rc;
}

static struct good *find_good(struct logins *l, const struct login_mark *mark)
{
    struct good *set = l->good[set_of(mark->mac, GOOD_SETS)];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].until_ms != 0 && mem_eq_consttime(set[i].mac, mark->mac, sizeof mark->mac))
            return &set[i];
    return NULL;
}

bool logins_good(struct logins *l, const struct login_mark *mark)
{
    int64_t now = clock_mono_ms(l->clock);
    pthread_mutex_lock(&l->lock);
    struct good *g = find_good(l, mark);
    bool good = g != NULL && now < g->until_ms;
    if (good)
        g->until_ms = now + LOGIN_GOOD_MS;
    pthread_mutex_unlock(&l->lock);
    return good;
}

void logins_add_good(struct logins *l, const struct login_mark *mark)
{
    int64_t now = clock_mono_ms(l->clock);
    pthread_mutex_lock(&l->lock);
    struct good *at = find_good(l, mark), *set = l->good[set_of(mark->mac, GOOD_SETS)];
    for (size_t i = 0; at == NULL && i < WAYS; i++)
        if (set[i].until_ms == 0)
            at = &set[i];
    if (at == NULL) {
        at = &set[0];
        for (size_t i = 1; i < WAYS; i++)
            if (set[i].until_ms < at->until_ms)
                at = &set[i];
    }
    memcpy(at->mac, mark->mac, sizeof at->mac);
    at->until_ms = now + LOGIN_GOOD_MS;
    pthread_mutex_unlock(&l->lock);
}

/* --- addresses ------------------------------------------------------------------------------------------ */

/* "192.0.2.1", "192.0.2.1:5123", "[2001:db8::1]:5123", "2001:db8::1"; all else ("unix") is one source. */
static void source_of(const char *address, unsigned char out[SOURCE_SIZE])
{
    char text[INET6_ADDRSTRLEN];
    const char *from = address, *end = NULL;
    if (*from == '[')
        end = strchr(++from, ']');
    else if ((end = strchr(from, ':')) != NULL && strchr(end + 1, ':') != NULL)
        end = NULL; /* an IPv6 address without a port */
    size_t n = end != NULL ? (size_t)(end - from) : strlen(from);
    memset(out, 0, SOURCE_SIZE);
    if (n >= sizeof text)
        return;
    memcpy(text, from, n);
    text[n] = '\0';
    struct in6_addr six;
    struct in_addr four;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (inet_pton(AF_INET, text, &four) == 1) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + 12, &four, 4);
    } else if (inet_pton(AF_INET6, text, &six) == 1) {
        bool is_mapped = memcmp(&six, mapped, sizeof mapped) == 0;
        memcpy(out, &six, is_mapped ? SOURCE_SIZE : 8); /* one host may have a whole /64 */
    }
}

/* Where it stands, or where it may stand: the one of its set that is empty, or else began first. Under the
   lock. NULL: the hash did not work. */
static struct source *place(struct logins *l, const unsigned char address[SOURCE_SIZE])
{
    unsigned char mac[32];
    if (keyed(l, address, SOURCE_SIZE, mac, NULL) != 0)
        return NULL;
    struct source *set = l->sources[set_of(mac, SOURCE_SETS)], *at = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].failures > 0 && memcmp(set[i].address, address, SOURCE_SIZE) == 0)
            return &set[i];
        if (at->failures > 0 && (set[i].failures == 0 || set[i].began_ms < at->began_ms))
            at = &set[i];
    }
    return at;
}

/* How many failures within what time. */
struct bound {
    int failures;
    int64_t window_ms;
};
static const struct bound by_address = {LOGIN_FAILURES_MAX, LOGIN_WINDOW_MS};
static const struct bound by_name = {LOGIN_NAME_FAILURES_MAX, LOGIN_NAME_WINDOW_MS};

static bool is_at(const struct source *s, const unsigned char key[SOURCE_SIZE], const struct bound *b,
                  int64_t now)
{
    return s->failures > 0 && memcmp(s->address, key, SOURCE_SIZE) == 0 && now < s->began_ms + b->window_ms;
}

static int64_t wait_of(struct logins *l, const unsigned char key[SOURCE_SIZE], const struct bound *b)
{
    int64_t now = clock_mono_ms(l->clock), left = 0;
    pthread_mutex_lock(&l->lock);
    const struct source *s = place(l, key);
    if (s != NULL && is_at(s, key, b, now) && s->failures >= b->failures)
        left = s->began_ms + b->window_ms - now;
    pthread_mutex_unlock(&l->lock);
    return (left + 999) / 1000;
}

static bool count_failure(struct logins *l, const unsigned char key[SOURCE_SIZE], const struct bound *b)
{
    int64_t now = clock_mono_ms(l->clock);
    bool reached = false;
    pthread_mutex_lock(&l->lock);
    struct source *s = place(l, key);
    if (s != NULL) {
        if (!is_at(s, key, b, now)) {
            *s = (struct source){.began_ms = now};
            memcpy(s->address, key, SOURCE_SIZE);
        }
        if (s->failures < b->failures)
            reached = ++s->failures == b->failures;
    }
    pthread_mutex_unlock(&l->lock);
    return reached;
}

int64_t logins_wait(struct logins *l, const char *address)
{
    unsigned char key[SOURCE_SIZE];
    source_of(address, key);
    return wait_of(l, key, &by_address);
}

bool logins_failed(struct logins *l, const char *address)
{
    unsigned char key[SOURCE_SIZE];
    source_of(address, key);
    return count_failure(l, key, &by_address);
}

/* A name's place is keyed, so that no address is taken for one. False: the hash did not work. */
static bool name_of(const struct logins *l, struct str name, unsigned char key[SOURCE_SIZE])
{
    unsigned char mac[32];
    if (keyed(l, name.p, name.n, mac, NULL) != 0)
        return false;
    memcpy(key, mac, SOURCE_SIZE);
    return true;
}

int64_t logins_name_wait(struct logins *l, struct str name)
{
    unsigned char key[SOURCE_SIZE];
    return name_of(l, name, key) ? wait_of(l, key, &by_name) : 0;
}

bool logins_name_failed(struct logins *l, struct str name)
{
    unsigned char key[SOURCE_SIZE];
    return name_of(l, name, key) && count_failure(l, key, &by_name);
}

/* --- counters ------------------------------------------------------------------------------------------- */

void logins_count(struct logins *l, enum login_result result)
{
    atomic_fetch_add_explicit(&l->counted[result], 1, memory_order_relaxed);
}

uint64_t logins_counted(const struct logins *l, enum login_result result)
{
    return atomic_load_explicit(&l->counted[result], memory_order_relaxed);
}
