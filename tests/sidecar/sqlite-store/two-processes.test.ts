import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../support/bundle.ts';
import { databasePath, until } from '../support/sqlite-store.ts';
import { type TellingProcess, tellingProcess } from '../support/telling-process.ts';

let programs: Bundle;
beforeAll(async () => {
  programs = await bundle({ writer: new URL('./workers/writer-process.ts', import.meta.url) });
});
afterAll(() => programs.remove());

function writer(path: string, prefix: string, pauseMs = 5): TellingProcess {
  return tellingProcess(programs.url('writer'), path, prefix, String(pauseMs));
}

function acknowledged({ lines }: TellingProcess): string[] {
  return lines.flatMap((line) => (line.acknowledged === undefined ? [] : [`${line.acknowledged}`]));
}

const isOpen = ({ lines }: TellingProcess) => lines.some((line) => line.opened === true);
const failures = ({ lines }: TellingProcess) =>
  lines.flatMap((line) => (line.failed === undefined ? [] : [`${line.failed}`]));

/** What the closed file holds, after a full check of it. */
function contents(path: string): string[] {
  const database = new DatabaseSync(path);
  try {
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    const rows = database.prepare('SELECT event_id FROM audit_events').all();
    return rows.map((row) => String(row.event_id));
  } finally {
    database.close();
  }
}

async function stop(process: TellingProcess): Promise<void> {
  process.kill('SIGTERM');
  expect(await process.exited).toBe(0);
}

describe('two sidecars on one file', () => {
  it('take turns: the second waits, and takes over soon after the first is killed', async () => {
    const path = databasePath();
    const first = writer(path, 'first');
    await until(() => acknowledged(first).length > 20);
    const second = writer(path, 'second');
    await until(() => failures(second).some((reason) => reason.includes('waiting')));
    expect(failures(second)[0]).toMatch(/another sidecar \(host .+, process \d+\) holds .+\.lock/);
    expect(isOpen(second)).toBe(false);

    first.kill('SIGKILL');
    await first.exited;
    await until(() => acknowledged(second).length > 20, 10_000);
    await stop(second);

    const stored = contents(path);
    expect(stored).toEqual(expect.arrayContaining(acknowledged(first)));
    expect(stored).toEqual(expect.arrayContaining(acknowledged(second)));
    expect(readdirSync(dirname(path))).toEqual(['agenttier.db']);
  });

  it('take over in order when the first one stops', async () => {
    const path = databasePath();
    const first = writer(path, 'first');
    await until(() => isOpen(first));
    const second = writer(path, 'second');
    await until(() => failures(second).length > 0);
    await stop(first);
    await until(() => acknowledged(second).length > 0);
    await stop(second);
    expect(contents(path)).toEqual(
      expect.arrayContaining([...acknowledged(first), ...acknowledged(second)]),
    );
  });

  it('never write together: one that was frozen stops before its next write', async () => {
    const path = databasePath();
    const first = writer(path, 'first', 0);
    await until(() => acknowledged(first).length > 20);
    const second = writer(path, 'second');
    await until(() => failures(second).length > 0);

    first.kill('SIGSTOP');
    await until(() => acknowledged(second).length > 20);
    const before = acknowledged(first).length;
    first.kill('SIGCONT');
    await until(() => failures(first).some((reason) => reason.includes('holds')));
    // The one commit that was under way when it froze, and whose writes the kernel had, may count.
    expect(acknowledged(first).length - before).toBeLessThanOrEqual(1);
    expect(failures(first)[0]).toMatch(/lock/);

    const after = acknowledged(second).length;
    await until(() => acknowledged(second).length > after + 20);
    await stop(second);
    await until(() => acknowledged(first).length > before + 5);
    await stop(first);
    const stored = contents(path);
    expect(stored).toEqual(expect.arrayContaining(acknowledged(second)));
    expect(stored).toEqual(expect.arrayContaining(acknowledged(first).slice(0, before)));
    expect(new Set(stored).size).toBe(stored.length);
  });
});
