#!/usr/bin/env bash
# All orders or payments of a span of time, with curl (7.55 or newer) and jq (1.6 or newer).
#   TILLROLL_URL=... TILLROLL_MERCHANT=... TILLROLL_TOKEN=... \
#     ./export.sh ORDERS 2026-01-01 2026-03-01 out/
set -euo pipefail
export LC_ALL=C # the names of days and months in HTTP dates

RANGE=$((30 * 86400000)) # the most that one export may cover, in milliseconds
CREATE_LIMIT=86400       # seconds: a closed service opens again within a day
EXPORT_LIMIT=7200        # for one export to be made and downloaded
TRIES=6                  # for all that may pass but 503, which only says: not now

usage() { echo "$1 (usage: export.sh TYPE FROM TO OUT)" >&2 && exit 2; }
fail() { echo "export.sh: $1" >&2 && exit 1; }
# jq, because `date` differs between systems. The way back catches 30 February.
midnight() {
  jq -rn --arg day "$1" '(try ($day + "T00:00:00Z" | fromdate) catch -1) as $time
    | if $time >= 0 and ($time | todate[:10]) == $day then $time * 1000 else -1 end'
}
date_of() { jq -rn --argjson ms "$1" '$ms / 1000 | todate[:10]'; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-64; }

# Seconds that the last answer asks for: its Retry-After is seconds or a date; 0 if of no use.
retry_after() {
  jq -Rrs '[scan("(?i)\nretry-after:[ \t]*([^\r\n]*)")[0]] | last // ""
    | if test("^[0-9]+$") then tonumber
      else try (strptime("%a, %d %b %Y %H:%M:%S GMT") | mktime - now | ceil) catch 0 end
    | if . > 1000000000 then 1000000000 elif . < 0 then 0 else . end' "$tmp/headers"
}

# request OUTPUT DEADLINE URL [CURL OPTIONS]: saves the body of a good answer. What may pass is asked
# again, after growing pauses. curl follows no redirect unless told to: the token would go along.
request() {
  local output=$1 deadline=$2 url=$3 asked=0 failed=0 status problem pause wait
  shift 3
  while true; do
    : >"$output"
    : >"$tmp/headers"
    status=$(curl --silent --show-error --globoff --proto '=http,https' --max-time 300 --compressed \
      --dump-header "$tmp/headers" --output "$output" --write-out '%{http_code}' "$@" --url "$url" \
      2>"$tmp/problem") || { status=000 && cp "$tmp/problem" "$output"; }
    [[ $status != 2?? ]] || return 0
    [[ $status == 503 ]] || failed=$((failed + 1))
    wait=$(retry_after)
    pause=$((asked < 6 ? 1 << asked : 60))
    [[ $wait -le $pause ]] || pause=$wait
    # Without its query: that of a file is its key, and belongs in no log.
    problem="${url%%\?*}: $status $(head -c 300 "$output")"
    [[ $status == 000 || $status == 429 || $status == 5?? ]] || fail "$problem"
    [[ $failed -lt $TRIES && $((SECONDS + pause)) -le $deadline ]] || fail "$problem"
    echo "$problem; again in $pause s" >&2
    sleep "$pause"
    asked=$((asked + 1))
  done
}

export_range() {
  local start=$1 end=$2 deadline id status pause=250 position=0 objects=0 found url name made=$tmp/export
  # Were the answer lost, asking again makes a second export of the same range: a waste, no fault.
  request "$made" $((SECONDS + CREATE_LIMIT)) "$exports" --header "@$tmp/token" \
    --header 'Content-Type: application/json' \
    --data "{\"type\":\"$type\",\"startTime\":$start,\"endTime\":$end}"
  id=$(jq -er '.id | strings | @uri' "$made" 2>"$tmp/problem") || fail 'the answer is not an export'
  deadline=$((SECONDS + EXPORT_LIMIT))
  while status=$(jq -er .status "$made") && [[ $status == PENDING || $status == IN_PROGRESS ]]; do
    [[ $SECONDS -le $deadline ]] || fail "export $id is still $status"
    sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
    pause=$((pause < 3333 ? pause * 3 / 2 : 5000))
    request "$made" "$deadline" "$exports/$id" --header "@$tmp/token"
  done
  [[ $status == DONE ]] ||
    fail "export $id is $status: $(jq -r '.failure.message // "no reason"' "$made")"
  # `files` is Tillroll's alone.
  jq -e '(.exportUrls.elements // []) as $urls | .files.elements // $urls | length == ($urls | length)' \
    "$made" >/dev/null || fail "export $id lacks files"

  while IFS= read -r url; do
    name="$out/$(tr '[:upper:]' '[:lower:]' <<<"$type")-$start-$position.json"
    # Nothing but http(s), and never from https down to http.
    [[ $url == https://* || ($url == http://* && $base == http://*) ]] ||
      fail "$name: its address is not safe: ${url%%\?*}"
    request "$name.part" "$deadline" "$url" # no token: the URL is its own key
    # A payment that failed or was voided brought no money. Billions and the rest are summed apart: jq
    # would round above 2^53.
    jq -ce --arg member "$member" '.elements | arrays | {objects: length, sums: (reduce (.[]
      | select($member == "total" or .result == "SUCCESS")) as $sale ({}; ($sale[$member] // 0) as $money
      | ($money / 1e9 | trunc) as $billions | .[$sale.currency // "?"] |= [(.[0] // 0) + $billions,
        (.[1] // 0) + $money - $billions * 1e9]))}' "$name.part" >"$tmp/counts" 2>"$tmp/problem" ||
      fail "$name: not the file of the manifest"
    found=$(jq -e .objects "$tmp/counts") && [[ -n $found ]] || fail "$name: it is empty"
    jq -e --argjson at "$position" --argjson objects "$found" --arg sha256 "$(sha256 <"$name.part")" \
      '.files.elements[$at] // {$objects, $sha256} | .objects == $objects and .sha256 == $sha256' \
      "$made" >/dev/null || fail "$name: not the file of the manifest"
    cat "$tmp/counts" >>"$tmp/all"
    mv "$name.part" "$name" # what has the name is whole
    objects=$((objects + found))
    position=$((position + 1))
  done < <(jq -r '.exportUrls.elements[]?.url' "$made")
  echo "$type $(date_of "$start") to $(date_of "$end"): $objects objects, $position files"
}

for tool in curl jq; do command -v "$tool" >/dev/null || usage "$tool is needed"; done
base=${TILLROLL_URL:-}
base=${base%/}
type=${1:-}
out=${4:-}
[[ $base =~ ^https?://[^[:space:]]+$ ]] || usage 'TILLROLL_URL must be an http(s) address'
[[ -n ${TILLROLL_MERCHANT:-} ]] || usage 'TILLROLL_MERCHANT must be set'
[[ ${TILLROLL_TOKEN:-} =~ ^[!-~]+$ ]] || usage 'TILLROLL_TOKEN must be set, without blanks'
[[ $# -eq 4 && -n $out ]] || usage 'four arguments are needed'
[[ $type == ORDERS || $type == PAYMENTS ]] || usage 'TYPE must be ORDERS or PAYMENTS'
from=$(midnight "$2")
to=$(midnight "$3")
[[ $from -ge 0 && $to -gt $from ]] ||
  usage 'FROM and TO must be dates such as 2026-01-01, FROM before TO'

member=$([[ $type == ORDERS ]] && echo total || echo amount)
exports="$base/v3/merchants/$(jq -rn --arg id "$TILLROLL_MERCHANT" '$id | @uri')/exports"
tmp=$(mktemp -d)
trap 'code=$?; rm -rf "$tmp"; exit $((code > 0))' EXIT
# In a file that only we may read: what stands on a command line, everybody on the machine can see.
printf 'Authorization: Bearer %s\n' "$TILLROLL_TOKEN" >"$tmp/token"
mkdir -p "$out"
: >"$tmp/all"
# Cells of 30 days since 1970: another run, or one of a longer span, asks for the same ranges.
for ((start = from; start < to; start = end)); do
  end=$(((start / RANGE + 1) * RANGE))
  [[ $end -lt $to ]] || end=$to
  export_range "$start" "$end"
done
jq -rs '"\(map(.objects) | add // 0) objects"' "$tmp/all"
jq -rs 'map(.sums | to_entries[]) | group_by(.key)[] | "\(map(.value[0]) | add) \(map(.value[1]) | add)
  \(.[0].key)" | gsub("\n *"; " ")' "$tmp/all" | while read -r billions rest currency; do
  echo "sum of $member: $((billions * 1000000000 + rest)) $currency"
done
