from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django_workflows import actors

from shop.orders import import_orders


class Command(BaseCommand):
    help = "Start a workflow for each new order of a file of JSON lines. Safe to repeat."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)

    def handle(self, *, file, **options):
        try:
            report = import_orders(file, actor=actors.system("command"))
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from None
        self.stdout.write(report.text())
