/** Describes the settings, for `--help` and for docs/operating.md. */
import { SETTINGS } from './settings.ts';

const all = Object.values(SETTINGS);

/** The settings for `--help`: each variable with its default, and what it is. */
export function settingsHelp(): string {
  const lines = all.map(
    ({ variable, default: shown, summary }) => `  ${variable} (${shown})\n    ${summary}`,
  );
  return `\nEnvironment (defaults):\n${lines.join('\n')}\n`;
}

/** The table of docs/operating.md. */
export function settingsTable(): string {
  const rows = all.map(
    ({ variable, default: shown, description }) =>
      `| \`${variable}\` | ${shown} | ${description} |`,
  );
  return ['| variable | default | |', '|---|---|---|', ...rows].join('\n');
}
