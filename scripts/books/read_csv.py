"""Reads a directory of CSV as `expected.ts` describes it. Arguments: directory, zone of its months, PLACES as JSON."""
import csv
import glob
import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

directory, zone, places = sys.argv[1], ZoneInfo(sys.argv[2]), json.loads(sys.argv[3])
csv.field_size_limit(1 << 30)


def rows(table):
    for path in sorted(glob.glob(f"{directory}/{table}/*.csv")):
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file, strict=True)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def clocks(text, place):
    return instant(text).astimezone(place).replace(tzinfo=None)


def amount(text):
    return int(text) if text else 0


months = defaultdict(lambda: {"objects": 0, "amount": 0, "refundAmount": 0})
days = defaultdict(lambda: {"objects": 0, "amount": 0})
kinds = {}

for table, kind, column in [("orders", "ORDERS", "total"), ("payments", "PAYMENTS", "amount")]:
    for row in rows(table):
        if kind == "PAYMENTS" and row["result"] != "SUCCESS":
            continue
        currency = row["currency"] or "-"
        key = f"{kind} {clocks(row['created_time'], zone):%Y-%m} {currency}"
        kinds[kind, row["id"]] = key
        months[key]["objects"] += 1
        months[key]["amount"] += amount(row[column])
        for place in places if kind == "PAYMENTS" else []:
            time = clocks(row["created_time"], ZoneInfo(place["zone"]))
            day = time - timedelta(hours=place["closingHour"])
            sums = days[f"{place['zone']} {day:%Y-%m-%d} {currency}"]
            sums["objects"] += 1
            sums["amount"] += amount(row[column])

for table, kind, column in [
    ("order_refunds", "ORDERS", "order_id"),
    ("payment_refunds", "PAYMENTS", "payment_id"),
]:
    for row in rows(table):
        key = kinds.get((kind, row[column]))
        if key:
            months[key]["refundAmount"] += amount(row["amount"])


def texts(sums):
    return {key: {name: str(value) for name, value in each.items()} for key, each in sums.items()}


print(json.dumps({"months": texts(months), "days": texts(days)}))
