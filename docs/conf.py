"""How Sphinx makes pages of these documents. Needs no network."""

from django_workflows import __version__

project = "django_workflows"
copyright = "the django_workflows contributors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
default_role = "code"
# A data class's signature would only repeat its fields.
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__, __new__", "undoc-members": True}
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "fieldlist"]

html_theme = "furo"
html_title = "django_workflows"
html_show_sourcelink = False


def drop_generated_docstring(app, what, name, obj, options, lines):
    """A data class without a docstring gets its signature for one; show nothing instead."""
    if what == "class" and lines and lines[0].startswith(f"{obj.__name__}("):
        lines.clear()


def setup(app):
    app.connect("autodoc-process-docstring", drop_generated_docstring)
