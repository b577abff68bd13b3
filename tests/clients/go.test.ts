import { describe, expect, test } from 'vitest';
import { run, SIDECAR_COMMAND, withHint } from './go-tools.ts';

const TIMEOUT_MS = 600_000;

describe('the Go client', () => {
  test('is formatted', { timeout: TIMEOUT_MS }, async () => {
    expect(await run('clients/go', 'gofmt', ['-l', '.'])).toEqual({ code: 0, output: '' });
  });

  test('passes go vet', { timeout: TIMEOUT_MS }, async () => {
    const ended = await run('clients/go', 'go', ['vet', '-tags', 'sidecar', './...']);
    expect(withHint(ended)).toBe('exit 0');
  });

  test('needs nothing but the standard library', { timeout: TIMEOUT_MS }, async () => {
    const format = '{{if not .Standard}}{{.ImportPath}}{{end}}';
    const ended = await run('clients/go', 'go', ['list', '-deps', '-f', format, '.']);
    expect(ended).toEqual({ code: 0, output: 'github.com/agenttier/storage/clients/go\n' });
  });

  test('passes its own tests and those with real sidecars, under the race detector', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const ended = await run(
      'clients/go',
      'go',
      ['test', '-race', '-count=1', '-tags', 'sidecar', './...'],
      {
        CGO_ENABLED: '1',
        STORAGE_TEST_SIDECAR: SIDECAR_COMMAND,
      },
    );
    expect(withHint(ended)).toBe('exit 0');
  });
});
