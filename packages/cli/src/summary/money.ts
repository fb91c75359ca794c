import { minorUnitDigits, type Amount } from '@tillroll/contract';

/**
 * Formats minor units as an amount in major units (ISO 4217): 1234567 of USD is `12,345.67`, of JPY `1,234,567`.
 * Digit by digit, since a division would round. Where a minor unit is not known, the number stays as it is.
 */
export function money(minor: Amount, currency: string | null): string {
  const digits = minorUnitDigits(currency ?? '');
  const decimals = digits ?? 0;
  const text = String(minor)
    .replace('-', '')
    .padStart(decimals + 1, '0');
  const whole = BigInt(text.slice(0, text.length - decimals)).toLocaleString('en-US');
  const fraction = decimals === 0 ? '' : `.${text.slice(-decimals)}`;
  const amount = `${minor < 0 ? '-' : ''}${whole}${fraction}`;
  if (digits === null) return `${amount} (no minor unit)`;
  return digits === undefined ? `${amount} minor units` : amount;
}
