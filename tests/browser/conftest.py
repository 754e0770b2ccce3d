"""A browser, its complaints, and people who sign in with it."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.workflows import person

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    # Playwright's loop runs in this thread, where Django then suspects coroutines.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", headless=True, args=ARGUMENTS
            )
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(transactional_db, settings, request):
    """The address of a running site with the strict policy."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.browser.middleware.strict_policy"]
    return request.getfixturevalue("live_server").url


@pytest.fixture
def browse(chromium, site):
    """Opens a browser for somebody; at the end none may have complained about anything."""
    complaints = []
    contexts = []

    def open_for(name, *permissions, **options):
        if name is not None:
            user = person(name, *permissions, is_staff=True, groups=options.pop("groups", ()))
            user.set_password("secret")
            user.is_superuser = options.pop("superuser", False)
            user.save()
        context = chromium.new_context(base_url=site, **options)
        # Browsers ask for it unasked; a site has one or has not.
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning") and complaints.append(message.text)
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if name is not None:
            page.goto("/admin/login/?next=/admin/")
            page.get_by_label("Username:").fill(name)
            page.get_by_label("Password:").fill("secret")
            page.get_by_role("button", name="Log in").click()
            expect(page.locator("#user-tools")).to_be_visible()
        return page

    yield open_for
    for context in contexts:
        context.close()
    assert complaints == []
