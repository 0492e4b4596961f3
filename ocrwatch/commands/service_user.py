"""Runs commands as the service's user if root starts them for a service.

Root's permissions are not those of the service, and the service could not change files that root makes in its state
folder.
"""

from __future__ import annotations

import os
import pwd

from ocrwatch.checks.machine import Service
from ocrwatch.errors import UsageError


def become_user_of(service: Service) -> None:
    """Switch to the user and groups of a service.

    Does nothing if this process is not root's, or the service is.

    Raises :class:`UsageError` if there is no such user.
    """
    if os.geteuid() != 0 or not service.user:
        return
    try:
        user = pwd.getpwnam(service.user)
    except KeyError:
        raise UsageError(
            f"the user {service.user} of {service.unit} does not exist", "create it, or run the installer again"
        ) from None
    os.initgroups(service.user, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def environment_of(service: Service) -> dict[str, str]:
    """Return this environment with the service's StateDirectory."""
    folder = {} if service.state_folder is None else {"STATE_DIRECTORY": str(service.state_folder)}
    return {**folder, **os.environ}
