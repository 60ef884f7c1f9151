#include "model/action.h"

#define TO(s) (1u << (s))

/*
 * A report can get lost, so every move forward is allowed; a device that lost power begins again, so an open
 * action may go back to downloading. What has begun to install cannot be called off.
 */
static const struct {
    const char *word;
    unsigned next; /* bit set of states */
    bool reported;
} states[ACTION_STATES] = {
    [ACTION_OFFERED] = {"offered",
                        TO(ACTION_DOWNLOADING) | TO(ACTION_INSTALLING) | TO(ACTION_REBOOTING) |
                            TO(ACTION_SUCCEEDED) | TO(ACTION_FAILED) | TO(ACTION_CANCELLED),
                        false},
    [ACTION_DOWNLOADING] = {"downloading",
                            TO(ACTION_DOWNLOADING) | TO(ACTION_INSTALLING) | TO(ACTION_REBOOTING) |
                                TO(ACTION_SUCCEEDED) | TO(ACTION_FAILED) | TO(ACTION_CANCELLED),
                            true},
    [ACTION_INSTALLING] = {"installing",
                           TO(ACTION_DOWNLOADING) | TO(ACTION_INSTALLING) | TO(ACTION_REBOOTING) |
                               TO(ACTION_SUCCEEDED) | TO(ACTION_FAILED),
                           true},
    [ACTION_REBOOTING] = {"rebooting",
                          TO(ACTION_DOWNLOADING) | TO(ACTION_INSTALLING) | TO(ACTION_REBOOTING) |
                              TO(ACTION_SUCCEEDED) | TO(ACTION_FAILED),
                          true},
    [ACTION_SUCCEEDED] = {"succeeded", 0, true},
    [ACTION_FAILED] = {"failed", 0, true},
    [ACTION_CANCELLED] = {"cancelled", 0, false},
};

const char *action_state_word(enum action_state s)
{
    return states[s].word;
}

int action_state_parse(struct str word, enum action_state *out)
{
    for (unsigned i = 0; i < ACTION_STATES; i++)
        if (str_is(word, states[i].word)) {
            *out = (enum action_state)i;
            return 0;
        }
    return ERR_INVALID;
}

bool action_may_move(enum action_state from, enum action_state to)
{
    return (states[from].next & TO(to)) != 0;
}

bool action_is_final(enum action_state s)
{
    return states[s].next == 0;
}

bool action_is_reported(enum action_state s)
{
    return states[s].reported;
}

bool action_may_cancel(enum action_state s)
{
    return action_may_move(s, ACTION_CANCELLED);
}
