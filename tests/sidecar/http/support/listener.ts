import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { ApiListener } from '../../../../sidecar/src/http/api/listener.ts';
import { RequestStats } from '../../../../sidecar/src/http/request-stats.ts';
import { Recorder } from '../../../../sidecar/src/recorder/recorder.ts';
import type { Store } from '../../../../sidecar/src/stores/store.ts';
import { type Answer, type OpenApi, openApiCheck } from '../../support/openapi-check.ts';
import { SILENT } from './log.ts';
import { MemoryStore } from './memory-store.ts';

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
}

export const JSON_HEADERS = { 'content-type': 'application/json' };
export const NDJSON_HEADERS = { 'content-type': 'application/x-ndjson' };
export const AUDIT = '/v1/audit-events';

/** A listener on a port of its own, over a real recorder; it ends with the test. */
export class TestApi {
  readonly api: ApiListener;
  readonly recorder: Recorder;
  readonly stats: RequestStats;
  readonly port: number;
  readonly #check: (method: string, target: string, answer: Answer) => void;

  private constructor(
    api: ApiListener,
    recorder: Recorder,
    stats: RequestStats,
    port: number,
    check: (method: string, target: string, answer: Answer) => void,
  ) {
    this.api = api;
    this.recorder = recorder;
    this.stats = stats;
    this.port = port;
    this.#check = check;
  }

  static async start(store: Store = new MemoryStore(), queueBytes = 1 << 25): Promise<TestApi> {
    const recorder = new Recorder({ store, queueBytes, log: SILENT });
    const stats = new RequestStats();
    const api = new ApiListener({ recorder, store, log: SILENT, version: '0.0.0', stats });
    const { server } = api;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    recorder.start();
    onTestFinished(async () => {
      server.close();
      server.closeAllConnections();
      await recorder.close(AbortSignal.timeout(1_000));
    });
    const { port } = server.address() as AddressInfo;
    const document = await fetch(`http://127.0.0.1:${port}/openapi.json`);
    const check = openApiCheck((await document.json()) as OpenApi);
    return new TestApi(api, recorder, stats, port, check);
  }

  /** Sends one request over a connection of its own and holds the answer to the document. */
  async send(target: string, { method, headers = {}, body }: Sent = {}): Promise<Answer> {
    const verb = method ?? (body === undefined ? 'GET' : 'POST');
    const answer = await new Promise<Answer>((resolve, reject) => {
      const { port } = this;
      const options = {
        host: '127.0.0.1',
        port,
        path: target,
        method: verb,
        headers,
        agent: false,
      };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const plain = Object.entries(response.headers).map(([name, value]) => [name, `${value}`]);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(plain),
            text: Buffer.concat(chunks).toString(),
          });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
    this.#check(verb, target, answer);
    expectSafe(answer);
    return answer;
  }

  /** Posts and parses the answer. */
  async post(body: unknown, headers: Record<string, string> = {}, target = AUDIT) {
    const text =
      typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const answer = await this.send(target, {
      headers: { ...JSON_HEADERS, ...headers },
      body: text,
    });
    return { ...answer, json: JSON.parse(answer.text) as PostAnswer };
  }

  /** Gets and parses the answer. */
  async get(target: string) {
    const answer = await this.send(target);
    return { ...answer, json: JSON.parse(answer.text) as ListAnswer };
  }

  /** A bare connection, for what no client would send. */
  async connect(): Promise<RawConnection> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return new RawConnection(socket);
  }

  /** Sends bytes over a bare connection; what comes back until it closes, or a moment passes. */
  async raw(bytes: string | Uint8Array): Promise<string> {
    const connection = await this.connect();
    connection.socket.write(bytes);
    return connection.until(/\r\n\r\n.*[}\n]$/s);
  }
}

/** What every answer must have. */
function expectSafe({ headers, text }: Answer): void {
  expect(headers['x-request-id']).toMatch(/^[A-Za-z0-9_.-]{1,128}$/);
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  });
  expect(headers['access-control-allow-origin']).toBeUndefined();
  expect(text).not.toMatch(/at .*\.ts:\d|node_modules/);
}

export class RawConnection {
  readonly socket: Socket;
  #received = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      this.#received += text;
    });
    socket.on('error', () => {});
  }

  get received(): string {
    return this.#received;
  }

  /** Waits until what was received matches, or the connection is closed. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received) && !this.socket.closed) {
      // A reset is an end too: the server gets there before it has read all that was sent.
      const next = [once(this.socket, 'data'), once(this.socket, 'close')];
      await Promise.race(next).catch(() => {});
    }
    return this.#received;
  }
}

export interface PostAnswer {
  readonly accepted?: number;
  readonly rejected_count?: number;
  readonly rejected?: readonly { readonly index: number; readonly problem: string }[];
  readonly stored?: number;
  readonly duplicates?: number;
  readonly detail?: string;
}

export interface ListAnswer {
  readonly items: readonly Record<string, string | number | null>[];
  readonly next_cursor: string | null;
  readonly detail?: string;
}
