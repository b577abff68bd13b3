import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startMariadb } from '../support/mariadb-server.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { SidecarProcess } from '../support/sidecar-process.ts';
import { readmeServerCommands } from './support/chart-environment.ts';
import { expectRoundTrip } from './support/round-trip.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Runs a command line as a shell does, in a process group of its own, which ends with the scope. */
async function typed(line: string) {
  const child = spawn('/bin/sh', ['-c', line], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      STORAGE_API_ADDRESS: '127.0.0.1:0',
      STORAGE_OPS_ADDRESS: '127.0.0.1:0',
    },
  });
  const sidecar = new SidecarProcess(child);
  const dispose = async () => {
    if (sidecar.isRunning) process.kill(-sidecar.pid, 'SIGKILL');
    await sidecar.exited;
  };
  try {
    await sidecar.listening(['api', 'ops']);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { sidecar, [Symbol.asyncDispose]: dispose };
}

/** The README's command for a driver, with the port of a test's server. */
async function commandFor(port: number, documented: number): Promise<string> {
  const lines = await readmeServerCommands();
  const line = lines.find((each) => each.includes(`127.0.0.1:${documented}`));
  if (line === undefined) throw new Error(`the README has no command for port ${documented}`);
  return line.replace(String(documented), String(port));
}

it("the README's command for Postgres stores what is posted", async () => {
  const hba = ['host agenttier agenttier 127.0.0.1/32 trust'];
  await using server = await PostgresServer.start({ hba });
  await server.query('CREATE ROLE agenttier LOGIN');
  await server.query('CREATE DATABASE agenttier OWNER agenttier');
  await using run = await typed(await commandFor(server.port, 5432));
  await expectRoundTrip(run.sidecar);
  const rows = await server.query('SELECT actor FROM audit_events', 'agenttier');
  expect(rows).toEqual([{ actor: 'ana@example.com' }]);
});

it("the README's command for MySQL and MariaDB stores what is posted", async () => {
  await using server = await startMariadb();
  await server.sql(`CREATE DATABASE agenttier; CREATE USER agenttier IDENTIFIED BY 'secret';
    GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON agenttier.* TO agenttier`);
  await using run = await typed(await commandFor(server.port, 3306));
  await expectRoundTrip(run.sidecar);
  const rows = await server.sql('SELECT actor FROM audit_events', 'agenttier');
  expect(rows).toEqual([{ actor: 'ana@example.com' }]);
});
