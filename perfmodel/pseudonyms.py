"""Names that only a key's holder can give back to people."""

import hashlib
import hmac

LENGTH = 12  # hexadecimal characters: among a million people two share one in one case of five hundred


def pseudonym(key: str, person: str) -> str:
    """The same key gives a person the same one in every quarter; without the key nobody can be found by trying ids.

    HMAC-SHA-256 (RFC 2104) of the id, shortened.
    """
    return hmac.new(key.encode(), person.encode(), hashlib.sha256).hexdigest()[:LENGTH]


def check_of(key: str) -> str:
    """A mark by which a run tells one key from another; slow to make, so that a key cannot be found from it."""
    return hashlib.scrypt(key.encode(), salt=b"perfmodel", n=2**14, r=8, p=1, dklen=4).hex()
