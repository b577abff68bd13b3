import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { chart, type Helm, helms } from '../chart/support/chart.ts';
import { clusterCommands, readDocument } from '../chart/support/documents.ts';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { processOf, startOf } from './support/container-process.ts';
import { createNamespace, environment, type Namespace } from './support/namespace.ts';
import { portForward } from './support/port-forward.ts';
import { compare, durable, journal, list, routerStats, storedIds } from './support/records.ts';

const [install = ''] = clusterCommands(await readDocument('README.md'), ['', 'sh']);
// The README's Router is one that nobody calls.
const LOAD = JSON.stringify({
  router: { extraEnv: [{ name: 'ROUTER_LOAD_RATE', value: '50' }] },
});

/** Ten times the first second. */
const FIRST_SECOND_MS = 10_000;

/** A shell in a checkout of the chart, whose helm is one of the two. */
async function checkout(helm: Helm) {
  const directory = await temporaryDirectory();
  const bin = directory.path('bin');
  await mkdir(bin);
  await symlink(await program(helm), `${bin}/helm`);
  await symlink(await program('kubectl'), `${bin}/kubectl`);
  await symlink(dirname(`${chart}/Chart.yaml`), directory.path('chart'));
  await writeFile(directory.path('load.yaml'), LOAD);
  const env = { ...environment(), PATH: `${bin}:${process.env.PATH}` };
  return {
    run: (script: string) => mustRun('bash', ['-e', '-c', script], { cwd: directory.root, env }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** The commands that the notes print, with their continuation lines. */
function commandsOf(notes: string): string[] {
  return notes
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(helm|kubectl|curl) /.test(line));
}

/** When a line of a log that has a message was printed, in milliseconds. */
function timeOf(log: string, message: string, also = ''): number {
  const line = log
    .split('\n')
    .find((each) => each.includes(`"msg":"${message}"`) && each.includes(also));
  return Date.parse(JSON.parse(line ?? '{}').time);
}

/** When a record was made, in milliseconds: its id begins with that (RFC 9562, version 7). */
function recordedAt(id = ''): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16);
}

async function expectRecordedFromTheStart(namespace: Namespace): Promise<void> {
  const pod = await namespace.routerPod();
  const { metadata, status } = pod;
  const [sidecar] = status.initContainerStatuses;
  const [router] = status.containerStatuses;
  expect(sidecar.name).toBe('storage');
  expect([sidecar.restartCount, router.restartCount]).toEqual([0, 0]);

  // Kubernetes' own times have whole seconds.
  const [older, younger] = [await processOf(pod, 'storage'), await processOf(pod, 'router')];
  expect(await startOf(older)).toBeLessThan(await startOf(younger));
  // A Pod is ready before its sidecar need have said a word.
  const settled = await durable(namespace, metadata.name, 20);
  const began = timeOf(await namespace.logs(metadata.name, 'router'), 'listening');
  const up = timeOf(
    await namespace.logs(metadata.name, 'storage'),
    'listening',
    '"listener":"api"',
  );
  // What was recorded before storage was up waited for it: the very first record is there.
  const [first] = await journal(namespace, metadata.name);
  const recorded = recordedAt(first?.event_id);
  console.log(
    `${namespace.version}: after the Router the sidecar listened in ${up - began} ms; the first record was made in ${recorded - began} ms and stored in ${Date.parse(first?.at ?? '') - began} ms`,
  );
  // Before the Router on a machine that is at rest; a busy one may be slower to start Node, and the
  // records wait for it.
  expect(up).toBeGreaterThan(0);
  expect(recorded - began).toBeLessThan(FIRST_SECOND_MS);

  const { client, load } = await routerStats(namespace, metadata.name);
  expect(client).toMatchObject({ Dropped: 0, Rejected: 0 });
  expect(load.failed, await namespace.logs(metadata.name, 'router')).toBe(0);
  const stored = await storedIds(namespace, metadata.name);
  expect(compare(settled, stored)).toMatchObject({ lost: [], twice: [] });
  expect(stored).toContain(first?.event_id);
}

describe.concurrent.each(helms)('an install with %s', (helm) => {
  it('by the README’s command records from the Router’s first second, and is read by the commands of its notes', async () => {
    await using namespace = await createNamespace(helm, 'install');
    await using shell = await checkout(helm);
    expect(install).toContain(' -n agenttier ');
    const command = install.replace(' -n agenttier ', ` -n ${namespace.name} `);
    const notes = await shell.run(`${command} -f load.yaml`);
    namespace.owns('agenttier');
    await namespace.rolledOut();
    await expectRecordedFromTheStart(namespace);

    const commands = commandsOf(notes);
    const take = (begins: string) => {
      const found = commands.filter((each) => each.startsWith(begins));
      expect(found.length, begins).toBeGreaterThan(0);
      return found;
    };
    const [tested = ''] = take('helm test ');
    expect(tested).toContain('--logs');
    const log = await shell.run(tested);
    expect(log).toContain('driver sqlite, storage up');

    // Any free port, since others may have taken the one that is printed.
    const [forwarded = ''] = take('kubectl port-forward ');
    const [, target = '', port] = / (deploy\/\S+) (\d+):\d+$/.exec(forwarded) ?? [];
    expect(forwarded).toBe(`kubectl port-forward -n ${namespace.name} ${target} ${port}:${port}`);
    await using forward = await portForward(namespace, target, Number(port));
    const [post = '', read = '', backup = ''] = take('curl ').map((each) =>
      each.replace(`localhost:${port}`, new URL(forward.url).host),
    );
    expect(JSON.parse(await shell.run(post))).toMatchObject({ accepted: 1, stored: 1 });
    const { items } = JSON.parse(await shell.run(read)) as { items: { actor: string }[] };
    expect(items.length).toBeGreaterThan(1);
    expect(await shell.run(`${backup} && head -c 15 agenttier.db`)).toBe('SQLite format 3');
    const all = await list(forward, 'audit-events?actor=ana@example.com');
    expect(all).toContainEqual(expect.objectContaining({ sandbox_id: 'sbx-1', action: 'create' }));
  });
});
