/* pqtrust: what signed update metadata cost. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "pqtrust/result.h"
#include "shared/program.h"

#define NAME "pqtrust"

/* Both refreshes, of a repository with one model: what one device fetches. */
static int refreshes(const struct repo_plan *plan, size_t repeat, struct refresh_result *first,
                     struct refresh_result *steady, struct repo *repo, struct err *e)
{
    int rc = repo_make(repo, plan, e);
    if (rc == 0)
        rc = refresh_measure(repo, repeat, first, steady, e);
    repo_fini(repo);
    return rc;
}

static int memory(const struct repo_plan *plan, struct memory_device *device, struct memory_result *out,
                  struct repo *repo, struct err *e)
{
    int rc = repo_make(repo, plan, e);
    if (rc == 0)
        rc = memory_measure(device, repo, out, e);
    repo_fini(repo);
    return rc;
}

static int signing(const struct repo_plan *plan, size_t targets, struct signing_result *out,
                   struct repo *repo, struct err *e)
{
    int rc = repo_make(repo, plan, e);
    if (rc == 0)
        rc = signing_measure(repo, targets, out, e);
    repo_fini(repo);
    return rc;
}

static int measure(const struct options *o, struct memory_device *device, struct results *out, struct err *e)
{
    auto_free struct repo *repo = malloc(sizeof *repo);
    if (repo == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a repository");
    const struct repo_plan small = {
        .offline = TRUST_ML_DSA_65, .models = 1, .targets = 1, .now_s = clock_unix_ms(&clock_system) / 1000};
    struct repo_plan usual = small, large;
    usual.offline = TRUST_ML_DSA_87;
    large = usual;
    large.models = o->delegations;
    large.targets = o->targets;
    int rc = memory(&large, device, &out->memory, repo, e);
    if (rc == 0)
        rc = refreshes(&small, o->repeat, &out->first, &out->steady, repo, e);
    if (rc == 0)
        rc = refreshes(&usual, o->repeat, &out->first_87, &out->steady_87, repo, e);
    if (rc == 0)
        rc = signing(&usual, o->sign, &out->signing, repo, e);
    if (rc == 0)
        rc = sizes_measure(&usual, &out->sizes, e);
    return rc != 0 ? rc : fleet_measure(o->devices, &out->fleet, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options options;
    struct results results = {0};
    struct memory_device device;
    int code = program_begin(NAME, options_parse(argc, argv, &options, &e), &e);
    if (code >= 0)
        return code;
    log_setup(LOG_ERROR, LOG_LOGFMT, 2);
    if (memory_start(&device, &e) != 0)
        return program_fail(NAME, PROGRAM_ERRORS, &e);
    int rc = measure(&options, &device, &results, &e);
    memory_stop(&device);
    if (rc == 0)
        rc = result_print(&options, &results, stdout, &e);
    return rc == 0 ? PROGRAM_GOOD : program_fail(NAME, PROGRAM_ERRORS, &e);
}
