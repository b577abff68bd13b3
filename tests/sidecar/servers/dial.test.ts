import { expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import { type DialTarget, dial } from '../../../sidecar/src/stores/server/dial.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';

const coded = (code: string) => Object.assign(new Error(code), { code });
const describe = (error: unknown) => new StoreError((error as Error).message);

/** Dials `postgres://me@a,b,c/d` with hosts that answer as said; answers the tries and the end. */
async function dialing(
  query: string,
  answers: Readonly<Record<string, readonly unknown[]>>,
  first?: number,
) {
  const tries: string[] = [];
  const left = new Map(Object.entries(answers).map(([host, all]) => [host, [...all]]));
  const connect = async ({ address, tls }: DialTarget) => {
    const host = 'host' in address ? address.host : address.socket;
    tries.push(tls === undefined ? host : `${host} by TLS`);
    const answer = left.get(host)?.shift();
    if (answer instanceof Error) throw answer;
    return host;
  };
  const dsn = parseDsn(`postgres://me@a,b,c/d?${query}`, 'postgres');
  const options = first === undefined ? { describe } : { describe, first };
  const end = await dial(dsn, connect, options).catch((error: unknown) => error);
  return { tries, end };
}

const PLAIN = 'sslmode=disable';

it('takes the first host that answers, in the order of the DSN', async () => {
  expect(await dialing(PLAIN, { a: ['yes'] })).toEqual({ tries: ['a'], end: 'a' });
  const { tries, end } = await dialing(PLAIN, { a: [coded('ECONNREFUSED')], b: ['yes'] });
  expect([tries, end]).toEqual([['a', 'b'], 'b']);
});

it('passes over a host that is read-only', async () => {
  const { tries, end } = await dialing(PLAIN, { a: [new StoreError('it is read-only')] });
  expect([tries, end]).toEqual([['a', 'b'], 'b']);
});

it('tells what each host said, by its number', async () => {
  const { tries, end } = await dialing(PLAIN, {
    ...{ a: [coded('ECONNREFUSED')], b: [new StoreError('read-only')], c: [coded('ETIMEDOUT')] },
  });
  expect(tries).toEqual(['a', 'b', 'c']);
  expect(end).toBeInstanceOf(StoreError);
  expect((end as StoreError).reason).toBe(
    'host 1 of 3: ECONNREFUSED; host 2 of 3: read-only; host 3 of 3: ETIMEDOUT',
  );
});

it('begins with the host that it is told, goes on in a circle, and keeps their numbers', async () => {
  const refused = () => [coded('ECONNREFUSED')];
  const { tries, end } = await dialing(PLAIN, { a: ['yes'], b: refused(), c: refused() }, 1);
  expect([tries, end]).toEqual([['b', 'c', 'a'], 'a']);
  const none = await dialing(PLAIN, { a: refused(), b: refused(), c: refused() }, 2);
  expect(none.tries).toEqual(['c', 'a', 'b']);
  expect((none.end as StoreError).reason).toMatch(/^host 3 of 3: .*; host 1 of 3: .*; host 2/);
  // The DSN named more when it was chosen.
  expect((await dialing(PLAIN, { a: ['yes'] }, 3)).tries).toEqual(['a']);
});

it.for(['28P01', '3D000'])(
  'tries no other host after a login that is refused by %s',
  async (code) => {
    const { tries, end } = await dialing(PLAIN, { a: [coded('ECONNREFUSED')], b: [coded(code)] });
    expect(tries).toEqual(['a', 'b']);
    expect((end as StoreError).reason).toContain('host 2 of 3');
  },
);

it('tries a host again only for what TLS may mend, then the next one', async () => {
  const refusal = coded('EPROTO');
  const { tries } = await dialing('sslmode=prefer', { a: [refusal, coded('ECONNRESET')] });
  expect(tries).toEqual(['a by TLS', 'a', 'b by TLS']);
  const other = await dialing('sslmode=prefer', { a: [coded('ECONNRESET')] });
  expect(other.tries).toEqual(['a by TLS', 'b by TLS']);
  const strict = await dialing('sslmode=require', { a: [refusal] });
  expect(strict.tries).toEqual(['a by TLS', 'b by TLS']);
});

it.for(['prefer', 'verify-full'])(
  'hands over no authorities where the DSN names none, for sslmode=%s',
  async (mode) => {
    // A context of its own for all that the machine trusts would hold the thread at each connection.
    const dsn = parseDsn(`postgres://me@a/d?sslmode=${mode}`, 'postgres');
    const { ca } = await dial(dsn, async ({ tls }) => tls ?? expect.fail(), { describe });
    expect(ca).toBeUndefined();
  },
);
