"""Check digits and dates: what tells a number from a row of digits. Pure.

Rules:
* Each check takes a value without spaces and signs between its characters, and says whether it can be
  one. It never raises.
* A row of one repeated digit is nobody's number, even where the arithmetic allows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date

Check = Callable[[str], bool]

MONTH = r"(?:0[1-9]|1[0-2])"
DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
"""Patterns of two digits."""

_DIGITS36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LAST_SHORT_YEAR = 99


def digits(value: str) -> list[int]:
    """The digits of a value, as numbers."""
    return [int(char) for char in value if char.isdigit()]


def varied(value: str) -> bool:
    """Whether a value has more than one character."""
    return len(set(value)) > 1


def weighted(numbers: Sequence[int], weights: Sequence[int]) -> int:
    """The sum of numbers, each times its weight."""
    return sum(n * w for n, w in zip(numbers, weights, strict=False))


def luhn(value: str) -> bool:
    """Luhn's check over all digits (ISO/IEC 7812-1, annex B).

    Example:
        >>> luhn("4111111111111111"), luhn("4111111111111112")
        (True, False)
    """
    total = 0
    for index, digit in enumerate(reversed(digits(value))):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004 - its digits' sum
    return total % 10 == 0 and varied(value)


def mod_11_10(value: str) -> bool:
    """ISO/IEC 7064, MOD 11,10, over all digits."""
    check = 5
    for digit in digits(value):
        check = ((check or 10) * 2 % 11 + digit) % 10
    return check == 1


def mod_11_2(value: str) -> bool:
    """ISO/IEC 7064, MOD 11-2: the last may be X, which is ten."""
    total = 0
    for char in value.upper():
        total = (2 * total + (10 if char == "X" else int(char))) % 11
    return total == 1


def mod_97(number: int, check: int) -> bool:
    """Whether a check is what is missing to a multiple of 97."""
    return 97 - number % 97 == check


def ean(value: str) -> bool:
    """The check digit of GS1 numbers."""
    numbers = digits(value)[::-1]
    return weighted(numbers, [1, 3] * len(numbers)) % 10 == 0


def real_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day; of a year in two digits, in this century or the last one."""
    years = (year + 1900, year + 2000) if year <= _LAST_SHORT_YEAR else (year,)
    for full in years:
        try:
            date(full, month, day)
        except ValueError:
            continue
        return True
    return False


def base36(char: str) -> int:
    """What a digit or a capital letter stands for: 0 to 35."""
    return _DIGITS36.index(char)


def base58check(value: str) -> bool:
    """Whether the last four bytes are the check sum of the others (as in Bitcoin's addresses)."""
    number = 0
    for char in value:
        at = _BASE58.find(char)
        if at < 0:
            return False
        number = number * 58 + at
    raw = number.to_bytes(max(25, (number.bit_length() + 7) // 8), "big")
    whole, check = raw[:-4], raw[-4:]
    return hashlib.sha256(hashlib.sha256(whole).digest()).digest()[:4] == check


def ripple_check(value: str) -> bool:
    """`base58check` in the order of characters that XRP's addresses have."""
    ripple = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
    if any(char not in ripple for char in value):
        return False
    return base58check(value.translate(str.maketrans(ripple, _BASE58)))


def bech32(value: str) -> bool:
    """Bech32 and Bech32m (BIP 173, BIP 350); also longer ones, as Cardano has them."""
    if value not in (value.lower(), value.upper()):
        return False
    prefix, _, data = value.lower().rpartition("1")
    known = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    if not prefix or any(char not in known for char in data):
        return False
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = 1
    for one in [*values, *(known.index(c) for c in data)]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ one
        for bit, generator in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            check ^= generator if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)
