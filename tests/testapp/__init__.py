"""An app as a user of django_workflows would write it."""
