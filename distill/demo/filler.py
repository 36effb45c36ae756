"""Sentences that decide nothing: what pages of every slice say beside their matter, and what each slice adds."""

from __future__ import annotations

OPENINGS = (
    "Welcome to {shop}.",
    "Home, {p}, details.",
    "We use cookies for this page.",
    "Published in {month} by {person}.",
    "Last changed {k} days ago.",
    "Reading time: {k} minutes.",
    "Sign in to see your prices.",
    "You are here: start, {p}.",
)

# Sentences that name the subject once more.
ECHOES = (
    "Do you own the {s}? Tell us.",
    "More about the {s} follows below.",
    "Questions about the {s} come in every week.",
    "The {s} comes from the {b} works in {city}.",
    "By {month} the {s} had sold well in {city}.",
    "{person} has had the {s} at home for {k} weeks.",
    "Search word: {s}.",
    "Tags: {t}, {b}, {s}.",
)

COMMON = (
    "Sign in to leave a comment.",
    "Subscribe to our letter and get {k} percent off.",
    "The picture may differ from the item.",
    "We answer questions every day from nine to eight.",
    "Returns are free for {k} weeks.",
    "Read our other articles about {p}.",
    "Delivery to {city} takes {k} days.",
    "{person} from {city} found this helpful.",
    "A good {t} should last for years.",
    "The question of {f} comes up again and again.",
    "Some people want {f}, others ask for {g}.",
    "Not every {t} has {g}.",
    "Prices of {p} have changed little since {month}.",
    "Our team in {city} checks every text before it goes online.",
    "All names are marks of their owners.",
    "Errors and changes are possible.",
    "Questions? Write to us or call {shop}.",
    "Follow us for news about {p}.",
    "The shop was founded in {city} {k} years ago.",
    "More than {n} customers trust us.",
    "Pay by card, by invoice or in cash.",
    "Share this page with your friends.",
    "What is a {t}? Short answer: {d}.",
    "Look for {f} when you choose.",
    "In {month} the next part follows.",
    "{person} has written about {p} for years.",
    "Packaging is made of recycled paper.",
    "Gift cards can be used for everything except shipping.",
    "Our store in {city} is closed on Sundays.",
    "Terms apply, see the small print.",
    "Privacy, imprint, contact, jobs.",
    "This site works best with a new browser.",
    "If a link is broken, please tell us.",
    "The {a} is sold apart.",
    "Rated {k} out of ten by {n} people.",
)

BY_SLICE = {
    "old_pool": (
        "A gift that people really use.",
        "It fits into every cupboard.",
        "The colour goes well with wood.",
        "Children should not play with the packaging.",
        "My family in {city} has used {p} for years.",
        "Wash by hand and dry with a soft cloth.",
        "For indoor and outdoor days alike.",
        "The seams and edges look clean.",
        "{f} makes life at home easier.",
        "Free gift wrap in {month}.",
    ),
    "diy": (
        "Wear ear and eye protection.",
        "Sawdust is no reason to stop.",
        "On the building site {g} saves time.",
        "Concrete, wood and metal ask for different speeds.",
        "The grip sits well even with gloves.",
        "Keep the work area clean and well lit.",
        "Professionals in {city} prefer {f}.",
        "Check the cable before every job.",
        "Mark the line with a pencil first.",
        "Bolts of size {k} are needed.",
    ),
    "electronics": (
        "Charge it fully before the first start.",
        "The menu knows {k} languages.",
        "Wireless works through two walls.",
        "The chip gets warm under load.",
        "Colours look natural, text is sharp.",
        "Bits and bytes aside, {f} matters most.",
        "The app asks for {k} permissions.",
        "Tested in {city} with our own tools.",
        "Battery results vary with brightness.",
        "Dispose of old devices properly.",
    ),
    "pharma": (
        "Keep medicines away from children.",
        "For risks and side effects ask your doctor.",
        "Do not use it after the date on the box.",
        "Pregnant women should ask first.",
        "This text replaces no visit to a doctor.",
        "Common effects are headache and a dry mouth.",
        "A missed dose is not doubled.",
        "The pharmacist {person} checked this text.",
        "Store it dry and below {k} degrees.",
        "Adults take {f} as told by the doctor.",
    ),
}

CITIES = tuple(
    """
    Arvika Belmont Corwen Dalby Elmira Forsand Grantham Hallein Imatra Jarovo Kelso Lorca Milford Narvik
    Ostrava Pirna
    """.split()
)
MONTHS = tuple("January February March April May June July August September October November December".split())
PERSONS = tuple(
    """
    Anna Boris Clara Daniel Emma Felix Greta Hugo Ines Jonas Kate Leon Marta Nils Olga Paul Rita Simon Tess
    Uwe
    """.split()
)
SHOPS = tuple(
    """
    ShopNord MegaMart HomeBay TradePoint CityStore BuyWell PrimeShop EasyCart GoodsHub MarketOne FairDeal
    StoreLine
    """.split()
)
