/* A signing request in words. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/signing.h"
#include "cmd/text.h"

#define KEYID_SHOWN 16 /* characters */

static const char *const family_words[TRUST_FAMILIES] = {"ML-DSA", "classical"};

const char *signing_escape(struct str text, struct arena *a)
{
    char *shown = text.n > 0 ? text_escape(text, a) : NULL;
    return shown != NULL ? shown : "-";
}

static void print_life(const struct tuf_doc *doc, FILE *to)
{
    char when[CLOCK_TEXT_MAX];
    clock_format(doc->expires_s * 1000, when);
    when[10] = ' ';
    when[19] = '\0';
    fprintf(to, "good until %s UTC%s", when, doc->expires_s <= (int64_t)time(NULL) ? ", which is past" : "");
}

void signing_print_tally(const struct signing_tally *t, struct arena *a, FILE *to)
{
    for (int f = 0; f < TRUST_FAMILIES; f++)
        fprintf(to, "%s%lld of %lld %s", f > 0 ? ", " : "", (long long)t->have[f], (long long)t->need[f],
                family_words[f]);
    fprintf(to, " (threshold %lld)%s\n", (long long)t->threshold, t->complete ? ": enough" : "");
    for (size_t i = 0; i < t->count; i++) {
        const struct tuf_signer *s = &t->signer[i];
        struct str id = {.p = s->keyid.p, .n = s->keyid.n < KEYID_SHOWN ? s->keyid.n : KEYID_SHOWN};
        fprintf(to, "      %s %s  %s\n", s->signed_it ? "signed" : "      ", signing_escape(id, a),
                s->scheme != NULL ? s->scheme->name : "of a kind that is not known here");
    }
}

static void print_head(struct signing *s, const struct signing_item *item, FILE *to)
{
    const struct tuf_doc *doc = &item->doc, *base = item->base;
    fprintf(to, "%s repository, %s: version %lld, ", item->document->repository,
            signing_escape(str_of(item->document->role), s->arena), (long long)doc->version);
    print_life(doc, to);
    fputs("\n", to);
    if (base == NULL)
        fputs("    the first of its role; all that it says is new:\n", to);
    else if (doc->version != base->version + 1)
        fprintf(to, "    WARNING: it would follow on version %lld, which the server will not take\n",
                (long long)base->version);
    if (base != NULL && item->base_strange)
        fprintf(
            to,
            "    WARNING: none of your keys signed version %lld, which this file says it follows on; so all "
            "that it says is shown:\n",
            (long long)base->version);
    else if (base != NULL && !item->base_vouched)
        fprintf(to,
                "    WARNING: version %lld, with which it is compared here, is not signed by who must have\n",
                (long long)base->version);
}

static int print_item(struct signing *s, struct signing_item *item, FILE *to, struct err *e)
{
    print_head(s, item, to);
    int rc = signing_print_changes(&item->doc, item->base_strange ? NULL : item->base, s->arena, to, e);
    for (size_t i = 0; rc == 0 && i < item->role_count; i++) {
        struct signing_tally t;
        rc = signing_count(&item->doc, &item->roles[i].role, &s->space, &t, e);
        if (rc != 0)
            break;
        fprintf(to, "    signed by %s: ", item->roles[i].words);
        signing_print_tally(&t, s->arena, to);
    }
    return rc;
}

int signing_print(struct signing *s, FILE *to, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = print_item(s, &s->items[i], to, e);
    return rc;
}

/* "image targets: 1 more ML-DSA, 1 more classical of its holders". */
static void print_missing(struct signing *s, const struct signing_item *item, const struct signing_role *role,
                          const struct signing_tally *t, FILE *to)
{
    fprintf(to, "  %s %s: ", item->document->repository,
            signing_escape(str_of(item->document->role), s->arena));
    bool any = false;
    for (int f = 0; f < TRUST_FAMILIES; f++) {
        if (t->have[f] >= t->need[f])
            continue;
        fprintf(to, "%s%lld more %s", any ? " and " : "", (long long)(t->need[f] - t->have[f]),
                family_words[f]);
        any = true;
    }
    fprintf(to, "%s of %s\n", any ? "" : "not enough by different keys", role->words);
}

int signing_print_wanted(struct signing *s, FILE *to, bool *complete, struct err *e)
{
    struct signing_entries n;
    bool first = true;
    for (size_t i = 0; i < s->count; i++)
        for (size_t r = 0; r < s->items[i].role_count; r++) {
            const struct signing_item *item = &s->items[i];
            struct signing_tally t;
            int rc = signing_count(&item->doc, &item->roles[r].role, &s->space, &t, e);
            if (rc != 0)
                return rc;
            if (t.complete)
                continue;
            if (first)
                fputs("Signatures still wanted:\n", to);
            first = false;
            print_missing(s, item, &item->roles[r], &t, to);
        }
    int rc = signing_entries_count(s, &n, e);
    if (rc != 0)
        return rc;
    if (n.missing > 0)
        fprintf(
            to,
            "%zu of %zu entries for microcontrollers are missing: sign with the vendor's manifest key too, "
            "if there are such devices.\n",
            n.missing, n.wanted);
    *complete = first;
    return 0;
}
