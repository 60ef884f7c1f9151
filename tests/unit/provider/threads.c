/* One key, many threads. */
#include "fixture.h"

#include <pthread.h>

#define THREADS 8
#define ROUNDS 60

struct job {
    const struct kind *kind;
    EVP_PKEY *key, *share; /* of the same key; everybody's */
    int good;
};

/* Each thread makes a context of its own, as TLS does; cmocka's asserts are not for threads. */
static bool one_round(const struct job *job)
{
    struct bytes ciphertext = {.n = BYTES_MAX}, made = {.n = BYTES_MAX}, got = {.n = BYTES_MAX};
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, job->share, OURS);
    bool good = c != NULL && EVP_PKEY_encapsulate_init(c, NULL) == 1 &&
                EVP_PKEY_encapsulate(c, ciphertext.p, &ciphertext.n, made.p, &made.n) == 1;
    EVP_PKEY_CTX_free(c);
    c = EVP_PKEY_CTX_new_from_pkey(libctx, job->key, OURS);
    good = good && c != NULL && EVP_PKEY_decapsulate_init(c, NULL) == 1 &&
           EVP_PKEY_decapsulate(c, got.p, &got.n, ciphertext.p, ciphertext.n) == 1;
    EVP_PKEY_CTX_free(c);
    return good && made.n == job->kind->secret_size && got.n == made.n && memcmp(made.p, got.p, made.n) == 0;
}

static void *run(void *arg)
{
    struct job *job = arg;
    for (int i = 0; i < ROUNDS; i++) {
        EVP_PKEY *copy = EVP_PKEY_dup(job->key);
        job->good += one_round(job) && EVP_PKEY_eq(copy, job->share) == 1;
        EVP_PKEY_free(copy);
    }
    return NULL;
}

static void many_threads_on_a_key(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct world w; /* a fresh one: the threads fetch the classical half at the same time */
        OSSL_LIB_CTX *usual = libctx;
        world_start(&w);
        libctx = w.libctx;
        EVP_PKEY *key = generate(&kinds[k], OURS), *share = moved(key, OURS, EVP_PKEY_PUBLIC_KEY);
        struct job jobs[THREADS];
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            jobs[i] = (struct job){.kind = &kinds[k], .key = key, .share = share};
            assert_int_equal(pthread_create(&threads[i], NULL, run, &jobs[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(jobs[i].good, ROUNDS);
        }
        EVP_PKEY_free(key);
        EVP_PKEY_free(share);
        libctx = usual;
        world_stop(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_on_a_key),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
