#ifndef PQOTA_LATTICE_SECRET_H
#define PQOTA_LATTICE_SECRET_H

/* Where a value that came from a secret is public from here on, by the standard: seeds of public
 * matrices, public keys, the number of a signature's attempts. Nothing in a program; in the test of
 * constant time, which marks secrets as undefined memory, it says that this memory may be looked at. */
#ifdef LATTICE_CHECK_SECRETS
#include <valgrind/memcheck.h>
#define LATTICE_PUBLIC(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (n)))
#else
#define LATTICE_PUBLIC(p, n) ((void)0)
#endif

#endif
