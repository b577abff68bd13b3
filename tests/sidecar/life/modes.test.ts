import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { spawnSidecar, startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Runs a mode that ends by itself; its text is whatever it printed. */
async function mode(args: string[], env: Record<string, string> = {}) {
  await using sidecar = spawnSidecar(env, { args });
  const { code } = await sidecar.exited;
  return { code, text: sidecar.stray };
}

describe.concurrent('the modes', () => {
  it('--check exits 0 where nothing is wrong', async () => {
    const { code, text } = await mode(['--check'], { STORAGE_SQLITE_PATH: '/data/a.db' });
    expect(code).toBe(0);
    expect(text).toContain('sqlite at "/data/a.db"');
    expect(text).toContain('The configuration is good.');
  });

  it('--check tells all problems at once and exits 2, without a secret', async () => {
    const { code, text } = await mode(['--check'], {
      STORAGE_DSN: 'postgres://ana:hunter2@db/x',
      STORAGE_SQLITE_PATH: '/data/a.db',
      STORAGE_QUEUE_BYTES: 'many',
      STORAGE_SHUTDOWN_GRACE: '20',
      STORAGE_LOG_LEVL: 'info',
    });
    expect(code).toBe(2);
    expect(text).toContain('STORAGE_SQLITE_PATH and STORAGE_DSN are both set');
    expect(text).toContain('STORAGE_QUEUE_BYTES is "many"');
    expect(text).toContain('STORAGE_SHUTDOWN_GRACE is "20"');
    expect(text).toContain('did you mean STORAGE_LOG_LEVEL?');
    expect(text).not.toContain('hunter2');
  });

  it('warnings alone leave --check at 0', async () => {
    const { code, text } = await mode(['--check'], { STORAGE_QUEUE: '1' });
    expect(code).toBe(0);
    expect(text).toContain('warning: STORAGE_QUEUE is not known');
  });

  it('a process with the same problems runs, and says them in its log and in /readyz', async () => {
    await using sidecar = await startSidecar({
      STORAGE_DSN: 'postgres://ana:hunter2@db/x',
      STORAGE_SQLITE_PATH: '/data/a.db',
      STORAGE_QUEUE_BYTES: 'many',
    });
    const { storage, driver, reason, warnings } = await sidecar.storage('down');
    expect({ storage, driver }).toEqual({ storage: 'down', driver: 'unknown' });
    expect(reason).toContain('STORAGE_SQLITE_PATH and STORAGE_DSN are both set');
    expect(warnings).toEqual([expect.stringContaining('STORAGE_QUEUE_BYTES is "many"')]);
    const errors = sidecar.logs.filter(({ level }) => level === 'error').map(({ msg }) => msg);
    expect(errors).toContainEqual(expect.stringContaining('are both set'));
    expect(errors).toContainEqual(expect.stringContaining('32Mi is used'));
    expect(JSON.stringify(sidecar.logs)).not.toContain('hunter2');
  });

  it('--verify calls a closed file sound, and refuses one in use or missing', async () => {
    await using directory = await temporaryDirectory();
    const env = { STORAGE_SQLITE_PATH: directory.path('a.db') };
    expect(await mode(['--verify'], env)).toMatchObject({
      code: 1,
      text: expect.stringContaining('there is no such file'),
    });
    await using sidecar = await startSidecar(env);
    await sidecar.storage('up');
    expect(await mode(['--verify'], env)).toMatchObject({
      code: 1,
      text: expect.stringMatching(/was not checked: another sidecar .* stop that sidecar first/),
    });
    await sidecar.stop();
    expect(await mode(['--verify'], env)).toMatchObject({
      code: 0,
      text: expect.stringContaining('The file is sound.'),
    });
  });

  it('--verify takes the lock that a sidecar has left behind in another boot', async () => {
    await using directory = await temporaryDirectory();
    const env = { STORAGE_SQLITE_PATH: directory.path('a.db') };
    const lock = `${env.STORAGE_SQLITE_PATH}.lock`;
    await using sidecar = await startSidecar(env);
    await sidecar.storage('up');
    const held: object = JSON.parse(await readFile(lock, 'utf8'));
    await sidecar.stop();
    await writeFile(lock, JSON.stringify({ ...held, boot: 'before the power cut' }));
    expect(await mode(['--verify'], env)).toMatchObject({
      code: 0,
      text: expect.stringContaining('The file is sound.'),
    });
    await expect(readFile(lock)).rejects.toThrow('ENOENT');
  });

  it('--verify without a database to check exits 2', async () => {
    expect((await mode(['--verify'])).code).toBe(2);
  });

  it('--version prints the version, --help the usage; anything else is refused with it', async () => {
    expect(await mode(['--version'])).toEqual({
      code: 0,
      text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect((await mode(['--help'])).code).toBe(0);
    for (const args of [['--chek'], ['run'], ['--check', '--verify']]) {
      const { code, text } = await mode(args);
      expect(code).toBe(2);
      expect(text).toContain('Usage: sidecar');
    }
  });
});
