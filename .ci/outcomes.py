"""Evidence of outcomes by unit against a recount of what was sent, after kills of the server.

A shop: predictions beside the path, purchases of users from another system, before and after. Purchases come late,
twice, early and out of order; what is not acknowledged is sent again. Then the sums in the database are compared with a
recount here: counts exactly, sums to 1e-9.

Usage: outcomes.py WEIR [USERS [KILLS]], with the path of the program.
"""
import atexit
import datetime
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
import urllib.request

SECOND = 1_000_000
WINDOW = 20 * SECOND
METRICS = {
    "revenue": {"kind": "continuous", "lower_bound": 0},
    "bought": {"kind": "binary"},
    "visits": {"kind": "count", "combine": "count"},
    "rating": {"kind": "continuous", "combine": "last", "missing": "excluded"},
    "largest": {"kind": "continuous", "combine": "max", "missing": "excluded"},
}
DIMENSION = "country"


class Server:
    def __init__(self, program, directory, *flags):
        self.program, self.directory, self.flags = program, directory, flags
        self.start()

    def start(self):
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.directory]
        command += self.flags
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        self.address = self.process.stdout.readline().strip()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)


def text(micros):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    return moment.isoformat(timespec="microseconds") + "Z"


def prepare(server):
    for version in ("1.0.0", "2.0.0"):
        body = {"name": "shop", "version": version, "accuracy": 0.5, "runtime": {"type": "sentiment", "method": "vader"}}
        model_id = server.call("POST", "/models", body)["model_id"]
        percent = 100 if version == "1.0.0" else 0
        server.call("POST", f"/models/{model_id}/activate", {"traffic_percent": percent})
    for metric, body in METRICS.items():
        body = {**body, "per": "unit", "window_seconds": WINDOW // SECOND}
        server.call("PUT", f"/metrics/shop/{metric}", body)
    names = list(METRICS)
    experiment = server.call("POST", "/experiments", {
        "name": "shop", "control": "1.0.0", "candidates": ["2.0.0"], "weights": {"1.0.0": 50, "2.0.0": 50},
        "primary_metric": names[0], "secondary_metrics": names[1:], "dimensions": [DIMENSION],
    })["experiment"]
    server.call("POST", f"/experiments/{experiment}/start")
    return experiment


def value(chance, metric):
    if metric == "bought":
        return chance.choice([0, 1])
    if metric == "visits":
        return chance.randrange(5)
    return chance.choice([0.1, 3, chance.uniform(0, 100), chance.uniform(0, 1e6)])


def world(server, chance, users, now):
    """Who came when, to which version, and what everybody did: events in the order in which they are told."""
    units, events = {}, []
    for number in range(users):
        unit = f"user {number}"
        country = chance.choice(["DE", "FR", "IT"])
        decision = server.call("POST", "/decide", {"name": "shop", "unit_id": unit, "attributes": {DIMENSION: country}})
        # A token is of this hour, so nobody came long ago.
        came = now - chance.randrange(3 * WINDOW, 10 * WINDOW)
        told = chance.random()
        units[unit] = (came, decision["model_version"], country)
        for visit in range(chance.randrange(1, 20)):
            at = came if visit == 0 else came + chance.randrange(1, WINDOW)
            line = {"token": decision["token"], "request_id": f"{number}/{visit}", "prediction": "x", "at": text(at)}
            # What is known of a user later changes nothing.
            line["attributes"] = {DIMENSION: country if visit == 0 else "elsewhere"}
            events.append((told + visit * 1e-6, "/predictions", line, None))
        for outcome in range(chance.randrange(8)):
            metric = chance.choice(list(METRICS))
            at = came + chance.choice([-1, 0, 1, WINDOW, WINDOW + 1, chance.randrange(-WINDOW, 2 * WINDOW)])
            line = {"unit_id": unit, "metric": metric, "value": value(chance, metric), "at": text(at)}
            line["outcome_id"] = f"order {number}/{outcome}"
            # Early, late, and sometimes twice.
            for _ in range(chance.choice([1, 1, 2])):
                when = told + chance.uniform(-0.5, 1)
                told_of = (line["outcome_id"], unit, metric, at, line["value"])
                events.append((when, "/feedback", line, told_of))
    events.sort(key=lambda event: event[0])
    return units, events


def send(server, chance, events, kills):
    """Sends all of it, in batches, and kills the server now and then; says in which order outcomes came."""
    batches, came = [], []
    for _, path, line, outcome in events:
        if not batches or batches[-1][0] != path or len(batches[-1][1]) > chance.randrange(20, 400):
            batches.append((path, [], []))
        batches[-1][1].append(line)
        batches[-1][2].append(outcome)
    killed = set(chance.sample(range(len(batches)), min(kills, len(batches))))
    for number, (path, lines, outcomes) in enumerate(batches):
        if number in killed:
            # Its answer is lost, so it is sent again.
            try:
                server.call("POST", path, lines)
            except (urllib.error.URLError, OSError):
                pass
            server.kill()
        reply = server.call("POST", path, lines)
        if reply.get("errors"):
            sys.exit(f"{path}: {reply['errors'][:2]}")
        came += [outcome for outcome in outcomes if outcome is not None]
    return came


def recount(units, came):
    """The sums of each metric, version and country: units, values, their sum and the sum of their squares."""
    of_unit, sums = {}, {}
    for _, unit, metric, at, amount in dict.fromkeys(came):
        exposed = units[unit][0]
        if exposed < at <= exposed + WINDOW:
            of_unit.setdefault((unit, metric), []).append((at, amount))
    for unit, (_, version, country) in units.items():
        for metric, declared in METRICS.items():
            outcomes = of_unit.get((unit, metric), [])
            amounts = [amount for _, amount in outcomes]
            if not amounts and declared.get("missing") == "excluded":
                continue
            combined = {
                "revenue": math.fsum,
                "bought": any,
                "visits": len,
                "rating": lambda _: max(enumerate(outcomes), key=lambda one: (one[1][0], one[0]))[1][1],
                "largest": max,
            }[metric]
            worth = float(combined(amounts)) if amounts else 0.0
            for segment in (None, country):
                sums.setdefault((metric, version, segment), []).append((worth, bool(amounts)))
    return {
        cell: (len(all_of), sum(given for _, given in all_of), math.fsum(w for w, _ in all_of), math.fsum(w * w for w, _ in all_of))
        for cell, all_of in sums.items()
    }


def stored(directory):
    database = sqlite3.connect(pathlib.Path(directory) / "weir.db")
    versions = dict(database.execute("SELECT version_key, version FROM versions"))
    places = dict(database.execute("SELECT place, value FROM experiment_segments"))
    found = {}
    rows = database.execute(
        "SELECT metric, version_key, sum(units), sum(value_count), sum(sum), sum(sum_squares) "
        "FROM evidence WHERE start = -1 AND metric >= 0 GROUP BY metric, version_key"
    )
    for place, version, *sums in rows:
        segment, metric = divmod(place, 1000)
        if metric < len(METRICS):
            value_of = places.get(segment - 1) if segment else None
            found[list(METRICS)[metric], versions[version], value_of] = tuple(sums)
    return found


def main():
    program, *numbers = sys.argv[1:]
    users, kills = [int(number) for number in numbers + ["400", "5"][len(numbers):]]
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as directory:
        server = Server(program, directory)
        prepare(server)
        units, events = world(server, chance, users, time.time_ns() // 1000)
        came = send(server, chance, events, kills)
        server.stop()
        if subprocess.run([program, "verify", "--data-dir", directory], capture_output=True).returncode != 0:
            return "the log does not verify"
        counted, kept = recount(units, came), stored(directory)
        for cell in counted.keys() | kept.keys():
            mine, theirs = counted.get(cell), kept.get(cell)
            near = mine and theirs and mine[:2] == theirs[:2]
            if not near or not all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(mine[2:], theirs[2:])):
                return f"{cell}: the recount gives {mine}, stored are {theirs}"
        predictions = sum(path == "/predictions" for _, path, _, _ in events)
        print(f"{len(counted)} sums agree: {predictions} predictions of {users} users, {len(came)} outcomes, {kills} kills")
    return None


if __name__ == "__main__":
    sys.exit(main())
