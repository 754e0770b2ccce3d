"""What a site may listen to. All are sent after the commit, in the process that committed.

A receiver that raises is logged and changes nothing. Sender is `models.Execution`.
"""

from django.dispatch import Signal

#: An execution has begun. Arguments: execution (the row).
execution_started = Signal()

#: Events were stored. Arguments: execution, events (a tuple of `asl` events).
events_recorded = Signal()

#: Workers are to take tasks. Arguments: execution, task_ids (a list).
tasks_requested = Signal()

#: Workers are to look after runs of distributed Maps. Arguments: run_ids (a list).
map_runs_requested = Signal()

#: Executions were left by the task that waited for them, which ended otherwise.
#: Arguments: execution (the one left them), child_ids (a list).
children_left = Signal()

#: People are asked to decide. Arguments: execution, task (the row).
approval_requested = Signal()

#: An execution has ended; its row says how. Arguments: execution.
execution_ended = Signal()
