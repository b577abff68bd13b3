import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { MAX_HEADER_BYTES, MAX_HEADERS } from './limits.ts';
import { PROBLEM_TYPE, type Problem, problemBody } from './problem.ts';
import { requestId } from './request-id.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** How long a client that sends nonsense may take to read what is wrong with it. */
const LINGER_MS = 1_000;

const LENGTH_DETAIL =
  'the length of the body is not clear: send one Content-Length, or Transfer-Encoding: chunked';

/** Node tells of both limits alike. */
const HEADERS_DETAIL = `the request's line and headers exceed ${MAX_HEADER_BYTES} bytes, or its headers are more than ${MAX_HEADERS}; ask for fewer filter values at a time`;

/** A host and a port are no resource here, so they allow no method at all (RFC 9110, 10.2.1). */
const NO_PROXY: Problem = { status: 405, detail: 'this is not a proxy', headers: { Allow: '' } };

interface HttpSocket extends Duplex {
  readonly bytesRead?: number;
  /** Node's own name for the answer under way on a connection; its default handler looks too. */
  readonly _httpMessage?: ServerResponse | null;
}

/**
 * Answers what Node's parser refuses, and CONNECT, with problem+json instead of an empty text.
 *
 * @param isOver whether the last request of a connection has come: what follows it is nobody's
 */
export function answerParserErrors(server: Server, isOver: (socket: Duplex) => boolean): void {
  // Node tells of each piece that follows the first bad one, too.
  const answered = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket: HttpSocket) => {
    if (answered.has(socket)) return;
    const message = socket._httpMessage;
    // Where the request before is whole, a client would take this problem for the answer to that.
    const underWay = message?.headersSent === true || message?.req.complete === true;
    if (underWay && isOver(socket)) return;
    const silent = socket.bytesRead === 0 || error.code === 'ECONNRESET';
    if (!socket.writable || underWay || silent) {
      socket.destroy();
      return;
    }
    answered.add(socket);
    end(socket, problemOf(error.code));
  });
  server.on('connect', (_request, socket: HttpSocket) => {
    // Node hands over the connection whatever is under way on it, whose answer this would be taken for.
    if (socket._httpMessage) socket.destroy();
    else end(socket, NO_PROXY);
  });
}

function problemOf(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, detail: HEADERS_DETAIL };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, detail: 'the chunk extensions are too large' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, detail: 'the request did not arrive in time' };
    case 'HPE_INVALID_METHOD':
      return { status: 400, detail: 'the request begins with no method of HTTP/1.1' };
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_INVALID_TRANSFER_ENCODING':
      return { status: 400, detail: LENGTH_DETAIL };
    case 'HPE_INVALID_CHUNK_SIZE':
    case 'HPE_INVALID_EOF_STATE':
      return { status: 400, detail: 'the chunked body is malformed, or broke off' };
    default:
      return { status: 400, detail: 'this is not HTTP/1.1' };
  }
}

function end(socket: Duplex, problem: Problem): void {
  const body = problemBody(problem);
  const headers = {
    'Content-Type': PROBLEM_TYPE,
    'Content-Length': Buffer.byteLength(body),
    Date: new Date().toUTCString(),
    Connection: 'close',
    'X-Request-Id': requestId(),
    ...SECURITY_HEADERS,
    ...problem.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const line = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n`;
  socket.on('error', () => socket.destroy());
  socket.end(`${line}${lines.join('')}\r\n${body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
