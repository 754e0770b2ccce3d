"""The work of the workflows' Task states.

A task is delivered at least once: a handler may be called twice for one task, even
at the same time, and a late call may come when the order has failed otherwise.
Each handler here therefore works in one transaction that begins with the order's
lock, and makes rows under ``context.idempotency_key``.
"""

from django.db import transaction
from django.db.models import F
from django_workflows.handlers import TaskError, task

from shop import outside
from shop.models import Article, Order, Payment, Reservation, ShippingRequest


def locked(number: str) -> Order:
    """The order, locked until the end of the transaction."""
    return Order.objects.select_for_update().get(number=number)


def refuse_closed(order: Order) -> None:
    """For what must not happen to an order that was closed meanwhile."""
    if order.status != Order.Status.OPEN:
        raise TaskError("OrderClosed", f"Order {order} is {order.status}")


@task("check_fraud")
def check_fraud(input, context):
    score, reasons = outside.fraud_score(
        input["order"], input["email"], input["total_cents"], attempt=context.attempt
    )
    return {"score": score, "reasons": [{"text": reason} for reason in reasons]}


@task("charge_card")
def charge_card(input, context):
    with transaction.atomic():
        order = locked(input["order"])
        # Asked before anything else: what was done is done, whatever came later.
        payment = Payment.objects.filter(key=context.idempotency_key).first()
        if payment is None:
            refuse_closed(order)
            # A real bank is called outside of the transaction, with the same key.
            outside.charge(input["card"], attempt=context.attempt)
            payment = Payment.objects.create(
                key=context.idempotency_key,
                order=order,
                card=input["card"],
                amount_cents=input["amount_cents"],
            )
    return {"payment": payment.pk}


@task("reserve_stock")
def reserve_stock(input, context):
    with transaction.atomic():
        order = locked(input["order"])
        reservation = Reservation.objects.filter(key=context.idempotency_key).first()
        if reservation is None:
            refuse_closed(order)
            article = Article.objects.select_for_update().filter(sku=input["article"]).first()
            if article is None:
                raise TaskError("UnknownArticle", f"There is no article {input['article']}")
            if article.available < input["quantity"]:
                raise TaskError(
                    "OutOfStock",
                    f"{article}: {input['quantity']} wanted, {article.available} there",
                )
            move(article, input["quantity"], "available", "reserved")
            reservation = Reservation.objects.create(
                key=context.idempotency_key,
                order=order,
                article=article,
                quantity=input["quantity"],
            )
    return {"reservation": reservation.pk}


@task("request_shipping")
def request_shipping(input, context):
    """The letter goes out; the answer comes with its token. See the admin, or the API."""
    with transaction.atomic():
        order = locked(input["order"])
        if not ShippingRequest.objects.filter(key=context.idempotency_key).exists():
            refuse_closed(order)
            ShippingRequest.objects.create(
                key=context.idempotency_key,
                order=order,
                address=input["address"],
                token=input["token"],
            )


@task("close_order")
def close_order(input):
    """The last word on an order; said again, it changes nothing."""
    with transaction.atomic():
        order = locked(input["order"])
        if order.status == Order.Status.OPEN:
            order.status = input["status"]
            order.reason = input.get("reason", "")
            order.save()
            if order.status == Order.Status.SHIPPED:
                settle(order, Reservation.Status.SOLD, "sold")
    return {"status": order.status}


@task("refund_payment")
def refund_payment(input):
    with transaction.atomic():
        charges = locked(input["order"]).payments.filter(status=Payment.Status.CHARGED)
        refunded = charges.update(status=Payment.Status.REFUNDED)
    return {"refunded": refunded}


@task("release_stock")
def release_stock(input):
    with transaction.atomic():
        order = locked(input["order"])
        released = settle(order, Reservation.Status.RELEASED, "available")
    return {"released": released}


@task("count_stock")
def count_stock(input):
    return {"articles": list(Article.objects.values("sku", "available", "reserved", "sold"))}


def settle(order: Order, status: Reservation.Status, pile: str) -> int:
    """End the order's reservations with *status*; their articles go to *pile*."""
    # In one order for all, so that two of these never wait for each other.
    reservations = (
        order.reservations.filter(status=Reservation.Status.RESERVED)
        .select_related("article")
        .order_by("article_id", "id")
    )
    for reservation in reservations:
        move(reservation.article, reservation.quantity, "reserved", pile)
        reservation.status = status
        reservation.save()
    return len(reservations)


def move(article: Article, quantity: int, source: str, target: str) -> None:
    """Counted by the database, so that two moves at once are both counted."""
    Article.objects.filter(pk=article.pk).update(
        **{source: F(source) - quantity, target: F(target) + quantity}
    )
