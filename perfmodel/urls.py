"""Addresses in object storage: which there are, and that none of them carries a secret."""

import re
from typing import Any
from urllib.parse import urlsplit

from .errors import DataError

# Kind of address -> the package that speaks to it, through fsspec.
KINDS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}
HALF = re.compile(r"[A-Za-z][\w+.-]+:/(?!/)\S*[@?]\S*")  # no disk of Windows, whose kind would be one letter


def is_url(place: Any) -> bool:
    """Whether ``place`` is an address in object storage; a folder, a file and a database are none."""
    kind, mark, _ = str(place).partition("://")
    return bool(mark) and kind.lower() in KINDS


def may_hold_secret(place: str) -> bool:
    """Whether ``place`` is an address typed with one slash, and what stands in it may be a key: never to be shown."""
    return bool(HALF.fullmatch(place))


def checked(url: str) -> str:
    """``url`` without a slash at its end.

    Raises
    ------
    DataError
        If it names no bucket, or holds what may be a key or a signature: addresses are printed, secrets must not be.
    """
    kind, _, rest = url.partition("://")
    parts = urlsplit(url)
    secret = ":" in parts.netloc or ("@" in parts.netloc and KINDS[kind.lower()] != "adlfs")
    if secret or parts.query or parts.fragment:
        raise DataError(
            f"This address ({kind}://…) holds a user, a key or a signature, and addresses are printed in reports and "
            "logs. Give bucket and folder alone, and the credentials in the environment, as the store's own tools "
            "take them."
        )
    if not rest.strip("/"):
        raise DataError(f"{url} names no bucket; write {kind}://bucket/folder.")
    return f"{kind.lower()}://{rest.strip('/')}"


def shown(url: str) -> str:
    """``url`` as messages may show it: the kind alone where it may hold a secret."""
    try:
        return checked(url)
    except DataError:
        return f"{url.partition('://')[0]}://…"
