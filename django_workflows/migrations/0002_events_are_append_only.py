"""The database itself refuses to change an event.

A later migration that alters the table of events must make SQLite's trigger
again: Django rebuilds a table there, and triggers go with the old one.
"""

from django.db import migrations

ON_SQLITE = """
CREATE TRIGGER django_workflows_event_append_only
BEFORE UPDATE ON django_workflows_event
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END
"""

ON_POSTGRESQL = """
CREATE FUNCTION django_workflows_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER django_workflows_event_append_only
BEFORE UPDATE ON django_workflows_event
FOR EACH ROW EXECUTE FUNCTION django_workflows_refuse_update();
"""


def create(apps, schema_editor):
    # Elsewhere the models' own refusal has to do.
    match schema_editor.connection.vendor:
        case "sqlite":
            schema_editor.execute(ON_SQLITE, params=None)
        case "postgresql":
            schema_editor.execute(ON_POSTGRESQL, params=None)


def drop(apps, schema_editor):
    match schema_editor.connection.vendor:
        case "sqlite":
            schema_editor.execute("DROP TRIGGER django_workflows_event_append_only")
        case "postgresql":
            schema_editor.execute(
                "DROP TRIGGER django_workflows_event_append_only ON django_workflows_event"
            )
            schema_editor.execute("DROP FUNCTION django_workflows_refuse_update()")


class Migration(migrations.Migration):
    dependencies = [("django_workflows", "0001_initial")]

    operations = [migrations.RunPython(create, drop)]
