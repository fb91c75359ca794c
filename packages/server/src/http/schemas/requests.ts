/** Schemas of path and query parameters. */
import {
  EXPORT_STATUSES,
  EXPORT_TYPES,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_WAIT_S,
} from '@tillroll/contract';
import { Type } from 'typebox';
import { ErrorSchema } from './wire.ts';

/** The merchant in the path. */
export const MerchantParams = Type.Object({
  mId: Type.String({ description: 'Merchant id: 1 to 64 of A-Z a-z 0-9 _ -' }),
});

export const ExportParams = Type.Object({
  mId: Type.String({ description: 'Merchant id' }),
  exportId: Type.String({ description: 'Export id' }),
});

const accessToken = Type.Optional(
  Type.Union([Type.String(), Type.Array(Type.String())], {
    description: 'The token, for clients that cannot send an Authorization header',
  }),
);

export const TokenQuery = Type.Object({ access_token: accessToken });

const flag = (description: string) => Type.Optional(Type.Enum(['true', 'false'], { description }));

/** Judged by the handlers, whose messages name what is allowed: these are for the document. */
export const CreateQuery = Type.Object({
  access_token: accessToken,
  dryRun: flag('true: creates nothing, and answers what the export would hold'),
});

export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: MAX_IDEMPOTENCY_KEY_LENGTH,
      description:
        'Visible ASCII. The same request with the same key within 24 hours gets the first answer again',
    }),
  ),
});

export const ReadQuery = Type.Object({
  access_token: accessToken,
  details: flag('true: an open export shows its progress'),
  wait: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_WAIT_S,
      description:
        'Seconds to wait until the export has ended, or with If-None-Match until it has changed',
    }),
  ),
});

const since = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }));

export const ListQuery = Type.Object({
  access_token: accessToken,
  status: Type.Optional(Type.Enum([...EXPORT_STATUSES])),
  type: Type.Optional(Type.Enum([...EXPORT_TYPES])),
  createdSince: since('Created at this moment or later, epoch milliseconds'),
  createdBefore: since('Created before this moment, epoch milliseconds'),
  limit: Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT }),
  offset: Type.Integer({ minimum: 0, maximum: 2_147_483_647, default: 0 }),
});

/** Both ways to send a token. */
export const SECURITY = [{ bearer: [] }, { accessToken: [] }];

/** The error answers of a route, for the document. */
export function errors(...statuses: number[]): Record<number, typeof ErrorSchema> {
  return Object.fromEntries(statuses.map((status) => [status, ErrorSchema]));
}
