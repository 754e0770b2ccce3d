from django.core.management.base import BaseCommand

from shop import opening


class Command(BaseCommand):
    help = "Load articles, workflows and people. Safe to repeat."

    def handle(self, **options):
        opening.load()
