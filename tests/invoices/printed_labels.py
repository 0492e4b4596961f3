"""Words of invoices in three languages. Several variants of one label divide a field; one of them is drawn."""

from __future__ import annotations

from dataclasses import dataclass

Variants = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """Words of one language. ``{}`` in a label is the rate of a tax, or an amount or date in a sentence."""

    title: Variants
    number: Variants
    date: Variants
    due: Variants
    customer: Variants
    order: Variants
    delivered: Variants
    net: Variants
    """Labels of the net amount that name nothing else."""
    subtotal: Variants
    """Labels of the sum of the items, which is the net amount if there is neither discount nor shipping."""
    tax: Variants
    tax_of_rate: Variants
    total: Variants
    payable: Variants
    """Labels of the total on payment slips."""
    discount: Variants
    shipping: Variants
    paid: Variants
    balance: Variants
    """What is left to pay of the total after what was paid."""
    previous: Variants
    iban: Variants
    vat_number: Variants
    bank: str
    position: str
    item: str
    quantity: str
    price: str
    amount: str
    rate: str
    intro: Variants
    please_pay: Variants
    """A sentence with the total and the date when it is due."""
    ordered: str
    """A sentence with the date of the order."""
    thanks: str
    payee: str
    payer: str
    reference: str
    phone: str
    director: str
    things: Variants
    units: Variants
    months: Variants


ENGLISH = Labels(
    title=("INVOICE", "Invoice", "Tax invoice"),
    number=("Invoice No.", "Invoice number", "Inv. #", "Invoice no"),
    date=("Invoice date", "Date", "Date of issue", "Issued"),
    due=("Due date", "Payment due", "Pay by"),
    customer=("Customer No.", "Account number", "Customer ID"),
    order=("Order No.", "Your order", "PO number"),
    delivered=("Delivery date", "Date of supply"),
    net=("Net amount", "Total excl. VAT", "Net total"),
    subtotal=("Subtotal", "Sub-total"),
    tax=("VAT", "Total VAT", "Tax"),
    tax_of_rate=("VAT {}", "VAT @ {}"),
    total=("Total", "Invoice total", "Grand total", "Total incl. VAT"),
    payable=("Amount due", "Total due", "Amount payable"),
    discount=("Discount {}",),
    shipping=("Shipping", "Carriage"),
    paid=("Amount paid", "Deposit received"),
    balance=("Balance due", "Still to pay"),
    previous=("Previous balance",),
    iban=("IBAN",),
    vat_number=("VAT No.", "VAT Reg. No.", "VAT number"),
    bank="Bank",
    position="No.",
    item="Description",
    quantity="Qty",
    price="Unit price",
    amount="Amount",
    rate="VAT",
    intro=("Thank you for your order. We invoice as follows:", "For goods supplied and services rendered:"),
    please_pay=(
        "Please transfer {} by {} to the account below.",
        "Payment of {} is expected by {} without deduction.",
    ),
    ordered="Your order was received on {}.",
    thanks="With kind regards",
    payee="Payee",
    payer="Remitter",
    reference="Reference",
    phone="Tel.",
    director="Director",
    things=(
        "Office chair with armrests",
        "Printing paper A4, 80 g",
        "Maintenance of heating",
        "Desk lamp LED 12 W",
        "Consulting, on site",
        "Toner cartridge black",
        "Hosting, 12 months",
        "Cable USB-C 2 m",
        "Window cleaning",
        "Coffee beans 1 kg",
        "Travel expenses",
        "Filing cabinet 4 drawers",
    ),
    units=("pcs", "h", "box"),
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
)

GERMAN = Labels(
    title=("RECHNUNG", "Rechnung"),
    number=("Rechnungsnummer", "Rechnung Nr.", "Rechnungs-Nr.", "Beleg-Nr."),
    date=("Rechnungsdatum", "Datum", "Belegdatum"),
    due=("Fällig am", "Zahlbar bis", "Fälligkeitsdatum"),
    customer=("Kundennummer", "Kunden-Nr.", "Kd.-Nr."),
    order=("Auftragsnummer", "Bestell-Nr.", "Ihre Bestellung"),
    delivered=("Lieferdatum", "Leistungsdatum"),
    net=("Nettobetrag", "Summe netto", "Gesamt netto"),
    subtotal=("Zwischensumme", "Warenwert"),
    tax=("MwSt.", "Umsatzsteuer", "Summe USt."),
    tax_of_rate=("MwSt. {}", "USt. {}", "zzgl. {} MwSt."),
    total=("Gesamtbetrag", "Rechnungsbetrag", "Gesamtsumme", "Summe brutto"),
    payable=("Zu zahlen", "Zahlbetrag", "Zu zahlender Betrag"),
    discount=("Rabatt {}",),
    shipping=("Versandkosten", "Fracht"),
    paid=("Anzahlung", "Bereits bezahlt"),
    balance=("Restbetrag", "Offener Betrag"),
    previous=("Saldo Vormonat",),
    iban=("IBAN",),
    vat_number=("USt-IdNr.", "USt-ID", "Umsatzsteuer-ID"),
    bank="Bank",
    position="Pos.",
    item="Bezeichnung",
    quantity="Menge",
    price="Einzelpreis",
    amount="Betrag",
    rate="USt.",
    intro=("Wir erlauben uns, wie folgt zu berechnen:", "Für unsere Lieferungen und Leistungen:"),
    please_pay=(
        "Bitte überweisen Sie {} bis zum {} auf das unten genannte Konto.",
        "Der Betrag von {} ist bis zum {} ohne Abzug zahlbar.",
    ),
    ordered="Ihre Bestellung ging am {} bei uns ein.",
    thanks="Mit freundlichen Grüßen",
    payee="Zahlungsempfänger",
    payer="Auftraggeber",
    reference="Verwendungszweck",
    phone="Tel.",
    director="Geschäftsführer",
    things=(
        "Bürostuhl mit Armlehnen",
        "Kopierpapier A4, 80 g",
        "Wartung der Heizung",
        "Schreibtischlampe LED 12 W",
        "Beratung vor Ort",
        "Tonerkartusche schwarz",
        "Hosting, 12 Monate",
        "Kabel USB-C 2 m",
        "Fensterreinigung",
        "Kaffeebohnen 1 kg",
        "Fahrtkosten",
        "Aktenschrank, 4 Fächer",
    ),
    units=("Stk.", "Std.", "Pkg."),
    months=(
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
)

FRENCH = Labels(
    title=("FACTURE", "Facture"),
    number=("Facture N°", "Numéro de facture", "N° de facture", "Facture no"),
    date=("Date de facture", "Date", "Date d'émission", "Date de facturation"),
    due=("Échéance", "Date d'échéance", "À régler avant le"),
    customer=("N° client", "Code client", "Référence client"),
    order=("N° de commande", "Votre commande"),
    delivered=("Date de livraison", "Livré le"),
    net=("Total HT", "Montant HT", "Net HT"),
    subtotal=("Sous-total", "Total des articles"),
    tax=("TVA", "Total TVA", "Montant TVA"),
    tax_of_rate=("TVA {}", "TVA à {}"),
    total=("Total TTC", "Montant TTC", "Montant total TTC"),
    payable=("Net à payer", "Montant à payer", "À payer"),
    discount=("Remise {}",),
    shipping=("Frais de port", "Livraison"),
    paid=("Acompte versé", "Déjà réglé"),
    balance=("Reste à payer", "Solde dû"),
    previous=("Solde précédent",),
    iban=("IBAN",),
    vat_number=("N° TVA", "TVA intracommunautaire", "N° de TVA"),
    bank="Banque",
    position="Réf.",
    item="Désignation",
    quantity="Qté",
    price="Prix unitaire",
    amount="Montant",
    rate="TVA",
    intro=("Nous vous prions de trouver le détail ci-dessous :", "Pour nos livraisons et prestations :"),
    please_pay=(
        "Merci de virer {} avant le {} sur le compte ci-dessous.",
        "La somme de {} est payable au plus tard le {}.",
    ),
    ordered="Votre commande nous est parvenue le {}.",
    thanks="Veuillez agréer nos salutations distinguées",
    payee="Bénéficiaire",
    payer="Donneur d'ordre",
    reference="Référence",
    phone="Tél.",
    director="Gérant",
    things=(
        "Fauteuil de bureau",
        "Papier A4, 80 g",
        "Entretien du chauffage",
        "Lampe de bureau LED 12 W",
        "Conseil sur place",
        "Cartouche de toner noir",
        "Hébergement, 12 mois",
        "Câble USB-C 2 m",
        "Nettoyage des vitres",
        "Café en grains 1 kg",
        "Frais de déplacement",
        "Armoire, 4 tiroirs",
    ),
    units=("pce", "h", "lot"),
    months=(
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
)
