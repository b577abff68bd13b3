/** What a DSN says, in one form for all three spellings; holds a secret, so it is never printed. */
export interface ServerDsn {
  readonly driver: 'postgres' | 'mysql';
  /** At least one, in the order in which they are tried. */
  readonly hosts: readonly ServerHost[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /**
   * At least one, in the order in which they are tried at each host: libpq's `allow` and `prefer`
   * and Go's `preferred` have two.
   */
  readonly tls: readonly TlsAttempt[];
  /** Milliseconds; undefined where the DSN does not say. */
  readonly connectTimeout: number | undefined;
  readonly applicationName: string | undefined;
  /** The schema that the tables are in (Postgres' search_path); undefined for the server's default. */
  readonly schema: string | undefined;
  /** Pass over a host that is read-only (`target_session_attrs=read-write`). */
  readonly readWrite: boolean;
  /** Keys that have no effect here, in words for the log; without a value of any. */
  readonly warnings: readonly string[];
}

export type ServerHost =
  | { readonly host: string; readonly port: number }
  /** Path of a Unix domain socket (for Postgres that of its directory, with the port). */
  | { readonly socket: string; readonly port: number };

export type TlsAttempt =
  | { readonly tls: false }
  | {
      readonly tls: true;
      /**
       * - `none`: encrypted, the server's certificate is not looked at (sslmode=require)
       * - `ca`: its chain is verified, its name is not (verify-ca)
       * - `full`: chain and name
       */
      readonly verify: 'none' | 'ca' | 'full';
      /** Path of a PEM file; undefined for the system's own. */
      readonly ca: string | undefined;
      /** Paths of PEM files: the client's certificate and its key. */
      readonly cert: string | undefined;
      readonly key: string | undefined;
    };
