// The preStop hook of a sidecar that is an ordinary container. Such containers are told to stop all at
// once, and the Router sends its last records at its very end; so the sidecar is told only when the
// Router has ended, or its time is over. Takes the Router's port, the sidecar's, and that time in seconds.
//
// The Router shows by its sockets, which the containers of a Pod have in common: it closes its port as
// soon as it is told to stop, but its last requests, and its connection to the sidecar, last as long as
// it does. Nothing here may have a dollar sign: where Kubernetes expands them, it would not be the same.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const [routerPort, apiPort, seconds] = process.argv.slice(-3).map(Number);
const deadline = Date.now() + seconds * 1000;

// Between its last request and its last records the Router may have no socket for a moment.
for (let quiet = 0; quiet < 5 && Date.now() < deadline; await sleep(200)) {
  quiet = (await isThere()) ? 0 : quiet + 1;
}

/** Whether a socket is open that can only be the Router's. */
async function isThere() {
  try {
    const rows = [...(await sockets('/proc/net/tcp')), ...(await sockets('/proc/net/tcp6', ''))];
    return rows.some(({ local, remote }) => local === routerPort || remote === apiPort);
  } catch {
    return true;
  }
}

/** The ports of the sockets that a process holds; what lingers after a close has no inode. */
async function sockets(path, otherwise) {
  const text = await readFile(path, 'latin1').catch((error) => {
    // Without IPv6 there is no such table.
    if (otherwise === undefined) throw error;
    return otherwise;
  });
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 9 && fields[9] !== '0')
    .map((fields) => ({ local: port(fields[1]), remote: port(fields[2]) }));
}

/** The port of `0100007F:1F90`. */
function port(address) {
  return Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
}
