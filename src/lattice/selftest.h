#ifndef PQOTA_LATTICE_SELFTEST_H
#define PQOTA_LATTICE_SELFTEST_H

/* Known answers, for a program that wants to know whether its processor and its compiler did what they
 * should. */

#include "lattice/lattice.h"

/* Makes a key, a secret for it, and has it taken and rejected, makes a key and a signature, and has it
 * verified, with each parameter set on this code path; false where one byte of what comes of it is another
 * than FIPS 203's or 204's, or there is no memory for one key. Takes a millisecond or two. */
bool lattice_selftest(const struct lattice_code *code);

#endif
