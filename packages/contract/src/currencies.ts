/**
 * Currencies of ISO 4217, list one, by the digits of their minor unit: as published on 2024-06-25, and XCG
 * and XAD, which came later. `Intl` has other digits for some: it says how amounts are usually shown.
 */
const BY_DIGITS: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
    CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
    RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD
    USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};
/** Precious metals, bond market units, the SDR, test codes and the like. */
const WITHOUT_MINOR_UNIT = 'XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX';

/** The codes that have a minor unit, by its digits. */
export const CURRENCIES_BY_DIGITS: ReadonlyMap<number, readonly string[]> = new Map(
  Object.entries(BY_DIGITS).map(([digits, codes]) => [Number(digits), codes.split(/\s+/)]),
);

const DIGITS = new Map<string, number | null>([
  ...[...CURRENCIES_BY_DIGITS].flatMap(([digits, codes]) =>
    codes.map((code) => [code, digits] as const),
  ),
  ...WITHOUT_MINOR_UNIT.split(' ').map((code) => [code, null] as const),
]);

/**
 * Digits of a currency's minor unit: 2 for USD, whose minor unit is a hundredth.
 * @returns null for a code without a minor unit (XAU); undefined for a text that is not a code of ISO 4217.
 */
export function minorUnitDigits(code: string): number | null | undefined {
  return DIGITS.get(code);
}
