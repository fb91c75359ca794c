/** `@tillroll/sample`: generated merchants with believable trade. */
export { ordersNdjson, paymentsNdjson } from './ndjson.ts';
export type { SampleOptions } from './options.ts';
export { generateTrade, type Trade } from './trade.ts';
