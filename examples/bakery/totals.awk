# What the till file itself says, to hold exported orders against: for each month of its local time,
# the number of transactions and their total in pence. Shares nothing with convert.ts but the rule.
#
#     LC_ALL=C awk -f examples/bakery/totals.awk examples/bakery/sample.csv
#
# LC_ALL=C makes every awk count a name's bytes; mawk does so anyway. A transaction belongs to the
# month of its first row.
BEGIN { FS = "," }
{ sub(/\r$/, "") }
NR == 1 || $0 == "" { next }
{
  item = $0
  sub(/^[^,]*,[^,]*,[^,]*,/, "", item)
  if (!($3 in month)) {
    month[$3] = substr($1, 7, 4) "-" substr($1, 4, 2)
    transactions[month[$3]]++
  }
  pence[month[$3]] += (item == "NONE") ? 0 : 100 + 10 * length(item)
}
END {
  for (m in transactions) printf "%s %d %.0f\n", m, transactions[m], pence[m] | "sort"
}
