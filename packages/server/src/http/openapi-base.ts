/** The fixed part of the OpenAPI document, and the description of each route for it. */
import type { FastifySchema } from 'fastify';
import { Type } from 'typebox';

/** The fixed part of the OpenAPI document; the routes add themselves. */
export const OPENAPI = {
  openapi: '3.1.0' as const,
  info: {
    title: 'Tillroll',
    version: '0.1.0',
    description:
      "Bulk export of merchants' orders and payments, compatible with Clover's merchant Export API. Create an export, poll it until DONE, download its files. Times are UTC epoch milliseconds, money is in minor units.",
    license: { name: 'MIT', identifier: 'MIT' },
  },
  tags: [
    { name: 'exports', description: 'Create and follow exports' },
    { name: 'files', description: 'Download the files of an export' },
    { name: 'loading', description: "Load a merchant's objects" },
    { name: 'service', description: 'The service itself; no token needed' },
  ],
  components: {
    securitySchemes: {
      bearer: { type: 'http' as const, scheme: 'bearer' },
      accessToken: { type: 'apiKey' as const, in: 'query' as const, name: 'access_token' },
    },
  },
};

const FilePath = Type.Object({
  path: Type.String({ description: 'Take the whole URL, with its query, from `exportUrls`' }),
});

/** A wildcard has no name in a path, and OpenAPI wants one. */
export function documentRoute({ schema, url }: { schema: FastifySchema; url: string }): {
  schema: FastifySchema;
  url: string;
} {
  if (!url.endsWith('/*')) return { schema, url };
  return { schema: { ...schema, params: FilePath }, url: `${url.slice(0, -1)}:path` };
}
