"""Write ``orders.jsonl``: a day's orders, as a careless front end exports them.

The file is part of the project; run this only to change it. The same file comes
out each time. Nothing here imports the shop: what is awkward about the orders is
written by hand.
"""

import json
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
COUNT = 232

NAMES = [
    ("Ada Okafor", "NG"), ("Жанна Щукина", "KZ"), ("山田 太郎", "JP"), ("ليلى حداد", "LB"),
    ("Đặng Thị Hương", "VN"), ("Núria O’Brien-Ferré", "ES"), ("שרה כהן", "IL"),
    ("Łukasz Wąs", "PL"), ("Βασιλική Παππά", "GR"), ("김서연", "KR"), ("Søren Ærø", "DK"),
    ("प्रिया शर्मा", "IN"), ("Zoë 🍵 van Dijk", "NL"), ("Jürgen Groß", "DE"), ("李小龍", "TW"),
    ("Ömer Çağlayan", "TR"), ("Maria", "BR"), ("ნინო ბერიძე", "GE"), ("Ian McTavish", "GB"),
    ("👩‍👩‍👧 Familie Weiß", "AT"),
]  # fmt: skip
HOSTS = ["mail.example", "post.example", "почта.example", "tea-lovers.example"]


def file() -> bytes:
    """The whole file."""
    chance = Random("orders")
    articles = {one["sku"]: one["price_cents"] for one in json.loads(_read("articles.json"))}
    ordinary = [sku for sku, price in articles.items() if sku.startswith(("TEA", "CUP", "POT"))]
    ordinary.remove("CUP-MOON")

    def line(sku: str, quantity: int = 1) -> dict:
        return {"article": sku, "quantity": quantity, "price_cents": articles.get(sku, 1000)}

    def order(index: int) -> dict:
        name, country = chance.choice(NAMES)
        chosen = chance.sample(ordinary, chance.choice([1, 1, 1, 2, 2, 3, 5]))
        return {
            "order": f"A-{1001 + index}",
            "placed_at": f"2026-03-{2 + index // 60:02}T{8 + index % 12:02}:{index % 60:02}:07Z",
            "customer": {
                "name": name,
                "email": f"c{chance.randrange(10_000)}@{chance.choice(HOSTS)}",
                "country": country,
            },
            "card": f"tok_visa_{chance.randrange(10_000):04}",
            "lines": [line(sku, chance.choice([1, 1, 1, 2, 3, 4])) for sku in chosen],
        }

    orders = [order(index) for index in range(COUNT)]

    def change(numbers: list[int], **fields) -> None:
        for number in numbers:
            for key, value in fields.items():
                if key in orders[number]["customer"]:
                    orders[number]["customer"][key] = value
                else:
                    orders[number][key] = value

    # Spread over the day, each kind apart from the others.
    change([11, 58, 103, 149, 188], card="tok_declined_0002")
    change([19, 66, 122, 171, 203, 220], card="tok_busy_0003")
    change([31, 90, 157, 210], email="anon@throwaway.example")
    change([44, 115, 181], country="AQ")
    change([8, 71, 139], lines=[line("TEA-SENCHA"), line("CUP-MOON", 2)])
    change([52, 127, 195], lines=[line("TEA-MINT"), line("TEA-UNOBTAINIUM"), line("CUP-GLASS")])
    change([26, 47, 83, 95, 133, 160, 177, 214], lines=[line("PRINT-NUMBERED")])
    # More than there is of it; a manager will let the first of them pass.
    change([63], lines=[line("TEA-MINT", 30_000)])
    change([37], lines=[line("TEA-EARLGREY", 2), line("TEA-MINT", 3), line("TEA-MINT", 1)])
    change([2, 75, 118, 166, 199, 225], lines=[line("SAMOVAR")])
    change([23, 60, 92, 112, 136, 146, 162, 192, 216], lines=[line("SAMOVAR"), line("TEA-ASSAM")])
    change([14, 107], lines=[line("POT-CAST-IRON", 40), line("CUP-PORCELAIN", 80)])
    change([87], lines=[line("SAMOVAR", 60), line("TEA-ASSAM", 500)])
    change([144], lines=[line("SAMOVAR", 99), line("POT-GLASS", 9)])
    # An odd number of cents above 2**53, which no float holds.
    change([154], lines=[line("ESTATE", 2), line("TEA-ROOIBOS", 1)])
    change([206], lines=[line("ESTATE", 1), line("TEA-MINT", 1)])
    # As many lines as articles.
    change([98], lines=[line(sku) for sku in ordinary])
    orders[28]["order"] = "Ж-1029"
    orders[129]["order"] = "注文-1130"
    orders[174]["order"] = "A.1175_b"

    lines = [json.dumps(one, ensure_ascii=False).encode() for one in orders]

    # Some front ends escape, use other white space, order their members otherwise.
    lines[5] = json.dumps(orders[5], ensure_ascii=True, sort_keys=True).encode()
    lines[6] = json.dumps(orders[6], indent=None, separators=(" ,", " : ")).encode() + b"  \r"
    odd: list[tuple[int, bytes]] = []

    def changed(number: int, **fields) -> bytes:
        return json.dumps({**orders[number], **fields}, ensure_ascii=False).encode()

    def awkward(before: int, text: bytes) -> None:
        odd.append((before, text))

    awkward(0, b"")
    awkward(9, b"   \t ")
    awkward(150, b"")
    # The same order twice: once as it was, once with members in another order,
    # and one number for two different orders.
    awkward(20, lines[12])
    awkward(21, json.dumps(orders[12], sort_keys=True).encode())
    awkward(60, changed(40, lines=[line("TEA-ASSAM", 7)]))
    # Not JSON, or not an order.
    awkward(33, b'{"order": "A-9001", "placed_at": "2026-03-02T10:00:00Z", "customer": {"na')
    awkward(34, b"A-9002;2026-03-02;Ada Okafor;TEA-ASSAM;2;13.80")
    awkward(35, b'["A-9003", "TEA-ASSAM", 2]')
    awkward(36, b"null")
    awkward(70, b'{"order": "A-9004"}')
    awkward(72, changed(72, order="A-9005", lines=[]))
    awkward(73, changed(73, order="A-9006", lines=[line("TEA-ASSAM", 0)]))
    awkward(74, changed(74, order="A-9007", lines=[line("TEA-MINT"), line("TEA-ASSAM", -2)]))
    awkward(80, changed(80, order="A-9008", lines=[{**line("TEA-ASSAM"), "quantity": "2"}]))
    awkward(81, changed(81, order="A-9009", lines=[{**line("TEA-ASSAM"), "quantity": 1.5}]))
    awkward(82, changed(82, order="A-9010", lines=[{**line("TEA-ASSAM"), "quantity": True}]))
    awkward(84, lines[84].replace(b'"order": "A-1085"', b'"order": "A-9011"') + b" {}")
    awkward(85, changed(85, order="A-9012", lines=[line("ESTATE", 10**30)]))
    awkward(
        91,
        changed(91, order="A-9013").replace(b'"price_cents": ', b'"price_cents": NaN, "was": ', 1),
    )
    awkward(92, changed(92, order="A-9014", customer={**orders[92]["customer"], "name": "\0"}))
    awkward(93, rb'{"order": "A-9015", "placed_at": "2026-03-03T09:00:00Z", "customer": {"name":')
    awkward(
        94,
        json.dumps(
            {
                **orders[94],
                "order": "A-9016",
                "customer": {**orders[94]["customer"], "name": "\ud83c"},
            }
        ).encode(),
    )
    awkward(96, changed(96, order="A-9017").replace(b"A-9017", b"A-9017\xff\xfe"))
    awkward(97, changed(97, order="A/9018"))
    awkward(99, changed(99, order=""))
    awkward(100, changed(100, order=9019))
    awkward(101, changed(101, order="A-9020", placed_at="yesterday"))
    awkward(102, changed(102, order="A-9021", placed_at="2026-02-30T10:00:00Z"))
    awkward(104, changed(104, order="A-9022", customer={"name": "Ada Okafor", "country": "NG"}))
    awkward(105, changed(105, order="A-9023").replace(b'"order"', b'"order": "A-9024", "order"', 1))
    awkward(110, b'{"a":' * 2000 + b"1" + b"}" * 2000)
    awkward(112, b'{"order": ' + b"9" * 5000 + b"}")

    result: list[bytes] = []
    for index in range(len(lines) + 1):
        result += [text for before, text in odd if before == index]
        if index < len(lines):
            result.append(lines[index])
    # As some editors begin a file; and no line end after the last line.
    return b"\xef\xbb\xbf" + b"\n".join(result)


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    (HERE / "orders.jsonl").write_bytes(file())
