import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_workflows", "0003_map_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="execution",
            name="parent",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="children",
                to="django_workflows.execution",
                verbose_name="parent",
            ),
        ),
        migrations.AddField(
            model_name="execution",
            name="parent_due_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="parent_task",
            field=models.PositiveIntegerField(
                editable=False, null=True, verbose_name="parent's task"
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("parent_due_at__isnull", False)),
                fields=["parent_due_at"],
                name="workflows_parent_due_at",
            ),
        ),
    ]
