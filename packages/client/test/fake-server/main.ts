/**
 * The fake server as a process, for tests that kill the client:
 * `node packages/client/test/fake-server/main.ts --objects 30000 --faults '{"slow":{"on":"file","bytesPerSecond":1000000}}'`
 * prints `ready http://127.0.0.1:PORT` and ends with SIGTERM, SIGINT, or the end of its input if
 * `--until-stdin-ends`. While it runs, `GET /.fake-server/requests` tells what came, `PUT /.fake-server/faults`
 * and `PUT /.fake-server/hours` change it, `GET /.fake-server/objects/ORDERS` shows the source (an array of
 * JSON texts), `PUT` to it adds or replaces objects, one a line.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Ready } from './exports.ts';
import type { Faults } from './faults.ts';
import { startFakeServer, type FakeServerOptions } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    /** So many orders and so many payments. */
    objects: { type: 'string' },
    orders: { type: 'string' },
    payments: { type: 'string' },
    /** Anything that Date reads. */
    from: { type: 'string' },
    to: { type: 'string' },
    seed: { type: 'string' },
    'per-file': { type: 'string' },
    'max-open': { type: 'string' },
    'retention-ms': { type: 'string' },
    /** JSON; default `{"ms":200}`, so that an export whose client was killed does not stay open. */
    ready: { type: 'string' },
    hours: { type: 'string' },
    region: { type: 'string' },
    token: { type: 'string' },
    merchant: { type: 'string' },
    'base-path': { type: 'string' },
    /** Only what Clover documents. */
    clover: { type: 'boolean', default: false },
    /** JSON, see faults.ts. */
    faults: { type: 'string' },
    /** Serve https; its certificate goes to this file, for NODE_EXTRA_CA_CERTS. */
    'https-certificate': { type: 'string' },
    'until-stdin-ends': { type: 'boolean', default: false },
  },
});

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
const time = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(text);

const wanted = {
  port: number(values.port),
  orders: number(values.orders ?? values.objects),
  payments: number(values.payments ?? values.objects),
  from: time(values.from),
  to: time(values.to),
  seed: number(values.seed),
  perFile: number(values['per-file']),
  maxOpen: number(values['max-open']),
  retentionMs: number(values['retention-ms']),
  ready: JSON.parse(values.ready ?? '{"ms":200}') as Ready,
  hours: values.hours,
  region: values.region,
  token: values.token,
  merchant: values.merchant,
  basePath: values['base-path'],
  tillroll: !values.clover,
  faults: JSON.parse(values.faults ?? '{}') as Faults,
  https: values['https-certificate'] !== undefined,
};
const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
const fake = await startFakeServer(Object.fromEntries(given) as FakeServerOptions);
if (values['https-certificate'] !== undefined) {
  await writeFile(values['https-certificate'], fake.certificate ?? '');
}

const end = (): void => void fake.close().then(() => process.exit(0));
process.on('SIGTERM', end).on('SIGINT', end);
if (values['until-stdin-ends']) process.stdin.on('end', end).resume();
console.log(`ready ${fake.url}`);
