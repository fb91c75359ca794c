/** Digits after the point by currency code; undefined for a text that is not a code. */
const digitsOf = new Map<string, number | undefined>();

function fractionDigits(currency: string): number | undefined {
  if (digitsOf.has(currency)) return digitsOf.get(currency);
  let digits: number | undefined;
  try {
    const format = new Intl.NumberFormat('en-US', { style: 'currency', currency });
    digits = format.resolvedOptions().maximumFractionDigits;
  } catch {
    // Not three letters: the server gave something else, or nothing.
  }
  digitsOf.set(currency, digits);
  return digits;
}

/**
 * Formats minor units as an amount in major units: 1234567 of USD is `12,345.67`, of JPY `1,234,567`.
 * Digit by digit, since a division would round. Without a currency code it stays in minor units.
 */
export function money(minor: number, currency: string): string {
  const digits = fractionDigits(currency);
  if (digits === undefined || !Number.isSafeInteger(minor)) return `${minor} minor units`;
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const whole = BigInt(text.slice(0, text.length - digits)).toLocaleString('en-US');
  const fraction = digits === 0 ? '' : `.${text.slice(-digits)}`;
  return `${minor < 0 ? '-' : ''}${whole}${fraction}`;
}
