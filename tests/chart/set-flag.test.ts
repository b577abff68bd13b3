import { beforeAll, expect, it } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { chart, type Helm, helms } from './support/chart.ts';

// What --set makes of a number is Helm's own: one with a fraction stays a text, unlike in a file.
beforeAll(async () => {
  for (const helm of helms) await program(helm);
}, 1_800_000);

async function template(helm: Helm, flag: string, values: string): Promise<string> {
  const args = ['template', 'agenttier', chart, '--kube-version', '1.33.0'];
  return mustRun(await program(helm), [...args, flag, values]);
}

it.for(helms)('renders a fraction as from a file when --set gives it, with %s', async (helm) => {
  for (const rate of ['0.5', '2.25', '3']) {
    const rendered = await template(helm, '--set', `router.rateLimit.perIPPerSecond=${rate}`);
    expect(rendered).toContain(`- --ratelimit-per-ip-rate=${rate}\n`);
    // A JSON number is what a file has.
    const fromFile = await template(
      helm,
      '--set-json',
      `router.rateLimit={"perIPPerSecond":${rate}}`,
    );
    expect(rendered).toBe(fromFile);
    expect(rendered).toBe(
      await template('helm3', '--set', `router.rateLimit.perIPPerSecond=${rate}`),
    );
  }
});
