# Reads JSON lines as `expected.ts` describes them, with `jq -n -f`. Each has `clocks`, its local time in $zone as text: in
# jq 1.6 `mktime` is an hour off in summer unless TZ is UTC. $closing is the closing hour, $kind
# `days` or the type whose months are wanted. jq has doubles alone: what they do not hold is in the currency $large.
def is_amount: type == "number" and . == floor;
def amount: if is_amount then . else 0 end;
def currency: if (.currency | type) == "string" then .currency else "-" end;
# Seconds as the clocks show them, as if they were of UTC.
def clocks: .clocks | fromdateiso8601;
def add_up(members): reduce .[] as $each ({}; . as $sums | reduce ($each | members | to_entries[]) as $e
  ($sums; .[$e.key] += $e.value));

[inputs | select(currency != $large) | select($kind == "ORDERS" or .result == "SUCCESS")]
| group_by(if $kind == "days" then (clocks - $closing * 3600 | strftime("%Y-%m-%d")) + " " + currency
  else $kind + " " + (clocks | strftime("%Y-%m")) + " " + currency end)
| map({
    key: (.[0] | if $kind == "days" then $zone + " " + (clocks - $closing * 3600 | strftime("%Y-%m-%d")) + " " + currency
      else $kind + " " + (clocks | strftime("%Y-%m")) + " " + currency end),
    value: (add_up(
      if $kind == "days" then {objects: 1, amount: (.amount | amount)}
      else {
        objects: 1,
        amount: ((if $kind == "ORDERS" then .total else .amount end) | amount),
        refundAmount: ([.refunds.elements[]? | .amount | amount] | add // 0)
      } end) | map_values(tostring))
  })
| from_entries
