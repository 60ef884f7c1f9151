#include "ota/event.h"

#include "store/events.h"

int ota_event_list(struct db *db, struct arena *a, const char *subject, const char *kind, int64_t before,
                   size_t limit, struct event **out, size_t *count, struct err *e)
{
    return store_event_list(db, a, subject, kind, before, limit, out, count, e);
}
