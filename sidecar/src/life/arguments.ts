/** What the process was started for. */
export type Mode = 'run' | 'check' | 'verify' | 'version' | 'help';

export const USAGE = `Usage: sidecar [--check | --verify | --version | --help]

Without an argument it runs, configured by STORAGE_ variables, until SIGTERM, SIGINT or SIGHUP.

  --check    say what is wrong with the configuration; exit 0 if nothing is, else 2
  --verify   check the closed database at STORAGE_SQLITE_PATH in full; exit 0 if it is sound, else 1
  --version  print the version
  --help     print this
`;

const MODES: Readonly<Record<string, Mode>> = {
  '--check': 'check',
  '--verify': 'verify',
  '--version': 'version',
  '--help': 'help',
};

/** The mode that the arguments ask for; undefined when they cannot be understood. */
export function modeOf(args: readonly string[]): Mode | undefined {
  const [first, ...more] = args;
  if (first === undefined) return 'run';
  return more.length === 0 ? MODES[first] : undefined;
}
