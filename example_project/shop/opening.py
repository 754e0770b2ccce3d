"""Everything that a shop needs before it can open: articles, workflows, people."""

import json
from pathlib import Path

from django_workflows.models import Workflow

from shop import people
from shop.models import Article

HERE = Path(__file__).parent
ORDERS = HERE / "data" / "orders.jsonl"

DESCRIPTIONS = {
    "order": "What becomes of an order, from the file to the parcel.",
    "stocktake": "Counts the stock and says what runs low.",
}


def load() -> None:
    """Make what is missing. A changed definition becomes its workflow's next version."""
    people.load()
    for article in json.loads((HERE / "data" / "articles.json").read_text(encoding="utf-8")):
        Article.objects.get_or_create(
            sku=article["sku"], defaults={**article, "available": article["received"]}
        )
    for name, description in DESCRIPTIONS.items():
        workflow, _ = Workflow.objects.get_or_create(
            name=name, defaults={"description": description}
        )
        source = (HERE / "workflows" / f"{name}.json").read_text(encoding="utf-8")
        workflow.publish(source, note="as it comes with the shop")
