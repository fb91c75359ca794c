/** Attacks with uploads: the one route with a large body, and gzip makes a small one large. */
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { pause, untilOver } from '../tools/connections.ts';
import { RepeatedGzip } from '../tools/repeated-gzip.ts';
import { attackerAddress, type Attack, type Scene } from '../tools/scene.ts';
import { beginUpload, chunk, LAST_CHUNK, uploadGzip } from '../tools/upload.ts';

const MIB = 1024 * 1024;
/** The longest line that the service accepts is 8 MiB. */
const LINE = 8 * MIB - 1_024;

function line(start: string, middle: string, end: string): Buffer {
  const times = Math.floor((LINE - start.length - end.length) / middle.length);
  return Buffer.from(`${start}${middle.repeat(times)}${end}\n`);
}

const SMALL_LINE = '{"id":"A","createdTime":1767225600000}\n';

/** The same gzip from several connections at once. */
async function together(
  scene: Scene,
  count: number,
  gzip: RepeatedGzip,
  whole = true,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) =>
      uploadGzip(scene, attackerAddress(n), scene.target.attacker, gzip, whole),
    ),
  );
}

/** Plain bodies without end, as fast as they are taken. */
async function endless(scene: Scene, count: number, token: string): Promise<void> {
  const piece = chunk(Buffer.from(SMALL_LINE.repeat(1_600)));
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const { merchant } = scene.target.attacker;
      const socket = await beginUpload(scene, attackerAddress(n), { merchant, token });
      // 5 MB/s each: what is measured is the service, not how fast loopback is.
      while (socket && (await scene.connections.write(socket, piece)))
        await delay((1000 * piece.length) / 5e6);
    }),
  );
  await untilOver(scene.signal);
}

/** Begins uploads that then send a piece each second and never end. */
async function crawl(scene: Scene, count: number, lines: number): Promise<void> {
  const callers = [scene.target.attacker, ...scene.target.branches];
  const piece = chunk(Buffer.from(SMALL_LINE.repeat(lines)));
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const destination = callers[n % callers.length] ?? scene.target.attacker;
      const socket = await beginUpload(scene, attackerAddress(n % 8), destination);
      while (socket && (lines === 0 || (await scene.connections.write(socket, piece)))) {
        await pause(1_000, scene.signal);
        if (scene.signal.aborted) return;
      }
    }),
  );
}

/** Valid lines, a byte in each chunk, again and again. */
async function tinyChunks(scene: Scene, count: number): Promise<void> {
  const line = SMALL_LINE.split('')
    .map((byte) => `1\r\n${byte}\r\n`)
    .join('');
  const batch = line.repeat(200);
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const socket = await beginUpload(scene, attackerAddress(n), scene.target.attacker);
      while (socket && (await scene.connections.write(socket, batch))) await delay(20);
    }),
  );
}

async function emptyMembers(scene: Scene, count: number): Promise<void> {
  const socket = await beginUpload(scene, attackerAddress(), scene.target.attacker, {
    'Content-Encoding': 'gzip',
  });
  if (!socket) return;
  const perChunk = 1_000;
  const members = chunk(Buffer.concat(Array.from({ length: perChunk }, () => gzipSync(''))));
  for (let sent = 0; sent < count; sent += perChunk)
    if (!(await scene.connections.write(socket, members))) return;
  await scene.connections.write(socket, LAST_CHUNK);
  await scene.connections.closed(socket);
}

export const uploads: readonly Attack[] = [
  {
    name: 'newlines',
    about: '1 GiB of newlines, 1 MB gzipped',
    inShort: true,
    run: (scene) => together(scene, 1, new RepeatedGzip(Buffer.alloc(16 * MIB, '\n'), 64)),
  },
  {
    name: 'newlines-4',
    about: 'the same four times at once',
    inShort: false,
    run: (scene) => together(scene, 4, new RepeatedGzip(Buffer.alloc(16 * MIB, '\n'), 64)),
  },
  {
    name: 'blank-lines',
    about: '1 GiB of lines of 8 MiB of blanks, gzipped',
    inShort: false,
    run: (scene) => together(scene, 1, new RepeatedGzip(line('', ' ', ''), 128)),
  },
  {
    name: 'bracket-lines',
    about: 'lines of 8 MiB of [[],[],..., gzipped',
    inShort: true,
    run: (scene) =>
      together(
        scene,
        2,
        new RepeatedGzip(line('{"id":"A","createdTime":1767225600000,"a":[', '[],', '[]]}'), 16),
      ),
  },
  {
    name: 'deep-lines',
    about: 'lines of 8 MiB of nested arrays, gzipped',
    inShort: true,
    run: (scene) =>
      together(
        scene,
        2,
        new RepeatedGzip(line('{"id":"A","createdTime":1767225600000,"a":', '[', ''), 16),
      ),
  },
  {
    name: 'member-lines',
    about: 'lines of 8 MiB of the same member again and again, gzipped',
    inShort: false,
    run: (scene) => together(scene, 2, new RepeatedGzip(line('{', '"a":1,', '"id":"A"}'), 16)),
  },
  {
    name: 'distinct-members',
    about: 'lines of 8 MiB of distinct members, gzipped',
    inShort: false,
    run: (scene) => {
      let members = '';
      for (let n = 0; members.length < LINE - 100; n++) members += `"${n}":1,`;
      const text = `{"id":"A","createdTime":1767225600000,${members}"z":1}\n`;
      return together(scene, 2, new RepeatedGzip(Buffer.from(text), 16));
    },
  },
  {
    name: 'digit-lines',
    about: 'lines with a time or an amount of 8 MiB of digits, gzipped',
    inShort: false,
    run: async (scene) => {
      const time = line('{"id":"A","createdTime":', '1', '}');
      const amount = line('{"id":"A","createdTime":1767225600000,"total":', '1', '}');
      await Promise.all([
        together(scene, 1, new RepeatedGzip(time, 16)),
        together(scene, 1, new RepeatedGzip(amount, 16)),
      ]);
    },
  },
  {
    name: 'escape-lines',
    about: 'lines with an id of 8 MiB of escapes, gzipped',
    inShort: false,
    run: (scene) => together(scene, 2, new RepeatedGzip(line('{"id":"', '\\u0041', '"}'), 16)),
  },
  {
    name: 'gzip-bombs',
    about: '8 uploads of 250 MB each, 250 kB gzipped, that never end: their spool stays',
    inShort: true,
    run: (scene) =>
      together(
        scene,
        scene.short ? 4 : 8,
        new RepeatedGzip(line('{"id":"A","createdTime":1767225600000,"note":"', 'a', '"}'), 32),
        false,
      ),
  },
  {
    name: 'slow-uploads',
    about: '200 uploads of one app at five merchants, at 80 B/s',
    inShort: false,
    run: (scene) => crawl(scene, 200, 2),
  },
  {
    name: 'least-rate-uploads',
    about: '100 uploads of one app at five merchants, at 24 kB/s',
    inShort: true,
    run: (scene) => crawl(scene, 100, 600),
  },
  {
    name: 'silent-uploads',
    about: '200 uploads that announce a body and send nothing of it',
    inShort: false,
    run: (scene) => crawl(scene, 200, 0),
  },
  {
    name: 'tiny-chunk-uploads',
    about: '10 uploads whose body comes in chunks of one byte',
    inShort: true,
    run: (scene) => tinyChunks(scene, 10),
  },
  {
    name: 'small-rows',
    about: '32 MiB of the smallest valid orders, gzipped, twice at once',
    inShort: false,
    run: (scene) => {
      const lines = Buffer.from(SMALL_LINE.repeat(Math.floor((4 * MIB) / SMALL_LINE.length)));
      return together(scene, 2, new RepeatedGzip(lines, 8));
    },
  },
  {
    name: 'gzip-members',
    about: '8 MB of gzip members that hold nothing, 400,000 of them',
    inShort: false,
    run: (scene) => emptyMembers(scene, 400_000),
  },
  {
    name: 'read-only-uploads',
    about: '10 endless uploads with a token that may only read',
    inShort: false,
    run: (scene) => endless(scene, 10, scene.target.readOnlyToken),
  },
  {
    name: 'endless-uploads',
    about: '10 endless uploads that are valid',
    inShort: false,
    run: (scene) => endless(scene, 10, scene.target.attacker.token),
  },
];
