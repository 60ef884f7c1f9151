/* The update metadata in `pqota-agent status`. It is shown, not believed: each update verifies it again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/trust.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "trust/custom.h"
#include "trust/document.h"

struct shown {
    const struct metadata *metadata;
    struct trust_space space;
    int64_t now_s;
    const char *repository;
    bool any; /* of this repository something was printed */
};

static void print_role(struct shown *s, const char *role, enum tuf_type type)
{
    char path[PATH_MAX], end[TUF_TIME_SIZE];
    auto_buf struct buf text;
    buf_init(&text, AGENT_TRUST_MEMORY / 4);
    struct tuf_doc doc;
    struct err e = {0};
    int rc = metadata_path(s->metadata, s->repository, role, path, &e);
    if (rc == 0)
        rc = file_read(path, AGENT_TRUST_MEMORY / 4, &text, &e);
    if (rc == ERR_NOT_FOUND)
        return;
    size_t mark = space_mark(&s->space);
    if (rc == 0)
        rc = tuf_doc_read(buf_str(&text), type, &s->space, &doc, &e);
    space_release(&s->space, mark);
    printf(s->any ? ", " : "%-12s ", s->repository);
    s->any = true;
    if (rc != 0) {
        printf("%s cannot be read (%s)", role, e.text);
        return;
    }
    tuf_time_write(doc.expires_s, end);
    printf("%s %" PRId64 " %s %s", role, doc.version, doc.expires_s <= s->now_s ? "EXPIRED" : "until", end);
}

static void print_repository(struct shown *s, const char *repository, const char *model)
{
    char delegated[TUF_ROLE_NAME_MAX];
    s->repository = repository;
    s->any = false;
    print_role(s, "root", TUF_ROOT);
    if (strcmp(repository, "image") == 0) {
        print_role(s, "timestamp", TUF_TIMESTAMP);
        print_role(s, "snapshot", TUF_SNAPSHOT);
    }
    print_role(s, "targets", TUF_TARGETS);
    if (model != NULL && trust_model_role(str_of(model), delegated, sizeof delegated))
        print_role(s, delegated, TUF_TARGETS);
    if (!s->any)
        printf("%-12s no metadata yet", repository);
    printf("\n");
}

void agent_trust_print(const struct agent_config *c, const struct files *f, int64_t now_s)
{
    char model[PQOTA_NAME_SIZE];
    struct metadata metadata;
    struct err e = {0};
    auto_free void *memory = NULL;
    if (c->insecure_unsigned) {
        printf("trust        none: updates are taken unsigned ([trust] insecure_unsigned = yes)\n");
        return;
    }
    bool known = agent_trust_model(c, f, model, &e) == 0;
    printf("model        %s\n", known ? model : e.text);
    if (metadata_open(&metadata, f, false, &e) != 0) {
        printf("trust        %s\n", e.text);
        return;
    }
    memory = malloc(AGENT_TRUST_MEMORY);
    if (memory == NULL) {
        printf("trust        no memory to read the metadata\n");
        return;
    }
    struct shown s = {.metadata = &metadata, .now_s = now_s};
    space_init(&s.space, memory, AGENT_TRUST_MEMORY);
    print_repository(&s, "image", known ? model : NULL);
    print_repository(&s, "director", NULL);
}
