"""Kinds of pages that only one slice has; some are worded like another slice's, and mean something else there."""

from __future__ import annotations

from distill.demo.forms import Form

HOW_TO = Form(
    "how_to",
    False,
    0.3,
    "how-to",
    ("How to use the {s}", "Weekend project with the {s}", "{s}: how to work like a pro", "First steps with {s}"),
    ("How to do it yourself, part {k}", "Weekend project {n}", "A shelf in {k} hours", "Step by step: work at home"),
    (
        "For this job we use the {s}.",
        "You need wood, screws and the {s}.",
        "Step 1: set up the {s} and check the parts.",
        "Our helper for the day is the {s} with {f}.",
    ),
    ("The job also works with {o}.", "Readers did it with {o}.", "Instead you can take {o}.", "Other tools: {o}."),
    ("Measure twice, cut once.", "Step {k}: let it dry for {k} hours.", "Wear goggles and gloves.", "Costs about {n}."),
)

RENTAL = Form(
    "rental",
    True,
    0.3,
    "rent",
    ("Rent the {s}", "{s} for hire in {city}", "{s}: rental by the day", "Hire {s} from {n} a day"),
    ("Tool rental | {shop}", "Hire a {t} by the day", "Rental offer {n}", "Rent instead of buying"),
    (
        "Rent the {s} for a day or a weekend.",
        "For hire: {s} with {f}.",
        "You can pick up the {s} in {city}.",
        "The rental set holds the {s}, a {a} and a case.",
    ),
    ("Also for hire: {o}.", "If it is taken, ask for {o}.", "Other rentals: {o}.", "We also lend {o}."),
    ("Deposit {n}, back within {k} days.", "Bring your identity card.", "Open from seven on.", "Cleaning is included."),
    narrow=True,
)

BLADES = Form(
    "blades",
    False,
    0.3,
    "spares",
    ("{s} {a}", "Replacement for {s}: {a}", "{s}, part {n}", "{s} repair kit"),
    ("Part {n}", "Replacement parts list", "Repair kit {n} | {shop}", "Wear parts for {p}"),
    (
        "Part {n} belongs in the {s}.",
        "Drawing and part numbers of the {s}.",
        "Worn out? This {a} goes into the {s}.",
        "You are looking at a {a}, made for the {s}.",
    ),
    ("Same part in {o}.", "Also used in {o}.", "The number is valid for {o}.", "Goes into {o} too."),
    ("Unplug the tool first.", "Tighten to {k} newton metres.", "Ships from {city}.", "Keep the old screws."),
)

FIRMWARE = Form(
    "firmware",
    False,
    0.3,
    "support",
    ("{s} support: firmware {k}.{k}", "Driver for {s}", "{s} update", "{s}: software and safety fixes"),
    ("Firmware {k}.{k}", "Download centre, file {n}", "Software update of {month}", "Help centre: drivers"),
    (
        "This file updates the {s}.",
        "Install it on the {s} only over a cable.",
        "Read these pages before you update the {s}.",
        "The new version cures faults of the {s}.",
    ),
    ("The same file serves {o}.", "Also updated: {o}.", "Not yet ready for {o}.", "Older files: {o}."),
    (
        "Size {n} MB.",
        "Do not unplug while the light blinks.",
        "Change log: stability.",
        "Version {k} cannot be undone.",
    ),
)

BENCHMARK = Form(
    "benchmark",
    True,
    0.25,
    "bench",
    ("{s} against {q}: measured", "{s} benchmark", "{s} in numbers", "{s} against the rest: which is faster"),
    ("Benchmark results", "Numbers, numbers, numbers", "Lab report {n}", "How fast is this {t}?"),
    (
        "Our lab measured the {s}.",
        "All bars below belong to the {s}.",
        "The {s} reached {n} points.",
        "Run {k} of the {s} was the best one.",
    ),
    (
        "Grey bars for scale: {o}.",
        "Earlier results: {o}.",
        "The duel partners were {o}.",
        "For comparison the table names {o}.",
    ),
    ("Room temperature {k} degrees.", "Each test ran {k} times.", "Noise: {k} dB.", "Points are not money."),
    narrow=True,
)

REFURBISHED = Form(
    "refurbished",
    False,
    0.35,
    "p",
    ("{s} refurbished, grade A", "Used {s} | {shop}", "{s}, second hand", "Sell your {s}"),
    ("Second chance | {shop}", "Used {p}, lot {n}", "Refurbished item {n}", "We buy your old {t}"),
    (
        "Here you can trade in the {s}.",
        "The {s} comes back from its first owner.",
        "This page shows what a used {s} is worth.",
        "For a working {s} we pay {n}.",
    ),
    ("We also take {o}.", "Other trade-ins: {o}.", "Better prices for {o}.", "Customers also sent in {o}."),
    ("Grade A means no scratches.", "Data are erased.", "{k} months of warranty.", "Payment within {k} days."),
)

LEAFLET = Form(
    "leaflet",
    True,
    0.4,
    "leaflet",
    ("{s} package leaflet", "{s}: how to take it", "{s} side effects", "{s} ({u}): leaflet"),
    ("{u}: package leaflet", "Package leaflet, edition {n}", "Information for patients", "How to take {u}"),
    (
        "What {s} is and what it is used for.",
        "{s} contains {u}.",
        "Read this leaflet before you take {s}.",
        "The dose below is that of {s}.",
    ),
    (
        "Do not mix it up with {o}.",
        "Leaflets of other {p}: {o}.",
        "Tell your doctor if you take {o}.",
        "Not interchangeable with {o}.",
    ),
    ("Take it with water.", "Do not exceed the dose.", "Store below {k} degrees.", "Ask your doctor or pharmacist."),
    narrow=True,
)

PHARMACY = Form(
    "pharmacy",
    True,
    0.3,
    "p",
    ("{s} in pharmacies of {city}", "{s} price", "Reserve {s}", "{s}, {f} | {shop}"),
    ("Pharmacy stock, item {n}", "Reserve at {shop}", "Availability in {city}", "{u}, {f}"),
    (
        "Reserve {s} and collect it in {city}.",
        "In stock: {s}, {f}.",
        "You are looking at {s} with {u}.",
        "{s} is available in {k} pharmacies.",
    ),
    ("With the same effect: {o}.", "Often bought: {o}.", "Also reserved: {o}.", "Customers also looked at {o}."),
    ("Price from {n}.", "Bring your prescription.", "Reserved for {k} days.", "No delivery of medicines."),
)

DOSAGE = Form(
    "dosage",
    False,
    0.3,
    "leaflet",
    ("{s}: dosage", "How to take {s} with food", "{s}: instructions and doses", "How much {s} at what age?"),
    ("Doses at a glance", "Dose table {n}", "How much at what age?", "{u}, doses and breaks"),
    (
        "Example from the dose table: {s}.",
        "We work out the dose, here for {s}.",
        "Read this table before you take {s}.",
        "The sum is shown with {s}.",
    ),
    ("The sum also holds for {o}.", "Same dose in {o}.", "Other rows: {o}.", "For {o} take half."),
    (
        "Count {k} mg for each ten kilos.",
        "A break of {k} hours is enough.",
        "Ask your doctor or pharmacist.",
        "Round down.",
    ),
)

ANALOGUES = Form(
    "analogues",
    False,
    0.3,
    "analogues",
    ("{s} analogues", "{s}: substitutes with {u}", "What replaces {s}?", "{s}, cheaper analogues"),
    ("Analogues with {u}", "Cheaper substitutes", "What can replace it?", "{u}: list of brands"),
    (
        "The table starts with {s}.",
        "Instead of {s} a pharmacist may offer another brand.",
        "{s} stands at the head of this group.",
        "In one group with {s} are medicines of the same effect.",
    ),
    ("Substitutes: {o}.", "The list holds {o}.", "Same effect: {o}.", "Cheaper are {o}."),
    ("Prices differ by up to {k} times.", "Ask before you switch.", "The substance counts.", "Checked in {month}."),
)

SUBSTANCE = Form(
    "substance",
    False,
    1.0,
    "substance",
    (),
    ("{u}: dosage", "{u}: uses and side effects", "{u} for adults", "All about {u}"),
    ("{u} is sold as {s}.", "A known brand is {s}.", "{s} holds this substance.", "Studies used {s}."),
    ("Other trade names: {o}.", "The group includes {o}.", "Related: {o}.", "Doctors also write {o}."),
    ("The usual dose is {k} times a day.", "Half life: {k} hours.", "It acts after {k} minutes.", "Avoid alcohol."),
)
