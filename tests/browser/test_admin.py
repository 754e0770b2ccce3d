"""People at work in the admin, in Chromium; what it complains of fails the test.

`browse` sees to the complaints: the console must stay empty under the strict
policy, which is asserted to be in force first.
"""

import json
import re

import pytest
from playwright.sync_api import expect

from django_workflows import actors, asl, engine, models
from tests.workflows import SYSTEM, approval, call, checked, machine, output, person, published

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = machine(
    Check={"Type": "Pass"},
    Sign=approval(
        **{
            "Title.$": "States.Format('Order {}', $.number)",
            "Instructions": "Above the limit.",
            "Groups": ["managers"],
            "Amount.$": "$.amount",
        }
    ),
    Rest={"Type": "Wait", "Seconds": 3600},
)


def order(**fields):
    workflow = models.Workflow.objects.filter(name="order").first() or published(ORDER)
    return engine.start(
        workflow, {"number": 7, "amount": 1200, **fields}, actor=SYSTEM, name="order-7"
    )


def write(area, text):
    """Write *text* once the script has set the editor up: it moves the area as it does."""
    expect(area.locator("xpath=..")).to_have_class("wf-editor")
    area.fill(text)
    expect(area).to_have_value(text)


def test_the_policy_is_in_force(chromium, site):
    """Else all the other tests would prove nothing."""
    page = chromium.new_page()
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(f"{site}/admin/login/")

    page.evaluate("document.body.setAttribute('onclick', 'alert(1)')")
    page.evaluate("document.body.append(document.createElement('style'))")
    page.evaluate("document.querySelector('style').textContent = 'body {color: red}'")

    assert any("Content Security Policy" in message for message in messages)
    page.context.close()


def test_a_manager_decides_an_approval(browse):
    person("other", groups=("managers",))
    execution = order()
    page = browse("grace", groups=("managers",))

    page.get_by_role("link", name=re.compile("^workflows$", re.IGNORECASE)).first.click()
    page.get_by_role("link", name="My approvals").first.click()
    page.get_by_role("link", name="Order 7").click()
    expect(page.get_by_role("heading", name="Order 7")).to_be_visible()
    expect(page.get_by_text("Above the limit.")).to_be_visible()
    expect(page.get_by_role("row", name="Amount 1200")).to_be_visible()
    page.get_by_label("Comment").fill("A good customer")
    page.get_by_role("button", name="approve").click()

    expect(page.get_by_text("You decided “approve” on “Order 7”.")).to_be_visible()
    expect(page.get_by_role("link", name="Order 7")).to_have_count(0)
    execution = checked(execution)
    assert execution.current_states == "Rest"
    decided = next(e for e in engine.log(execution.pk) if isinstance(e, asl.TaskSucceeded))
    assert decided.output["by"] == "grace"
    assert decided.output["comment"] == "A good customer"


def test_a_manager_who_is_too_late_reads_who_was_faster(browse):
    ada = person("ada", groups=("managers",))
    execution = order()
    page = browse("grace", groups=("managers",))
    page.goto("/admin/django_workflows/task/")
    page.get_by_role("link", name="Order 7").click()
    expect(page.get_by_role("button", name="reject")).to_be_visible()

    engine.decide_approval(execution.tasks.get(), "approve", actor=actors.user(ada, channel="api"))
    page.get_by_role("button", name="reject").click()

    expect(page.get_by_text("ada decided “approve”")).to_be_visible()


def test_an_operator_finds_what_is_stuck_and_goes_on(browse):
    person("ada", groups=("managers",))
    execution = order()
    engine.send(
        execution.pk, asl.CompleteTask(task=execution.tasks.get().seq, output=1), actor=SYSTEM
    )
    page = browse("olga", "view_execution", "finish_waiting")

    page.get_by_role("link", name="Executions").first.click()
    page.get_by_role("link", name="order-7").click()
    waits = page.get_by_role("region", name="Waits for")
    expect(waits).to_contain_text("goes on in 59 min")
    expect(page.get_by_role("button", name="Stop this execution")).to_be_disabled()
    expect(page.get_by_text("olga lacks the permission stop_execution")).to_be_visible()
    waits.get_by_role("link", name="Finish this wait now").click()
    page.get_by_label("Reason").fill("The parcel has left")
    page.get_by_role("button", name="Finish this wait now").click()

    expect(page.get_by_text("Finished the wait of Rest.")).to_be_visible()
    expect(page.get_by_role("region", name="Waits for")).to_contain_text("it has ended")
    expect(page.get_by_role("region", name="Events")).to_contain_text("The parcel has left")
    assert output(execution) == 1
    # The keyboard opens what is folded.
    fields = page.get_by_role("region", name="Events").locator("summary").first
    fields.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Events").locator("pre").first).to_be_visible()


def test_an_author_is_led_to_the_line_that_is_wrong(browse):
    published(machine(A={"Type": "Pass"}))
    page = browse("ann", "view_workflow", "change_workflow", "start_execution", "view_execution")
    page.goto("/admin/django_workflows/workflow/")
    page.get_by_role("link", name="order", exact=True).click()
    area = page.get_by_label("Definition:")
    text = json.dumps(machine(A={"Type": "Pass", "Next": "Bb"}, B={"Type": "Succeed"}), indent=2)

    write(area, text)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".wf-problems")).to_contain_text("did you mean 'B'?")
    expect(page.locator(".wf-gutter")).to_contain_text("1")
    page.locator(".wf-problems a").first.click()
    selected = area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert selected == '"Bb"'
    write(area, text.replace("Bb", "B"))
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("Version 2 of order was published.")).to_be_visible()


def test_an_execution_is_started_from_its_workflow(browse):
    published(machine(A={"Type": "Pass"}))
    page = browse("ann", "view_workflow", "start_execution", "view_execution")
    page.goto("/admin/django_workflows/workflow/")
    page.get_by_role("link", name="order", exact=True).click()
    page.get_by_role("link", name="Start an execution").click()
    write(page.get_by_label("Input"), "{]")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("at line 1, column 2")).to_be_visible()
    write(page.get_by_label("Input"), '{"a": "<b>bold</b>"}')
    page.get_by_role("button", name="Start").click()

    expect(page.locator("dl").get_by_text("succeeded")).to_be_visible()
    expect(page.get_by_role("region", name="Input and output")).to_contain_text("<b>bold</b>")


@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 400)])
def test_every_page_fits_and_none_complains(browse, color_scheme, width):
    person("ada", groups=("managers",))
    many = {
        "Type": "Map",
        "ItemsPath": "$.lines",
        "ItemProcessor": machine(Reserve=call("callback")),
    }
    published(
        machine(All={"Type": "Parallel", "Branches": [ORDER, machine(Each=many)]}), name="order"
    )
    execution = order(lines=list(range(30)))
    tasks = {task.state: task for task in execution.tasks.all()}
    page = browse(
        "root",
        superuser=True,
        color_scheme=color_scheme,
        viewport={"width": width, "height": 900},
    )
    base = "/admin/django_workflows"
    workflow = execution.workflow

    for address in (
        "/admin/",
        f"{base}/",
        f"{base}/workflow/",
        f"{base}/workflow/add/",
        f"{base}/workflow/{workflow.pk}/change/",
        f"{base}/workflow/{workflow.pk}/start/",
        f"{base}/workflow/{workflow.pk}/history/",
        f"{base}/definition/",
        f"{base}/definition/{workflow.current_id}/change/",
        f"{base}/execution/",
        f"{base}/execution/{execution.pk}/change/",
        f"{base}/execution/{execution.pk}/history/",
        f"{base}/execution/{execution.pk}/event/1/",
        f"{base}/execution/{execution.pk}/stop/",
        f"{base}/execution/{execution.pk}/start_again/",
        f"{base}/execution/{execution.pk}/complete_task/{tasks['Reserve'].seq}/",
        f"{base}/execution/{execution.pk}/fail_task/{tasks['Reserve'].seq}/",
        f"{base}/task/",
        f"{base}/task/{tasks['Sign'].pk}/change/",
    ):
        response = page.goto(address)
        assert response.status == 200, address
        # Only tables scroll sideways, in boxes of their own.
        wider = page.evaluate("document.querySelector('#content').scrollWidth - window.innerWidth")
        assert wider <= 0, (address, wider)
    # Bars are drawn where they belong, and have their colours.
    page.goto(f"{base}/execution/{execution.pk}/change/")
    bar = page.locator("svg .wf-bar-waiting").last
    assert bar.evaluate("bar => getComputedStyle(bar).fill") not in ("", "rgb(0, 0, 0)")
