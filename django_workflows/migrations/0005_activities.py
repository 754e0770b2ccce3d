from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_workflows", "0004_parent_executions"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="execution",
            options={
                "ordering": ["-started_at", "id"],
                "permissions": [
                    ("start_execution", "Can start executions"),
                    ("stop_execution", "Can stop executions"),
                    ("redrive_execution", "Can go on with executions that failed"),
                    ("finish_waiting", "Can end an execution's wait"),
                    ("complete_task", "Can complete an execution's task"),
                    ("fail_task", "Can fail an execution's task"),
                    ("work_activities", "Can fetch the tasks of activities"),
                    ("decide_any_approval", "Can see and decide every approval"),
                ],
                "verbose_name": "execution",
                "verbose_name_plural": "executions",
            },
        ),
        migrations.AddField(
            model_name="task",
            name="activity",
            field=models.CharField(blank=True, max_length=200, verbose_name="activity"),
        ),
        migrations.AlterField(
            model_name="task",
            name="kind",
            field=models.CharField(
                choices=[
                    ("handler", "handler"),
                    ("map_run", "Map run"),
                    ("callback", "answer from outside"),
                    ("activity", "worker outside"),
                    ("approval", "approval"),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("kind", "activity"), ("status", "QUEUED")),
                fields=["activity", "created_at"],
                name="workflows_activity",
            ),
        ),
    ]
