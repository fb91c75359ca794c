/** Lists the metrics that the dashboard and the alerts of deploy/ use. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const ALERTS = fileURLToPath(new URL('../../../deploy/alerts.yaml', import.meta.url));
const DASHBOARD = fileURLToPath(new URL('../../../deploy/grafana-dashboard.json', import.meta.url));

interface Panel {
  targets?: { expr: string }[];
}

/** The expressions of the dashboard's panels, with Grafana's variables. */
export async function readPanelExpressions(): Promise<string[]> {
  const { panels } = JSON.parse(await readFile(DASHBOARD, 'utf8')) as { panels: Panel[] };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

/** The expressions of the dashboard and of the alerts. */
export async function readExpressions(): Promise<string[]> {
  const rules = (await readFile(ALERTS, 'utf8')).split(/^ *- alert: /m).slice(1);
  const ofAlerts = rules.map((rule) => {
    const [, expression = ''] = /^ *expr: (?:\|\n)?([\s\S]+?)\n *(?:for|labels):/m.exec(rule) ?? [];
    return expression;
  });
  return [...(await readPanelExpressions()), ...ofAlerts];
}

/** The series that the dashboard and the alerts name, except those that Prometheus makes itself (`up`). */
export async function readWatchedSeries(): Promise<Set<string>> {
  const text = (await readExpressions()).join('\n');
  return new Set(text.match(/\b(?:tillroll|process|nodejs)_[a-z0-9_]+\b/g));
}
