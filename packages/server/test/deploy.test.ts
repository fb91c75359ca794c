import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CATALOGUE, type Definition } from '../src/metrics/catalogue.ts';
import { hasPromtool, promtool } from './promtool.ts';
import { ALERTS, readExpressions, readPanelExpressions } from './watched-metrics.ts';

let directory: string;
let alerts: string;
/** By the name of the alert. */
let names: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-rules-'));
  alerts = await readFile(ALERTS, 'utf8');
  names = [...alerts.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name = '']) => name);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Labels that Prometheus adds, or that every metric has. */
const COMMON_LABELS = ['process', 'instance', 'job', 'le'];

test('labels that the dashboard and the alerts use are those of the catalogue', async () => {
  const known = new Set([
    ...COMMON_LABELS,
    ...Object.values<Definition>(CATALOGUE).flatMap(({ labels }) => Object.keys(labels)),
  ]);
  for (const expression of await readExpressions()) {
    const used = [
      ...[...expression.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list = '']) => list.split(/, */)),
      ...[...expression.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(([, label = '']) => label),
    ];
    for (const label of used) expect(known, expression).toContain(label);
  }
});

test('docs/operating.md says of each alert what it means and what to do', async () => {
  const docs = fileURLToPath(new URL('../../../docs/operating.md', import.meta.url));
  const rows = [
    ...(await readFile(docs, 'utf8')).matchAll(/^\| `(Tillroll\w+)` \| .+ \| .+ \|$/gm),
  ];
  expect(names.length).toBeGreaterThan(10);
  expect(rows.map(([, name]) => name)).toEqual(names);
});

/** Series of one value a minute for each alert: some make it fire, and some do not. */
const CASES: Record<string, { fires: string[]; quiet: string[] }> = {
  TillrollDown: {
    fires: ['up{job="tillroll",instance="a"} 1x10 0x10'],
    quiet: ['up{job="tillroll"} 1x20', 'up{job="other"} 0x20'],
  },
  TillrollNotReady: {
    fires: ['tillroll_ready{process="worker"} 1x10 0x10'],
    // A restart is not a fault.
    quiet: ['tillroll_ready{process="worker"} 1x18 0 0'],
  },
  TillrollWorkerSilent: {
    fires: ['tillroll_worker_up{process="api"} 0x20'],
    quiet: ['tillroll_worker_up{process="api"} 1x18 0 1'],
  },
  TillrollJobsWait: {
    fires: ['tillroll_queue_oldest_job_age_seconds{process="api"} 0+60x20'],
    quiet: [
      'tillroll_queue_oldest_job_age_seconds{process="api"} 100x20',
      'tillroll_queue_oldest_job_age_seconds{process="worker"} 100x20',
    ],
  },
  TillrollExportOpenForLong: {
    fires: ['tillroll_open_exports_oldest_age_seconds 3000+60x20'],
    quiet: ['tillroll_open_exports_oldest_age_seconds 2000+60x20'],
  },
  TillrollExportsFail: {
    fires: ['tillroll_exports_finished_total{outcome="failed",reason="INTERNAL"} 0x18 1 1'],
    quiet: [
      'tillroll_exports_finished_total{outcome="done",reason="none"} 0+9x20',
      'tillroll_exports_finished_total{outcome="failed",reason="INTERNAL"} 4x20',
    ],
  },
  TillrollExportsRetried: {
    fires: ['tillroll_export_retries_total{reason="lost"} 0+1x20'],
    quiet: [
      'tillroll_export_retries_total{reason="shutdown"} 0+9x20',
      'tillroll_export_retries_total{reason="lost"} 0x10 1x10',
    ],
  },
  TillrollStoreFails: {
    fires: ['tillroll_storage_call_seconds_count{operation="write",result="error"} 0+2x20'],
    quiet: [
      'tillroll_storage_call_seconds_count{operation="write",result="ok"} 0+99x20',
      'tillroll_storage_call_seconds_count{operation="write",result="error"} 0x10 2x10',
    ],
  },
  TillrollFilesMissing: {
    fires: ['tillroll_storage_call_seconds_count{operation="read",result="missing"} 0x17 1 1 1'],
    quiet: ['tillroll_storage_call_seconds_count{operation="read",result="missing"} 3x20'],
  },
  TillrollRequestsFail: {
    fires: [
      'tillroll_http_request_seconds_count{status="200"} 0+90x20',
      'tillroll_http_request_seconds_count{status="503"} 0+10x20',
    ],
    quiet: [
      'tillroll_http_request_seconds_count{status="200"} 0+90x20',
      'tillroll_http_request_seconds_count{status="404"} 0+90x20',
      'tillroll_http_request_seconds_count{status="503"} 0+1x20',
    ],
  },
  TillrollPoolExhausted: {
    fires: ['tillroll_pool_waiting{pool="requests"} 3x20'],
    quiet: ['tillroll_pool_waiting{pool="requests"} 9 9 9 0 9 9 9 0 9 9 9 0 9 9 9 0 9 9 9 0 9'],
  },
  TillrollAuthenticationFailures: {
    fires: ['tillroll_authentication_failures_total{reason="token unknown"} 0+600x20'],
    quiet: ['tillroll_authentication_failures_total{reason="token unknown"} 0+60x20'],
  },
  TillrollEventLoopBlocked: {
    fires: ['nodejs_eventloop_lag_p99_seconds{job="tillroll"} 0.8x20'],
    quiet: ['nodejs_eventloop_lag_p99_seconds{job="tillroll"} 0.1x20'],
  },
  TillrollFileDescriptors: {
    fires: ['process_open_fds{job="tillroll"} 900x20', 'process_max_fds{job="tillroll"} 1024x20'],
    quiet: ['process_open_fds{job="tillroll"} 90x20', 'process_max_fds{job="tillroll"} 1024x20'],
  },
};

describe.skipIf(!hasPromtool())('promtool', () => {
  test('accepts the alerts', () => {
    expect(promtool(['check', 'rules', ALERTS])).toMatchObject({ status: 0 });
  });

  test('accepts the expressions of the dashboard', async () => {
    const rules = (await readPanelExpressions()).map((expression, index) => ({
      record: `tillroll:panel:${index}`,
      expr: expression.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'tillroll'),
    }));
    expect(rules.length).toBeGreaterThan(20);
    const file = join(directory, 'panels.yaml');
    // JSON is YAML.
    await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    expect(promtool(['check', 'rules', file])).toMatchObject({ status: 0 });
  });

  test('every alert has a case', () => {
    expect(Object.keys(CASES)).toEqual(names);
  });

  test.each(Object.entries(CASES))('%s fires when it must, and only then', async (name, on) => {
    const run = (series: readonly string[], fires: boolean): object => ({
      interval: '1m',
      input_series: series.map((line) => {
        const end = line.indexOf(' ', line.lastIndexOf('}'));
        return { series: line.slice(0, end), values: line.slice(end + 1) };
      }),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${name}",alertstate="firing"})`,
          eval_time: '20m',
          exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
        },
      ],
    });
    const file = join(directory, `${name}.yaml`);
    const tests = [run(on.fires, true), run(on.quiet, false)];
    await writeFile(
      file,
      JSON.stringify({ rule_files: [ALERTS], evaluation_interval: '1m', tests }),
    );
    const { status, output } = promtool(['test', 'rules', file]);
    expect({ status, output }).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') });
  });
});
