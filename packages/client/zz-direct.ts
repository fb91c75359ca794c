import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Assembly } from './src/assemble/assembly.ts';
import { readAhead } from './src/assemble/read-part.ts';
const root = '/tmp/perf/saved/.tillroll/parts';
const { done } = JSON.parse(readFileSync('/tmp/perf/done.json', 'utf8'));
const parts: any[] = [];
for (const exported of done) {
  const m = JSON.parse(readFileSync(join(root, exported.id, 'manifest.json'), 'utf8'));
  m.files.forEach((f: any, i: number) =>
    parts.push({
      path: join(root, exported.id, String(i).padStart(4, '0') + '.json.gz'),
      exportId: exported.id,
      expected: f.expected ?? f,
    }),
  );
}
console.log(parts.length, parts[0]);
for (let round = 0; round < Number(process.env.R ?? 3); round++) {
  const t = performance.now();
  const a = await Assembly.begin({
    type: 'ORDERS',
    timezone: 'UTC',
    gzip: false,
    mode: 0o600,
    output: '/tmp/perf/o',
    ids: '/tmp/perf/i',
    covers: [{ startTime: Date.UTC(2026, 0, 1), endTime: Date.UTC(2026, 1, 1) }],
    dropsAt: null,
    existing: undefined,
    exclude: [],
  });
  const ahead: any[] = [];
  let next = 0;
  for (let i = 0; i < parts.length; i++) {
    while (next < parts.length && next < i + Number(process.env.A ?? 4))
      ahead.push(readAhead(parts[next++]));
    await a.add(parts[i], ahead.shift());
  }
  const t2 = performance.now();
  const f = await a.finish();
  console.log((t2 - t).toFixed(0), (performance.now() - t).toFixed(0), f.objects);
}
