"""The shop's own tests: ``manage.py test``. The workflows as a whole are checked by
``manage.py demo --check``."""

import json
import tempfile
from contextlib import closing
from pathlib import Path
from socket import create_server
from types import SimpleNamespace

from django.test import SimpleTestCase, TestCase, override_settings
from django_workflows import actors, asl, handlers
from django_workflows.models import Definition, Execution

from shop import opening, outside, workflow_tasks
from shop.data import make_orders
from shop.demo import expected
from shop.demo.site import HOST, web_server
from shop.models import Article, Order, Payment, Reservation, ShippingRequest
from shop.orders import Report, Unusable, import_orders, parse

ORDER = {
    "order": "A-1",
    "placed_at": "2026-03-02T10:00:00Z",
    "customer": {"name": "Жанна 🍵", "email": "j@mail.example", "country": "KZ"},
    "card": "tok_visa_1",
    "lines": [{"article": "TEA-MINT", "quantity": 2, "price_cents": 450}],
}


def line(**changed) -> bytes:
    return json.dumps({**ORDER, **changed}, ensure_ascii=False).encode()


def item(**changed) -> dict:
    return {**ORDER["lines"][0], **changed}


class OrderLines(SimpleTestCase):
    def test_an_order_is_read_with_its_sum(self):
        order = parse(line())

        self.assertEqual(order.customer, "Жанна 🍵")
        self.assertEqual(order.total_cents, 900)
        self.assertEqual(order.workflow_input["total"], "9.00 EUR")

    def test_a_sum_that_no_float_holds_stays_exact(self):
        order = parse(line(lines=[item(quantity=1, price_cents=2**53 + 1)]))

        self.assertEqual(order.total_cents, 9_007_199_254_740_993)
        self.assertEqual(order.workflow_input["total"], "90,071,992,547,409.93 EUR")

    def test_what_is_no_order_is_refused_with_the_reason(self):
        for bad, reason in [
            (b"", "empty line"),
            (b" \t\r\n", "empty line"),
            (b"A-1;Ada;3", "not JSON"),
            (line()[:40], "not JSON"),
            (line() + b" {}", "not JSON: Extra data"),
            (line().replace(b"450", b"NaN"), "NaN"),
            (line().replace(b"450", b"1" * 5000), ""),
            (line().replace(b"A-1", b"A-\xff"), "not UTF-8"),
            (line().replace(b'"card"', b'"order": "A-2", "card"'), "order: is there twice"),
            (b"null", "expected an object"),
            (b"[1]", "expected an object"),
            (b'{"a":' * 100_000, ""),
            (b"{}", "order: is missing"),
            (line(order=7), "order: expected str"),
            (line(order=""), "order: expected 1 to 40"),
            (line(order="A/1"), "characters that no order number has"),
            (line(order="A 1"), "characters that no order number has"),
            (line(order="A" * 41), "order: expected 1 to 40"),
            (line(placed_at="today"), "placed_at: expected a moment"),
            (line(placed_at="2026-03-02T10:00:00"), "no time zone"),
            (line(customer="Ada"), "customer: expected dict"),
            (line(customer={**ORDER["customer"], "name": "A\0da"}), "can't be stored"),
            (json.dumps({**ORDER, "card": "\ud800"}).encode(), "can't be stored"),
            (line(lines=[]), "lines: expected 1 to 100, found 0"),
            (line(lines=["tea"]), "lines: expected objects"),
            (line(lines=[item(quantity=0)]), "quantity: expected a whole number from 1, found 0"),
            (line(lines=[item(quantity=-1)]), "quantity"),
            (line(lines=[item(quantity=1.5)]), "quantity: expected int, found float"),
            (line(lines=[item(quantity="2")]), "quantity: expected int, found str"),
            (line(lines=[item(quantity=True)]), "quantity"),
            (line(lines=[item(quantity=10**30)]), "quantity"),
            (line(lines=[item(quantity=10**9, price_cents=10**9)]), "the sum"),
        ]:
            with self.subTest(bad[:60]), self.assertRaisesRegex(Unusable, reason):
                parse(bad)


# Slow hashes protect nobody here.
@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class Importing(TestCase):
    @classmethod
    def setUpTestData(cls):
        opening.load()

    def imported(self, *lines: bytes) -> Report:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "orders.jsonl"
            file.write_bytes(b"\n".join(lines))
            return import_orders(file, actor=actors.system("test"))

    def test_each_order_starts_an_execution_of_its_name(self):
        report = self.imported(b"\xef\xbb\xbf" + line(), b"", line(order="注文-2"))

        self.assertEqual(report.started, ["A-1", "注文-2"])
        self.assertEqual([skipped.line for skipped in report.skipped], [2])
        self.assertEqual(
            sorted(Execution.objects.values_list("name", flat=True)), ["A-1", "注文-2"]
        )

    def test_importing_again_starts_nothing_again(self):
        self.imported(line())

        again = self.imported(line(), line(order="A-2"))

        self.assertEqual((again.started, again.known), (["A-2"], ["A-1"]))
        self.assertEqual(Execution.objects.count(), 2)

    def test_another_order_of_the_same_number_is_reported(self):
        report = self.imported(line(), line(lines=[item(quantity=9)]))

        self.assertEqual(report.skipped[0].line, 2)
        self.assertIn("another order with the number A-1", report.text())
        self.assertEqual(Order.objects.get().total_cents, 900)

    def test_every_line_of_the_shops_file_is_accounted_for(self):
        report = import_orders(opening.ORDERS, actor=actors.system("test"))

        told = len(report.started) + len(report.known) + len(report.skipped)
        self.assertEqual(told, report.lines)
        self.assertEqual(report.lines, len(opening.ORDERS.read_bytes().split(b"\n")))
        received = dict(Article.objects.values_list("sku", "received"))
        right = expected.expectations(opening.ORDERS, received)
        self.assertEqual(set(report.started), set(right))

    def test_the_shops_file_is_what_its_script_makes(self):
        self.assertEqual(opening.ORDERS.read_bytes(), make_orders.file())


class Handlers(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(
            number="A-1", placed_at="2026-03-02T10:00:00Z", total_cents=900
        )
        cls.article = Article.objects.create(
            sku="TEA-MINT", name="Mint", price_cents=450, received=10, available=10
        )

    def context(self, key: str = "key", attempt: int = 0):
        return SimpleNamespace(idempotency_key=key, attempt=attempt)

    def charge(self, card: str = "tok_visa_1", **context):
        said = {"order": "A-1", "card": card, "amount_cents": 900}
        return workflow_tasks.charge_card(said, self.context(**context))

    def reserve(self, quantity: int = 4, article: str = "TEA-MINT", **context):
        said = {"order": "A-1", "article": article, "quantity": quantity}
        return workflow_tasks.reserve_stock(said, self.context(**context))

    def close(self, status: str) -> None:
        workflow_tasks.close_order({"order": "A-1", "status": status})

    def piles(self) -> tuple[int, int, int]:
        self.article.refresh_from_db()
        return self.article.available, self.article.reserved, self.article.sold

    def test_a_charge_that_is_delivered_twice_is_made_once(self):
        self.assertEqual(self.charge(), self.charge())
        self.assertEqual(Payment.objects.count(), 1)

    def test_the_bank_is_busy_the_first_time(self):
        with self.assertRaises(outside.BankBusy):
            self.charge("tok_busy_1")

        self.charge("tok_busy_1", attempt=1)
        self.assertEqual(Payment.objects.get().status, Payment.Status.CHARGED)

    def test_a_declined_charge_leaves_no_payment(self):
        with self.assertRaises(outside.CardDeclined):
            self.charge("tok_declined_1")
        self.assertFalse(Payment.objects.exists())

    def test_nothing_is_charged_or_reserved_for_an_order_that_has_failed(self):
        self.close("failed")

        for late in (self.charge, self.reserve):
            with self.assertRaisesRegex(handlers.TaskError, "OrderClosed"):
                late()
        self.assertFalse(Payment.objects.exists())
        self.assertEqual(self.piles(), (10, 0, 0))

    def test_a_refund_is_made_once(self):
        self.charge()

        self.assertEqual(workflow_tasks.refund_payment({"order": "A-1"}), {"refunded": 1})
        self.assertEqual(workflow_tasks.refund_payment({"order": "A-1"}), {"refunded": 0})
        self.assertEqual(Payment.objects.get().status, Payment.Status.REFUNDED)

    def test_stock_that_is_reserved_twice_under_one_key_is_taken_once(self):
        self.assertEqual(self.reserve(), self.reserve())
        self.assertEqual(self.piles(), (6, 4, 0))

    def test_more_than_there_is_can_not_be_reserved(self):
        with self.assertRaisesRegex(handlers.TaskError, "OutOfStock: TEA-MINT Mint: 11 wanted"):
            self.reserve(11)
        with self.assertRaisesRegex(handlers.TaskError, "UnknownArticle"):
            self.reserve(1, "TEA-X")
        self.assertEqual(self.piles(), (10, 0, 0))

    def test_released_stock_is_there_again(self):
        self.reserve(key="one")
        self.reserve(key="two")

        self.assertEqual(workflow_tasks.release_stock({"order": "A-1"}), {"released": 2})
        self.assertEqual(workflow_tasks.release_stock({"order": "A-1"}), {"released": 0})
        self.assertEqual(self.piles(), (10, 0, 0))

    def test_shipping_sells_what_was_reserved(self):
        self.reserve()

        self.close("shipped")
        self.close("failed")

        self.order.refresh_from_db()
        self.assertEqual(self.order.status, Order.Status.SHIPPED)
        self.assertEqual(self.piles(), (6, 0, 4))
        self.assertEqual(Reservation.objects.get().status, Reservation.Status.SOLD)

    def test_the_warehouse_gets_one_letter(self):
        said = {"order": "A-1", "address": "Жанна, KZ", "token": "secret"}
        for _ in range(2):
            workflow_tasks.request_shipping(said, self.context())

        self.assertEqual(ShippingRequest.objects.get().token, "secret")


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class Definitions(TestCase):
    def test_every_task_has_somebody_to_do_it(self):
        opening.load()
        known = {*handlers.names(), "approval"}
        for definition in Definition.objects.all():
            resources = set(_resources(json.loads(definition.source)))
            named = {resource.removesuffix(".waitForTaskToken") for resource in resources}
            self.assertLessEqual(named, known)

    def test_loading_again_makes_no_further_version(self):
        opening.load()
        opening.load()

        self.assertEqual(Definition.objects.count(), len(opening.DESCRIPTIONS))
        self.assertIsInstance(Definition.objects.first().machine, asl.StateMachine)


def _resources(document):
    match document:
        case dict():
            if document.get("Type") == "Task":
                yield document["Resource"]
            for value in document.values():
                yield from _resources(value)
        case list():
            for value in document:
                yield from _resources(value)


class Pages(TestCase):
    def test_the_policy_is_on_every_page(self):
        answer = self.client.get("/admin/login/", headers={"host": "localhost"})

        self.assertEqual(answer.status_code, 200)
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])

    def test_no_other_host_is_answered(self):
        answer = self.client.get("/admin/login/", headers={"host": "shop.example"})

        self.assertEqual(answer.status_code, 400)

    def test_another_port_is_taken_where_one_is_in_use(self):
        with create_server((HOST, 0)) as other:
            taken = other.getsockname()[1]
            with closing(web_server(taken).socket) as socket:
                self.assertNotEqual(socket.getsockname()[1], taken)
