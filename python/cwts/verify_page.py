"""The offline page that checks a receipt in a browser."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from cwts import _core

__all__ = ["verify_page"]


def verify_page() -> str:
    """Give the page: HTML that checks a receipt with WebCrypto, and fetches and sends nothing.

    It checks the Ed25519 line of a C2SP checkpoint and the way from the entry to the root (RFC
    9162, section 2.1.3.2), and shows the entry by the layouts of this version. Its policy lets
    nothing run but its own script, whose digest stands in it.
    """
    page = (files("cwts") / "pages" / "verify.html").read_text(encoding="utf-8")
    page = page.replace("@SCHEMA@", _core.entry_schema()).replace("@VERSION@", _core.VERSION)
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return page.replace("@SCRIPT_SHA256@", digest)
