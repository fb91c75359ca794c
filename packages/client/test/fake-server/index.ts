export { pretty } from './layouts.ts';
export type { FakeExport, Ready } from './exports.ts';
export type {
  Broken,
  FaultKinds,
  FaultName,
  Faults,
  Layout,
  RequestKind,
  RetryAfter,
  Spot,
  When,
} from './faults.ts';
export { FakeServer, startFakeServer, type FakeServerOptions } from './server.ts';
export type { Outcome } from './send.ts';
export { mostAtOnce, mostPerSecond, type RequestRecord } from './requests.ts';
