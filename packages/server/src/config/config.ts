/** Reads the settings from the environment. */
import type { Environment } from './parsers.ts';
import { SETTINGS, type Config, type Setting } from './settings.ts';

/** Every fault of the environment at once, one a line. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** In their order: a setting may depend on those before it. */
const SETTING_KEYS = Object.keys(SETTINGS) as (keyof Config)[];
const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/;

/**
 * Environment to typed config. An empty variable counts as unset.
 * @throws ConfigError with every fault at once.
 */
export function readConfig(environment: Environment): Config {
  const faults: string[] = [];
  const config: Partial<Config> = {};
  function read<K extends keyof Config>(key: K): void {
    const { variable, parse, unset }: Setting<Config[K]> = SETTINGS[key];
    const text = environment[variable]?.trim() ?? '';
    let value: Config[K] | undefined;
    try {
      if (text !== '') value = parse(text, environment);
    } catch (error) {
      faults.push(`${variable}: ${error instanceof Error ? error.message : String(error)}`);
    }
    config[key] = value === undefined ? unset(config) : value;
  }
  for (const key of SETTING_KEYS) read(key);
  const { publicUrl, host = '' } = config;
  if (publicUrl === null && !LOOPBACK.test(host))
    faults.push(
      `TILLROLL_PUBLIC_URL: required when HOST (${host}) is not loopback: say where clients reach this service, as in https://exports.example.com`,
    );
  if (config.s3Redirect && config.storage?.kind === 'directory')
    faults.push('TILLROLL_S3_REDIRECT: needs an s3:// address in TILLROLL_STORAGE_URL');
  if (faults.length > 0) throw new ConfigError(faults);
  return config as Config;
}
