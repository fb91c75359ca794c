#!/usr/bin/env python3
"""All orders or payments of a span of time, with Python's standard library alone (3.9 or newer).

TILLROLL_URL=... TILLROLL_MERCHANT=... TILLROLL_TOKEN=... \
    python3 export.py ORDERS 2026-01-01 2026-03-01 out/
"""
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

DAY = 86_400_000
RANGE = 30 * DAY  # the most that one export may cover
CREATE_LIMIT = 24 * 3600  # a closed service opens again within a day
EXPORT_LIMIT = 2 * 3600  # for one export to be made and downloaded
TRIES = 6  # for all that may pass but 503, which only says: not now
MEMBERS = {"ORDERS": "total", "PAYMENTS": "amount"}


class Answers(urllib.request.HTTPErrorProcessor):
    """Returns every status, raises none. So no redirect is followed: the token would go along."""

    def http_response(self, request, response):
        return response

    https_response = http_response


opener = urllib.request.build_opener(Answers)


def midnight(text):
    """Milliseconds since 1970, UTC; -1 if it is not a date."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        return -1
    return int(day.timestamp()) * 1000 if len(text) == 10 else -1


def date(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%d")


def retry_after(value):
    """Retry-After is seconds or a date. Returns seconds, 0 when it says nothing of use."""
    if re.fullmatch(r"[0-9]+", value):
        return int(value)
    try:
        return max(0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0


def request(url, deadline, headers=None, data=None):
    """The body of a good answer. What may pass is asked again, after growing pauses."""
    asked = failed = 0
    while True:
        status, wait = 0, 0
        try:
            with opener.open(urllib.request.Request(url, data, headers or {}), timeout=60) as answer:
                body = answer.read()
                status, wait = answer.status, retry_after(answer.headers.get("Retry-After", ""))
        except (OSError, http.client.HTTPException) as error:
            body = str(error).encode()
        if 200 <= status < 300:
            return body
        failed += status != 503
        # Without its query: that of a file is its key, and belongs in no log.
        trouble = f"{url.split('?')[0]}: {status or 'no answer'} {body[:300].decode(errors='replace')}"
        pause = max(wait, min(2**asked, 60))
        is_transient = status == 0 or status == 429 or status >= 500
        if not is_transient or failed == TRIES or time.time() + pause > deadline:
            raise RuntimeError(trouble)
        print(f"{trouble}; again in {pause:.0f} s", file=sys.stderr)
        time.sleep(pause)
        asked += 1


def export_range(base, merchant, token, kind, start, end, out, sums):
    exports = f"{base}/v3/merchants/{urllib.parse.quote(merchant, safe='')}/exports"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    # Were the answer lost, asking again makes a second export of the same range: a waste, no fault.
    wanted = json.dumps({"type": kind, "startTime": start, "endTime": end}).encode()
    made = json.loads(request(exports, time.time() + CREATE_LIMIT, headers, wanted))
    deadline, pause = time.time() + EXPORT_LIMIT, 0.25
    while made["status"] in ("PENDING", "IN_PROGRESS"):
        if time.time() > deadline:
            raise RuntimeError(f"export {made['id']} is still {made['status']}")
        time.sleep(pause)
        pause = min(pause * 1.5, 5)
        own = f"{exports}/{urllib.parse.quote(made['id'], safe='')}"
        made = json.loads(request(own, deadline, headers))
    if made["status"] != "DONE":
        reason = made.get("failure", {}).get("message", "no reason")
        raise RuntimeError(f"export {made['id']} is {made['status']}: {reason}")
    urls = [element["url"] for element in made.get("exportUrls", {}).get("elements", [])]
    files = made.get("files", {}).get("elements")  # Tillroll's alone
    if files is not None and len(files) != len(urls):
        raise RuntimeError(f"export {made['id']} lacks files")

    objects = 0
    for position, url in enumerate(urls):
        name = os.path.join(out, f"{kind.lower()}-{start}-{position}.json")
        # Nothing but http(s), and never from https down to http.
        is_safe = url.startswith("http://") and base.startswith("http://")
        if not is_safe and not url.startswith("https://"):
            raise RuntimeError(f"{name}: its address is not safe: {url.split('?')[0]}")
        body = request(url, deadline)  # no token: the URL is its own key
        elements = json.loads(body).get("elements")
        found = {"objects": len(elements or []), "sha256": hashlib.sha256(body).hexdigest()}
        expected = files[position] if files else found
        if elements is None or any(found[key] != expected[key] for key in found):
            raise RuntimeError(f"{name}: not the file of the manifest")
        for sale in elements:
            # A payment that failed or was voided brought no money.
            if kind == "ORDERS" or sale.get("result") == "SUCCESS":
                sums[sale.get("currency") or "?"] += sale.get(MEMBERS[kind]) or 0
        with open(name + ".part", "wb") as part:
            part.write(body)
        os.replace(name + ".part", name)  # what has the name is whole
        objects += len(elements)
    print(f"{kind} {date(start)} to {date(end)}: {objects} objects, {len(urls)} files", flush=True)
    return objects


def main():
    base = os.environ.get("TILLROLL_URL", "").rstrip("/")
    merchant = os.environ.get("TILLROLL_MERCHANT", "")
    token = os.environ.get("TILLROLL_TOKEN", "")
    kind, first, last, out, *more = sys.argv[1:] + [""] * 4
    start, stop = midnight(first), midnight(last)
    problem = None
    if not re.fullmatch(r"https?://\S+", base):
        problem = "TILLROLL_URL must be an http(s) address"
    elif not merchant:
        problem = "TILLROLL_MERCHANT must be set"
    elif not re.fullmatch(r"[!-~]+", token):
        problem = "TILLROLL_TOKEN must be set, without blanks"
    elif not out or any(more):
        problem = "four arguments are needed"
    elif kind not in MEMBERS:
        problem = "TYPE must be ORDERS or PAYMENTS"
    elif not 0 <= start < stop:
        problem = "FROM and TO must be dates such as 2026-01-01, FROM before TO"
    if problem:
        print(f"{problem} (usage: export.py TYPE FROM TO OUT)", file=sys.stderr)
        sys.exit(2)

    sums, count = Counter(), 0
    try:
        os.makedirs(out, exist_ok=True)
        # Cells of 30 days since 1970: another run, or of a longer span, asks for the same ranges.
        while start < stop:
            end = min((start // RANGE + 1) * RANGE, stop)
            count += export_range(base, merchant, token, kind, start, end, out, sums)
            start = end
    except json.JSONDecodeError as error:
        sys.exit(f"export.py: an answer is not JSON: {error.doc[:100]!r}")
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"export.py: {error}")  # prints it and ends with 1
    print(f"{count} objects")
    for currency in sorted(sums):
        print(f"sum of {MEMBERS[kind]}: {sums[currency]} {currency}")


if __name__ == "__main__":
    main()
