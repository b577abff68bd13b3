import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, withHint } from '../clients/go-tools.ts';

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
});
