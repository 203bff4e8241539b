"""Cut the shop's data from the log of a real shop: `python cut_data.py FOLDER`, with its `items` and `events.jsonl.gz`.

Its 300 most wanted products, and 4,000 of their sales: who bought what, when, and at which price.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median

N_PRODUCTS, N_SALES = 300, 4000
DATA = Path(__file__).parent / "data"
WORDS = {
    "Christmas": "christmas advent reindeer santa snow star",
    "Bags": "bag bags shopper suitcase purse backpack",
    "Light": "light lights lantern holder t-light candle candles lamp night t-light hldr",
    "Kitchen": "cake cakestand baking teapot tea cup mug bowl plate jam cutlery recipe oven egg spoon spoons lunch "
    "snack bottle tins tin pantry jar kitchen glass napkins",
    "Paper": "paper card cards wrap notebook sketchbook tissue journal stickers pencils pencil pens chalk",
    "Garden": "garden bird parasol picnic herb planter bunting doormat gardeners",
    "Toys": "toy dolls doll game childrens playhouse skittles spaceboy puzzle dominoes",
}


def read(file: Path) -> list[dict[str, object]]:
    """Return the lines of a file."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write(name: str, lines: Iterable[object]) -> None:
    """Write lines that are equal bytes each time."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (DATA / name).write_bytes(gzip.compress(text.encode(), mtime=0))


def category_of(title: str) -> str:
    """Return the shelf that a product belongs on, as the words of its title say."""
    words = title.lower().replace(",", " ").split()
    return next((name for name, those in WORDS.items() if set(words) & set(those.split())), "Home")


def main(folder: Path) -> None:
    """Write the products and the sales."""
    sales = read(folder / "events.jsonl.gz")[:40_000]
    buyers = Counter(item for _, item in {(sale["user_id"], sale["item_id"]) for sale in sales})
    wanted = {item for item, _ in buyers.most_common(N_PRODUCTS)}
    sales = [sale for sale in sales if sale["item_id"] in wanted][:N_SALES]
    prices: dict[object, list[float]] = {}
    for sale in sales:
        prices.setdefault(sale["item_id"], []).append(sale["context"]["unit_price"])  # type: ignore[index]
    titles = {item["item_id"]: str(item["title"]) for item in read(folder / "items.jsonl.gz")}
    write(
        "products.jsonl.gz",
        (
            {
                "item_id": item,
                "title": titles[item].capitalize(),
                "category": category_of(titles[item]),
                "attributes": {"price": round(median(prices[item]), 2)},
            }
            for item in sorted(prices, key=str)
        ),
    )
    write("sales.jsonl.gz", ({k: sale[k] for k in ("event_id", "user_id", "item_id", "timestamp")} for sale in sales))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
