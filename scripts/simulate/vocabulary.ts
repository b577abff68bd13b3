/** The words of the simulation: people, teams, templates, and what is said about sandboxes. */

export const TEAMS = [
  'team-atlas',
  'team-borealis',
  'team-cobalt',
  'team-delta',
  'data-science',
  'platform',
  'research',
  'support-tools',
] as const;

export const GIVEN_NAMES = [
  ...['ana', 'bela', 'chidi', 'dana', 'emre', 'fatima', 'goran', 'hana', 'ivan', 'jun', 'kofi'],
  ...['lena', 'mei', 'nadia', 'omar', 'priya', 'quinn', 'rosa', 'sven', 'tariq', 'uma', 'yuki'],
] as const;

/** A sandbox's make: what it is created from, and what an hour of it uses at most. */
export interface Template {
  readonly name: string;
  readonly cpus: number;
  readonly memoryGb: number;
}

export const TEMPLATES: readonly Template[] = [
  { name: 'python', cpus: 1, memoryGb: 2 },
  { name: 'node', cpus: 1, memoryGb: 2 },
  { name: 'notebook', cpus: 2, memoryGb: 8 },
  { name: 'browser', cpus: 2, memoryGb: 4 },
  { name: 'build', cpus: 4, memoryGb: 16 },
];

/** US dollars. */
export const CPU_HOUR_USD = 0.0405;
export const GB_HOUR_USD = 0.00445;

export const COMMANDS = [
  'python train.py --epochs 3',
  'pip install -r requirements.txt',
  'npm test',
  'pytest -q tests/',
  'git clone https://git.example.com/atlas/pipeline.git',
  'echo "grüße aus münchen" > motd',
  'jupyter lab --no-browser',
  "sed -i 's/foo/bar/g' *.txt",
  'python 分析.py --入力 data.csv',
  'make -j4 all',
] as const;

/** Details of a patch. */
export const PATCHES = [
  '{"spec":{"idleTimeout":"30m"}}',
  '{"spec":{"resources":{"cpu":"2"}}}',
  '{"metadata":{"labels":{"purpose":"démo"}}}',
  '{"spec":{"env":[{"name":"LANG","value":"de_DE.UTF-8"}]}}',
] as const;

/** Messages of an ApplicationError. */
export const FAILURES = [
  'container exited with code 137 (OOMKilled)',
  'readiness probe failed: connection refused',
  'Fehler beim Öffnen von "/data/modèle.bin": no such file or directory',
  'プロセスが異常終了しました (exit code 1)',
  'panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()',
] as const;

/** What the platform does on its own. */
export const SYSTEM_ACTOR = 'system:autostop';

export function emailOf(givenName: string, team: string): string {
  return `${givenName}@${team}.example.com`;
}
