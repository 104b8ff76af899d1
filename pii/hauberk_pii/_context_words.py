"""Context words in other languages than English, for Presidio's recognizers, whose words are English.

Our own recognizers know the words of all languages in every text; these are for texts of one language.

Source: what forms and invoices of these countries call it; written here.
"""

from __future__ import annotations

from collections.abc import Iterable

_WORDS: dict[str, dict[str, str]] = {
    "CREDIT_CARD": {
        "de": "karte kreditkarte kartennummer",
        "es": "tarjeta crédito credito débito",
        "fr": "carte bancaire crédit",
        "it": "carta credito bancomat",
        "nl": "kaart creditcard pinpas kaartnummer",
        "pt": "cartão cartao crédito débito",
    },
    "PHONE_NUMBER": {
        "de": "telefon handy mobil rufnummer fax durchwahl anrufen",
        "es": "teléfono telefono móvil movil celular fax llamar",
        "fr": "téléphone telephone tél portable mobile fax appeler",
        "it": "telefono cellulare tel fax chiamare",
        "nl": "telefoon mobiel tel fax bellen",
        "pt": "telefone telemóvel celular tel fax ligar",
    },
    "IBAN_CODE": {
        "de": "konto kontonummer bankverbindung überweisung",
        "es": "cuenta banco transferencia",
        "fr": "compte banque virement",
        "it": "conto banca bonifico",
        "nl": "rekening bank overboeking",
        "pt": "conta banco transferência",
    },
    "IP_ADDRESS": {
        "de": "adresse rechner server",
        "es": "dirección direccion servidor",
        "fr": "adresse serveur",
        "it": "indirizzo server",
        "nl": "adres server",
        "pt": "endereço endereco servidor",
    },
    "MAC_ADDRESS": {
        "de": "netzwerkkarte hardwareadresse gerät",
        "es": "tarjeta dispositivo",
        "fr": "carte appareil matériel",
        "it": "scheda dispositivo",
        "nl": "netwerkkaart apparaat",
        "pt": "placa dispositivo",
    },
    "DATE_TIME": {
        "de": "datum am geburtstag uhrzeit frist",
        "es": "fecha día hora plazo",
        "fr": "date jour heure échéance",
        "it": "data giorno ora scadenza",
        "nl": "datum dag tijd termijn",
        "pt": "data dia hora prazo",
    },
    "CRYPTO": {
        "de": "wallet geldbörse bitcoin",
        "es": "cartera monedero bitcoin",
        "fr": "portefeuille bitcoin",
        "it": "portafoglio bitcoin",
        "nl": "portemonnee bitcoin",
        "pt": "carteira bitcoin",
    },
    "URL": {
        "de": "webseite internetseite link",
        "es": "sitio página enlace",
        "fr": "site page lien",
        "it": "sito pagina collegamento",
        "nl": "website pagina koppeling",
        "pt": "site página ligação",
    },
    "US_PASSPORT": {
        "de": "reisepass pass",
        "es": "pasaporte",
        "fr": "passeport",
        "it": "passaporto",
        "nl": "paspoort",
        "pt": "passaporte",
    },
}


def context_words(language: str, entities: Iterable[str]) -> list[str]:
    """Words of a language that announce values of some types; none for English.

    Example:
        >>> context_words("fr", ["US_PASSPORT"])
        ['passeport']
    """
    return [word for kind in entities for word in _WORDS.get(kind, {}).get(language, "").split()]
