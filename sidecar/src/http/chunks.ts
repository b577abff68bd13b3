import type { IncomingMessage } from 'node:http';

/**
 * Chunks of one body that are taken in one turn of the event loop. Each costs some microseconds
 * however small it is, and a client may send one byte a chunk.
 */
const CHUNKS_A_TURN = 500;

/** Who reads a body chunk by chunk. */
export interface ChunkReader {
  /** Is not called again, nor is `end`, before a promise that it returns is resolved. */
  take(chunk: Buffer): void | Promise<void>;
  /** The body is complete. */
  end(): void;
}

/**
 * Hands over a body's chunks one by one as they arrive, without holding the thread for many small
 * ones.
 *
 * @returns a function that ends it; the reader is called no more then
 */
export function readChunks(incoming: IncomingMessage, reader: ChunkReader): () => void {
  let taken = 0;
  let busy: Promise<void> | undefined;
  let isStopped = false;
  function goOn(): void {
    taken = 0;
    busy = undefined;
    incoming.resume();
  }
  function onData(chunk: Buffer): void {
    const work = reader.take(chunk);
    taken += 1;
    if (work !== undefined) {
      incoming.pause();
      busy = work.then(goOn);
    } else if (taken >= CHUNKS_A_TURN) {
      incoming.pause();
      setImmediate(goOn);
    }
  }
  // Node tells of the end also while the last chunk is being worked on, paused or not.
  function onEnd(): void {
    if (busy !== undefined) void busy.then(onEnd);
    else if (!isStopped) reader.end();
  }
  incoming.on('data', onData);
  incoming.on('end', onEnd);
  return () => {
    isStopped = true;
    incoming.off('data', onData).off('end', onEnd);
  };
}
