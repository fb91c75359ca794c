/** `@tillroll/client/json`: the scanner of JSON objects, for packages that read what a pull wrote. */
export { Scanner, TAPE } from './scanner.ts';
export {
  compileTable,
  type CompiledTable,
  type Field,
  type ObjectTable,
  type Shape,
  type ValueType,
} from './object-table.ts';
export { INCOMPLETE, JsonFault } from './validator.ts';
