"""Executions and tasks over HTTP, for front ends and other systems.

Include `django_workflows.api.urls` under any prefix. This room alone imports
Django REST framework.

Rule 1: views read rows and send commands through `engine`; who may do what is
asked of `permissions` and `engine`, and nowhere decided here.
Rule 2: every answer that is no success is a problem (RFC 9457) with a stable code.
Rule 3: no seed, no credentials and no task's token leaves the server; but a worker
that fetches an activity's task is given that task's token.
"""
