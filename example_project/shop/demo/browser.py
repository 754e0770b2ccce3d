"""Just enough of a browser: cookies, redirects, and the forms of a page."""

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener


class UnexpectedAnswer(Exception):
    """The site answered, but not what was expected."""


class Page(HTMLParser):
    """A page that was read: where it is, its links, its forms, its text."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._words: list[str] = []
        self.feed(text)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        if tag == "a" and "href" in given:
            self.links.append(urljoin(self.url, given["href"]))
        elif tag == "form":
            action = urljoin(self.url, given.get("action") or self.url)
            self._form = Form(action, given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None and tag in ("input", "button", "textarea", "select"):
            self._form.add(tag, given)

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None

    def handle_data(self, data):
        self._words.append(data)


class Form:
    def __init__(self, action: str, method: str) -> None:
        self.action = action
        self.method = method
        #: What would be sent as it stands.
        self.fields: dict[str, str] = {}
        #: What each button would add: name and value.
        self.buttons: list[tuple[str, str]] = []

    def add(self, tag: str, given: dict[str, str]) -> None:
        kind = given.get("type", "submit" if tag == "button" else "text")
        if "name" not in given:
            return
        if kind == "submit":
            self.buttons.append((given["name"], given.get("value", "")))
        elif kind not in ("checkbox", "radio") or "checked" in given:
            self.fields[given["name"]] = given.get("value", "")


class Browser:
    def __init__(self, base: str) -> None:
        self.base = base
        # The machine's proxy, if it has one, is not for this.
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Page:
        return self._page(Request(urljoin(self.base, path)))

    def submit(self, form: Form, fields: Mapping[str, str]) -> Page:
        """Send *form* with its own fields and *fields*. Raises UnexpectedAnswer."""
        data = urlencode({**form.fields, **fields}).encode()
        # What a browser says and Django's protection against forged requests asks for.
        headers = {"Referer": form.action, "Origin": self.base}
        return self._page(Request(form.action, data, headers))

    def log_in(self, user: str, password: str) -> Page:
        """Raises UnexpectedAnswer where that is refused."""
        page = self.get("/admin/login/?next=/admin/")
        form = next(form for form in page.forms if "username" in form.fields)
        page = self.submit(form, {"username": user, "password": password})
        if "/login/" in page.url:
            raise UnexpectedAnswer(f"{user} could not log in")
        return page

    def post_json(self, path: str, body: object) -> int:
        """The status of the answer."""
        request = Request(
            urljoin(self.base, path),
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status
        except HTTPError as error:
            with error:
                return error.code

    def _page(self, request: Request) -> Page:
        try:
            with self._opener.open(request, timeout=30) as answer:
                policy = answer.headers.get("Content-Security-Policy")
                text = answer.read().decode()
                url = answer.url
        except HTTPError as error:
            with error:
                raise UnexpectedAnswer(
                    f"{request.get_method()} {request.full_url}: {error.code} {error.reason}"
                ) from None
        if not policy:
            raise UnexpectedAnswer(f"{url} came without a Content-Security-Policy")
        return Page(url, text)
