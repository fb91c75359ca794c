/** `@tillroll/client/time`: dates of a time zone as instants, as the library reads them. */
export { instantText, parseSpan, type SpanOptions, type When } from './span.ts';
