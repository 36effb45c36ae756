"""What the generated shop sells and how its web pages are worded, in Russian and in English.

A segment becomes the slice of a record. A form is one kind of page; its label is what the page is to the product.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A type of product: its name, plural, short definition, features and an accessory that fits it."""

    segment: str
    language: str
    name: str
    plural: str
    definition: str
    features: tuple[str, ...]
    accessory: str


@dataclass(frozen=True)
class Form:
    """A kind of page about `{product}`, or about `{other}`, another product of the same kind."""

    label: str
    language: str
    title: str
    path: str
    body: str


KINDS = (
    Kind("old_pool", "ru", "чайник", "чайники", "прибор для кипячения воды", ("1.7 л", "2200 Вт", "стекло"), "фильтр"),
    Kind("old_pool", "en", "backpack", "backpacks", "bag worn on the back", ("30 l", "waterproof", "grey"), "cover"),
    Kind("diy", "ru", "перфоратор", "перфораторы", "инструмент для бурения", ("780 Вт", "3 режима", "кейс"), "бур"),
    Kind("diy", "en", "jigsaw", "jigsaws", "saw for curved cuts", ("600 W", "laser", "case"), "blade set"),
    Kind("electronics", "ru", "наушники", "наушники", "устройство для звука", ("30 ч", "микрофон", "черные"), "чехол"),
    Kind("electronics", "en", "monitor", "monitors", "screen for a computer", ("27 inch", "144 Hz", "curved"), "arm"),
    Kind("pharma", "ru", "тонометр", "тонометры", "прибор для давления", ("манжета", "память", "автомат"), "манжета"),
    Kind("pharma", "en", "inhaler", "inhalers", "device for breathing", ("silent", "mask", "compact"), "filter"),
)

BRANDS = ("Borvik", "Kestrel", "Лотос", "Ноймар", "Talvo", "Сириус", "Anvera", "Дельта", "Quillon", "Мерида")
SERIES = "ABEKMTX"

FORMS = (
    Form("about_pr", "ru", "{product} купить", "p", "{product}: характеристики, цена. {feature}. Доставка завтра."),
    Form("about_pr", "ru", "Обзор {product}", "review", "Мы проверили {product}. Наш вывод: {feature}, берем."),
    Form("about_pr", "ru", "{product} инструкция", "manual", "Как включить {product}. Перед первым запуском прочтите."),
    Form("about_pr", "en", "Buy {product}", "p", "{product}: specification and price. {feature}. Delivery tomorrow."),
    Form("about_pr", "en", "{product} review", "review", "We tested {product}. Our verdict: {feature}, worth it."),
    Form("about_pr", "en", "{product} manual", "manual", "How to switch on {product}. Read before first use."),
    Form("ment_pr", "ru", "{accessory} для {product}", "accessory", "{accessory} подходит для {product} и других."),
    Form("ment_pr", "ru", "{product} или {other}", "compare", "Сравнение: {product} дешевле, {other} удобнее."),
    Form("ment_pr", "ru", "10 лучших: {plural}", "top", "Рейтинг. Первое место {other}, третье место {product}."),
    Form("ment_pr", "ru", "{other} купить", "p", "{other}: характеристики. Похожие товары, аналоги: {product}."),
    Form("ment_pr", "en", "{accessory} for {product}", "accessory", "This {accessory} fits {product} and others."),
    Form("ment_pr", "en", "{product} or {other}", "compare", "Comparison: {product} is cheaper, {other} is handier."),
    Form("ment_pr", "en", "Top 10 {plural}", "top", "Ranking. First place {other}, third place {product}."),
    Form("ment_pr", "en", "Buy {other}", "p", "{other}: specification. Similar items, alternatives: {product}."),
    Form("not_about_pr", "ru", "{other} купить", "p", "{other}: характеристики, цена. {feature}. Доставка завтра."),
    Form("not_about_pr", "ru", "{plural}: каталог", "catalog", "В разделе сотни моделей, фильтр по цене."),
    Form("not_about_pr", "ru", "Форум: {plural}", "forum", "Посоветуйте, что выбрать? Тема закрыта."),
    Form("not_about_pr", "ru", "Новости {brand}", "news", "Компания {brand} открыла новый магазин."),
    Form("not_about_pr", "en", "Buy {other}", "p", "{other}: specification and price. {feature}. Delivery tomorrow."),
    Form("not_about_pr", "en", "{plural} catalogue", "catalog", "Hundreds of models in this section, sort by price."),
    Form("not_about_pr", "en", "Forum: {plural}", "forum", "Which one should I choose? This thread is closed."),
    Form("not_about_pr", "en", "{brand} news", "news", "The company {brand} has opened a new store."),
)

FILLERS = {
    "ru": (
        "Войдите, чтобы оставить отзыв.",
        "Подпишитесь на рассылку и получите скидку.",
        "Фото может отличаться от товара.",
        "Ответим на вопросы каждый день с девяти до восьми.",
        "Возврат в течение двух недель.",
        "Читайте также наши статьи.",
    ),
    "en": (
        "Sign in to leave a comment.",
        "Subscribe to our letter and get a discount.",
        "The picture may differ from the item.",
        "We answer questions every day from nine to eight.",
        "Returns are free for two weeks.",
        "Read our other articles.",
    ),
}
