"""The shop's own pages. Workflows have theirs, from django_workflows."""

from django.contrib import admin, messages
from django.urls import reverse
from django.utils.html import format_html
from django_workflows import asl, engine
from django_workflows.models import Execution

from shop.models import Article, Line, Order, Payment, Reservation, ShippingRequest


def euros(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02}"


class ReadOnly(admin.ModelAdmin):
    """What handlers write; people read it."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class Lines(admin.TabularInline):
    model = Line
    fields = ["position", "sku", "quantity", "price"]
    readonly_fields = ["price"]
    can_delete = False
    extra = 0

    @admin.display(description="price")
    def price(self, line):
        return euros(line.price_cents)

    def has_add_permission(self, request, obj):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ["number", "customer", "country", "total", "status", "reason", "placed_at"]
    list_filter = ["status"]
    search_fields = ["number", "customer", "email"]
    fields = [*list_display, "email", "execution"]
    inlines = [Lines]

    @admin.display(description="total (EUR)", ordering="total_cents")
    def total(self, order):
        return euros(order.total_cents)

    @admin.display(description="workflow")
    def execution(self, order):
        found = Execution.objects.filter(workflow__name="order", name=order.number).first()
        if found is None:
            return "-"
        url = reverse("admin:django_workflows_execution_change", args=[found.pk])
        return format_html('<a href="{}">{}</a>', url, found)


@admin.register(Article)
class ArticleAdmin(ReadOnly):
    list_display = ["sku", "name", "price", "available", "reserved", "sold"]
    fields = [*list_display, "received"]
    search_fields = ["sku", "name"]

    @admin.display(description="price (EUR)", ordering="price_cents")
    def price(self, article):
        return euros(article.price_cents)


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ["order", "amount", "card", "status"]
    fields = list_display
    list_filter = ["status"]
    list_select_related = ["order"]

    @admin.display(description="amount (EUR)", ordering="amount_cents")
    def amount(self, payment):
        return euros(payment.amount_cents)


@admin.register(Reservation)
class ReservationAdmin(ReadOnly):
    list_display = ["order", "article", "quantity", "status"]
    list_filter = ["status"]
    list_select_related = ["order", "article"]


@admin.register(ShippingRequest)
class ShippingRequestAdmin(ReadOnly):
    """The warehouse's desk: the letters it got, and how it answered.

    The answer goes by the letter's token, as it would from another company's
    computer through the API. The token itself is shown nowhere.
    """

    list_display = ["order", "address", "answer"]
    fields = list_display
    list_filter = [("answer", admin.EmptyFieldListFilter)]
    list_select_related = ["order"]
    actions = ["say_it_was_shipped", "say_it_was_lost"]

    def has_answer_permission(self, request):
        return request.user.has_perm("shop.change_shippingrequest")

    @admin.action(description="Answer: the parcel has left", permissions=["answer"])
    def say_it_was_shipped(self, request, queryset):
        def complete(letter):
            engine.complete_by_token(letter.token, {"parcel": f"P-{letter.pk:06}"})

        self._answer(request, queryset, "shipped", complete)

    @admin.action(description="Answer: the parcel was lost", permissions=["answer"])
    def say_it_was_lost(self, request, queryset):
        def fail(letter):
            engine.fail_by_token(letter.token, "ParcelLost", "It fell off the ship")

        self._answer(request, queryset, "lost", fail)

    def _answer(self, request, queryset, answer, tell):
        answered = refused = 0
        for letter in queryset.filter(answer=""):
            try:
                tell(letter)
            except asl.CommandRejected:
                # Answered already, timed out, or the execution was stopped.
                refused += 1
                letter.answer = "too late"
            else:
                answered += 1
                letter.answer = answer
            letter.save()
        self.message_user(request, f"{answered} letters answered: {answer}.")
        if refused:
            text = f"{refused} were not waited for any more."
            self.message_user(request, text, messages.WARNING)
