import type { ServerResponse } from 'node:http';

/**
 * Ends the connection when nothing of an answer leaves for so long: the memory of a large one waits
 * for a client that may have stopped reading for good. An answer that leaves slowly goes on.
 *
 * @param outgoing has its connection, and is about to be sent
 */
export function endIfStalled(outgoing: ServerResponse, stallMs: number): void {
  const { socket } = outgoing;
  if (socket === null) return;
  // A socket's timeout begins anew whenever some of what waits has left.
  socket.setTimeout(stallMs);
  outgoing.once('finish', () => {
    // Node has set that of an idle connection by now, unless another request is under way on it.
    if (socket.timeout === stallMs) socket.setTimeout(0);
  });
}
