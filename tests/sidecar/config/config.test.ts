import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withStorageChecked } from '../../../sidecar/src/config/check-storage.ts';
import { loadConfig } from '../../../sidecar/src/config/config.ts';
import { configReport } from '../../../sidecar/src/config/report.ts';
import { VARIABLES } from '../../../sidecar/src/config/variables.ts';

describe('the configuration', () => {
  it('has the documented defaults', () => {
    expect(loadConfig({}).config).toEqual({
      storage: { driver: 'none' },
      api: { host: '127.0.0.1', port: 8085 },
      ops: { port: 8086 },
      queueBytes: 32 * 1024 * 1024,
      sqliteCacheBytes: 32 * 1024 * 1024,
      shutdownGraceMs: 20_000,
      logLevel: 'info',
    });
  });

  it('takes an empty string for unset', () => {
    const env = Object.fromEntries(VARIABLES.map(({ name }) => [name, '']));
    expect(loadConfig(env)).toEqual(loadConfig({}));
  });

  it('reads every variable', () => {
    const { config, errors, warnings } = loadConfig({
      STORAGE_SQLITE_PATH: '/data/a.db',
      STORAGE_API_ADDRESS: '[::1]:1',
      STORAGE_OPS_ADDRESS: 'off',
      STORAGE_QUEUE_BYTES: '1Mi',
      STORAGE_SQLITE_CACHE: '64Mi',
      STORAGE_SHUTDOWN_GRACE: '1m',
      STORAGE_LOG_LEVEL: 'debug',
    });
    expect(errors).toEqual([]);
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      storage: { driver: 'sqlite', path: '/data/a.db' },
      api: { host: '::1', port: 1 },
      ops: undefined,
      queueBytes: 1024 * 1024,
      sqliteCacheBytes: 64 * 1024 * 1024,
      shutdownGraceMs: 60_000,
      logLevel: 'debug',
    });
  });

  it('tells all bad values at once and uses their defaults; a bad address has none', () => {
    const { config, errors } = loadConfig({
      STORAGE_DRIVER: 'oracle',
      STORAGE_API_ADDRESS: '10.0.0.1:8085',
      STORAGE_OPS_ADDRESS: 'everywhere',
      STORAGE_QUEUE_BYTES: '0',
      STORAGE_SQLITE_CACHE: '4Gi',
      STORAGE_SHUTDOWN_GRACE: 'soon',
      STORAGE_LOG_LEVEL: 'loud',
    });
    expect(errors).toHaveLength(7);
    for (const { name } of VARIABLES) {
      if (!/PATH|DSN/.test(name)) expect(errors.join('\n')).toContain(name);
    }
    expect(config).toEqual({
      ...loadConfig({}).config,
      storage: expect.objectContaining({ driver: 'unknown' }),
      api: undefined,
      ops: undefined,
    });
  });

  it('says when both listeners want one port', () => {
    const { errors } = loadConfig({ STORAGE_OPS_ADDRESS: ':8085' });
    expect(errors).toEqual([expect.stringContaining('the same port, 8085')]);
  });

  it('warns of a queue that is smaller than a record can be', () => {
    const { config, warnings } = loadConfig({ STORAGE_QUEUE_BYTES: '10Ki' });
    expect(config.queueBytes).toBe(10_240);
    expect(warnings).toEqual([expect.stringContaining('STORAGE_QUEUE_BYTES')]);
  });

  it.for([
    ['STORAGE_SQLITE_PAHT', 'STORAGE_SQLITE_PATH'],
    ['STORAGE_DNS', 'STORAGE_DSN'],
    ['STORAGE_LOGLEVEL', 'STORAGE_LOG_LEVEL'],
    ['STORAGE_API_PORT', 'STORAGE_API_ADDRESS'],
    ['STORAGE_GRACE', 'STORAGE_SHUTDOWN_GRACE'],
    ['STORAGE_PATH', 'STORAGE_SQLITE_PATH'],
    ['STORAGE_QUEUE', 'STORAGE_QUEUE_BYTES'],
  ])('warns of %s, and thinks that %s was meant', ([name, meant]) => {
    const { errors, warnings } = loadConfig({ [name as string]: 'hunter2' });
    expect(errors).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${name} is not known`);
    expect(warnings[0]).toContain(`${meant}?`);
    expect(warnings[0]).not.toContain('hunter2');
  });

  it('does not mind what Kubernetes sets for Services called storage and the like', () => {
    const env = {
      STORAGE_SERVICE_HOST: '10.0.0.1',
      STORAGE_SERVICE_PORT: '80',
      STORAGE_SERVICE_PORT_HTTP: '80',
      STORAGE_PORT: 'tcp://10.0.0.1:80',
      STORAGE_PORT_80_TCP: 'tcp://10.0.0.1:80',
      STORAGE_PORT_80_TCP_PROTO: 'tcp',
      STORAGE_PORT_80_TCP_PORT: '80',
      STORAGE_PORT_80_TCP_ADDR: '10.0.0.1',
      STORAGE_API_SERVICE_HOST: '10.0.0.1',
      STORAGE_API_PORT: 'tcp://10.0.0.1:80',
      STORAGE_API_PORT_80_TCP_ADDR: '10.0.0.1',
      STORAGECLASS: 'standard',
      PATH: '/bin',
    };
    expect(loadConfig(env)).toMatchObject({ errors: [], warnings: [] });
  });
});

describe('no secret is ever told', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9!$^~]{12,20}$/);
  const dsn = secret.chain((password) =>
    fc
      .constantFrom(
        `postgres://ana:${password}@db/x`,
        `oracle://ana:${password}@db/x`,
        `host=db user=ana password=${password}`,
        `ana:${password}@tcp(db:3306)/x`,
        `${password}://${password}`,
        `://${password}@`,
      )
      .map((text) => ({ password, text })),
  );
  const names = fc.subarray(
    [...VARIABLES.map(({ name }) => name), 'STORAGE_DNS', 'STORAGE_PASSWORD'],
    { minLength: 1 },
  );

  it('though a DSN stands in any of the variables, the wrong ones included', () => {
    fc.assert(
      fc.property(dsn, names, ({ password, text }, misplaced) => {
        const env = Object.fromEntries(misplaced.map((name) => [name, text]));
        const loaded = loadConfig(env, () => text);
        const report = configReport(withStorageChecked(loaded, () => text));
        const told = [...loaded.errors, ...loaded.warnings, report].join('\n');
        expect(told).not.toContain(password);
      }),
      { numRuns: 500 },
    );
  });

  it('and nothing that any environment holds makes it throw', () => {
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      dsn.map(({ text }) => text),
    );
    const anyName = fc.constantFrom(...VARIABLES.map(({ name }) => name), 'STORAGE_X', 'STORAGE_');
    fc.assert(
      fc.property(fc.dictionary(anyName, value), (env) => {
        const loaded = loadConfig(env, () => {
          throw new Error('no file');
        });
        expect(configReport(loaded)).toMatch(/\n$/);
      }),
      { numRuns: 500 },
    );
  });
});
