import { drive } from './drive.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { UnreachableError } from './poster.ts';
import type { Screen } from './progress.ts';

/**
 * The command `simulate`.
 *
 * @returns the exit status: 0 all acknowledged, 1 some refused or the sidecar gone, 2 bad arguments
 */
export async function main(
  args: readonly string[],
  out: Screen,
  problems: Screen,
): Promise<number> {
  let options: Options | 'help';
  try {
    options = parseOptions(args, Date.now());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.write(`simulate: ${error.message}\nSee \`npm run simulate -- --help\`.\n`);
    return 2;
  }
  if (options === 'help') {
    out.write(HELP);
    return 0;
  }
  const { sandboxes, days, seed, startMs, url } = options;
  const start = new Date(startMs).toISOString();
  out.write(
    `${sandboxes} sandboxes, ${days} days from ${start}, seed ${seed} -> ${url.origin}\n` +
      `(the same again: --seed ${seed} --start ${start})\n`,
  );
  try {
    const { tally, busy, reconnected, seconds } = await drive(options, out);
    const { acknowledged, refused } = tally.total;
    const rate = Math.round(acknowledged / seconds).toLocaleString('en-US');
    out.write(`\n${tally}\n\n${seconds.toFixed(1)} s, ${rate} records acknowledged a second\n`);
    if (busy > 0) out.write(`requests sent again after a 503: ${busy}\n`);
    if (reconnected > 0) out.write(`requests sent again after a lost connection: ${reconnected}\n`);
    if (refused === 0) return 0;
    problems.write(`simulate: the sidecar refused ${refused} records: ${tally.firstProblem}\n`);
    return 1;
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    problems.write(`simulate: ${error.message}\n`);
    return 1;
  }
}
