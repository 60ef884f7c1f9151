#include <string.h>

#include "lattice/keccak.h"
#include "lattice/lattice.h"
#include "lattice/mldsa_code.h"
#include "lattice/mlkem_code.h"

static const struct lattice_code rows[] = {
#ifdef LATTICE_X86_64
    {.name = "avx512", .keccak = &keccak_avx512, .mlkem = &mlkem_avx2, .mldsa = &mldsa_avx2},
    {.name = "avx2", .keccak = &keccak_avx2, .mlkem = &mlkem_avx2, .mldsa = &mldsa_avx2},
#endif
    {.name = "portable", .keccak = &keccak_portable, .mlkem = &mlkem_portable, .mldsa = &mldsa_portable},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* How many rows at the table's head this processor has no instructions for. */
static size_t rows_beyond_processor(void)
{
#ifdef LATTICE_X86_64
    /* The compiler's runtime asks the system too whether it keeps the wide registers. */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return 2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl"))
        return 1;
#endif
    return 0;
}

const struct lattice_code *lattice_code(size_t i)
{
    size_t skipped = rows_beyond_processor();
    return i < ROWS - skipped ? &rows[skipped + i] : NULL;
}

void lattice_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}
