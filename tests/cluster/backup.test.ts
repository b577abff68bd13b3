import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { program } from '../../scripts/tools/program.ts';
import { mustRun } from '../../scripts/tools/run.ts';
import { chart } from '../chart/support/chart.ts';
import { fencedBlocks, readDocument } from '../chart/support/documents.ts';
import { idsInFile } from '../sidecar/e2e/support/stored.ts';
import { freePort } from '../sidecar/support/free-port.ts';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { onClaim, writeToClaim } from './support/claim.ts';
import { createNamespace, environment, type Namespace } from './support/namespace.ts';
import { compare, durable, storedIds } from './support/records.ts';
import { recording, sqlite } from './support/values.ts';

const CLAIM = 'agenttier-router-storage';

/** Runs the commands by which chart/README.md fetches a backup. Answers the file. */
async function fetched(namespace: Namespace, directory: string): Promise<string> {
  const blocks = fencedBlocks(await readDocument('chart/README.md'));
  const { text } = blocks.find((each) => each.text.includes('/v1/backup')) ?? { text: '' };
  expect(text).toContain('--namespace agenttier ');
  const port = await freePort();
  const script = text
    .replace('--namespace agenttier ', `--namespace ${namespace.name} `)
    .replace(' 8085 ', ` ${port}:8085 `)
    .replace('localhost:8085', `localhost:${port}`);
  await symlink(await program('kubectl'), join(directory, 'kubectl'));
  const env = { ...environment(), PATH: `${directory}:${process.env.PATH}` };
  await mustRun('bash', ['-c', script], { cwd: directory, env });
  return join(directory, 'agenttier.db');
}

async function scale(namespace: Namespace, replicas: 0 | 1): Promise<void> {
  await namespace.helm(
    ...['upgrade', 'agenttier', chart, '--reset-then-reuse-values'],
    ...['--set', `router.replicas=${replicas}`],
  );
  if (replicas === 1) return namespace.rolledOut();
  const pods = ['pod', '-l', 'app.kubernetes.io/instance=agenttier'];
  await namespace.kubectl('wait', '--for=delete', ...pods, '--timeout=120s');
}

it('a running sidecar gives a backup away; a stopped one leaves one file, which is one, and comes back from it', async () => {
  await using namespace = await createNamespace('helm4', 'backup');
  await namespace.install('agenttier', [...sqlite, ...recording(20)]);
  await namespace.rolledOut();
  const first = (await namespace.routerPod()).metadata.name;
  const entries = await durable(namespace, first, 10);
  await using directory = await temporaryDirectory();
  const online = idsInFile(await fetched(namespace, directory.root));
  expect(compare(entries, online)).toMatchObject({ lost: [], twice: [], missing: [] });

  await scale(namespace, 0);
  const files = await onClaim(namespace, CLAIM, "console.log(fs.readdirSync('/data').join())");
  expect(files.trim()).toBe('agenttier.db');
  const print = "fs.writeSync(1, fs.readFileSync('/data/agenttier.db', 'base64'))";
  const copy = Buffer.from(await onClaim(namespace, CLAIM, print), 'base64');
  expect(copy.subarray(0, 15).toString()).toBe('SQLite format 3');
  await onClaim(namespace, CLAIM, "fs.rmSync('/data/agenttier.db')");

  await writeToClaim(namespace, CLAIM, 'agenttier.db', copy);
  await scale(namespace, 1);
  const { name } = (await namespace.routerPod()).metadata;
  expect(compare(entries, await storedIds(namespace, name))).toMatchObject({
    lost: [],
    twice: [],
    missing: [],
  });
});
