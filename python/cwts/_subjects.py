"""Whom a log's codes stand for: texts under a key that two people may destroy."""

from __future__ import annotations

import asyncio

from cwts import _core

__all__ = ["SubjectCalls"]


class SubjectCalls:
    """What a gateway and a log of records share: orders name a code, and this says who it is."""

    _core: _core.Gateway

    def identify(self, subject: str, text: str, *, actor: str = "") -> int:
        """Say who stands behind a code, sealed under the subject's own key. Gives the index.

        It is durable when this returns. The key lies in the key folder and never in the log;
        `cwts log shred` destroys it, and with it every sealed text of the subject, for ever.
        docs/keeping.md says what that covers.

        Parameters
        ----------
        subject : str
            As in ``"account:ACME-77"`` or ``"person:c-17"``; also ``customer:``, ``desk:`` and
            ``strategy:``. A person's code that is new is registered, others are in the limits.
        text : str
            Who it is; at most 32,768 bytes.
        actor : str
            Who says so.

        Raises
        ------
        PermissionDeniedError
            The log does not know the code, or its key was destroyed.
        EntryTooLongError, LogError
            The text is too long or empty, the subject is not KIND:CODE, or there is no log.
        LogFailedError, AuditBackpressureError
            It cannot be written.
        """
        index = _core.append_sealed(self._core, "identity", subject, text, actor)
        self._core.sync()
        return index

    async def aidentify(self, subject: str, text: str, *, actor: str = "") -> int:
        """As `identify`, on a thread."""
        return await asyncio.to_thread(self.identify, subject, text, actor=actor)
