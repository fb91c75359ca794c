import { findFaults, isMissed, type Fault, type Row } from './verdict.ts';

/** The table in plain text. */

/** Behind a value that is not allowed. */
const MARK = '!';
const MAX_COMPLAINTS = 10;

interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row) => string;
  /** The fault that this column shows. */
  readonly fault?: Fault;
}

function seconds(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(1);
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}

const COLUMNS: readonly Column[] = [
  { title: 'case', width: 17, cell: ({ name }) => name },
  { title: 'runs', width: 5, fault: 'runs', cell: ({ runs }) => String(runs) },
  { title: 'checked', width: 8, fault: 'checked', cell: ({ checked }) => String(checked) },
  { title: 'lost', width: 5, fault: 'lost', cell: ({ lost }) => String(lost) },
  { title: 'wrong', width: 6, fault: 'wrong', cell: ({ wrong }) => String(wrong) },
  { title: 'stuck', width: 6, fault: 'stuck', cell: ({ stuck }) => String(stuck) },
  { title: 'unowned', width: 8, fault: 'unowned', cell: ({ unowned }) => String(unowned) },
  { title: 'median s', width: 9, cell: ({ recoveriesS }) => seconds(median(recoveriesS)) },
  {
    title: 'max s',
    width: 7,
    fault: 'recovery',
    cell: ({ recoveriesS }) => seconds(recoveriesS.toSorted((a, b) => a - b).at(-1)),
  },
  { title: 'bound s', width: 8, cell: ({ boundS }) => String(boundS) },
  { title: 'took s', width: 7, cell: (row) => row.seconds.toFixed(0) },
  { title: 'verdict', width: 8, cell: (row) => formatVerdict(row) },
];

function formatVerdict(row: Row): string {
  if (row.skipped !== null) return 'skipped';
  return findFaults(row).length === 0 ? 'pass' : 'FAIL';
}

function align(text: string, { title, width }: Column): string {
  return title === 'case' ? text.padEnd(width) : text.padStart(width);
}

export function formatHeader(): string {
  return COLUMNS.map((column) => align(column.title, column)).join('');
}

export function formatRow(row: Row): string {
  const faults = findFaults(row);
  return COLUMNS.map((column) => {
    const isFault = column.fault !== undefined && faults.includes(column.fault);
    return align(`${column.cell(row)}${isFault ? MARK : ''}`, column);
  }).join('');
}

/** The lines below a row: why it was skipped or broke off, values with bounds of their own, complaints. */
export function formatDetails(row: Row): string[] {
  const lines: string[] = [];
  if (row.skipped !== null) lines.push(row.skipped);
  if (row.broken !== null) lines.push(`broke off: ${row.broken}`);
  if (row.skipped === null && row.runs < row.wanted)
    lines.push(`${row.runs} of ${row.wanted} faults met what they were to meet`);
  for (const fact of row.facts) {
    const { name, value, from, to } = fact;
    const allowed = from === to ? String(to) : from === null ? `at most ${to}` : `${from} to ${to}`;
    const mark = isMissed(fact) ? MARK : '';
    lines.push(`${name}: ${Number(value.toFixed(2))}${mark} (allowed: ${allowed})`);
  }
  lines.push(...row.complaints.slice(0, MAX_COMPLAINTS));
  const more = row.complaints.length - MAX_COMPLAINTS;
  if (more > 0) lines.push(`and ${more} more`);
  return lines.map((line) => `    ${line}`);
}
