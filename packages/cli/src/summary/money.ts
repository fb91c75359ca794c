import { minorUnitDigits, type Amount } from '@tillroll/contract';

/**
 * Formats minor units as an amount in major units (ISO 4217): 1234567 of USD is `12,345.67`, of JPY `1,234,567`.
 * Digit by digit, since a division would round. Where a minor unit is not known, the number stays as it is.
 */
export function money(minor: Amount, currency: string | null): string {
  const digits = minorUnitDigits(currency ?? '');
  const isNegative = minor < 0;
  const text = BigInt(minor)
    .toString()
    .replace('-', '')
    .padStart((digits ?? 0) + 1, '0');
  const whole = BigInt(text.slice(0, text.length - (digits ?? 0))).toLocaleString('en-US');
  const fraction = digits ? `.${text.slice(-digits)}` : '';
  const amount = `${isNegative ? '-' : ''}${whole}${fraction}`;
  if (digits === null) return `${amount} (no minor unit)`;
  return digits === undefined ? `${amount} minor units` : amount;
}
