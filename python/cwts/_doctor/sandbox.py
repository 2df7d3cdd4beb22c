"""The layers that would hold foreign code in: what this kernel offers.

This release runs no foreign code, so that nothing here is needed; a host is chosen long before it
is used, and then it matters.
"""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path
from typing import Final

from cwts._doctor.row import Row, ok, text_of, warn

__all__ = ["landlock_abi", "rows"]

_AREA: Final = "sandbox"
_NOT_NEEDED: Final = "not needed by this release"
#: landlock_create_ruleset(2); the same number on every architecture.
_SYS_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_CREATE_RULESET_VERSION: Final = 1


def rows() -> list[Row]:
    """Give the rows of this area."""
    return [_landlock(), _seccomp(), _user_namespaces(), _cgroups()]


def landlock_abi() -> int:
    """Give the version of Landlock's ABI; a negative number is why there is none."""
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return -errno.ENOSYS
    call.restype = ctypes.c_long
    version = call(
        ctypes.c_long(_SYS_LANDLOCK_CREATE_RULESET),
        None,
        ctypes.c_size_t(0),
        ctypes.c_uint32(_LANDLOCK_CREATE_RULESET_VERSION),
    )
    return int(version) if version >= 0 else -ctypes.get_errno()


def _landlock() -> Row:
    found = landlock_abi()
    if found > 0:
        return ok(_AREA, "Landlock", f"ABI {found}")
    why = {
        -errno.ENOSYS: "this kernel has none",
        -errno.EOPNOTSUPP: "built in and switched off",
        -errno.EPERM: "forbidden here",
    }.get(found, f"error {-found}")
    return warn(_AREA, "Landlock", why, f"{_NOT_NEEDED}; Linux 5.13 with lsm=landlock has it")


def _seccomp() -> Row:
    actions = text_of("/proc/sys/kernel/seccomp/actions_avail")
    mode = _of_status("Seccomp") or "?"
    inside = {"0": "no filter on us", "1": "strict", "2": "we run under a filter"}.get(mode, mode)
    if actions is None and mode == "?":
        return warn(_AREA, "seccomp", "this kernel tells none", _NOT_NEEDED)
    return ok(_AREA, "seccomp", f"{inside}; actions {actions or 'not told'}")


def _user_namespaces() -> Row:
    name = "user namespaces"
    most = text_of("/proc/sys/user/max_user_namespaces")
    switches = {
        "kernel.unprivileged_userns_clone": "0",
        "kernel.apparmor_restrict_unprivileged_userns": "1",
    }
    for key, closed in switches.items():
        if text_of("/proc/sys/" + key.replace(".", "/")) == closed:
            return warn(_AREA, name, f"{key} = {closed}", f"{_NOT_NEEDED}; sysctl opens it")
    if most is None or not Path("/proc/self/ns/user").exists():
        return warn(_AREA, name, "this kernel has none", _NOT_NEEDED)
    if most == "0":
        return warn(_AREA, name, "user.max_user_namespaces = 0", f"{_NOT_NEEDED}; sysctl opens it")
    return ok(_AREA, name, f"at most {most}")


def _cgroups() -> Row:
    controllers = text_of("/sys/fs/cgroup/cgroup.controllers")
    if controllers is None:
        todo = f"{_NOT_NEEDED}; boot with systemd.unified_cgroup_hierarchy=1"
        return warn(_AREA, "cgroup v2", "not mounted", todo)
    return ok(_AREA, "cgroup v2", controllers or "no controller is delegated to us")


def _of_status(key: str) -> str | None:
    for line in (text_of("/proc/self/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return None
