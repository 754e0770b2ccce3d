import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from django_workflows import clock


class Command(BaseCommand):
    help = (
        "Runs the clock as a process of its own: waits, retries and timeouts, and tasks"
        " that got lost. Any number may run, also beside those in the workers."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("The clock runs. Quit with CONTROL-C.")
        clock.run_forever(stop)
        self.stdout.write("The clock has stopped.")
