import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const DSN = 'postgres://u:secret@db/x';

/** A file on a mount that hangs until the test lets go of it. */
function hangingFile() {
  const held: ((text: string) => void)[] = [];
  return {
    held,
    read: () => new Promise<string>((resolve) => held.push(resolve)),
  };
}

describe('the file of a DSN', () => {
  it('is read anew each time', async () => {
    await using directory = await temporaryDirectory();
    const dsnFile = directory.path('dsn');
    const source = dsnSource({ dsnFile, driver: 'postgres' });
    await expect(source.current()).rejects.toThrow('cannot be read (ENOENT)');
    for (const host of ['one', 'two']) {
      writeFileSync(dsnFile, `postgres://u@${host}/x\n`);
      expect((await source.current()).hosts).toEqual([{ host, port: 5432 }]);
    }
    writeFileSync(dsnFile, '');
    await expect(source.current()).rejects.toThrow('is blank');
  });

  it('that hangs is given up in time, and not read a second time meanwhile', async () => {
    const { held, read } = hangingFile();
    const source = dsnSource({ dsnFile: '/dsn', driver: 'postgres', read, readMs: 50 });
    for (let i = 0; i < 3; i++) {
      await expect(source.current()).rejects.toMatchObject({
        name: 'StoreError',
        class: 'transient',
        message: 'the file that STORAGE_DSN_FILE names cannot be read (no answer within 0.05 s)',
      });
    }
    expect(held).toHaveLength(1);
    const next = source.current();
    held[0]?.(DSN);
    expect((await next).user).toBe('u');
    const another = source.current();
    expect(held).toHaveLength(2);
    held[1]?.(DSN.replace('u:', 'v:'));
    expect((await another).user).toBe('v');
  });

  it('that hangs gives way to STORAGE_DSN', async () => {
    const { read } = hangingFile();
    const source = dsnSource({ dsn: DSN, dsnFile: '/dsn', driver: 'postgres', read, readMs: 50 });
    expect((await source.current()).user).toBe('u');
  });

  it.each([
    ['asynchronously', async () => Promise.reject(Object.assign(new Error(), { code: 'EIO' }))],
    [
      'at once',
      () => {
        throw Object.assign(new Error(), { code: 'EIO' });
      },
    ],
  ])('that fails %s is read again the next time', async (_, fail) => {
    let reads = 0;
    const read = (): Promise<string> => (++reads === 1 ? fail() : Promise.resolve(DSN));
    const source = dsnSource({ dsnFile: '/dsn', driver: 'postgres', read });
    await expect(source.current()).rejects.toThrow('cannot be read (EIO)');
    expect((await source.current()).user).toBe('u');
  });
});
