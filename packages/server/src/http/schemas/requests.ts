/** Schemas of path and query parameters. */
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from '@tillroll/contract';
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

export const ListQuery = Type.Object({
  access_token: accessToken,
  limit: Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT }),
  offset: Type.Integer({ minimum: 0, maximum: 2_147_483_647, default: 0 }),
});

/** Both ways to send a token. */
export const SECURITY = [{ bearer: [] }, { accessToken: [] }];

/** The error answers of a route, for the document. */
export function errors(...statuses: number[]): Record<number, typeof ErrorSchema> {
  return Object.fromEntries(statuses.map((status) => [status, ErrorSchema]));
}
