/** What a DSN holds before its keys are given a meaning; the same for all forms. */
export interface Parts {
  /** Hosts as written, a port apart; none where the form's authority names none. */
  readonly hosts: readonly HostPart[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly parameters: readonly Parameter[];
}

export interface HostPart {
  /** Name, address (no brackets), or the path of a socket; may be empty. */
  readonly host: string;
  readonly port: string | undefined;
}

export interface Parameter {
  readonly key: string;
  readonly value: string;
}
