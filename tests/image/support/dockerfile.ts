import { readFileSync } from 'node:fs';

/** One COPY of the final stage. */
export interface Copy {
  /** The stage or build context that it copies from. */
  readonly from: string;
  readonly sources: readonly string[];
  readonly target: string;
  /** Permission bits of what it copies. */
  readonly mode: number;
}

/** What sidecar/Dockerfile says of the image, as far as it says it itself. */
export interface Dockerfile {
  /** Defaults of the build's arguments. */
  readonly args: Readonly<Record<string, string>>;
  readonly copies: readonly Copy[];
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly user: string;
  readonly workdir: string;
  /** Programs that the final stage runs while it is built: they need a shell. */
  readonly runs: number;
}

const PATH = new URL('../../../sidecar/Dockerfile', import.meta.url);

/** Reads the final stage of sidecar/Dockerfile, and the arguments before the first. */
export function readDockerfile(): Dockerfile {
  const lines = readFileSync(PATH, 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  const args: Record<string, string> = {};
  let copies: Copy[] = [];
  let env: Record<string, string> = {};
  let [entrypoint, user, workdir, runs]: [string[], string, string, number] = [[], '', '', 0];
  for (const line of lines) {
    const at = line.indexOf(' ');
    const rest = line.slice(at + 1);
    switch (line.slice(0, at)) {
      case 'FROM':
        [copies, env, entrypoint, user, workdir, runs] = [[], {}, [], '', '', 0];
        break;
      case 'ARG':
        Object.assign(args, Object.fromEntries([rest.split(/=(.*)/, 2)]));
        break;
      case 'COPY':
        copies.push(readCopy(rest.split(' ')));
        break;
      case 'ENV':
        Object.assign(env, Object.fromEntries(rest.split(/ +/).map((pair) => pair.split('='))));
        break;
      case 'ENTRYPOINT':
        entrypoint = JSON.parse(rest) as string[];
        break;
      case 'USER':
        user = rest;
        break;
      case 'WORKDIR':
        workdir = rest;
        break;
      case 'RUN':
        runs += 1;
    }
  }
  return { args, copies, env, entrypoint, user, workdir, runs };
}

function readCopy(words: readonly string[]): Copy {
  const option = (name: string) =>
    words.find((word) => word.startsWith(`--${name}=`))?.split('=')[1];
  const paths = words.filter((word) => !word.startsWith('--'));
  return {
    from: option('from') ?? '',
    sources: paths.slice(0, -1),
    target: paths.at(-1) ?? '',
    mode: Number.parseInt(option('chmod') ?? '755', 8),
  };
}
