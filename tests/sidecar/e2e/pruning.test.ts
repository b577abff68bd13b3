import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { requireProgram } from '../support/require-program.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { KINDS, records } from './support/kinds.ts';
import { listedIds } from './support/stored.ts';

const README = fileURLToPath(new URL('../../../README.md', import.meta.url));

/** The README's command, which deletes what is older than two years. */
function command(): string {
  const found = /^sqlite3 data\/agenttier\.db "\n {2}DELETE[\s\S]*?VACUUM;"$/m.exec(
    readFileSync(README, 'utf8'),
  );
  if (found === null) throw new Error('the README has no such command');
  return found[0];
}

it('goes on with a backup that was pruned by the README’s command', async () => {
  await requireProgram('sqlite3', 'sqlite3');
  await using directory = await temporaryDirectory();
  const path = directory.path('data', 'agenttier.db');
  const years = (back: number) => new Date(Date.now() - back * 366 * 86_400_000).toISOString();
  {
    await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
    await sidecar.storage('up');
    for (const kind of KINDS) {
      const body = [
        ...records(kind, `${kind.kind}-old`, 5_000).map((record) => ({ ...record, ts: years(3) })),
        ...records(kind, `${kind.kind}-new`, 3).map((record) => ({ ...record, ts: years(1) })),
      ];
      const headers = { 'content-type': 'application/json', prefer: 'wait=60' };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      expect((await fetch(sidecar.api + kind.path, init)).status).toBe(201);
    }
    const backup = await fetch(`${sidecar.api}/v1/backup`);
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    writeFileSync(path, Buffer.from(await backup.arrayBuffer()));
  }
  const before = statSync(path).size;
  execFileSync('bash', ['-c', command()], { cwd: dirname(dirname(path)) });
  expect(statSync(path).size).toBeLessThan(before / 10);

  await using sidecar = await startSidecar({ STORAGE_SQLITE_PATH: path });
  expect((await sidecar.storage('up')).warnings).toEqual([]);
  const kept = KINDS.flatMap(({ kind }) => [0, 1, 2].map((n) => `${kind}-new-${n}`));
  expect((await listedIds(sidecar.api)).sort()).toEqual(kept.sort());
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
  const verified = await startSidecar(
    { STORAGE_SQLITE_PATH: path },
    { args: ['--verify'], wait: 'nothing' },
  );
  expect((await verified.exited).code).toBe(0);
});
