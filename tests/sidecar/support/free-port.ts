import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** A server on a port that the kernel chose; closing it frees the port. */
export async function occupyPort(host: string): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

/** A port that was free a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const { port, server } = await occupyPort(host);
  server.close();
  await once(server, 'close');
  return port;
}
