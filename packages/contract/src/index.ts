/** `@tillroll/contract`: all that service and client agree on. */
export * from './amounts.ts';
export * from './currencies.ts';
export * from './errors.ts';
export * from './failures.ts';
export * from './hours.ts';
export * from './ids.ts';
export * from './limits.ts';
export * from './members.ts';
export * from './objects.ts';
export * from './printable.ts';
export * from './range.ts';
export * from './request.ts';
export * from './wire.ts';
