/** `@tillroll/client/time`: dates of a time zone as instants, as the library reads them. */
export { formatInstant, parseSpan, type SpanOptions, type When } from './span.ts';
