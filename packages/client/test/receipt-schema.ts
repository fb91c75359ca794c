/** The JSON Schema of receipt.json, and what it finds wrong in a value. */

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

export interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean;
  items?: Schema;
  type?: string | string[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

export const schema = JSON.parse(
  readFileSync(new URL('../src/receipt.schema.json', import.meta.url), 'utf8'),
) as Schema;

const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  allErrors: true,
  formats: { 'date-time': true },
});

const isValid = ajv.compile(schema);

export function faults(receipt: unknown): string[] {
  // Validates the receipt as the file has it: JSON omits undefined members.
  isValid(JSON.parse(JSON.stringify(receipt)));
  return (isValid.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
