import { networkInterfaces } from 'node:os';
import { program } from '../../../scripts/tools/program.ts';
import { mustRun } from '../../../scripts/tools/run.ts';
import { PASSWORD, PostgresServer, SUPERUSER } from '../../sidecar/support/postgres-server.ts';
import { environment } from './namespace.ts';

/** A real Postgres on this machine that Pods reach, and the way to it. */
export interface ReachablePostgres {
  readonly server: PostgresServer;
  /** The DSN of a database, as a Pod uses it. */
  dsn(database: string, login?: { user?: string; password?: string }): string;
  /** The event ids in a database, asked of the server itself. */
  storedIds(database: string): Promise<string[]>;
}

/** Starts a Postgres at the address that this machine has in the node's network. */
export async function startReachablePostgres(): Promise<ReachablePostgres> {
  const host = await addressForPods();
  const server = await PostgresServer.start({
    version: 15,
    settings: { listen_addresses: `127.0.0.1,${host}` },
    // Pods come with addresses of their own or the node's; who it is the password says.
    hba: ['host all all 0.0.0.0/0 scram-sha-256'],
  });
  return {
    server,
    dsn: (database, { user = SUPERUSER, password = PASSWORD } = {}) =>
      `postgres://${user}:${encodeURIComponent(password)}@${host}:${server.port}/${database}?sslmode=disable`,
    storedIds: async (database) => {
      const rows = await server.query(
        `SELECT event_id FROM audit_events UNION ALL SELECT event_id FROM sandbox_events
         UNION ALL SELECT event_id FROM cost_snapshots`,
        database,
      );
      return rows.map(({ event_id }) => String(event_id));
    },
  };
}

/** The address of this machine in the network of the cluster's node. */
async function addressForPods(): Promise<string> {
  const path = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}';
  const node = await mustRun(await program('kubectl'), ['get', 'nodes', '-o', `jsonpath=${path}`], {
    env: environment(),
  });
  for (const address of Object.values(networkInterfaces()).flat()) {
    if (address?.family !== 'IPv4') continue;
    const bits = 32 - Number(address.cidr?.split('/')[1]);
    if (number(address.address) >>> bits === number(node) >>> bits && !address.internal) {
      return address.address;
    }
  }
  throw new Error(`this machine has no address in the network of the node ${node}`);
}

function number(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
