"""What the shop keeps: articles, orders, reservations, payments, shipping requests.

Money is in cents, always a whole number. Every row that a handler makes carries
the ``key`` it was made under, unique in the database: a handler that is called
twice finds the row of the first time and changes nothing.
"""

from django.db import models
from django.db.models import Q


class Article(models.Model):
    sku = models.CharField("article number", max_length=40, unique=True)
    name = models.CharField(max_length=200)
    price_cents = models.PositiveBigIntegerField()
    #: How many the shop has ever received: available + reserved + sold.
    received = models.PositiveBigIntegerField()
    available = models.PositiveBigIntegerField()
    reserved = models.PositiveBigIntegerField(default=0)
    sold = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    received=models.F("available") + models.F("reserved") + models.F("sold")
                ),
                name="shop_no_article_is_lost",
            )
        ]

    def __str__(self):
        return f"{self.sku} {self.name}"


class Order(models.Model):
    class Status(models.TextChoices):
        OPEN = "open"
        SHIPPED = "shipped"
        CANCELLED = "cancelled"
        FAILED = "failed"

    number = models.CharField(max_length=40, unique=True)
    placed_at = models.DateTimeField("placed")
    customer = models.CharField(max_length=200)
    email = models.CharField("e-mail", max_length=254)
    country = models.CharField(max_length=2)
    total_cents = models.PositiveBigIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    #: Why it was cancelled or has failed.
    reason = models.TextField(blank=True)
    #: Of what the order file says: tells the same order from another of the same number.
    content_hash = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["number"]

    def __str__(self):
        return self.number


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    #: As the customer has it: there may be no such article.
    sku = models.CharField("article number", max_length=40)
    quantity = models.PositiveBigIntegerField()
    price_cents = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["order", "position"]
        constraints = [models.UniqueConstraint(fields=["order", "position"], name="shop_one_line")]

    def __str__(self):
        return f"{self.quantity} × {self.sku}"


class Reservation(models.Model):
    class Status(models.TextChoices):
        RESERVED = "reserved"
        RELEASED = "released"
        SOLD = "sold"

    key = models.CharField(max_length=100, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reservations")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="reservations")
    quantity = models.PositiveBigIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RESERVED)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return f"{self.quantity} × {self.article.sku} for {self.order} ({self.status})"


class Payment(models.Model):
    class Status(models.TextChoices):
        CHARGED = "charged"
        REFUNDED = "refunded"

    key = models.CharField(max_length=100, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    amount_cents = models.PositiveBigIntegerField()
    card = models.CharField(max_length=60)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CHARGED)

    class Meta:
        ordering = ["id"]
        constraints = [
            # Two charges for one order can't both stand, whatever goes wrong.
            models.UniqueConstraint(
                fields=["order"], condition=Q(status="charged"), name="shop_one_charge"
            )
        ]

    def __str__(self):
        return f"{self.amount_cents} for {self.order} ({self.status})"


class ShippingRequest(models.Model):
    """A letter to the warehouse: pack this, and answer with the token in it."""

    key = models.CharField(max_length=100, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipping_requests")
    address = models.CharField(max_length=300)
    #: Whoever has it can say that the order was shipped; shown on no page.
    token = models.CharField(max_length=200, editable=False)
    answer = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return f"{self.order} to {self.address}"
