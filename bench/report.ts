/** Collects figures beside their targets and prints the table. */

/** A measured figure beside its target; `null` where there is nothing to judge. */
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

/** Peak memory of the same work on few and on many orders; null where it cannot be told. */
export function reportMemory(
  what: string,
  [few, many]: readonly [orders: number, orders: number],
  [ofFew, ofMany]: readonly [megabytes: number | null, megabytes: number | null],
): void {
  if (ofFew === null || ofMany === null) {
    report(what, 'no /proc on this machine: not measured', 'under 200 MB', null);
    return;
  }
  report(`${what}, ${many} orders`, `${ofMany.toFixed(0)} MB`, 'under 200 MB', ofMany < 200);
  const growth = ofMany - ofFew;
  const more = `${growth.toFixed(0)} MB more`;
  report(`the same above ${few} orders`, more, 'at most 40 MB', growth <= 40);
}
