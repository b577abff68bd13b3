import { execFile } from 'node:child_process';
import { chown, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * A certificate authority of a test's own, by the program openssl.
 *
 *     const authority = await makeAuthority(directory.root, 'ours');
 *     const server = await authority.issue('server', 'DNS:localhost');
 */
export async function makeAuthority(directory: string, name: string) {
  const ca: KeyPair = pair(directory, name);
  await openssl([
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', `/CN=${name}`, '-keyout', ca.key, '-out', ca.cert],
  ]);
  return {
    /** Path of its certificate. */
    ca: ca.cert,
    /** @param names subjectAltName of a server, such as `DNS:localhost`; or the user of a client */
    async issue(file: string, names: string, subject = file): Promise<KeyPair> {
      const issued = pair(directory, `${name}-${file}`);
      await openssl([
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-days', '2', '-subj', `/CN=${subject}`, '-addext', `subjectAltName=${names}`],
        ...['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', ca.cert, '-CAkey', ca.key],
        ...['-keyout', issued.key, '-out', issued.cert],
      ]);
      return issued;
    },
  };
}

/** Copies a pair into a server's directory, as files that its owner alone can read. */
export async function giveTo(
  directory: string,
  { cert, key }: KeyPair,
  name = 'server',
): Promise<KeyPair> {
  const given = pair(directory, name);
  const { uid, gid } = await stat(directory);
  for (const [from, to] of [
    [cert, given.cert],
    [key, given.key],
  ] as const) {
    await writeFile(to, await readFile(from), { mode: 0o600 });
    await chown(to, uid, gid);
  }
  return given;
}

function pair(directory: string, name: string): KeyPair {
  return { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await run('openssl', args);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw missing ? new Error('openssl is missing: apt-get install openssl') : error;
  }
}
