#include "rollout_rules.h"

#include <stdio.h>

#include "store/db.h"

#define LIVE "(SELECT pk FROM deployment WHERE closed_at IS NULL)"
#define EARLY "('waiting', 'offered', 'downloading', 'downloaded')"

/* Each question gives the number of something that breaks the rule, or no row. */
static const struct {
    const char *rule, *sql;
    bool slow;
} rules[] = {
    {"members are counted",
     "SELECT t.deployment FROM member_tally t WHERE t.deployment IN " LIVE " AND t.n <> (SELECT count(*)"
     " FROM member m WHERE m.deployment = t.deployment AND m.phase = t.phase AND m.state = t.state)",
     false},
    {"members of what is over are counted",
     "SELECT t.deployment FROM member_tally t JOIN deployment d ON d.pk = t.deployment AND d.forgotten = 0"
     " WHERE t.n <> (SELECT count(*)"
     " FROM member m WHERE m.deployment = t.deployment AND m.phase = t.phase AND m.state = t.state)",
     true},
    {"all members are counted",
     "SELECT pk FROM deployment d WHERE forgotten = 0 AND (SELECT count(*) FROM member WHERE deployment = "
     "d.pk)"
     " <> (SELECT coalesce(sum(n), 0) FROM member_tally WHERE deployment = d.pk)",
     true},
    {"actions are counted",
     "SELECT t.deployment FROM action_tally t WHERE t.n <> (SELECT count(*) FROM action a"
     " WHERE a.deployment = t.deployment AND a.state = t.state)",
     true},
    {"all actions are counted",
     "SELECT 1 WHERE (SELECT count(*) FROM action) <> (SELECT sum(n) FROM action_tally)", true},
    {"actions are counted by the hour",
     "SELECT at FROM tally WHERE name IN (SELECT state FROM action) AND n <> (SELECT count(*) FROM action a"
     " WHERE a.state = name AND coalesce(a.closed_at / 3600000, 0) = at)",
     true},
    {"devices are counted by model and version",
     "SELECT 1 FROM fleet f WHERE devices <> (SELECT count(*) FROM device WHERE model = f.model"
     " AND coalesce(version, '') = f.version AND revoked_at IS NULL)",
     true},
    {"an active member has an open action",
     "SELECT m.deployment FROM member m WHERE m.state = 'active' AND NOT EXISTS (SELECT 1 FROM action a"
     " WHERE a.device = m.device AND a.deployment = m.deployment AND a.closed_at IS NULL)",
     false},
    {"an open action has an active member",
     "SELECT a.pk FROM action a JOIN deployment d ON d.pk = a.deployment AND d.forgotten = 0"
     " WHERE a.closed_at IS NULL AND NOT EXISTS (SELECT 1 FROM member m"
     " WHERE m.device = a.device AND m.deployment = a.deployment AND m.state = 'active')",
     false},
    {"an action is open or in an end",
     "SELECT pk FROM action WHERE (closed_at IS NULL) <> (state IN " EARLY
     " OR state IN ('installing', 'rebooting', 'cancelling')) AND NOT (state = 'downloaded' AND EXISTS"
     " (SELECT 1 FROM deployment d WHERE d.pk = deployment AND d.mode = 'download_only'))",
     true},
    {"what is finished has nobody left",
     "SELECT d.pk FROM deployment d JOIN member_tally t ON t.deployment = d.pk AND t.n <> 0"
     " WHERE d.state = 'finished' AND t.state IN ('waiting', 'active')",
     false},
    {"what is finished has all its phases open",
     "SELECT pk FROM deployment WHERE state = 'finished' AND (phase + 1 <> phases OR dynamic)", false},
    {"nobody waits in what was called off",
     "SELECT d.pk FROM deployment d JOIN member_tally t ON t.deployment = d.pk AND t.n <> 0"
     " WHERE d.state IN ('cancelled', 'denied') AND t.state = 'waiting'"
     " AND d.pk NOT IN (SELECT deployment FROM deployment_closing)",
     false},
    {"what was called off is not begun",
     "SELECT a.pk FROM action a JOIN deployment d ON d.pk = a.deployment WHERE a.closed_at IS NULL"
     " AND d.state IN ('cancelled', 'denied') AND a.state IN ('waiting', 'offered')"
     " AND d.pk NOT IN (SELECT deployment FROM deployment_closing)",
     false},
    {"what is closed says when",
     "SELECT pk FROM deployment WHERE (closed_at IS NULL) <>"
     " (state IN ('approval', 'scheduled', 'running', 'paused'))",
     false},
    {"nobody begins in a phase that is not open",
     "SELECT d.pk FROM deployment d JOIN member m ON m.deployment = d.pk AND m.phase > d.phase"
     " WHERE d.closed_at IS NULL AND m.attempts > 0",
     false},
    {"nobody begins before the approval",
     "SELECT d.pk FROM deployment d JOIN member m ON m.deployment = d.pk WHERE d.state = 'approval'"
     " AND m.attempts > 0",
     false},
    {"open phases say when",
     "SELECT d.pk FROM deployment d JOIN phase p ON p.deployment = d.pk"
     " WHERE (p.opened_at IS NULL) <> (p.number > d.phase)",
     false},
    {"no more attempts than are allowed",
     "SELECT d.pk FROM deployment d JOIN member m ON m.deployment = d.pk WHERE d.closed_at IS NULL"
     " AND m.attempts > d.retries + 1",
     false},
    {"an attempt is an action",
     "SELECT d.pk FROM deployment d JOIN member m ON m.deployment = d.pk WHERE d.closed_at IS NULL"
     " AND m.attempts < (SELECT count(*) FROM action a WHERE a.device = m.device AND a.deployment = d.pk)",
     false},
    {"who is done does not wait to be tried again",
     "SELECT deployment FROM member WHERE retry_at IS NOT NULL AND state <> 'waiting'", true},
    {"what can finish has",
     "SELECT d.pk FROM deployment d WHERE d.state = 'running' AND d.prepared_at IS NOT NULL AND NOT d.dynamic"
     " AND d.phase + 1 = d.phases AND NOT EXISTS (SELECT 1 FROM member_tally t WHERE t.deployment = d.pk"
     " AND t.n > 0 AND t.state IN ('waiting', 'active'))",
     false},
    {"a phase that can open has",
     "SELECT d.pk FROM deployment d JOIN phase p ON p.deployment = d.pk AND p.number = d.phase"
     " WHERE d.state = 'running' AND d.prepared_at IS NOT NULL AND d.phase + 1 < d.phases"
     " AND p.success_percent * (SELECT coalesce(sum(n), 0) FROM member_tally t WHERE t.deployment = d.pk"
     "   AND t.phase = d.phase AND t.state IN ('waiting', 'active', 'succeeded', 'failed'))"
     " <= 100 * (SELECT coalesce(sum(n), 0) FROM member_tally t WHERE t.deployment = d.pk"
     "   AND t.phase = d.phase AND t.state = 'succeeded')",
     false},
    {"not more begin in a minute than may",
     "SELECT pk FROM deployment WHERE per_minute IS NOT NULL AND begun > per_minute", false},
    {"what is deployed is there",
     "SELECT d.pk FROM deployment d JOIN release r ON r.pk = d.release OR r.pk = d.rollback"
     " WHERE d.closed_at IS NULL AND r.deleted_at IS NOT NULL",
     false},
    {"what is installed is there",
     "SELECT a.pk FROM action a JOIN release r ON r.pk = a.release AND r.deleted_at IS NOT NULL"
     " WHERE a.closed_at IS NULL",
     false},
    {"a revoked device has nothing to do",
     "SELECT d.pk FROM device d WHERE d.revoked_at IS NOT NULL AND (EXISTS (SELECT 1 FROM action a"
     " WHERE a.device = d.pk AND a.closed_at IS NULL) OR EXISTS (SELECT 1 FROM member m"
     " WHERE m.device = d.pk AND m.state IN ('waiting', 'active')))",
     false},
    {"nothing is left of a device that was deleted",
     "SELECT deployment FROM member m WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.pk = m.device)", true},
};

void rollout_rules_check(struct db *db, bool all, char *wrong, size_t size)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        auto_stmt struct stmt s = {0};
        struct err e = {0};
        if (rules[i].slow && !all)
            continue;
        int rc = db_prepare(db, &s, rules[i].sql, &e);
        if (rc == 0)
            rc = stmt_step(&s, &e);
        if (rc == STMT_END)
            continue;
        snprintf(wrong, size, "%s: not so of %lld %s", rules[i].rule,
                 rc == STMT_ROW ? (long long)stmt_get_i64(&s, 0) : -1LL, e.text);
        return;
    }
}
