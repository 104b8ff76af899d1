"""Which types of personal data are masked when the policy names none.

Rules:
* A type is on when what is found of it is nearly always right: `benchmarks/pii_quality.py` on labelled
  texts, and the near misses in each recognizer's table test.
* Presidio is not imported.
"""

from __future__ import annotations

NATIONAL_ENTITIES: tuple[str, ...] = (
    *(
        "AR_CUIT",
        "AT_SVNR",
        "BE_NATIONAL_NUMBER",
        "BG_EGN",
        "BR_CNPJ",
        "BR_CPF",
        "CH_AHV",
        "CL_RUT",
    ),
    *("CN_RESIDENT_ID", "CO_NIT", "CZ_BIRTH_NUMBER", "DE_TAX_ID", "DK_CPR", "EC_CEDULA"),
    *("EE_LT_PERSONAL_CODE", "ES_NIE", "ES_NIF", "FI_PERSONAL_IDENTITY_CODE", "FR_NIR", "GR_AMKA"),
    *("HK_ID", "HR_OIB", "HU_TAJ", "IE_PPSN", "IL_ID", "IT_FISCAL_CODE", "JP_MY_NUMBER", "MX_CURP"),
    *("NL_BSN", "NO_FODSELSNUMMER", "PL_NIP", "PL_PESEL", "PT_NIF", "RO_CNP", "SE_PERSONNUMMER"),
    *("TW_NATIONAL_ID", "UY_CEDULA", "ZA_ID_NUMBER"),
)
"""Numbers that states give to people, with check digits: in `recognizers/`."""

DEFAULT_ENTITIES: tuple[str, ...] = (
    "PERSON",
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "STREET_ADDRESS",
    "DATE_OF_BIRTH",
    "CREDIT_CARD",
    "IBAN_CODE",
    "BIC",
    "CRYPTO",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "USERNAME",
    "PASSPORT",
    "US_SSN",
    "US_ITIN",
    "US_PASSPORT",
    "US_DRIVER_LICENSE",
    "US_BANK_NUMBER",
    "UK_NHS",
    "UK_NINO",
    *NATIONAL_ENTITIES,
    "MEDICAL_LICENSE",
    "VIN",
    "IMEI",
    "ICCID",
    "PASSWORD",
    "API_KEY",
    "PRIVATE_KEY",
    "URL_CREDENTIALS",
)
"""What is masked when the policy names nothing.

`LOCATION` and `GEO_COORDINATES` are left out: without a place few questions about places can be answered.
Left out too, because they are personal data only sometimes: `URL`, `DATE_TIME`, `UUID`. A policy can name
them, and every other type that Presidio has a pattern for.
"""
