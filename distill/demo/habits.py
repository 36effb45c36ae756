"""The habits of each slice: how often which form of page comes up there."""

from __future__ import annotations

from distill.demo import about_forms as about
from distill.demo import mention_forms as mention
from distill.demo import slice_forms as own
from distill.demo.forms import Form

# Of a slice's pages in percent.
HABITS: dict[str, dict[Form, int]] = {
    "old_pool": {
        about.SHOP: 20,
        about.REVIEW: 16,
        about.MANUAL: 20,
        about.SPECS: 12,
        about.VIDEO: 14,
        mention.COMPARISON: 4,
        mention.ACCESSORY: 3,
        mention.TOP: 3,
        mention.FORUM: 3,
        mention.NEWS: 2,
        mention.CATEGORY: 1,
        mention.DEALS: 2,
    },
    "diy": {
        about.SHOP: 12,
        about.REVIEW: 8,
        about.SPECS: 10,
        own.RENTAL: 36,
        own.HOW_TO: 16,
        own.BLADES: 11,
        mention.FORUM: 3,
        mention.TOP: 2,
        mention.DEALS: 2,
    },
    "electronics": {
        about.SHOP: 11,
        about.REVIEW: 10,
        about.VIDEO: 10,
        about.SPECS: 10,
        own.BENCHMARK: 34,
        own.FIRMWARE: 10,
        own.REFURBISHED: 10,
        mention.ACCESSORY: 2,
        mention.COMPARISON: 1,
        mention.NEWS: 2,
    },
    "pharma": {
        own.LEAFLET: 38,
        own.PHARMACY: 26,
        about.MANUAL: 3,
        about.REVIEW: 4,
        own.DOSAGE: 13,
        own.ANALOGUES: 7,
        own.SUBSTANCE: 5,
        mention.NEWS: 2,
        mention.FORUM: 2,
    },
}
