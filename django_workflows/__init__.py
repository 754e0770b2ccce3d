"""Durable workflows in Amazon States Language for Django.

The interpreter is `django_workflows.asl` and needs no Django; what keeps and
runs executions in a site is in the modules beside it.
"""

__version__ = "0.1.0"
