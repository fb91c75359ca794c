/** What was measured, against what was wanted; `null` where there is nothing to judge. */
interface Row {
  measure: string;
  value: string;
  wanted: string;
  met: boolean | null;
}

const rows: Row[] = [];

export function report(measure: string, value: string, wanted: string, met: boolean | null): void {
  rows.push({ measure, value, wanted, met });
  console.log(`${measure}: ${value} (wanted: ${wanted})`);
}

export function printReport(): void {
  console.log();
  console.table(
    rows.map(({ measure, value, wanted, met }) => ({
      measure,
      value,
      wanted,
      met: met === null ? '-' : met ? 'yes' : 'NO',
    })),
  );
}
