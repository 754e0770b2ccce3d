"""Who works in the shop, and what they may do. For a demonstration only: they
all have one password, and it is here."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

PASSWORD = "green-tea"

#: Permissions on the workflows' models, then on the shop's.
_SEE_EXECUTIONS = ["view_workflow", "view_definition", "view_execution", "view_task"]
_SEE_SHOP = [
    "view_article",
    "view_order",
    "view_line",
    "view_payment",
    "view_reservation",
    "view_shippingrequest",
]
_STEER = [
    "start_execution",
    "stop_execution",
    "redrive_execution",
    "finish_waiting",
    "complete_task",
    "fail_task",
]

GROUPS = {
    "managers": ["view_order", "view_line"],
    "operators": [*_SEE_EXECUTIONS, *_SEE_SHOP, *_STEER, "change_shippingrequest"],
    "viewers": [*_SEE_EXECUTIONS, *_SEE_SHOP],
    "customer service": [*_SEE_EXECUTIONS, *_SEE_SHOP, "start_execution"],
}

#: User name, group, and what they are there to show.
PEOPLE = [
    ("mia", "managers", "decides orders over 1,000 EUR, in the inbox"),
    ("max", "managers", "so does he: of two answers, the first counts"),
    ("olga", "operators", "ends waits, completes and fails tasks, stops executions"),
    ("victor", "viewers", "sees everything and changes nothing"),
    ("carla", "customer service", "sees everything and starts executions"),
]
ADMIN = ("admin", "", "may do everything")


def load() -> None:
    """Make who and what is missing; leave everyone else, and their passwords, alone."""
    permissions = Permission.objects.filter(
        content_type__app_label__in=["django_workflows", "shop"]
    )
    by_name = {permission.codename: permission for permission in permissions}
    for name, codenames in GROUPS.items():
        group, made = Group.objects.get_or_create(name=name)
        if made:
            group.permissions.set([by_name[codename] for codename in codenames])
    users = get_user_model().objects
    for name, group, _ in PEOPLE:
        if not users.filter(username=name).exists():
            user = users.create_user(name, f"{name}@shop.example", PASSWORD, is_staff=True)
            user.groups.add(Group.objects.get(name=group))
    if not users.filter(username=ADMIN[0]).exists():
        users.create_superuser(ADMIN[0], "admin@shop.example", PASSWORD)
