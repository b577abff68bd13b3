import { VARIABLES } from './variables.ts';

/**
 * What Kubernetes sets in every container for a Service called `storage` or `storage-...`,
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
 */
const OF_A_SERVICE =
  /^STORAGE_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;

/** `STORAGE_API_PORT=tcp://10.0.0.1:80` comes from a Service; `STORAGE_API_PORT=80` is a mistake. */
const SERVICE_URL = /^(?:tcp|udp|sctp):\/\//;

/** A warning for each STORAGE_ variable that nobody reads, with the name that was likely meant. */
export function unknownNames(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = VARIABLES.map(({ name }) => name);
  return Object.keys(env)
    .filter((name) => name.startsWith('STORAGE_') && !known.includes(name))
    .filter((name) => !isOfService(name, env[name] ?? ''))
    .sort()
    .map((name) => `${printable(name)} is not known; did you mean ${nearest(name, known)}?`);
}

function isOfService(name: string, value: string): boolean {
  if (name === 'STORAGE_PORT' || name.startsWith('STORAGE_PORT_')) return true;
  return OF_A_SERVICE.test(name) || (name.endsWith('_PORT') && SERVICE_URL.test(value));
}

function printable(name: string): string {
  return /^\w{1,64}$/.test(name) ? name : 'a STORAGE_ variable with an odd name';
}

function nearest(name: string, known: readonly string[]): string {
  const byDistance = known.map((candidate) => ({ candidate, far: unlikeness(name, candidate) }));
  byDistance.sort((a, b) => a.far - b.far);
  return byDistance[0]?.candidate ?? '';
}

/** Letters that differ; a whole word in common (`API`, `GRACE`) outweighs a few of them. */
function unlikeness(name: string, candidate: string): number {
  const words = new Set(name.split('_'));
  const shared = candidate.split('_').filter((word) => words.has(word)).length;
  return distance(name, candidate) - 10 * shared;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
