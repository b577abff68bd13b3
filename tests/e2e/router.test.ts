import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, withHint } from '../clients/go-tools.ts';
import { startSidecar } from '../sidecar/support/sidecar-process.ts';

const TIMEOUT_MS = 600_000;
const FOLDER = 'tests/e2e/router';
const MAX_BYTES = 15_000_000;

describe('the stand-in Router', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'router-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('is formatted and passes go vet', { timeout: TIMEOUT_MS }, async () => {
    expect(await run(FOLDER, 'gofmt', ['-l', '.'])).toEqual({ code: 0, output: '' });
    expect(withHint(await run(FOLDER, 'go', ['vet', './...']))).toBe('exit 0');
  });

  test('passes its tests under the race detector', { timeout: TIMEOUT_MS }, async () => {
    const ended = await run(FOLDER, 'go', ['test', '-race', '-count=1', './...'], {
      CGO_ENABLED: '1',
    });
    expect(withHint(ended)).toBe('exit 0');
  });

  test('is one small static binary', { timeout: TIMEOUT_MS }, async () => {
    const binary = join(directory, 'router');
    const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', binary, '.'];
    expect(withHint(await run(FOLDER, 'go', args, { CGO_ENABLED: '0' }))).toBe('exit 0');
    expect((await stat(binary)).size).toBeLessThan(MAX_BYTES);
    expect((await readFile(binary)).includes('/ld-linux')).toBe(false);
  });

  test('loses nothing that its journal calls durable when the sidecar is killed under load', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const binary = join(directory, 'router-of-kill');
    const journal = join(directory, 'journal');
    expect(withHint(await run(FOLDER, 'go', ['build', '-o', binary, '.']))).toBe('exit 0');
    const env = { STORAGE_SQLITE_PATH: join(directory, 'agenttier.db') };
    await using first = await startSidecar(env);
    const router = spawn(binary, ['--listen-addr=127.0.0.1:0', '--oidc-issuer='], {
      env: {
        STORAGE_SIDECAR_URL: first.api,
        ROUTER_LOAD_RATE: '300',
        ROUTER_COST_INTERVAL: '100ms',
        ROUTER_JOURNAL: journal,
      },
      stdio: 'ignore',
    });
    try {
      await sleep(1_500);
      await first.kill();
      await using second = await startSidecar({
        ...env,
        STORAGE_API_ADDRESS: new URL(first.api).host,
      });
      await second.storage('up');
      await sleep(1_500);
      router.kill('SIGTERM');
      expect(await once(router, 'close')).toEqual([0, null]);

      const outcomes = new Map<string, string>();
      for (const line of (await readFile(journal, 'utf8')).trim().split('\n')) {
        const { event_id, outcome } = JSON.parse(line) as { event_id: string; outcome: string };
        outcomes.set(event_id, outcome);
      }
      const stored = await storedIds(second.api);
      expect(new Set(outcomes.values())).toEqual(new Set(['durable']));
      expect([...outcomes.keys()].sort()).toEqual([...stored].sort());
      expect(stored.size).toBeGreaterThan(300);
    } finally {
      router.kill('SIGKILL');
    }
  });
});

async function storedIds(api: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const path of ['audit-events', 'sandbox-events', 'cost-snapshots']) {
    let cursor = '';
    do {
      const response = await fetch(`${api}/v1/${path}?limit=1000${cursor}`);
      const page = (await response.json()) as {
        items: { event_id: string }[];
        next_cursor: string | null;
      };
      for (const item of page.items) ids.add(item.event_id);
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`;
    } while (cursor !== '');
  }
  return ids;
}
