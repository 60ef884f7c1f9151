"""A run before what else the machine does, where that is allowed; what is started inherits it."""

import contextlib
import os
import pathlib
import re

NICE = -15
GROUP = pathlib.Path("/proc/self/autogroup")


def group_nice(group):
    """The nice value of this process's group; None where it is in none."""
    with contextlib.suppress(OSError):
        if found := re.search(r"nice (-?[0-9]+)", group.read_text()):
            return found[1]
    return None


@contextlib.contextmanager
def raised(say, group=GROUP):
    """Where the kernel groups processes by session (sched(7), autogroup), the nice value of the group counts.

    say is told when it could not be raised.
    """
    before = group_nice(group)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        if before is not None:
            group.write_text(str(NICE))
    except OSError as error:
        say(
            f"bench: the priority could not be raised ({error.strerror}): what else runs here disturbs more"
        )
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError):
                group.write_text(before)
