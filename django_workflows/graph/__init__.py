"""From a definition to its picture, and from an execution's events to the marks on it.

Rule 1: pure. A layout follows from the definition alone and can be kept by its hash;
what happens in an execution only adds marks.
Rule 2: no transition leaves its scope, so every scope is laid out by itself.
Rule 3: what is drawn needs no script, no style attribute and no other host.

====================  ==========================================================
``text``              how wide a text is, where it breaks, how it is escaped
``labels``            the words of a definition, readable
``layers``            boxes and arcs of one scope, in layers
``layout``            scopes in scopes: the whole workflow
``statuses``          what has become of each state
``svg``               the picture
``exports``           outline, Mermaid, DOT, JSON
====================  ==========================================================
"""

from django_workflows.graph.exports import (
    Entry,
    as_json,
    dot,
    mermaid,
    outline,
    outline_text,
)
from django_workflows.graph.layout import (
    Edge,
    EdgeKind,
    Label,
    Layout,
    Marker,
    Node,
    Scope,
    Transition,
    layout,
    transitions,
)
from django_workflows.graph.statuses import NodeStatus, Progress, Status, statuses
from django_workflows.graph.svg import stylesheet, svg

__all__ = [
    "Edge",
    "EdgeKind",
    "Entry",
    "Label",
    "Layout",
    "Marker",
    "Node",
    "NodeStatus",
    "Progress",
    "Scope",
    "Status",
    "Transition",
    "as_json",
    "dot",
    "layout",
    "mermaid",
    "outline",
    "outline_text",
    "statuses",
    "stylesheet",
    "svg",
    "transitions",
]
