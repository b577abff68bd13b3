import { formatAddress } from './address.ts';
import { shown } from './bad-value.ts';
import type { Config, Loaded } from './config.ts';

/** What `--check` prints: the problems, or what the environment comes to. Holds no secret. */
export function configReport({ config, errors, warnings }: Loaded): string {
  const problems = [
    ...errors.map((error) => `error: ${error}`),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  const verdict =
    errors.length === 0
      ? 'The configuration is good.'
      : `The configuration has ${errors.length} error${errors.length === 1 ? '' : 's'}.`;
  return [...problems, ...summary(config), verdict].map((line) => `${line}\n`).join('');
}

function summary(config: Config): string[] {
  return [
    `storage: ${storageOf(config)}`,
    `API: ${config.api === undefined ? 'does not listen' : formatAddress(config.api)}`,
    `health and metrics: ${config.ops === undefined ? 'off' : formatAddress(config.ops)}`,
    `queue: ${config.queueBytes} bytes; shutdown grace: ${config.shutdownGraceMs / 1000} s; log level: ${config.logLevel}`,
  ];
}

function storageOf({ storage }: Config): string {
  if ('unusable' in storage) return `${storage.driver}, down`;
  if ('path' in storage) return `sqlite at ${shown(storage.path)}`;
  if ('places' in storage) return `${storage.driver} by a DSN`;
  return 'none, nothing is kept';
}
