"""A person's whole first hour with the pages, in a real browser: light and dark, desktop and phone, once by keyboard alone.

    python3 .ci/browser.py WEIR CHROMIUM [FOLDER FOR SCREENSHOTS]       (with playwright and axe-core-python)
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from axe_core_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

WEIR = str(pathlib.Path(sys.argv[1]).resolve())
CHROMIUM = sys.argv[2]
SHOTS = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
BAD = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


class Server:
    def __init__(self, folder):
        self.process = subprocess.Popen([WEIR, "serve", "--data-dir", folder, "--listen", "127.0.0.1:0", "--tick-ms", "200"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = re.search(r"http://\S+", self.process.stdout.readline()).group(0).rstrip("/")

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data, headers={"content-type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=30))

    def weir(self, *args):
        ran = subprocess.run([WEIR, *args, "--url", self.url], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, (args, ran.stderr)
        return ran.stdout

    def stop(self):
        self.process.terminate()
        self.process.wait()


def seed(server):
    """What a person does on the command line: the commands that the pages show."""
    server.weir("models", "register", "--name", "sentiment", "--model-version", "1.0.0", "--runtime", '{"type": "sentiment", "method": "vader"}')
    server.weir("models", "register", "--name", "sentiment", "--model-version", "2.0.0", "--runtime", '{"type": "sentiment", "method": "afinn"}')
    versions = json.loads(server.weir("models", "list", "--json"))
    one = next(v["model_id"] for v in versions if v["version"] == "1.0.0")
    server.weir("models", "activate", one, "100")
    two = next(v["model_id"] for v in versions if v["version"] == "2.0.0")
    server.weir("models", "activate", two, "0")


def predict(server, number, start=0):
    for at in range(start, start + number):
        good = at % 2 == 0
        text = "a great and lovely day" if good else "an awful terrible mess"
        reply = server.call("POST", "/predict", {"text": text, "unit_id": f"user-{at}", "name": "sentiment", "attributes": {"country": "DE" if at % 3 else "AT"}})
        server.call("POST", "/feedback", {"prediction_id": reply["prediction_id"], "label": "positive" if good else "negative"})


class Person:
    """Somebody with a browser, who complains of everything that it complains of."""

    def __init__(self, browser, server, mode, width, height):
        self.context = browser.new_context(color_scheme=mode, viewport={"width": width, "height": height}, accept_downloads=True)
        self.page = self.context.new_page()
        self.server, self.mode, self.width = server, mode, width
        self.complaints = []
        self.expected = 0
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.complaints.append(f"leaves the server: {request.url}") if not request.url.startswith((server.url, "blob:", "data:")) else None)

    def go(self, path, wait):
        self.page.goto(f"{self.server.url}/#/{path}")
        expect(self.page.get_by_text(wait).first).to_be_visible(timeout=15000)

    def check(self, name):
        """No serious violation, nothing cut off, and a picture."""
        found = Axe().run(self.page)
        bad = [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:3]) for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert not bad, (name, self.mode, bad)
        too_wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, (name, self.mode, too_wide)
        assert self.page.title() != "taken"
        if SHOTS and name:
            SHOTS.mkdir(parents=True, exist_ok=True)
            width = "phone" if self.width < 500 else "desktop"
            self.page.screenshot(path=SHOTS / f"{name}-{self.mode}-{width}.png")

    def leave(self):
        complaints = [c for c in self.complaints if not ("Failed to load resource" in c and self.expected)]
        assert not complaints, complaints
        self.context.close()


def first_hour(browser, folder, mode, width, height):
    server = Server(folder)
    try:
        person = Person(browser, server, mode, width, height)
        page = person.page
        person.go("", "No version is registered yet")
        person.check(None)
        seed(server)
        person.go("predictions", "Nothing is predicted yet")
        predict(server, 40)

        # Splits the traffic with a slider, after a look at what it would be.
        person.go("models/sentiment", "Requests")
        page.get_by_label("Weight of 2.0.0, in percent").fill("30")
        page.get_by_label("Weight of 1.0.0 as a number").fill("70")
        expect(page.locator(".split").nth(1)).to_have_attribute("aria-label", "Traffic: 1.0.0 70 %, 2.0.0 30 %")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("dialog")).to_contain_text("2.0.0: 0 % → 30 %")
        page.get_by_label("Why").fill("a first look")
        page.get_by_role("dialog").get_by_role("button", name="Apply").click()
        expect(page.locator(".split").first).to_have_attribute("aria-label", "Traffic: 1.0.0 70 %, 2.0.0 30 %", timeout=15000)
        expect(page.get_by_text("a first look")).to_be_visible(timeout=15000)
        person.check("model")
        predict(server, 40, 40)

        # A rollout, watched, and rolled back.
        body = {"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "correct", "guardrails": ["error"],
                "policy": "rollout", "title": f"A better one? {BAD}", "dimensions": ["country"]}
        experiment = server.call("POST", "/experiments", body)["experiment"]
        person.go(f"experiments/{experiment}", "It has not begun")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("dialog").get_by_role("button", name="Start").click()
        expect(page.get_by_role("button", name="Roll back")).to_be_visible(timeout=15000)
        predict(server, 300, 100)
        expect(page.get_by_text("Effect on correct")).to_be_visible(timeout=15000)
        expect(page.locator(".chart canvas").first).to_be_visible(timeout=15000)
        page.locator(".chart summary").first.click()
        expect(page.get_by_role("button", name="Save as CSV").first).to_be_visible()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as CSV").first.click()
        assert saved.value.path().read_text().startswith("time,"), saved.value.path().read_text()[:100]
        page.locator(".chart summary").first.click()
        person.check("experiment")
        # Promoting against the evidence is warned of, and nothing happens when it is cancelled.
        page.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("dialog")).to_contain_text("The evidence does not ask for this")
        person.check("confirmation")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Roll back").click()
        page.get_by_label("Why").fill(f"cold feet {BAD}")
        page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
        expect(page.get_by_text("rolled back", exact=True).first).to_be_visible(timeout=15000)
        assert server.call("GET", f"/experiments/{experiment}")["status"] == "rolled_back"

        # The log, one of it, and all of it as a file.
        server.call("POST", "/predict", {"text": BAD + "x" * 5000, "unit_id": BAD, "name": "sentiment"})
        person.go("predictions", "Newest predictions")
        expect(page.get_by_text("document.title").first).to_be_visible(timeout=15000)
        person.check("predictions")
        page.get_by_text("Filter", exact=True).click()
        page.get_by_label("Unit").fill("user-7")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator("tbody tr")).to_have_count(1, timeout=15000)
        with page.expect_download() as saved:
            page.get_by_role("link", name="csv").click()
        lines = saved.value.path().read_text().splitlines()
        assert len(lines) == 2 and "user-7" in lines[1], lines
        page.get_by_role("link", name="Show").first.click()
        expect(page.get_by_text("Probability of the choice")).to_be_visible(timeout=15000)
        expect(page.locator("table").get_by_text("correct")).to_be_visible()
        person.check("prediction")

        person.go("plan", "How many units an experiment needs")
        page.get_by_label("Baseline: share").fill("0.5")
        page.get_by_label("Smallest effect").fill("0.05")
        page.get_by_role("button", name="Plan", exact=True).click()
        expect(page.locator(".answer")).to_contain_text("units in all", timeout=15000)
        expect(page.locator(".chart canvas").first).to_be_visible()
        person.check("plan")
        person.expected = 1
        page.get_by_label("Chance of a false claim").fill("7")
        page.get_by_role("button", name="Plan", exact=True).click()
        expect(page.locator(".refused").first).to_be_visible(timeout=15000)

        person.go("settings", "Storage and journal")
        person.check("settings")
        person.go("", "What happened to experiments")
        person.check("overview")
        # What nobody has leads back.
        person.go("models/nobody", "That is not there")
        person.check(None)

        # The connection is lost, and comes back.
        person.go("", "Models")
        person.context.set_offline(True)
        expect(page.get_by_role("status").first).to_contain_text("does not answer", timeout=20000)
        person.context.set_offline(False)
        expect(page.get_by_role("status").first).to_contain_text("Ready", timeout=20000)
        person.leave()
    finally:
        server.stop()
    print(f"first hour: {mode}, {width} px")


def by_keyboard(browser, folder):
    """The same with Tab, Enter and the arrows alone: to a model, a weight, a rollback."""
    server = Server(folder)
    try:
        seed(server)
        predict(server, 10)
        person = Person(browser, server, "light", 1280, 900)
        page = person.page
        person.go("", "sentiment")

        def tab_to(wanted, most=80):
            for _ in range(most):
                page.keyboard.press("Tab")
                focused = page.evaluate("(document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '').trim()")
                if focused == wanted:
                    return
            raise AssertionError(f"{wanted} cannot be reached")

        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tab_to("sentiment")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="sentiment", exact=True)).to_be_visible(timeout=15000)
        expect(page.get_by_label("Weight of 2.0.0, in percent")).to_be_visible(timeout=15000)
        tab_to("Weight of 2.0.0, in percent")
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        tab_to("Apply")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("2.0.0: 0 % → 10 %")
        tab_to("Apply")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_hidden(timeout=15000)
        weights = {v["version"]: v["traffic_percent"] for v in server.call("GET", "/traffic/sentiment")["versions"]}
        assert weights == {"1.0.0": 100, "2.0.0": 10}, weights
        body = {"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "error", "policy": "rollout"}
        experiment = server.call("POST", "/experiments", body)["experiment"]
        server.call("POST", f"/experiments/{experiment}/start")
        person.go(f"experiments/{experiment}", "Roll back")
        tab_to("Roll back")
        page.keyboard.press("Enter")
        # Escape leaves everything as it is.
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert server.call("GET", f"/experiments/{experiment}")["status"] == "running"
        tab_to("Roll back")
        page.keyboard.press("Enter")
        tab_to("Roll back")
        page.keyboard.press("Enter")
        expect(page.get_by_text("rolled back", exact=True).first).to_be_visible(timeout=15000)
        person.leave()
    finally:
        server.stop()
    print("by keyboard alone")


def bandit_and_shadow(browser, folder):
    """What a bandit has lost so far, the log as it grows, and what a shadow made of one request."""
    server = Server(folder)
    try:
        seed(server)
        server.weir("models", "register", "--name", "sentiment", "--model-version", "3.0.0", "--runtime", '{"type": "sentiment", "method": "afinn"}')
        three = next(v["model_id"] for v in server.call("GET", "/models") if v["version"] == "3.0.0")
        server.weir("models", "update", three, "--status", "testing")
        server.weir("models", "shadow", three, "100")
        body = {"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "correct", "policy": "bandit"}
        experiment = server.call("POST", "/experiments", body)["experiment"]
        server.call("POST", f"/experiments/{experiment}/start")
        predict(server, 200)
        person = Person(browser, server, "light", 1280, 900)
        page = person.page
        person.go(f"experiments/{experiment}", "Traffic of the arms")
        expect(page.get_by_text("how much more of correct the best arm would have brought so far")).to_be_visible(timeout=20000)
        person.check("bandit")
        person.go("predictions", "Newest predictions")
        server.call("POST", "/predict", {"text": "this one comes now", "name": "sentiment"})
        expect(page.get_by_text("this one comes now")).to_be_visible(timeout=15000)
        expect(page.locator("tbody tr").first).to_contain_text("this one comes now")
        expect(page.locator("tbody tr")).to_have_count(50)
        # More at once than it shows.
        predict(server, 60, 300)
        expect(page.locator("tbody tr").first).to_contain_text("user-359", timeout=15000)
        expect(page.locator("tbody tr")).to_have_count(50)
        page.get_by_role("link", name="Show").first.click()
        expect(page.get_by_text("What other versions made of it")).to_be_visible(timeout=15000)
        person.check("shadows-of-a-prediction")
        # The page of a model with a shadow, and a long title on a small screen.
        person.go("models/sentiment", "Only the shadow right")
        expect(page.get_by_text("Every change")).to_be_visible()
        person.check("model-with-a-shadow")
        server.call("POST", f"/experiments/{experiment}/stop")
        body = {"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "error", "title": "T" * 200}
        long = server.call("POST", "/experiments", body)["experiment"]
        page.set_viewport_size({"width": 390, "height": 844})
        person.go(f"experiments/{long}", "It has not begun")
        person.check(None)
        person.leave()
    finally:
        server.stop()
    print("a bandit and a shadow")


def with_keys(browser, folder):
    """Where keys are needed, a page asks for one; a key that may not see something sees the rest."""
    process = subprocess.Popen([WEIR, "serve", "--data-dir", folder, "--listen", "127.0.0.1:0", "--auth", "required"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url = admin = None
    try:
        # The first start prints the key of its administrator, once.
        while url is None or admin is None:
            line = process.stdout.readline()
            url = url or next(iter(re.findall(r"http://[\d.:]+", line)), None)
            admin = admin or next(iter(re.findall(r"weir_[0-9a-f]{12}_\S+", line)), None)
        made = urllib.request.Request(f"{url}/keys", method="POST", data=b'{"role": "viewer"}',
                                      headers={"content-type": "application/json", "authorization": f"Bearer {admin}"})
        key = json.load(urllib.request.urlopen(made))["key"]

        def call(method, path, body=None):
            data = None if body is None else json.dumps(body).encode()
            headers = {"content-type": "application/json", "authorization": f"Bearer {admin}"}
            return json.load(urllib.request.urlopen(urllib.request.Request(url + path, method=method, data=data, headers=headers)))
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        page.get_by_label("This server needs a key").fill("weir_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert").first).to_be_visible(timeout=15000)
        page.get_by_label("This server needs a key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("No version is registered yet")).to_be_visible(timeout=15000)
        page.goto(f"{url}/#/predictions")
        expect(page.get_by_text("This key does not show")).to_be_visible(timeout=15000)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("This server needs a key")).to_be_visible(timeout=15000)

        # A key for some models sees their pages whole, and asks for what it may not have once at most.
        for version, method in (("1.0.0", "vader"), ("2.0.0", "afinn")):
            made = call("POST", "/models", {"name": "sentiment", "version": version, "accuracy": 0.5, "runtime": {"type": "sentiment", "method": method}})
            call("POST", f"/models/{made['model_id']}/activate", {"traffic_percent": 50})
        experiment = call("POST", "/experiments", {"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "error"})["experiment"]
        call("POST", f"/experiments/{experiment}/start")
        key = call("POST", "/keys", {"role": "viewer", "models": ["sentiment"]})["key"]
        refused = []
        page.on("response", lambda reply: refused.append(reply.url) if reply.status == 403 else None)
        page.get_by_label("This server needs a key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        for path, wait in (("", "Models"), ("models/sentiment", "Traffic"), (f"experiments/{experiment}", "Metrics"), ("plan", "How many units"), ("settings", "Storage and journal")):
            page.goto(f"{url}/#/{path}")
            expect(page.get_by_role("heading", name=wait).or_(page.get_by_text(wait)).first).to_be_visible(timeout=15000)
            page.wait_for_timeout(6000)
        assert max(refused.count(asked) for asked in refused) <= 2 if refused else True, refused
        context.close()
    finally:
        process.terminate()
        process.wait()
    print("with keys")


def weight_of_pages(server_url):
    """Every page is under 300 kB, and its policy lets nothing else in."""
    def read(path):
        with urllib.request.urlopen(urllib.request.Request(server_url + path, headers={"accept": "text/html"})) as reply:
            return reply.read(), reply.headers
    page, headers = read("/")
    policy = headers["content-security-policy"]
    assert "unsafe-inline" not in policy and "default-src 'none'" in policy, policy
    scripts = [name for name in re.findall(r'/assets/([\w.]+)', page.decode())]
    seen, bytes_ = set(), len(page)
    while scripts:
        name = scripts.pop()
        if name in seen:
            continue
        seen.add(name)
        text = read(f"/assets/{name}")[0]
        bytes_ += len(text)
        scripts += re.findall(r'from "\./([\w.]+)"', text.decode())
    assert bytes_ < 300_000, bytes_
    print(f"a page weighs {bytes_ // 1000} kB in {len(seen) + 1} files")


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for mode, width, height in [("light", 1280, 900), ("dark", 1280, 900), ("light", 390, 844), ("dark", 390, 844)]:
            with tempfile.TemporaryDirectory() as folder:
                first_hour(browser, folder, mode, width, height)
        with tempfile.TemporaryDirectory() as folder:
            by_keyboard(browser, folder)
        with tempfile.TemporaryDirectory() as folder:
            bandit_and_shadow(browser, folder)
        with tempfile.TemporaryDirectory() as folder:
            with_keys(browser, folder)
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder)
            try:
                weight_of_pages(server.url)
            finally:
                server.stop()
        browser.close()


began = time.monotonic()
main()
print(f"in {time.monotonic() - began:.0f} s")
