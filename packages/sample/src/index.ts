export { ordersNdjson, paymentsNdjson } from './ndjson.ts';
export type { SampleOptions } from './options.ts';
export { generateTrade, type Trade } from './trade.ts';
