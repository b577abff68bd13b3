import { DsnError } from './dsn-error.ts';
import type { Parameter } from './parts.ts';

/** What becomes of a key of a DSN. docs/databases.md is held against these. */
export interface KeyRule {
  /** The first is what it is called here; the others mean the same. */
  readonly names: readonly string[];
  /**
   * - `applied`
   * - `ignored`: has no effect, with a warning
   * - `refused`: the DSN cannot be used with it
   */
  readonly fate: 'applied' | 'ignored' | 'refused';
  /** What it does, why it has no effect, or why it is refused and what to do instead. */
  readonly why: string;
  /** Values, in lower case, that are taken without a word, whatever the fate: they change nothing. */
  readonly harmless?: readonly string[];
}

/** The applied keys by their first name. */
export type Settings = ReadonlyMap<string, string>;

export interface Sorted {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/** A typo in one of these must not weaken what was asked for. */
const LOOKS_LIKE_SECURITY = /ssl|tls|cert|verif|trust|auth|krb|gss|passw|plain/i;

/**
 * Sorts a DSN's parameters by the rules for its driver.
 *
 * @param normalise makes spellings of one key the same
 * @throws {DsnError}
 */
export function sortParameters(
  parameters: readonly Parameter[],
  rules: readonly KeyRule[],
  normalise: (key: string) => string,
): Sorted {
  const known = byName(rules, normalise);
  const settings = new Map<string, string>();
  const warnings = new Set<string>();
  for (const [index, { key, value }] of parameters.entries()) {
    const { rule, name = '', first = '' } = known.get(normalise(key)) ?? {};
    if (rule === undefined) {
      warnings.add(unknown(key, index + 1));
    } else if (rule.harmless?.includes(value.toLowerCase())) {
    } else if (rule.fate === 'refused') {
      throw new DsnError(`has the key ${name}, which is refused: ${rule.why}`);
    } else if (rule.fate === 'ignored') {
      warnings.add(`its key ${name} has no effect: ${rule.why}`);
    } else if (settings.has(first)) {
      throw new DsnError(`gives ${first} twice; remove the one that is not meant`);
    } else {
      settings.set(first, value);
    }
  }
  return { settings, warnings: [...warnings] };
}

interface Known {
  readonly rule: KeyRule;
  /** As the rule spells it. */
  readonly name: string;
  /** The rule's first name. */
  readonly first: string;
}

function byName(
  rules: readonly KeyRule[],
  normalise: (key: string) => string,
): ReadonlyMap<string, Known> {
  const known = new Map<string, Known>();
  for (const rule of rules) {
    const [first = ''] = rule.names;
    for (const name of rule.names) known.set(normalise(name), { rule, name, first });
  }
  return known;
}

/** An unknown key is not shown: it can be the rest of a password that holds a `&` or a blank. */
function unknown(key: string, number: number): string {
  if (LOOKS_LIKE_SECURITY.test(key)) {
    throw new DsnError(
      `has a key that is not known (parameter ${number}) and seems to concern TLS or the login, so it cannot be passed over; correct or remove it`,
    );
  }
  return `its parameter ${number} has a key that is not known; it has no effect`;
}
