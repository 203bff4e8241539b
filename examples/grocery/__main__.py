"""A customer comes back and is shown what is due; one thing is sold out: `python examples/grocery`, by itself."""

from __future__ import annotations

import argparse
import subprocess
from contextlib import closing
from pathlib import Path

from grocery import Shop, buy_last, buy_most, measure, promote, read_orders, read_products, replay_buy_again

from stream_rec.testing.choice import read_settings
from stream_rec.testing.live import LivePipeline
from stream_rec.testing.program import own_pipeline, run_program


def main() -> None:
    """Play the story, and print the figure."""
    argparse.ArgumentParser(prog="python examples/grocery", description=__doc__).parse_args()
    settings = read_settings(Path(__file__).with_name("settings.toml"))
    orders = read_orders()
    with own_pipeline(settings) as pipeline:
        play(pipeline)
    again = replay_buy_again(orders)
    recall, n = measure(orders, lambda order, _: again[order.order_id])
    print(f"\nrecall@10 of the next order, n = {n} orders (real: Online Retail, CC BY 4.0)")
    print(f"  what the customer bought last          {measure(orders, buy_last)[0]:.3f}")
    print(f"  what the customer bought most often    {measure(orders, buy_most)[0]:.3f}")
    print(f"  stream-rec's `buy_again`               {recall:.3f}")


def play(pipeline: LivePipeline) -> None:
    """Have one real customer buy for a year and come back, with something sold out and something on offer."""
    products = {product.item_id: product for product in read_products()}
    customer = max((orders := read_orders()), key=lambda order: order.timestamp_ms).customer
    own = [order for order in orders if order.customer == customer]
    pipeline.items([products[product] for product in sorted({name for order in own for name in order.products})])

    def show(what: str) -> list[str]:
        time_ms = own[-1].timestamp_ms + 14 * 86_400_000
        seen = pipeline.impression(customer, "front", [own[0].products[0]], timestamp_ms=time_ms)
        made = pipeline.recommendations.of(customer, after=seen)
        pipeline.wait_until(lambda: shop.reads(customer, "impressions", seen))
        print(f"\n{what}, and is shown to buy again:")
        for slot, product in enumerate(shop.buy_again(customer)[:5], start=1):
            times = sum(product in order.products for order in own)
            print(f"  {slot}  {products[product].title:40} bought {times} times")
        print(f"  On the front page first: {products[made.items[0].item_id].title}")
        return shop.buy_again(customer)

    with closing(Shop(pipeline.settings.kafka)) as shop:
        for order in own:
            shop.check_out(order)
        first = show(f"Customer {customer} has ordered {len(own)} times, comes back two weeks later")[0]
        shop.stock(products[first], available=False)
        pipeline.wait_until(lambda: first not in shop.buy_again(customer))
        print(f"\n{products[first].title} is sold out, and has left the customer's page.")
        offer = own[0].products[-1]
        pipeline.rule(promote(offer))
        show(f"{products[offer].title} is on offer this week. The customer comes again")


if __name__ == "__main__":
    run_program(main, subprocess.CalledProcessError)
