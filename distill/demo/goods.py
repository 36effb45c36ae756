"""What is sold: the kinds of products of each slice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of product: the slice it belongs to, its name, plural, definition, features and accessories."""

    segment: str
    name: str
    plural: str
    definition: str
    features: tuple[str, ...]
    accessories: tuple[str, ...]


def _kinds(segment: str, table: str) -> tuple[Kind, ...]:
    """The kinds of a table: a line has name, definition, features and accessories, between bars."""
    cells = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return tuple(
        Kind(segment, name, _plural(name), definition, tuple(features.split(", ")), tuple(accessories.split(", ")))
        for name, definition, features, accessories in cells
    )


def _plural(name: str) -> str:
    return name if name.endswith("s") else f"{name}es" if name.endswith("ch") else f"{name}s"


_OLD_POOL = """
kettle | electric jug that boils water | 1.7 l, 2200 W, glass body, steel base, keep warm | limescale filter, lid
frying pan | flat pan for the hob | 28 cm, non-stick, cast iron, oven safe, cold handle | splatter lid, handle
blender | machine that mixes and crushes | 900 W, 1.5 l jar, ice mode, six blades, pulse mode | jar, blade unit
toaster | device that browns bread | two slots, 850 W, defrost mode, crumb tray, steel case | bun rack, crumb tray
backpack | bag worn on the back | 30 l, waterproof, laptop sleeve, chest strap, grey | rain cover, strap
tent | shelter for nights outdoors | three persons, 2.9 kg, two doors, 3000 mm, fast pitch | pole set, ground sheet
yoga mat | soft mat for floor exercise | 6 mm, natural rubber, 183 cm, grip side, light | carry strap, mat cleaner
scooter | two wheels and a board | 200 mm wheels, folding, 5 kg, up to 100 kg, rear brake | wheel set, grip pair
stroller | carriage for small children | one-hand fold, 7 kg, big canopy, cup holder, cabin size | rain hood, foot muff
puzzle | pieces that make a picture | 1000 pieces, 68 cm, thick board, matt print, from age 12 | sorting tray, glue
armchair | padded seat for one person | oak legs, velvet cover, 120 kg, removable cushion, green | leg set, seat cover
desk lamp | light for a work table | 9 W, five levels, clamp, warm light, touch switch | bulb, clamp
"""

_DIY = """
drill | tool that bores holes | 750 W, 13 mm chuck, brushless, hard case | chuck key, bit set
jigsaw | saw for curved cuts | 600 W, 85 mm cut, four strokes, laser line, dust port | blade set, guide rail
angle grinder | tool that cuts and grinds metal | 125 mm disc, 1100 W, soft start, slim grip | cutting disc, guard
sander | machine that smooths surfaces | 240 W, 125 mm pad, dust box, six speeds, low vibration | sanding sheets, pad
heat gun | blower of very hot air | 2000 W, 600 degrees, two stages, long cable, stand | nozzle set, scraper
paint sprayer | device that sprays paint | 800 ml cup, 500 W, three patterns, fast clean, fine mist | nozzle, cup
ladder | steps to reach high places | eight steps, aluminium, 150 kg, folding, 3.4 m | foot caps, tool tray
lawn mower | machine that cuts grass | 38 cm width, 40 l box, five heights, 1600 W, quiet | mower blade, grass box
chainsaw | motor saw for wood | 40 cm bar, 2 kW, auto oiler, chain brake, 4.9 kg | saw chain, guide bar
tile cutter | bench that cuts tiles | 600 mm, steel rails, angle stop, wide base | cutting wheel, water tray
spirit level | bar that shows true level | 60 cm, magnetic, three vials, milled edge, shockproof | end caps, sleeve
workbench | sturdy table for tools | 200 kg, folding, clamp jaws, bamboo top, 790 mm | clamp set, drawer
"""

_ELECTRONICS = """
headphones | speakers worn over the ears | 30 h battery, noise cancelling, foldable | ear pads, audio cable
monitor | screen for a computer | 27 inch, 144 Hz, curved, 1440p, height stand | monitor arm, power brick
smartphone | phone with apps | 6.4 inch, 128 GB, two cameras, 5000 mAh, fast charge | phone case, screen film
laptop | portable computer | 14 inch, 16 GB memory, 512 GB drive, metal case, 1.3 kg | charger, battery pack
tablet | flat computer with touch screen | 10.5 inch, 64 GB, pen support, slim body, stereo sound | folio cover, stylus
camera | device that takes pictures | 24 megapixels, 4K video, tilting screen, stabiliser | lens cap, spare battery
router | box that spreads the network | four antennas, dual band, mesh ready, gigabit ports | antenna, power adapter
smartwatch | watch with sensors and apps | heart sensor, GPS, seven days, round screen | watch strap, charging dock
soundbar | long speaker under the television | 300 W, subwoofer, HDMI port, night mode, 96 cm | wall mount, remote
printer | machine that prints paper | 22 pages a minute, duplex, wireless, scanner | ink cartridge, paper tray
keyboard | keys for typing | mechanical, backlit, 87 keys, hot swap, two layouts | keycap set, wrist rest
projector | lamp that throws a picture | 1080p, 700 lumens, auto focus, short throw | lamp module, ceiling mount
"""

_PHARMA = """
painkiller | medicine against pain | 20 tablets, film coated, fast release, blister | pill box, tablet splitter
antihistamine | medicine against allergy | 10 tablets, no drowsiness, once a day, blister | pill box, pouch
cough syrup | liquid that calms a cough | 100 ml, cherry taste, sugar free, with cup | dosing cup, dosing spoon
antacid | medicine against heartburn | 24 tablets, chewable, mint taste, fast, sodium free | pocket tin, pill box
sleep aid | medicine for falling asleep | 14 capsules, before bed, short course, plant oil | pill box, eye mask
nasal spray | spray that clears the nose | 10 ml, sea water base, metered pump, no preservative | pump head, travel cap
eye drops | drops for dry eyes | 10 ml, single dose, preservative free, for lenses, sterile | drop guide, eye wash cup
skin cream | cream for irritated skin | 30 g, no perfume, thin layer, tube, for adults | tube squeezer, spatula
vitamin | daily food supplement | 60 capsules, one a day, with zinc, vegan shell, glass jar | pill box, refill bag
probiotic | bacteria for the gut | 30 capsules, five strains, cool storage, before meals | cool bag, pill box
laxative | medicine against constipation | 12 sachets, orange taste, powder, overnight, mild | dosing spoon, shaker
statin | medicine that lowers cholesterol | 28 tablets, evening dose, film coated, prescription | pill box, dose diary
"""

KINDS: dict[str, tuple[Kind, ...]] = {
    "old_pool": _kinds("old_pool", _OLD_POOL),
    "diy": _kinds("diy", _DIY),
    "electronics": _kinds("electronics", _ELECTRONICS),
    "pharma": _kinds("pharma", _PHARMA),
}
