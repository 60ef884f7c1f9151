/* What the files of src/trust share. Nothing outside includes it. */
#ifndef PQOTA_TRUST_INTERNAL_H
#define PQOTA_TRUST_INTERNAL_H

#include "base/json.h"
#include "trust/document.h"

/* Texts for errors: a device's printf may know no 64-bit numbers, and names come from hostile files. */
#define SHOWN_SIZE 80
struct shown {
    char z[SHOWN_SIZE];
};
struct shown trust_number(int64_t v);
/* Characters that no terminal or log should get are "?"; a long name ends in "...". */
struct shown trust_show(struct str name);

/* The string that a member is; .p NULL: none there, or something else. */
struct str trust_text_at(yyjson_val *obj, const char *key);
/* A number from min to INT64_MAX. */
bool trust_is_count(yyjson_val *v, int64_t min, int64_t *out);

/* --- names, sorted (canon.c) ---------------------------------------------------------------------------- */

/* An object's names sorted by their bytes, taken from the space. ERR_INVALID: one is there twice. */
int canon_names(yyjson_val *obj, struct trust_space *space, yyjson_val ***names, size_t *count,
                struct err *e) MUST_CHECK;
/* Sorts strings; false: one is there twice. O(n log n) whatever they are. */
bool canon_sort(yyjson_val **strings, size_t n);
/* No object in v has a name twice; nested CANON_DEPTH_MAX deep at most. */
int canon_check(yyjson_val *v, struct trust_space *space, struct err *e) MUST_CHECK;
/* As memcmp, a shorter beginning first. */
int canon_compare(struct str a, struct str b);

/* --- documents ------------------------------------------------------------------------------------------ */

#define DOC_PADDING 4 /* bytes that yyjson's in-place reader needs after the text */

/* Reads a file of which a whole copy stays where it is; out->text is that one. */
int doc_read(struct str text, enum tuf_type type, struct trust_space *space, struct tuf_doc *out,
             struct err *e) MUST_CHECK;
/* Reads a file that was checked before in the memory where it lies (DOC_PADDING bytes of room after it),
   which becomes the document's: no text and no canonical form afterwards. */
int doc_read_again(char *text, size_t n, enum tuf_type type, struct trust_space *space, struct tuf_doc *out,
                   struct err *e) MUST_CHECK;

/* What a body of that kind must have beside what all have. */
int doc_check_root(yyjson_val *body, struct err *e) MUST_CHECK;
int doc_check_metas(const struct tuf_doc *doc, struct err *e) MUST_CHECK;
int doc_check_targets(yyjson_val *body, struct trust_space *space, struct err *e) MUST_CHECK;

/* The keys of a file, and the key ids of one of its roles. */
int doc_check_keys(yyjson_val *keys, struct err *e) MUST_CHECK;
int doc_check_ids(yyjson_val *role, struct str name, struct err *e) MUST_CHECK;
/* What a role has in pqota's own members, which reading a file does not look at. */
int doc_check_own(const struct tuf_role *role, struct err *e) MUST_CHECK;
/* The role as these rules see it: without pqota's own members where they do not demand them. */
struct tuf_role trust_role_under(const struct tuf_role *role, const struct tuf_rules *rules);
/* What enough of `is` signed is signed by enough of `was`, too: nothing has to be checked for that. */
bool trust_role_implies(const struct tuf_role *is, const struct tuf_role *was, const struct tuf_rules *rules);

/* Length and hashes of an entry, both of which may be left out where `optional`. */
int doc_check_sums(yyjson_val *entry, struct str name, bool optional, struct err *e) MUST_CHECK;

/* --- keys and paths ------------------------------------------------------------------------------------- */

/* The part of a decoded key that makes it this key and no other: an RSA key's modulus (who can sign with one
   exponent can with all), of others the whole. */
struct str trust_key_core(const struct trust_scheme_row *row, const unsigned char *key, size_t n);

bool trust_glob(struct str pattern, struct str path);

#endif
