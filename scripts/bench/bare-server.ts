/**
 * The least that a server of the same contract can do: node:http, JSON.parse and the same schema.
 * What the sidecar costs is measured against it. PORT names its port on 127.0.0.1.
 */

import { createServer } from 'node:http';
import * as v from 'valibot';
import { AUDIT_EVENT } from '../../sidecar/src/records/kinds.ts';
import { SCHEMAS } from '../../sidecar/src/records/schema.ts';

const schema = SCHEMAS[AUDIT_EVENT.index]!;
const ACCEPTED = '{"accepted":1,"rejected_count":0,"rejected":[]}';
const REFUSED = '{"accepted":0,"rejected_count":1,"rejected":[]}';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [status, body] = isValid(Buffer.concat(chunks).toString())
      ? ([202, ACCEPTED] as const)
      : ([400, REFUSED] as const);
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': body.length,
    });
    response.end(body);
  });
});

function isValid(body: string): boolean {
  try {
    return v.safeParse(schema, JSON.parse(body)).success;
  } catch {
    return false;
  }
}

server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
