"""Our recognizers, by topic. Each is a Presidio recognizer: any registry takes it.

Each knows its `gates`: RE2 patterns one of which matches wherever it finds something, so that a text
without them costs nothing. What is found by default is told by `hauberk_pii.DEFAULT_ENTITIES`.
"""

from __future__ import annotations

from presidio_analyzer import EntityRecognizer

from hauberk.policy import Difference
from hauberk_pii.recognizers._addresses import GeoCoordinatesRecognizer, StreetAddressRecognizer
from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._dates import DateOfBirthRecognizer, YearOfBirthRecognizer
from hauberk_pii.recognizers._europe_east import EAST
from hauberk_pii.recognizers._europe_west import WEST
from hauberk_pii.recognizers._numbers import (
    AnnouncedNhsRecognizer,
    AnnouncedSsnRecognizer,
    BankAccountRecognizer,
    BicRecognizer,
    DriverLicenseRecognizer,
    ForeignPassportRecognizer,
    IccidRecognizer,
    ImeiRecognizer,
    ListedCardRecognizer,
    PassportRecognizer,
    VinRecognizer,
    WalletRecognizer,
    WideCardRecognizer,
)
from hauberk_pii.recognizers._plain import (
    AnnouncedPhoneRecognizer,
    BitcoinRecognizer,
    ListedSsnRecognizer,
    PlainIpRecognizer,
    PlainPhoneRecognizer,
    PlainUrlRecognizer,
    ShortPhoneRecognizer,
)
from hauberk_pii.recognizers._secrets import (
    KeywordSecretRecognizer,
    PasswordRecognizer,
    UsernameRecognizer,
)
from hauberk_pii.recognizers._world import WORLD

NATIONAL: tuple[type[AnnouncedRecognizer], ...] = (*WEST, *EAST, *WORLD)
"""Numbers that states give to people."""

NEW: tuple[type[EntityRecognizer], ...] = (
    KeywordSecretRecognizer,
    PasswordRecognizer,
    UsernameRecognizer,
    StreetAddressRecognizer,
    GeoCoordinatesRecognizer,
    DateOfBirthRecognizer,
    YearOfBirthRecognizer,
    BicRecognizer,
    VinRecognizer,
    ImeiRecognizer,
    IccidRecognizer,
    PassportRecognizer,
    ForeignPassportRecognizer,
)
"""Types that Presidio has no recognizer for."""

INSTEAD: dict[Difference, tuple[type[EntityRecognizer], ...]] = {
    Difference.PHONES: (PlainPhoneRecognizer, AnnouncedPhoneRecognizer),
    Difference.IP_ADDRESSES: (PlainIpRecognizer,),
    Difference.URLS: (PlainUrlRecognizer,),
    Difference.WALLETS: (BitcoinRecognizer, WalletRecognizer),
    Difference.CARDS: (ListedCardRecognizer, WideCardRecognizer),
    Difference.SSN: (ListedSsnRecognizer, AnnouncedSsnRecognizer),
    Difference.NHS: (AnnouncedNhsRecognizer,),
    Difference.DRIVER_LICENSES: (DriverLicenseRecognizer,),
    Difference.BANK_ACCOUNTS: (BankAccountRecognizer,),
}
"""Types of Presidio's, with fewer false alarms and fewer misses, by what they differ in."""

__all__ = ["INSTEAD", "NATIONAL", "NEW", "AnnouncedRecognizer", "ShortPhoneRecognizer"]
