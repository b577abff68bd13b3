/**
 * Measures the figures that the project promises, as ratios from one run.
 *
 *     npm run bench                       all of them, and writes docs/PERFORMANCE.md
 *     npm run bench -- single durable     some of them: single, batch, durable,
 *                                         large, backup, postgres, mariadb
 *     npm run bench -- --quick            only shows that it runs; its figures mean nothing
 *
 * Exit status: 0 all met (or --quick), 1 some missed, 2 bad arguments or a failure.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { backup } from './backup.ts';
import { batch } from './batch.ts';
import { bundle } from './bundles.ts';
import { describeFigure, performanceDocument } from './document.ts';
import { durable } from './durable.ts';
import { isMet, type Outcome, type Setting } from './figure.ts';
import { large } from './large.ts';
import { killServers } from './server.ts';
import { mariadb } from './servers/mariadb.ts';
import { postgres } from './servers/postgres.ts';
import { single } from './single.ts';

const BENCHMARKS: Readonly<Record<string, (setting: Setting) => Promise<Outcome>>> = {
  single,
  batch,
  durable,
  large,
  backup,
  postgres,
  mariadb,
};

const DOCUMENT = new URL('../../docs/PERFORMANCE.md', import.meta.url);

async function main(names: readonly string[], quick: boolean): Promise<number> {
  const chosen = names.length === 0 ? Object.keys(BENCHMARKS) : names;
  const directory = mkdtempSync(`${tmpdir()}/agenttier-bench-`);
  // Also on ^C: a file of gigabytes and its servers must not stay behind.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  process.once('exit', () => {
    killServers();
    rmSync(directory, { recursive: true, force: true });
  });
  const setting = { ...(await bundle(directory)), directory, quick, note: say };
  const outcomes: Outcome[] = [];
  for (const name of chosen) {
    say(`${name} ...`);
    outcomes.push(await BENCHMARKS[name]!(setting));
  }
  say('');
  for (const { figures, facts } of outcomes) {
    for (const figure of figures) say(describeFigure(figure));
    for (const [label, value] of facts) say(`         ${label}: ${value}`);
  }
  if (quick) return 0;
  if (names.length === 0) {
    writeFileSync(DOCUMENT, performanceDocument(outcomes, new Date().toISOString().slice(0, 10)));
    say('\ndocs/PERFORMANCE.md is written');
  }
  return outcomes.every(({ figures }) => figures.every(isMet)) ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readArguments(): { names: string[]; quick: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false } },
  });
  const unknown = positionals.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown === undefined) return { names: positionals, quick: values.quick };
  throw new Error(`there is no benchmark '${unknown}', only ${Object.keys(BENCHMARKS).join(', ')}`);
}

try {
  if (process.platform !== 'linux') throw new Error('the figures are read from /proc, of Linux');
  const { names, quick } = readArguments();
  process.exitCode = await main(names, quick);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
}
