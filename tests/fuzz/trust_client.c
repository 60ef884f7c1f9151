/* A repository that an attacker with every key made: files one after another, each ended by 0xFF, in the
   order in which they are asked for. The first byte chooses what is asked and with how much memory. */
#include <stdlib.h>
#include <string.h>

#include "trust/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILES 4
#define FILE_MOST 16384

struct world {
    struct str rest;
    struct {
        char text[FILE_MOST];
        size_t n;
    } stored[FILES]; /* by the role's first letter: enough to be read back, and to be mixed up */
    size_t asked;
};

static int believe(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                   size_t msg_n, const void *sig, size_t sig_n)
{
    (void)ctx, (void)scheme, (void)key, (void)key_n, (void)msg, (void)msg_n, (void)sig, (void)sig_n;
    return 0;
}

static int sum(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    const unsigned char *p = data;
    size_t size = which == TRUST_SHA256 ? TRUST_SHA256_SIZE : TRUST_SHA512_SIZE;
    (void)ctx;
    memset(out, 0, size);
    for (size_t i = 0; i < n; i++)
        out[i % size] = (unsigned char)(out[i % size] * 31 + p[i]);
    return 0;
}

static size_t place(struct str role)
{
    return role.n > 0 ? (unsigned char)role.p[0] % FILES : 0;
}

static int load(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    struct world *w = ctx;
    size_t i = place(role);
    if (w->stored[i].n > size)
        return err_set(e, ERR_TOO_LARGE, "too large");
    memcpy(buf, w->stored[i].text, w->stored[i].n);
    *n = w->stored[i].n;
    return 0;
}

static int save(void *ctx, struct str role, struct str text, struct err *e)
{
    struct world *w = ctx;
    size_t i = place(role);
    if (text.n > FILE_MOST)
        return err_set(e, ERR_FULL, "full");
    memcpy(w->stored[i].text, text.p, text.n);
    w->stored[i].n = text.n;
    return 0;
}

static int drop(void *ctx, struct str role, struct err *e)
{
    (void)e;
    ((struct world *)ctx)->stored[place(role)].n = 0;
    return 0;
}

static int get(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct world *w = ctx;
    struct str file;
    if (strlen(name) < 6 || ++w->asked > TUF_ROOTS_MAX + TUF_VISITS_MAX + 8)
        abort();
    if (!str_split(&w->rest, '\xFF', &file) || file.n == 0)
        return err_set(e, ERR_NOT_FOUND, "none");
    if (file.n > size)
        return err_set(e, ERR_TOO_LARGE, "too large");
    memcpy(buf, file.p, file.n);
    *n = file.n;
    return 0;
}

static int64_t now_s(void *ctx)
{
    (void)ctx;
    return 1795354009;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {4096, 65536, 262144, 1 << 20};
    if (size < 1 || size > 65536)
        return 0;
    size_t most = sizes[data[0] / 2 % 4];
    struct world *w = calloc(1, sizeof *w);
    void *memory = malloc(most);
    struct tuf_client client;
    struct tuf_target t;
    struct str first;
    struct err e = {.code = 0};
    if (w == NULL || memory == NULL)
        abort();
    w->rest = (struct str){.p = (const char *)data + 1, .n = size - 1};
    struct tuf_config config = {.store = {.ctx = w, .load = load, .save = save, .drop = drop},
                                .fetch = {.ctx = w, .get = get},
                                .crypto = {.verify = believe, .hash = sum},
                                .now_s = now_s};
    tuf_client_init(&client, memory, most, &config);
    if (str_split(&w->rest, '\xFF', &first) && tuf_client_begin(&client, first, &e) == 0)
        for (int again = 0; again < 2; again++) {
            int rc = data[0] % 2 == 0
                         ? tuf_client_refresh(&client, &e)
                         : tuf_client_refresh_director(&client, "gw-1/targets.json", STR("gw-1"), &e);
            if (rc != 0 && (e.code != rc || e.text[0] == '\0'))
                abort();
            if ((rc == 0) != client.fresh || client.space.size > most)
                abort();
            if (rc == 0 && tuf_client_target(&client, STR("a/b.bin"), &t, &e) == 0 &&
                (t.length < 0 || !str_is(t.name, "a/b.bin")))
                abort();
        }
    free(memory);
    free(w);
    return 0;
}
