/**
 * Flags of Helm by which the stand-in Router makes load on itself, and tells its journal on standard
 * output.
 *
 * @param rate operations a second, of about one and a half records each
 */
export function load(rate: number): string[] {
  const env = {
    ROUTER_LOAD_RATE: String(rate),
    ROUTER_COST_INTERVAL: '1s',
    ROUTER_JOURNAL: '-',
  };
  const list = Object.entries(env).map(([name, value]) => ({ name, value }));
  return ['--set-json', `router.extraEnv=${JSON.stringify(list)}`];
}

/** Values for SQLite on a claim. */
export const SQLITE = ['optional.storage.enabled=true', 'optional.storage.driver=sqlite'];

/** Values for Postgres by the key `dsn` of a Secret. */
export function postgres(secret: string, replicas = 1): string[] {
  return [
    'optional.storage.enabled=true',
    'optional.storage.driver=postgres',
    `optional.storage.dsnSecret.name=${secret}`,
    `router.replicas=${replicas}`,
  ];
}
