#include "ota/reason.h"

static const struct {
    const char *word, *text;
} reasons[REASONS] = {
    [REASON_UNKNOWN] = {"unknown", "it has not asked yet"},
    [REASON_NOTHING] = {"nothing", "no running deployment has anything left to do for it"},
    [REASON_NEWER] = {"newer", "the release is newer than what runs"},
    [REASON_BACK] = {"back", "the deployment may take it back to an older release"},
    [REASON_SUPERSEDES] = {"supersedes", "it takes the place of an update that had not begun to install"},
    [REASON_UNDER_WAY] = {"under_way", "the update is under way"},
    [REASON_DONE] = {"done", "the device had its part in the deployment already"},
    [REASON_RUNS] = {"runs", "the device runs that version"},
    [REASON_OLDER_THAN_BACK] = {"older_than_back",
                                "the deployment is older than the one that took the device back"},
    [REASON_NOT_NEWER] = {"not_newer",
                          "the release is not newer than what runs, and going back is not allowed"},
    [REASON_OLDER_ORDER] = {"older_order",
                            "the deployment would take the device back, and is older than what it followed"},
    [REASON_APPROVAL] = {"approval", "the deployment waits for a second person's approval"},
    [REASON_SCHEDULED] = {"scheduled", "the deployment has not started yet"},
    [REASON_PAUSED] = {"paused", "the deployment is paused"},
    [REASON_PREPARING] = {"preparing", "the deployment's devices are still being put into phases"},
    [REASON_PHASE] = {"phase", "the device's phase is not open yet"},
    [REASON_RETRY] = {"retry", "its last attempt failed; it is tried again later"},
    [REASON_RATE] = {"rate", "as many devices as may begin in a minute have begun"},
    [REASON_WINDOW] = {"window", "the maintenance window is closed"},
    [REASON_PRIORITY] = {"priority", "another deployment goes first"},
    [REASON_CONSENT] = {"consent", "the device's user has to agree"},
    [REASON_CANCELLING] = {"cancelling", "the device was asked to give up what it is at"},
    [REASON_LEFT] = {"left", "the device matches the deployment no more"},
    [REASON_BUSY] = {"busy", "another update is being installed"},
    [REASON_MODEL] = {"model", "the release is not for the device's model"},
    [REASON_NO_MATCH] = {"no_match", "the device does not match the deployment"},
    [REASON_LATE] = {"late", "the deployment is for the devices that matched when it was made"},
};

static enum reason known(enum reason r)
{
    return (unsigned)r < REASONS && reasons[r].word != 0 ? r : REASON_UNKNOWN;
}

const char *reason_word(enum reason r)
{
    return reasons[known(r)].word;
}

const char *reason_text(enum reason r)
{
    return reasons[known(r)].text;
}
