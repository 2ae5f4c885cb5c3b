"""Root is needed to open a capture, and for nothing after that."""

from __future__ import annotations

import dataclasses
import os
import pwd

from analyzer.errors import LiveError


@dataclasses.dataclass(frozen=True)
class User:
    """Whose rights are enough."""

    id: int
    group: int

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.id).pw_name
        except KeyError:
            return str(self.id)


def calling_user(folder: str) -> User | None:
    """Who has called sudo, else the owner of `folder`, where output goes; None if we are not root, or that is root."""
    if os.geteuid() != 0:
        return None
    try:
        user = User(int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
    except (KeyError, ValueError):
        try:
            status = os.stat(folder)
        except OSError:
            return None
        user = User(status.st_uid, status.st_gid)
    return user if user.id != 0 else None


def become(user: User) -> None:
    """From here on this process has the rights of `user`, for good. Raises LiveError if it would keep others."""
    try:
        os.initgroups(user.name, user.group)
    except (OSError, KeyError):
        os.setgroups([user.group])
    os.setresgid(user.group, user.group, user.group)
    os.setresuid(user.id, user.id, user.id)
    if os.getresuid() != (user.id,) * 3 or os.getresgid() != (user.group,) * 3:
        raise LiveError(f"the rights of root could not be given up for those of {user.name}")
