"""The admin: workflows and their versions, executions with their buttons, approvals.

=========================  =======================================================
``workflows``              publish a definition, read its versions, start it
``executions``             the list, the page of one, its events
``steering``               what the buttons of that page ask, need and send
``inbox``                  approvals, for those they ask
``pending`` ``history``    what an execution waits for; the events that a page shows
``drawing``                a timeline in per cent and words
``forms`` ``display``      what people write, and how things are written for them
=========================  =======================================================

Rule 1: a GET changes nothing; what changes anything is a POST that goes through
`engine`, with who pressed the button and why.
Rule 2: `permissions` alone says who may; a button that does nothing says why.
Rule 3: seeds, credentials and the tokens of tasks are shown nowhere, and an
approval to nobody but those whom it asks.
Rule 4: nothing inline and nothing from other hosts: the pages work under every
Content Security Policy that the admin itself works under.
"""

from django.contrib import admin

from django_workflows import models
from django_workflows.admin.executions import ExecutionAdmin
from django_workflows.admin.inbox import TaskAdmin
from django_workflows.admin.workflows import DefinitionAdmin, WorkflowAdmin

admin.site.register(models.Workflow, WorkflowAdmin)
admin.site.register(models.Definition, DefinitionAdmin)
admin.site.register(models.Execution, ExecutionAdmin)
admin.site.register(models.Task, TaskAdmin)
