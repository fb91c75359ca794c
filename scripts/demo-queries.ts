/** Asks the demo's DuckDB file three questions and prints the answers. */
import { DuckDBInstance } from '@duckdb/node-api';

const QUESTIONS = [
  {
    title: 'Revenue per month',
    sql: `SELECT strftime(created_time AT TIME ZONE 'UTC', '%Y-%m') AS month, count(*) AS orders,
       printf('%,.2f', sum(total) / 100) AS revenue, bar(sum(total), 0, max(sum(total)) OVER (), 40) AS bar
FROM orders GROUP BY month ORDER BY month`,
  },
  {
    title: 'Best items',
    sql: `SELECT name AS item, count(*) AS sold, printf('%,.2f', sum(price * coalesce(unit_qty, 1000) / 1000) / 100) AS revenue
FROM line_items WHERE NOT coalesce(is_order_fee, false)
GROUP BY name ORDER BY sum(price * coalesce(unit_qty, 1000)) DESC, name LIMIT 8`,
  },
  {
    title: 'Card against cash',
    sql: `SELECT CASE WHEN tender_label_key = 'com.clover.tender.cash' THEN 'cash' ELSE 'card' END AS paid_by,
       count(*) AS payments, printf('%,.2f', sum(amount) / 100) AS amount,
       printf('%,.2f', coalesce(sum(tip_amount), 0) / 100) AS tips
FROM payments WHERE result = 'SUCCESS' GROUP BY paid_by ORDER BY paid_by`,
  },
] as const;

/** Asks the file that a pull made a few questions, and shows them with their answers. */
export async function showAnswers(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(path, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  try {
    for (const { title, sql } of QUESTIONS) {
      console.log(`\n${title}:\n${sql.replaceAll(/^/gm, '  ')}`);
      const answer = await connection.runAndReadAll(sql);
      console.log(
        table(
          answer.columnNames(),
          answer.getRowsJson().map((row) => row.map(cell)),
        ),
      );
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function cell(value: unknown): string {
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
}

/** Columns as wide as they must be; numbers to the right. */
function table(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = names.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const isNumber = names.map((_, i) => rows.every((row) => /^[\d,.-]*$/.test(row[i] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, i) => (isNumber[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(names), ...rows.map(line)].map((text) => `  ${text}`).join('\n');
}
