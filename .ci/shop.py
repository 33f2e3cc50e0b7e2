"""A shop: what the server says of two versions, against an analysis of the same users here.

Users come to one of two versions, with their country and what they spent last month; what they buy is told later by
another system that knows the user alone. Once the predictions are made by the server (`/predict`), and once elsewhere, by
a version that was asked for (`/decide`) and told afterwards (`/predictions`). Then the difference adjusted by last month's
spend (CUPED), its test for one look, the always-valid evidence and the verdict are worked out here, from the users alone;
only the scale of each epoch, which the server fixed beforehand, is taken from it.

Usage: shop.py WEIR, with the path of the program.
"""
import json
import math
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error

from outcomes import Server

USERS, BEFORE = 3000, 1500
# Seconds that a purchase may take: it is told in time, and the window has passed soon.
WINDOW = 4
COUNTRIES = ["DE", "AT", "FR"]
SIZES = [2.0**power for power in range(-6, 7)]
COINS = [1, 2, 3, 5, 8, 11, 12, 11, 8, 5, 3, 2, 1]
ALPHA, PLANNED = 0.05, 5000.0


def prepare(server, caps):
    for version in ("1.0.0", "2.0.0"):
        body = {"name": "shop", "version": version, "accuracy": 0.5, "runtime": {"type": "sentiment", "method": "vader"}}
        model_id = server.call("POST", "/models", body)["model_id"]
        server.call("POST", f"/models/{model_id}/activate", {"traffic_percent": 100 if version == "1.0.0" else 0})
    metric = {"kind": "continuous", "per": "unit", "window_seconds": WINDOW, "lower_bound": 0, **caps}
    metric["covariate"] = {"attribute": "spent_last_month"}
    server.call("PUT", "/metrics/shop/revenue", metric)


def start(server):
    experiment = server.call("POST", "/experiments", {
        "name": "shop", "control": "1.0.0", "candidates": ["2.0.0"], "weights": {"1.0.0": 50, "2.0.0": 50},
        "primary_metric": "revenue", "dimensions": ["country"], "alpha": ALPHA,
    })["experiment"]
    server.call("POST", f"/experiments/{experiment}/start")
    return experiment


def user(chance, number):
    """Who they are. A few say nothing of last month."""
    attributes = {"country": chance.choice(COUNTRIES)}
    spent = max(0.0, chance.gauss(60, 25))
    if chance.random() < 0.95:
        attributes["spent_last_month"] = round(spent, 2)
    return {"unit_id": f"user {number}", "attributes": attributes}, spent


def purchases(chance, spent, version):
    """What they spend after that: about as much as last month, and more with the second version; in up to three orders."""
    more = 6 if version == "2.0.0" else 0
    total = max(0.0, 0.9 * spent + chance.gauss(5 + more, 20))
    return [round(total / orders, 2) for orders in [chance.choice([1, 2, 3])] for _ in range(orders)]


def asked(server, users):
    """Has the server predict for users; gives which version each met."""
    replies = server.call("POST", "/predict", [{"text": "good day", **who} for who, _ in users])
    return [reply["model_version"] for reply in replies]


def tell(server, users, decisions):
    """Tells of predictions that were made elsewhere, by the versions that were asked for."""
    lines = []
    for (who, _), decision in zip(users, decisions):
        line = {"token": decision["token"], "request_id": f"visit of {who['unit_id']}", "prediction": "x"}
        lines.append({**line, "attributes": who["attributes"]})
    send(server, "/predictions", lines)


def send(server, path, lines):
    reply = server.call("POST", path, lines)
    if reply["errors"]:
        sys.exit(f"{path}: {reply['errors'][:2]}")


def buy(server, chance, users, met):
    """Tells what users bought, in no order; gives what each spent."""
    lines, spent_by = [], []
    for (who, spent), version in zip(users, met):
        amounts = purchases(chance, spent, version)
        spent_by.append(math.fsum(amounts))
        for order, amount in enumerate(amounts):
            line = {"name": "shop", "unit_id": who["unit_id"], "metric": "revenue", "value": amount}
            lines.append({**line, "outcome_id": f"{who['unit_id']}/{order}"})
    chance.shuffle(lines)
    send(server, "/feedback", lines)
    return spent_by


def chunks(users, size=100):
    return [users[first : first + size] for first in range(0, len(users), size)]


def results(server, experiment, units):
    """What the server says, once all units have matured."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = server.call("GET", f"/experiments/{experiment}/results")
        if sum(arm["units"] for arm in found["metrics"][0]["arms"]) == units:
            return found
    sys.exit(f"of {units} units only these have matured: {found['metrics'][0]['arms']}")


def mean(values):
    return math.fsum(values) / len(values)


def moment(values, power):
    centre = mean(values)
    return math.fsum((value - centre) ** power for value in values) / len(values)


def covariance(xs, ys):
    x, y = mean(xs), mean(ys)
    return math.fsum((a - x) * (b - y) for a, b in zip(xs, ys)) / len(xs)


def adjusted(arms, xs):
    """Values of both arms, from which what goes with the covariate is taken: one slope for both."""
    all_x, all_y = xs[0] + xs[1], arms[0] + arms[1]
    varies = moment(all_x, 2)
    theta = covariance(all_x, all_y) / varies if varies > 1e-12 else 0.0
    centre = mean(all_x)
    return [[y - theta * (x - centre) for x, y in zip(of_x, of_y)] for of_x, of_y in zip(xs, arms)]


def squared_error(arms):
    return sum(moment(arm, 2) / (len(arm) - 1) for arm in arms)


def one_look(spent, covariates):
    """The difference of adjusted means and its standard error: who says nothing of last month has spent the mean then."""
    known = [x for arm in covariates for x in arm if x is not None]
    filled = [[mean(known) if x is None else x for x in arm] for arm in covariates]
    control, candidate = adjusted(spent, filled)
    return mean(candidate) - mean(control), math.sqrt(squared_error([control, candidate]))


def centre_of(scale, x):
    line = scale.get("line")
    if line is None or x is None:
        return scale["centre"]
    apart = min(max(x, line["low"]), line["high"]) - line["mean"]
    return min(max(scale["centre"] + line["slope"] * apart, 0.0), 1.0)


def bets(g, centre, candidate, share, more):
    """ln of what each of 13 bets wins on a unit that one arm is worth more (or less) than the other."""
    won = (g - centre if more else centre - g) * (1 - share if candidate else -share)
    if more:
        lost = max((1 - share) * centre, share * (1 - centre))
    else:
        lost = max((1 - share) * (1 - centre), share * centre)
    return [math.log1p(size / (1 + size * lost) * won) for size in SIZES]


def ln_e(spent, covariates, scale, share):
    """ln of the always-valid evidence that the arms differ, and the difference that it is about."""
    width = scale["cap"] - scale["floor"]
    arms = [[(min(max(y, scale["floor"]), scale["cap"]) - scale["floor"]) / width for y in arm] for arm in spent]
    centres = [[centre_of(scale, x) for x in arm] for arm in covariates]
    total = 0.0
    for more in (True, False):
        logs = [0.0] * len(SIZES)
        for arm, (numbers, around) in enumerate(zip(arms, centres)):
            for g, centre in zip(numbers, around):
                logs = [log + by for log, by in zip(logs, bets(g, centre, arm == 1, share, more))]
        total += 0.25 * sum(coins * math.exp(log) for coins, log in zip(COINS, logs)) / 72
    control, candidate = adjusted(arms, centres)
    difference = mean(candidate) - mean(control)
    smaller = min(len(control), len(candidate))
    skewed = max(moment(arm, 3) ** 2 / moment(arm, 2) ** 3 for arm in (control, candidate))
    if smaller < max(100, 50 * skewed):
        sys.exit("the shop is too small for the asymptotic half")
    units = len(control) + len(candidate)
    a = -2 * math.log(ALPHA)
    rho_squared = (a + math.log(a + 1)) / PLANNED
    v = units * rho_squared + 1
    squared_sum = difference**2 * units / squared_error([control, candidate])
    total += 0.5 * math.exp(rho_squared * squared_sum / (2 * v) - 0.5 * math.log(v))
    return math.log(total), difference * width


def near(what, mine, theirs, within=1e-9):
    if not math.isclose(mine, theirs, rel_tol=within, abs_tol=within):
        sys.exit(f"{what}: here {mine}, the server says {theirs}")


def compare(found, directory, users, met, spent_by):
    """The server's results against those of the same users here."""
    database = sqlite3.connect(pathlib.Path(directory) / "weir.db")
    epochs = database.execute("SELECT shares, scales FROM experiment_epochs").fetchall()
    if len(epochs) != 1:
        sys.exit(f"{len(epochs)} epochs")
    (_, share), (scale, *_) = (json.loads(part) for part in epochs[0])
    arms = ("1.0.0", "2.0.0")

    def by_arm(values, country=None):
        of = zip(users, met, values)
        of = [(version, value) for (who, _), version, value in of if country in (None, who["attributes"]["country"])]
        return [[value for version, value in of if version == arm] for arm in arms]

    spent = by_arm(spent_by)
    covariates = by_arm([who["attributes"].get("spent_last_month") for who, _ in users])
    metric = found["metrics"][0]
    comparison = metric["comparisons"][0]
    for arm, told in zip(spent, metric["arms"]):
        near("the mean of an arm", mean(arm), told["mean"])
    known = sum(x is not None for arm in covariates for x in arm)
    if (comparison["covariate"]["units"], comparison["covariate"]["of"]) != (known, len(users)):
        sys.exit(f"units with a covariate: here {known} of {len(users)}, the server says {comparison['covariate']}")
    difference, error = one_look(spent, covariates)
    interval = comparison["fixed_horizon"]["interval"]
    near("the adjusted difference", difference, (interval["lower"] + interval["upper"]) / 2)
    near("its test", difference / error, comparison["fixed_horizon"]["statistic"])
    evidence, shown = ln_e(spent, covariates, scale, share)
    near("the difference", shown, comparison["difference"])
    near("ln E", evidence, comparison["sequential"]["ln_e"], 1e-6)
    verdict = "keep_going"
    if evidence >= -math.log(ALPHA):
        verdict = "winner" if shown > 0 else "control_better"
    if verdict != found["verdict"]:
        sys.exit(f"the verdict: here {verdict}, the server says {found['verdict']}: {found['summary']}")
    for segment in found["segments"]:
        of_segment = by_arm(spent_by, segment["value"])
        for arm, told, units in zip(of_segment, segment["metrics"][0]["means"], segment["metrics"][0]["units"]):
            near(f"the mean in {segment['value']}", mean(arm), told)
            near(f"the units in {segment['value']}", len(arm), units)
    if len(found["segments"]) != len(COUNTRIES):
        sys.exit(f"segments: {found['segments']}")
    return found["summary"]


def plan(server, users, spent_by):
    """Waits until the log tells of all users, and compares what it says of the covariate."""
    until = time.monotonic() + 60
    told = {}
    while told.get("units") != len(users):
        if time.monotonic() > until:
            sys.exit(f"the log of {len(users)} users tells {told}")
        try:
            told = server.call("POST", "/plan", {"name": "shop", "metric": "revenue", "effect": 3})["from_log"]
        except urllib.error.HTTPError as refused:
            told = {"refused": refused.read()}
    xs = [who["attributes"].get("spent_last_month") for who, _ in users]
    known = [x for x in xs if x is not None]
    near("units with a covariate", len(known), told["covariate_units"])
    xs = [mean(known) if x is None else x for x in xs]
    correlation = covariance(xs, spent_by) / math.sqrt(moment(xs, 2) * moment(spent_by, 2))
    near("the correlation of the covariate", correlation, told["covariate_correlation"])


def in_the_path(program):
    """Predictions in the server; the log from before tells the scale, and where a user is by what they spent last month."""
    chance = random.Random(11)
    with tempfile.TemporaryDirectory() as directory:
        server = Server(program, directory, "--tick-ms", "60000")
        prepare(server, {})

        def visit(users):
            met, spent_by = [], []
            for part in chunks(users):
                met += asked(server, part)
                spent_by += buy(server, chance, part, met[-len(part) :])
            return met, spent_by

        before = [user(chance, f"before {number}") for number in range(BEFORE)]
        _, spent_by = visit(before)
        plan(server, before, spent_by)
        # A plan looks a second ahead, a start does not.
        time.sleep(1.1)
        experiment = start(server)
        users = [user(chance, number) for number in range(USERS)]
        met, spent_by = visit(users)
        found = results(server, experiment, USERS)
        summary = compare(found, directory, users, met, spent_by)
        command = [program, "experiment", "results", "shop", "--url", server.address]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for words in ["revenue *", *[f"revenue, country {country}" for country in COUNTRIES]]:
            if words not in said:
                sys.exit(f"the command line does not say {words!r}: {said}")
        server.stop()
    return summary


def beside_the_path(program):
    """Versions are asked for, and the predictions told afterwards; nothing tells a line for the covariate beforehand."""
    chance = random.Random(13)
    with tempfile.TemporaryDirectory() as directory:
        server = Server(program, directory, "--tick-ms", "60000")
        prepare(server, {"floor": 0, "cap": 200})
        experiment = start(server)
        users = [user(chance, number) for number in range(USERS)]
        decisions = [server.call("POST", "/decide", {"name": "shop", **who}) for who, _ in users]
        met, spent_by = [], []
        for part, decided in zip(chunks(users), chunks(decisions)):
            tell(server, part, decided)
            met += [decision["model_version"] for decision in decided]
            spent_by += buy(server, chance, part, met[-len(part) :])
        found = results(server, experiment, USERS)
        summary = compare(found, directory, users, met, spent_by)
        server.stop()
    return summary


def main():
    [program] = sys.argv[1:]
    print("in the path:", in_the_path(program))
    print("beside the path:", beside_the_path(program))


if __name__ == "__main__":
    main()
