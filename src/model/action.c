#include "model/action.h"

#define TO(s) (1u << (s))

#define FORWARD                                                                                              \
    (TO(ACTION_DOWNLOADING) | TO(ACTION_DOWNLOADED) | TO(ACTION_INSTALLING) | TO(ACTION_REBOOTING) |         \
     TO(ACTION_SUCCEEDED) | TO(ACTION_FAILED))

/*
 * A report can get lost, so every move forward is allowed; a device that lost power begins again, so an open
 * action may go back to downloading. What has begun to install cannot be called off, but a device may be
 * asked.
 */
static const struct {
    const char *word;
    unsigned next; /* bit set of states */
    bool reported, early;
} states[ACTION_STATES] = {
    [ACTION_WAITING] = {"waiting", TO(ACTION_OFFERED) | TO(ACTION_FAILED) | TO(ACTION_CANCELLED), false,
                        true},
    [ACTION_OFFERED] = {"offered", FORWARD | TO(ACTION_CANCELLING) | TO(ACTION_CANCELLED), false, true},
    [ACTION_DOWNLOADING] = {"downloading", FORWARD | TO(ACTION_CANCELLING) | TO(ACTION_CANCELLED), true,
                            true},
    [ACTION_DOWNLOADED] = {"downloaded", FORWARD | TO(ACTION_CANCELLING) | TO(ACTION_CANCELLED), true, true},
    [ACTION_INSTALLING] = {"installing", FORWARD | TO(ACTION_CANCELLING), true, false},
    [ACTION_REBOOTING] = {"rebooting", FORWARD | TO(ACTION_CANCELLING), true, false},
    [ACTION_CANCELLING] = {"cancelling", FORWARD | TO(ACTION_CANCELLED), false, false},
    [ACTION_SUCCEEDED] = {"succeeded", 0, true, false},
    [ACTION_FAILED] = {"failed", 0, true, false},
    [ACTION_CANCELLED] = {"cancelled", 0, false, false},
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
    return states[s].early;
}
