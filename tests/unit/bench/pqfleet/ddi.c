#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#define POLL "GET " PLAY_BASE
#define CONFIG "PUT " PLAY_BASE "/configData"
#define DEPLOYMENT "GET " PLAY_BASE "/deploymentBase/5?c=7"
#define FEEDBACK "POST " PLAY_BASE "/deploymentBase/5/feedback"
#define CONFIRMATION "GET " PLAY_BASE "/confirmationBase/5?c=7"
#define CONSENT "POST " PLAY_BASE "/confirmationBase/5/feedback"
#define CANCEL "GET " PLAY_BASE "/cancelAction/5"
#define CANCELLED "POST " PLAY_BASE "/cancelAction/5/feedback"

#define LINK(name, path) "\"" name "\":{\"href\":\"http://localhost:8080" PLAY_BASE "/" path "\"}"
#define SAYS(links) "{\"config\":{\"polling\":{\"sleep\":\"00:00:30\"}},\"_links\":{" links "}}"
#define NOTHING "{\"config\":{\"polling\":{\"sleep\":\"00:00:30\"}}}"
#define TELL LINK("configData", "configData")
#define UPDATE LINK("deploymentBase", "deploymentBase/5?c=7")
#define ASKS LINK("confirmationBase", "confirmationBase/5?c=7")
#define STOP LINK("cancelAction", "cancelAction/5")
#define STOPS "{\"id\":\"5\",\"cancelAction\":{\"stopId\":\"5\"}}"

#define BODY(key, id, handling)                                                                              \
    "{\"id\":\"" id "\",\"" key "\":{" handling ",\"chunks\":[{\"part\":\"os\",\"version\":\"2.0\","         \
    "\"name\":\"fw\",\"artifacts\":[{\"filename\":\"f\",\"size\":11,\"hashes\":{\"sha1\":\"" PLAY_SHA1       \
    "\",\"sha256\":\"" PLAY_SHA256                                                                           \
    "\"},\"_links\":{\"download-http\":{\"href\":\"http://localhost" PLAY_BASE                               \
    "/softwaremodules/1/artifacts/f\"}}}]}]}}"
#define FORCED "\"download\":\"forced\",\"update\":\"forced\""
#define ONLY "\"download\":\"forced\",\"update\":\"skip\""
#define CLOSED ONLY ",\"maintenanceWindow\":\"unavailable\""
#define OPEN FORCED ",\"maintenanceWindow\":\"available\""
#define OFFER BODY("deployment", "5", FORCED)
#define FETCH "GET " PLAY_BASE "/softwaremodules/1/artifacts/f"

static void success(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.download = DOWNLOAD_FULL;
    p.options.attributes[0] = "site=a=b";
    p.options.attribute_count = 1;
    play(&p, POLL, NULL, 200, SAYS(TELL));
    play(&p, CONFIG, "{\"mode\":\"merge\",\"data\":{\"version\":\"1.0\",\"site\":\"a=b\"}}", 200, NULL);
    assert_true(p.device.wait > 0);
    play(&p, POLL, NULL, 200, NOTHING);
    assert_int_equal(p.counts.settled, 0);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK,
         "{\"id\":\"5\",\"status\":{\"execution\":\"proceeding\",\"result\":{\"finished\":\"none\"}", 200,
         NULL);
    play_fetch(&p, FETCH, 200, 11, PLAY_SHA256);
    play(&p, FEEDBACK, "\"execution\":\"closed\",\"result\":{\"finished\":\"success\"}", 200, NULL);
    play_fates(&p, "fleet-0000001 5 1 success 200 2.0\n");
    play(&p, POLL, NULL, 200, SAYS(TELL "," LINK("installedBase", "installedBase/5")));
    play(&p, CONFIG, "\"version\":\"2.0\"", 200, NULL);
    play(&p, POLL, NULL, 200, SAYS(LINK("installedBase", "installedBase/5")));
    assert_int_equal(p.counts.settled, 1);
    assert_int_equal(p.counts.error_count, 0);
    assert_int_equal(p.counts.configs, 2);
    play_end(&p);
}

/* Both are asked for: attributes first, and the update without another poll. */
static void tells_and_follows(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, SAYS(TELL "," UPDATE));
    play(&p, CONFIG, "\"version\":\"1.0\"", 200, NULL);
    play(&p, DEPLOYMENT, NULL, 404, NULL); /* gone meanwhile */
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 503, NULL);
    play(&p, POLL, NULL, 200, NOTHING); /* the link is not followed any more */
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    assert_int_equal(p.device.attempt, 1);
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play_end(&p);
}

/* A version that is new is told even if the server forgets to ask. */
static void tells_unasked(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, SAYS(TELL));
    play(&p, CONFIG, "\"1.0\"", 200, NULL);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "success", 200, NULL);
    play(&p, POLL, NULL, 200, NOTHING);
    play(&p, CONFIG, "\"2.0\"", 500, NULL);
    play(&p, POLL, NULL, 200, NOTHING);
    play(&p, CONFIG, "\"2.0\"", 200, NULL);
    play(&p, POLL, NULL, 200, NOTHING);
    assert_int_equal(p.counts.settled, 1);
    play_end(&p);
}

static void failure(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.fail = 1;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play_lost(&p, FEEDBACK);
    play(&p, FEEDBACK, "\"closed\",\"result\":{\"finished\":\"failure\"}", 200, NULL);
    play_fates(&p, "fleet-0000001 5 1 failure 200 1.0\n");
    play(&p, POLL, NULL, 200, SAYS(UPDATE)); /* which it ended: the server is wrong */
    assert_int_equal(p.counts.errors[ERROR_REPLY], 1);
    play(&p, POLL, NULL, 200, NOTHING);
    assert_int_equal(p.counts.settled, 1);
    play_end(&p);
}

static void fall_back(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.fall_back = 1;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "success", 200, NULL);
    play_fates(&p, "");
    play(&p, POLL, NULL, 200, SAYS(UPDATE)); /* whatever is offered comes after what really runs */
    assert_int_equal(p.counts.settled, 0);
    play(&p, CONFIG, "\"version\":\"1.0\"", 200, NULL);
    play_fates(&p, "fleet-0000001 5 1 fell-back 200 1.0\n");
    play(&p, POLL, NULL, 200, NOTHING);
    assert_int_equal(p.counts.settled, 1);
    play_end(&p);
}

static void vanish(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.vanish = 1;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    assert_int_equal(p.device.step, STEP_GONE);
    play_fates(&p, "fleet-0000001 5 1 vanished 200 1.0\n");
    play_end(&p);
}

/* It polls, says nothing of the action, and agrees to have it cancelled. */
static void hang(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.hang = 1;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    assert_int_equal(p.counts.settled, 1);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, POLL, NULL, 200, SAYS(TELL "," UPDATE));
    play(&p, CONFIG, "\"1.0\"", 200, NULL);
    play(&p, POLL, NULL, 200, SAYS(STOP));
    play(&p, CANCEL, NULL, 200, STOPS);
    play(&p, CANCELLED,
         "{\"id\":\"5\",\"status\":{\"execution\":\"closed\",\"result\":{\"finished\":\"success\"}", 200,
         NULL);
    play_fates(&p, "fleet-0000001 5 1 cancelled 200 1.0\n");
    play_end(&p);
}

/* Before it looked at the update at all. */
static void cancelled_early(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, SAYS(STOP));
    play(&p, CANCEL, NULL, 404, NULL);
    play(&p, POLL, NULL, 200, SAYS(STOP));
    play(&p, CANCEL, NULL, 200, STOPS);
    play_lost(&p, CANCELLED);
    play(&p, CANCELLED, "success", 503, NULL);
    play(&p, CANCELLED, "success", 405, NULL); /* the first one had arrived */
    play_fates(&p, "fleet-0000001 5 0 cancelled 405 1.0\n");
    play(&p, POLL, NULL, 200, SAYS(STOP)); /* again: it agrees, and once is enough to be told */
    play(&p, CANCEL, NULL, 200, STOPS);
    play(&p, CANCELLED, "success", 200, NULL);
    play_fates(&p, "fleet-0000001 5 0 cancelled 405 1.0\n");
    play(&p, POLL, NULL, 200, NOTHING);
    assert_int_equal(p.counts.settled, 1);
    play_end(&p);
}

static void consent(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, SAYS(ASKS));
    play(&p, CONFIRMATION, NULL, 200, BODY("confirmation", "5", FORCED));
    play_lost(&p, CONSENT);
    play(&p, CONSENT, "\"confirmation\":\"confirmed\"", 200, NULL);
    assert_int_equal(p.device.wait, 0);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "success", 200, NULL);
    play_fates(&p, "fleet-0000001 5 1 success 200 2.0\n");
    assert_int_equal(p.device.attempt, 1);
    play_end(&p);
}

static void denial(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.deny = 1;
    play(&p, POLL, NULL, 200, SAYS(ASKS));
    play(&p, CONFIRMATION, NULL, 200, BODY("confirmation", "5", FORCED));
    play(&p, CONSENT, "\"denied\"", 200, NULL);
    play(&p, POLL, NULL, 200, SAYS(ASKS));
    assert_int_equal(p.counts.settled, 1);
    play_fates(&p, "");
    play(&p, POLL, NULL, 200, NOTHING);
    play_fates(&p, "fleet-0000001 5 1 denied 0 1.0\n");
    play_end(&p);
}

static void download_only(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", ONLY));
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "\"execution\":\"downloaded\"", 200, NULL);
    play_fates(&p, "");
    play(&p, POLL, NULL, 200, NOTHING);
    play_fates(&p, "fleet-0000001 5 1 downloaded 0 1.0\n");
    play_end(&p);
}

/* It downloads at once, and installs when the window opens. */
static void maintenance_window(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.download = DOWNLOAD_FULL;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", CLOSED));
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play_fetch(&p, FETCH, 200, 11, PLAY_SHA256);
    play(&p, FEEDBACK, "downloaded", 200, NULL);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", CLOSED));
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    assert_int_equal(p.counts.settled, 0);
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", OPEN));
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "success", 200, NULL); /* without another download */
    play_fates(&p, "fleet-0000001 5 1 success 200 2.0\n");
    assert_int_equal(p.counts.offers, 1);
    play_end(&p);
}

/* Who fails to install says so, when there is something to install. */
static void fails_then(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.fail = 1;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", CLOSED));
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "downloaded", 200, NULL);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", OPEN));
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "failure", 200, NULL);
    play_end(&p);

    play_begin(&p, PROTOCOL_DDI);
    p.options.rates.fail = 1;
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "5", ONLY));
    play(&p, FEEDBACK, "proceeding", 200, NULL);
    play(&p, FEEDBACK, "failure", 200, NULL);
    play_end(&p);
}

static void withdrawn(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, OFFER);
    play(&p, FEEDBACK, "proceeding", 410, NULL);
    play_fates(&p, "fleet-0000001 5 1 withdrawn 410 1.0\n");
    play(&p, POLL, NULL, 200, SAYS(LINK("deploymentBase", "deploymentBase/6?c=1")));
    play(&p, "GET " PLAY_BASE "/deploymentBase/6?c=1", NULL, 404, NULL);
    play(&p, POLL, NULL, 200, NOTHING);
    play_fates(&p, "fleet-0000001 5 1 withdrawn 410 1.0\n"); /* of the other it never knew */
    play_end(&p);
}

static void wrong_answers(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_DDI);
    play(&p, POLL, NULL, 200, "{}");
    play(&p, POLL, NULL, 200, "<html>");
    play(&p, POLL, NULL, 200, SAYS(LINK("deploymentBase", "deploymentBase/x")));
    play(&p, POLL, NULL, 200, SAYS(UPDATE));
    play(&p, DEPLOYMENT, NULL, 200, BODY("deployment", "6", FORCED)); /* another action's */
    play(&p, POLL, NULL, 200, SAYS(STOP));
    play(&p, CANCEL, NULL, 200, "{\"id\":\"5\"}");
    assert_int_equal(p.counts.errors[ERROR_REPLY], 5);
    play(&p, POLL, NULL, 404, NULL);
    play(&p, POLL, NULL, 401, NULL);
    assert_int_equal(p.counts.errors[ERROR_STATUS], 2);
    play(&p, POLL, NULL, 200, NOTHING);
    play_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success),       cmocka_unit_test(tells_and_follows),
        cmocka_unit_test(tells_unasked), cmocka_unit_test(failure),
        cmocka_unit_test(fall_back),     cmocka_unit_test(vanish),
        cmocka_unit_test(hang),          cmocka_unit_test(cancelled_early),
        cmocka_unit_test(consent),       cmocka_unit_test(denial),
        cmocka_unit_test(download_only), cmocka_unit_test(withdrawn),
        cmocka_unit_test(wrong_answers), cmocka_unit_test(maintenance_window),
        cmocka_unit_test(fails_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
