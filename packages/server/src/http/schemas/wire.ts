/** The contract's types as JSON Schema, for validation and for the OpenAPI document. */
import {
  EXPORT_FORMATS,
  EXPORT_STATUSES,
  EXPORT_TYPES,
  MAX_OBJECTS_PER_FILE,
  OBJECTS_PER_FILE,
  type Availability,
  type DeleteCounts,
  type ErrorBody,
  type ExportList,
  type ExportObject,
  type ExportPreview,
  type LoadCounts,
} from '@tillroll/contract';
import { Type, type Static } from 'typebox';

const time = (description: string) =>
  Type.Integer({ description: `${description}; UTC epoch milliseconds`, minimum: 0 });
const exportId = Type.String({
  pattern: '^[0-9A-HJKMNP-TV-Z]{13}$',
  description: '13 characters of Crockford base32',
});
const exportType = Type.Enum([...EXPORT_TYPES]);

const requestTime = (description: string) =>
  Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^[0-9]{1,16}$' })], {
    description: `${description}; UTC epoch milliseconds, as a number or as a string of digits`,
  });

const requestFiles = {
  format: Type.Optional(
    Type.Enum([...EXPORT_FORMATS], {
      description: 'json: files {"elements":[...]}; jsonl: one object a line. Default: json',
    }),
  ),
  objectsPerFile: Type.Optional(
    Type.Integer({
      minimum: OBJECTS_PER_FILE,
      maximum: MAX_OBJECTS_PER_FILE,
      description: `Default: ${OBJECTS_PER_FILE}`,
    }),
  ),
};

/** Of a range of time, or of what changed. */
export const ExportRequestSchema = Type.Union(
  [
    Type.Object({
      type: exportType,
      startTime: requestTime('First instant of the range of createdTime, inclusive'),
      endTime: requestTime('End of the range, exclusive; at most 30 days after startTime'),
      ...requestFiles,
    }),
    Type.Object({
      type: exportType,
      since: Type.String({
        description: 'The cursor of the export before; empty: from the beginning',
      }),
      ...requestFiles,
    }),
  ],
  { description: 'Unknown members are ignored. Parsed as JSON whatever the Content-Type.' },
);

export const ExportObjectSchema = Type.Object({
  id: exportId,
  type: exportType,
  status: Type.Enum([...EXPORT_STATUSES], {
    description: 'PENDING, then IN_PROGRESS, then DONE, FAILED or CANCELED',
  }),
  percentComplete: Type.Integer({
    minimum: 0,
    maximum: 100,
    description: 'Never goes down; 100 only when DONE',
  }),
  availableUntil: Type.Optional(time('When DONE: until when the files can be downloaded')),
  startTime: time('As requested'),
  endTime: time('As requested'),
  createdTime: time('When the export was created'),
  modifiedTime: time('When it last changed'),
  exportUrls: Type.Optional(
    Type.Object(
      {
        elements: Type.Array(
          Type.Object({
            url: Type.String({ format: 'uri' }),
            export: Type.Object({ id: exportId }),
          }),
        ),
      },
      {
        description:
          'When DONE, until availableUntil: the files in order. Each URL authorises itself',
      },
    ),
  ),
  merchantRef: Type.Object({ id: Type.String() }),
  failure: Type.Optional(
    Type.Object(
      { code: Type.String(), message: Type.String() },
      { description: 'When FAILED: why' },
    ),
  ),
  files: Type.Optional(
    Type.Object(
      {
        elements: Type.Array(
          Type.Object({
            objects: Type.Integer({ minimum: 1, maximum: MAX_OBJECTS_PER_FILE }),
            bytes: Type.Integer({ minimum: 1, description: 'Length without compression' }),
            sha256: Type.String({
              pattern: '^[0-9a-f]{64}$',
              description: 'Of the bytes without compression',
            }),
            kind: Type.Optional(
              Type.Literal('deletions', { description: 'The file holds tombstones' }),
            ),
          }),
        ),
      },
      { description: 'When DONE: what each file holds, in the order of the URLs' },
    ),
  ),
  progress: Type.Optional(
    Type.Object(
      {
        queuePosition: Type.Integer({ minimum: 0, description: 'Exports before this one' }),
        objects: Type.Integer({ minimum: 0, description: 'Objects read so far' }),
        estimatedCompletionTime: Type.Union([time('A guess by the pace so far'), Type.Null()]),
      },
      { description: 'While open, with details=true' },
    ),
  ),
  totals: Type.Optional(
    Type.Object(
      {
        elements: Type.Array(
          Type.Object({
            currency: Type.Union([Type.String(), Type.Null()]),
            result: Type.Optional(Type.Union([Type.String(), Type.Null()])),
            objects: Type.Integer({ minimum: 1 }),
            total: Type.Optional(Type.Integer({ description: 'Orders' })),
            amount: Type.Optional(Type.Integer({ description: 'Payments' })),
            tipAmount: Type.Optional(Type.Integer({ description: 'Payments' })),
            taxAmount: Type.Optional(Type.Integer({ description: 'Payments' })),
            unsummed: Type.Integer({
              minimum: 0,
              description: 'Objects whose amount is missing or not an integer: it adds nothing',
            }),
          }),
        ),
      },
      {
        description:
          'When DONE: sums by currency, of payments also by result. Minor units, exact, possibly above 2^53',
      },
    ),
  ),
  snapshotTime: Type.Optional(time('When DONE: the moment of the database that all files show')),
  format: Type.Optional(
    Type.Enum([...EXPORT_FORMATS], { description: 'As requested; absent for json' }),
  ),
  cursor: Type.Optional(
    Type.String({ description: 'When DONE, of changes: the `since` of the next export' }),
  ),
});

export const ExportPreviewSchema = Type.Object(
  {
    type: exportType,
    startTime: time('As requested'),
    endTime: time('As requested'),
    objects: Type.Integer({ minimum: 0, description: 'Exact, at the moment of the answer' }),
    files: Type.Integer({ minimum: 0 }),
    estimatedBytes: Type.Integer({ minimum: 0, description: 'Without compression, by a sample' }),
    estimatedMs: Type.Integer({
      minimum: 0,
      description: 'From the creation to DONE on an idle service',
    }),
  },
  { description: 'With dryRun=true: what the export would hold' },
);

export const ExportListSchema = Type.Object({
  elements: Type.Array(
    Type.Omit(ExportObjectSchema, ['exportUrls', 'files', 'progress', 'totals']),
  ),
  href: Type.String({ format: 'uri' }),
});

export const ErrorSchema = Type.Object(
  { message: Type.String(), details: Type.Optional(Type.String()) },
  { description: 'Every error has this shape' },
);

export const AvailabilitySchema = Type.Object({
  open: Type.Boolean({ description: 'Whether exports can be created now' }),
  region: Type.String(),
  hours: Type.String({ description: 'The opening hours in words, UTC' }),
  nextOpen: Type.Union([time('The next opening'), Type.Null()]),
  nextClose: Type.Union([time('The next closing'), Type.Null()]),
});

export const LoadCountsSchema = Type.Object({
  received: Type.Integer({ description: 'Lines with an object; the sum of the other four' }),
  inserted: Type.Integer(),
  updated: Type.Integer(),
  unchanged: Type.Integer(),
  stale: Type.Integer({
    description: 'Older than what is stored, or superseded by another line of the same request',
  }),
});

export const DeleteCountsSchema = Type.Object({
  received: Type.Integer({ description: 'Lines with an id; the sum of the other two' }),
  deleted: Type.Integer(),
  unknown: Type.Integer({ description: 'Not stored, or not any more' }),
});

export const KeySetSchema = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.Literal('OKP'),
      crv: Type.Literal('Ed25519'),
      alg: Type.Literal('EdDSA'),
      use: Type.Literal('sig'),
      kid: Type.String({ description: 'As in the header of a receipt' }),
      x: Type.String({ description: 'The 32 bytes of the key, base64url' }),
    }),
  ),
});

/** Fails to compile when a schema and its type in the contract part ways. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Checks = [
  Same<Static<typeof ExportObjectSchema>, ExportObject>,
  Same<Static<typeof ExportListSchema>, ExportList>,
  Same<Static<typeof ExportPreviewSchema>, ExportPreview>,
  Same<Static<typeof ErrorSchema>, ErrorBody>,
  Same<Static<typeof AvailabilitySchema>, Availability>,
  Same<Static<typeof LoadCountsSchema>, LoadCounts>,
  Same<Static<typeof DeleteCountsSchema>, DeleteCounts>,
];
const checked: Checks = [true, true, true, true, true, true, true];
void checked;
