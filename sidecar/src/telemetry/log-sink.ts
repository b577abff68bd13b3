import { fstatSync } from 'node:fs';
import pino from 'pino';

/** Where log lines go. Never blocks, never throws, never grows without bound. */
export interface LogSink {
  write(line: string): void;
  /** Lines that were thrown away because nobody read them, since the start. */
  readonly dropped: number;
  /**
   * For the end of the process. Resolves when all is written (true), or when it cannot be, after so
   * many milliseconds at the latest (false).
   */
  flush(timeoutMs: number): Promise<boolean>;
}

/** Lines held for a reader that is slow; a container runtime reads within milliseconds. */
const MAX_HELD_BYTES = 1024 * 1024;

/**
 * Creates the sink for standard output. A pipe or a socket is written by the event loop without
 * blocking (a full pipe would otherwise stop every request); a file or a terminal by Node's thread
 * pool. What does not fit is dropped and counted; a reader that has gone away is forgotten.
 */
export function stdoutSink(): LogSink {
  return isStream(1) ? streamSink(process.stdout) : fileSink();
}

function isStream(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false; // closed: the file sink's writes fail, and are counted
  }
}

/** Creates a sink on a stream that writes without blocking. */
export function streamSink(stream: NodeJS.WritableStream & { writableLength: number }): LogSink {
  let dropped = 0;
  let toldOf = 0;
  let gone = false;
  stream.on('error', () => {
    gone = true;
  });
  return {
    get dropped() {
      return dropped;
    },
    write(line) {
      if (gone || stream.writableLength + line.length > MAX_HELD_BYTES) {
        dropped += 1;
        return;
      }
      if (dropped > toldOf) {
        stream.write(droppedLine(dropped - toldOf));
        toldOf = dropped;
      }
      stream.write(line);
    },
    async flush(timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (!gone && stream.writableLength > 0 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return gone || stream.writableLength === 0;
    },
  };
}

function fileSink(): LogSink {
  // sonic-boom drops beyond maxLength and says so by an event. With a minLength of 0 its flush would
  // call back before anything is written.
  const destination = pino.destination({
    dest: 1,
    sync: false,
    minLength: 1,
    maxLength: MAX_HELD_BYTES,
  });
  let dropped = 0;
  destination.on('drop', () => {
    dropped += 1;
  });
  destination.on('error', () => {
    dropped += 1;
  });
  return {
    get dropped() {
      return dropped;
    },
    write(line) {
      try {
        destination.write(line);
      } catch {
        dropped += 1;
      }
    },
    flush(timeoutMs) {
      return new Promise((resolve) => {
        const end = (flushed: boolean) => {
          clearTimeout(timer);
          // pino calls it as the process exits, and on a full disk it tries again for ever.
          destination.flushSync = () => {};
          resolve(flushed);
        };
        const timer = setTimeout(end, timeoutMs, false);
        destination.flush((error) => end(error === undefined || error === null));
      });
    },
  };
}

function droppedLine(lines: number): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ level: 'warn', time, lines, msg: 'log lines were dropped: nobody read standard output' })}\n`;
}
